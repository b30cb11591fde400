//! Pavilion in a cluster with a node, from this checkout's charts and images: how many answers it gives beside a
//! broker on the bare host, and how soon what was applied has come through.

mod installation;
mod throughput;
mod times;

use anyhow::Result;
use pavilion_e2e::{Manifests, RelyingParty, Wallet};

use installation::Installation;

/// Measures and prints.
pub fn run() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(measure())
}

async fn measure() -> Result<()> {
    let (wallet, shop) = (Wallet::default(), RelyingParty::new("shop"));
    let installation = Installation::make().await?;
    println!("in a cluster                         measured   target");
    let manifests = Manifests::tenant("acme", &wallet, &shop);
    installation.apply(&manifests, "acme").await?;
    throughput::print(&installation, &wallet, &shop).await?;
    times::print(&installation, &wallet, &shop).await
}

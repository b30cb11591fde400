//! Memory of idle tenants, and the time from start to ready.

use std::time::{Duration, Instant};

use anyhow::Context;
use pavilion_e2e::{Broker, Manifests, RelyingParty, Wallet};

use crate::usage::{OF_TENANT, Programs, resident_kib};

/// Prints both tables.
pub fn run() -> anyhow::Result<()> {
    let (wallet, shop) = (Wallet::default(), RelyingParty::new("shop"));
    let one = Manifests::tenant("acme", &wallet, &shop);
    let since = Instant::now();
    let mut broker = Broker::start(&one);
    let first = since.elapsed();
    broker.stop();
    let since = Instant::now();
    broker.restart();
    broker.wait_ready("acme");
    let again = since.elapsed();
    println!("\nstart to ready                      measured   target");
    println!(
        "  first start, keys made           {:>7.2} s   <= 2 s",
        first.as_secs_f64()
    );
    println!(
        "  later start                      {:>7.2} s   <= 2 s",
        again.as_secs_f64()
    );

    std::thread::sleep(Duration::from_secs(3));
    let acme = tenant_kib(&broker, "acme")?;
    let shared_before = shared_kib(&broker)?;
    println!("\nidle resident memory                measured   target");
    for (name, kib) in Programs::of(&broker, "acme")?.resident_kib()? {
        println!("  {name:32} {:>7.1} MB", megabytes(kib));
    }
    println!(
        "  pavilion-operator                {:>7.1} MB",
        megabytes(resident_kib(broker.pid())?)
    );
    one.and(Manifests::tenant("beta", &wallet, &shop))
        .write_to(&broker.manifests());
    broker.wait_ready("beta");
    std::thread::sleep(Duration::from_secs(3));
    let shared_more = shared_kib(&broker)?.saturating_sub(shared_before);
    let beta = tenant_kib(&broker, "beta")? + shared_more;
    println!(
        "  one tenant, its three programs   {:>7.1} MB  <= 40 MB",
        megabytes(acme)
    );
    println!(
        "  one tenant more, shares included {:>7.1} MB  <= 40 MB",
        megabytes(beta)
    );
    Ok(())
}

fn tenant_kib(broker: &Broker, tenant: &str) -> anyhow::Result<u64> {
    let programs = Programs::of(broker, tenant)?.resident_kib()?;
    let own = programs.iter().filter(|(name, _)| OF_TENANT.contains(name));
    Ok(own.map(|(_, kib)| kib).sum())
}

/// What all tenants share: the operator and the edge.
fn shared_kib(broker: &Broker) -> anyhow::Result<u64> {
    let router = broker.child("pavilion-router", None);
    Ok(resident_kib(broker.pid())? + resident_kib(router.context("the edge does not run")?)?)
}

#[allow(clippy::cast_precision_loss)]
fn megabytes(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}

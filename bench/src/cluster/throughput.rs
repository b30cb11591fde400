//! Answers through the edge of the cluster, beside those of a broker on the same machine.

use std::time::Duration;

use anyhow::Result;
use pavilion_e2e::relying_party::{Session, client_of};
use pavilion_e2e::{Broker, Manifests, RelyingParty, Wallet};

use super::installation::Installation;
use crate::client::Target;
use crate::verification::{CONNECTIONS, bodies, rate};

/// Alternately, so that a slow moment of the machine meets both.
const ROUNDS: usize = 3;
/// Questions of one round.
const QUESTIONS: usize = 20_000;
const WARM_UP: usize = 2_000;

/// Prints the comparison.
pub async fn print(
    installation: &Installation,
    wallet: &Wallet,
    shop: &RelyingParty,
) -> Result<()> {
    let authority = installation.authority("acme").await?;
    let host = "verify.acme.localhost";
    let client = client_of(host, installation.edge, authority.as_bytes());
    let inside = Session::over(client.build()?, format!("https://{host}"));
    let inside = inside.authorised(shop).await;
    let bearer = inside.bearer().unwrap_or_default();
    let cluster = Target::at(installation.edge, host, authority.as_bytes(), bearer)?;

    let broker = Broker::start(&Manifests::tenant("acme", wallet, shop));
    let outside = Session::open(&broker, "acme", shop).await;
    let standalone = Target::new(&broker, "acme", outside.bearer().unwrap_or_default())?;

    let (mut there, mut here) = (Vec::new(), Vec::new());
    let sides = [
        (&cluster, inside.server(), &mut there),
        (&standalone, outside.server(), &mut here),
    ];
    for (target, server, _) in &sides {
        saturate(target, wallet, server, WARM_UP).await?;
    }
    let [(cluster, at_cluster, there), (standalone, at_broker, here)] = sides;
    for _ in 0..ROUNDS {
        there.push(saturate(cluster, wallet, at_cluster, QUESTIONS).await?);
        here.push(saturate(standalone, wallet, at_broker, QUESTIONS).await?);
    }
    let (there, here) = (median(there), median(here));
    println!("  answers a second in the cluster  {there:>9.0}");
    println!("  answers a second on the host     {here:>9.0}");
    println!(
        "  cluster : host                   {:>9.2}   >= 0.7",
        there / here
    );
    Ok(())
}

async fn saturate(target: &Target, wallet: &Wallet, server: &str, count: usize) -> Result<f64> {
    let questions = bodies(wallet, server, count);
    // What the last round left, the logs of both, is written before the next begins.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let outcome = target.run(questions, f64::INFINITY, CONNECTIONS).await?;
    if outcome.failed > 0 {
        println!("  {} of {count} questions failed", outcome.failed);
    }
    Ok(rate(&outcome))
}

/// The one in the middle.
pub fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

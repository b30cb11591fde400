//! Memory of idle tenants, and the time from start to ready.

use std::time::{Duration, Instant};

use pavilion_e2e::{Broker, Manifests, RelyingParty, Wallet};

use crate::usage::{OF_TENANT, Programs};

/// Prints both tables.
pub fn run() {
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
    let acme = tenant_kib(&broker, "acme");
    one.and(Manifests::tenant("beta", &wallet, &shop))
        .write_to(&broker.manifests());
    broker.wait_ready("beta");
    std::thread::sleep(Duration::from_secs(3));
    let beta = tenant_kib(&broker, "beta");
    println!("\nidle resident memory                measured   target");
    for (name, kib) in Programs::of(&broker, "acme").resident_kib() {
        println!("  {name:32} {:>7.1} MB", megabytes(kib));
    }
    println!(
        "  one tenant, its three programs   {:>7.1} MB  <= 40 MB",
        megabytes(acme)
    );
    println!(
        "  one tenant more                  {:>7.1} MB  <= 40 MB",
        megabytes(beta)
    );
}

fn tenant_kib(broker: &Broker, tenant: &str) -> u64 {
    let programs = Programs::of(broker, tenant).resident_kib();
    programs
        .iter()
        .filter(|(name, _)| OF_TENANT.contains(name))
        .map(|(_, kib)| kib)
        .sum()
}

#[allow(clippy::cast_precision_loss)]
fn megabytes(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}

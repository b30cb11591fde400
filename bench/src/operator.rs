//! An operator with many Tenants, beside a bare client that applies the same objects to a fresh API server.
//!
//! API server, etcd and controller manager are real and there are no nodes, so that all that is measured is writing.

mod bare_client;
mod owned;
mod program;
mod site;
mod tenants;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::time::sleep;

use owned::Objects;
use program::Operator;
use site::Site;

/// Tenants that are looked at, or written, at once: of what was tried the best for both sides.
const WORKERS: usize = 32;
/// How often a figure is looked at that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long nothing is written once all is as it is to be.
const QUIET: Duration = Duration::from_secs(10);
/// How long a replica keeps the lease without renewing it.
const LEASE: Duration = Duration::from_secs(4);
/// How often it is said that there is no rest yet.
const TELL_EVERY: Duration = Duration::from_secs(30);
/// After that something is wrong.
const PATIENCE: Duration = Duration::from_mins(20);

/// Measures and prints.
pub fn run(tenants: usize) -> Result<()> {
    // Another part of this program may have chosen the same before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(measure(tenants))
}

async fn measure(count: usize) -> Result<()> {
    println!("{count} Tenants                        measured   target");
    let site = Site::fresh("operator").await?;
    tenants::apply(&site.client, count, WORKERS).await?;
    let before = site.processor()?;
    let (operator, converged) = converge(&site, count).await?;
    let objects = Objects::of(&site.client).await?;
    let took = converged.took.as_secs_f64();
    print(
        &format!("from empty to {} objects", objects.len()),
        &format!("{took:.1} s"),
        "",
    );
    print_processor(&before, &converged.processor);
    print_line("processor time, operator", converged.operator);
    let resident = rest(&operator).await?;
    for (what, counted) in [
        ("rounds a Tenant", "rounds_total"),
        ("statuses a Tenant", "status_writes_total"),
    ] {
        let counted = u32::try_from(operator.count(counted).await?)?;
        let each = f64::from(counted) / f64::from(u32::try_from(count)?);
        print(what, &format!("{each:.1}"), "");
    }
    let limit = 60_000.0 + 32.0 * f64::from(u32::try_from(count)?);
    print(
        "resident memory at rest",
        &format!("{:.1} MB", resident / 1000.0),
        &format!("<= {:.0} MB", limit / 1000.0),
    );
    restart(&site, operator, count).await?;
    drop(site);

    let site = Site::fresh("bare").await?;
    let before = site.processor()?;
    let bare = bare_client::apply(&site.client, &objects, WORKERS).await?;
    let bare = bare.as_secs_f64();
    print("bare client, the same objects", &format!("{bare:.1} s"), "");
    print_processor(&before, &site.processor()?);
    print(
        "bare client : operator",
        &format!("{:.2}", bare / took),
        ">= 0.7",
    );
    Ok(())
}

/// One line of the table, as soon as it is known.
fn print(what: &str, measured: &str, target: &str) {
    println!("  {what:<32} {measured:>9}   {target}");
}

/// Which program spent how much processor time from `before` to `now`.
fn print_processor(before: &[(String, f64)], now: &[(String, f64)]) {
    for ((name, now), (_, before)) in now.iter().zip(before) {
        print_line(&format!("processor time, {name}"), now - before);
    }
}

fn print_line(what: &str, seconds: f64) {
    print(&format!("  {what}"), &format!("{seconds:.1} s"), "");
}

/// The moment at which all objects were there.
struct Converged {
    took: Duration,
    /// Processor time of the cluster's programs by then, in seconds.
    processor: Vec<(String, f64)>,
    /// The operator's.
    operator: f64,
}

impl Converged {
    fn now(since: Instant, site: &Site, operator: &Operator) -> Result<Self> {
        Ok(Self {
            took: since.elapsed(),
            processor: site.processor()?,
            operator: crate::usage::processor(operator.pid())?.as_secs_f64(),
        })
    }
}

/// Starts an operator that finds all Tenants there, and waits until all of their objects are.
async fn converge(site: &Site, count: usize) -> Result<(Operator, Converged)> {
    let since = Instant::now();
    let operator = Operator::start(site, "one", WORKERS)?;
    let mut last = (0, Converged::now(since, site, &operator)?);
    loop {
        ensure!(since.elapsed() < PATIENCE, "not applied after {PATIENCE:?}");
        ensure!(operator.lives(), "the operator has ended");
        let made = operator.count("objects_made_total").await.unwrap_or(0);
        if made != last.0 {
            last = (made, Converged::now(since, site, &operator)?);
        }
        // A tenant's StatefulSet is the last of its objects.
        let is_quiet = made > 0 && since.elapsed() > last.1.took + LEASE;
        if is_quiet && owned::stateful_sets(&site.client).await? == count {
            return Ok((operator, last.1));
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Waits until nothing is written any more; the resident memory then, in kB.
async fn rest(operator: &Operator) -> Result<f64> {
    quiet(operator).await?;
    let kib = crate::usage::resident_kib(operator.pid())?;
    Ok(f64::from(u32::try_from(kib)?) * 1.024)
}

async fn quiet(operator: &Operator) -> Result<()> {
    let (since, mut last) = (Instant::now(), (u64::MAX, Instant::now()));
    let mut told = since;
    while last.1.elapsed() < QUIET {
        ensure!(since.elapsed() < PATIENCE, "it writes on and on");
        let writes = operator.writes().await?;
        if told.elapsed() > TELL_EVERY {
            told = Instant::now();
            let seconds = since.elapsed().as_secs();
            println!("  not at rest after {seconds} s: {writes} writes");
        }
        if writes != last.0 {
            last = (writes, Instant::now());
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Stops the operator and starts it anew; then kills it beside one that waits.
async fn restart(site: &Site, operator: Operator, count: usize) -> Result<()> {
    operator.stop().await?;
    let since = Instant::now();
    let first = Operator::start(site, "two", WORKERS)?;
    first
        .until("readyz", |page| page.contains("watches: ok"))
        .await?;
    let ready = since.elapsed().as_secs_f64();
    print("restart to Ready", &format!("{ready:.1} s"), "<= 10 s");
    let rounds = u64::try_from(count)?;
    while first.count("rounds_total").await? < rounds {
        ensure!(since.elapsed() < PATIENCE, "not every tenant was looked at");
        sleep(LOOK_EVERY).await;
    }
    quiet(&first).await?;
    let statuses = first.count("status_writes_total").await?;
    let written = first.writes().await? - statuses;
    print("restart, objects written", &written.to_string(), "0");
    print("restart, statuses written", &statuses.to_string(), "0");

    let second = Operator::start(site, "three", WORKERS)?;
    second
        .until("readyz", |page| page.contains("watches: ok"))
        .await?;
    ensure!(first.count("leader").await? == 1, "the first does not lead");
    let since = Instant::now();
    first.kill()?;
    while second.count("leader").await.context("the second replica")? == 0 {
        ensure!(since.elapsed() < PATIENCE, "nobody leads");
        sleep(Duration::from_millis(20)).await;
    }
    let takeover = since.elapsed().as_secs_f64();
    print(
        "leader killed to the next",
        &format!("{takeover:.1} s"),
        "<= 5 s",
    );
    Ok(())
}

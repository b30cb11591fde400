//! A whole verification, against the sum of its unavoidable parts.
//!
//! Client and broker share the machine's cores. The ratio is therefore one of processor time: what the
//! unavoidable parts of one verification cost alone, over what the edge and the tenant's programs
//! spent on one. Throughput and latency are printed beside it, the client's share included.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use pavilion_e2e::relying_party::{Session, nonce};
use pavilion_e2e::{Broker, Manifests, RelyingParty, Wallet};
use serde_json::json;

use crate::client::{Outcome, Target};
use crate::floor::Floor;
use crate::usage::Programs;

/// Connections that are enough to keep two cores busy.
pub const CONNECTIONS: usize = 64;

/// Prints the table.
pub fn run(seconds: u64, perf: Option<&Path>) -> anyhow::Result<()> {
    let (wallet, shop) = (Wallet::default(), RelyingParty::new("shop"));
    let broker = Broker::start(&Manifests::tenant("acme", &wallet, &shop));
    let floor = Floor::measure()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let session = Session::open(&broker, "acme", &shop).await;
        let target = Target::new(&broker, "acme", session.bearer().unwrap_or_default())?;
        let warm = target
            .run(bodies(&wallet, session.server(), 500), f64::INFINITY, 8)
            .await?;
        let guess = rate(&warm) * 1.5;
        let count = whole(guess) * usize::try_from(seconds)?;

        let programs = Programs::of(&broker, "acme")?;
        let questions = bodies(&wallet, session.server(), count);
        let (before, groups_before) = (programs.processor()?, Groups::of(&broker)?);
        let sampler = perf.map(|file| programs.sample(file, seconds / 2));
        // Twice what it can take: what is answered is what it can.
        let saturated = target.run(questions, guess * 2.0, CONNECTIONS).await?;
        let spent: Vec<_> = programs
            .processor()?
            .iter()
            .zip(before)
            .map(|((name, after), (_, before))| (*name, after.saturating_sub(before)))
            .collect();
        if let Some(sampler) = sampler {
            sampler?.wait()?;
        }
        let group = Groups::of(&broker)?.mean_since(&groups_before);

        let half = rate(&saturated) / 2.0;
        let questions = bodies(
            &wallet,
            session.server(),
            whole(half) * usize::try_from(seconds)?,
        );
        let halved = target.run(questions, half, CONNECTIONS).await?;
        print(&floor, group, &saturated, &spent, half, &halved);
        Ok(())
    })
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(number: f64) -> usize {
    number as usize
}

/// Answers a second.
#[allow(clippy::cast_precision_loss)]
pub fn rate(outcome: &Outcome) -> f64 {
    outcome.answered as f64 / outcome.elapsed.as_secs_f64()
}

/// So many questions, each with a presentation of its own, as bodies of requests.
pub fn bodies(wallet: &Wallet, audience: &str, count: usize) -> Vec<Bytes> {
    let one = |_| {
        let nonce = nonce();
        let presentation = wallet.write(&wallet.born("1990-05-17", audience, &nonce));
        let question = json!({
            "policy": "over18", "purpose": "age-restricted-sale", "nonce": nonce,
            "presentations": [{"evidence": "pid", "presentation": presentation}],
        });
        Bytes::from(question.to_string())
    };
    (0..count).map(one).collect()
}

/// How the auditor has grouped entries so far.
struct Groups {
    entries: f64,
    groups: f64,
}

impl Groups {
    fn of(broker: &Broker) -> anyhow::Result<Self> {
        let metrics = broker.metrics("auditor", Some("acme"));
        let value = |name: &str| -> anyhow::Result<f64> {
            let line = metrics.lines().find(|line| line.starts_with(name));
            let number = line.and_then(|line| line.rsplit(' ').next());
            Ok(number.with_context(|| format!("no {name}"))?.parse()?)
        };
        Ok(Self {
            entries: value("pavilion_log_group_entries_sum")?,
            groups: value("pavilion_log_group_entries_count")?,
        })
    }

    fn mean_since(&self, before: &Self) -> f64 {
        (self.entries - before.entries) / (self.groups - before.groups).max(1.0)
    }
}

#[allow(clippy::cast_precision_loss)]
fn print(
    floor: &Floor,
    group: f64,
    saturated: &Outcome,
    spent: &[(&str, Duration)],
    half: f64,
    halved: &Outcome,
) {
    let micro = |duration: Duration| duration.as_secs_f64() * 1e6;
    let per = |duration: Duration| micro(duration) / saturated.answered.max(1) as f64;
    let unavoidable = floor.processor(group);
    let total: Duration = spent.iter().map(|(_, duration)| *duration).sum();
    println!("\nunavoidable parts of one verification, alone");
    println!(
        "  ES256 verification, issuer's key {:>7.1} us",
        micro(floor.verify_known)
    );
    println!(
        "  ES256 verification, holder's key {:>7.1} us",
        micro(floor.verify_fresh)
    );
    println!(
        "  C_Sign                          {:>8.1} us",
        micro(floor.sign)
    );
    println!(
        "  write and fdatasync             {:>8.1} us, of it {:.1} us processor; shared by {group:.1}",
        micro(floor.sync),
        micro(floor.sync_processor)
    );
    println!(
        "  together                        {:>8.1} us",
        micro(unavoidable)
    );
    println!("\nprocessor time of one verification at saturation");
    for (name, duration) in spent {
        println!("  {name:30}  {:>8.1} us", per(*duration));
    }
    println!("  together                        {:>8.1} us", per(total));
    println!("\nwhole verification                  measured   target");
    println!(
        "  unavoidable / spent              {:>8.2}   >= 0.5",
        micro(unavoidable) / per(total)
    );
    println!(
        "  saturated, client included       {:>8.0} /s ({} failed)",
        rate(saturated),
        saturated.failed
    );
    println!(
        "  at half of that ({half:.0}/s): p50    {:>8.1} ms",
        halved.latency.value_at_quantile(0.5) as f64 / 1e3
    );
    println!(
        "                          p99    {:>8.1} ms <= 25 ms ({} failed)",
        halved.latency.value_at_quantile(0.99) as f64 / 1e3,
        halved.failed
    );
}

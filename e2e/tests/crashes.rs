//! Programs are killed at any moment: nothing that was acknowledged is lost, and the log verifies.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stderr)]

use std::path::Path;
use std::time::Duration;

use pavilion_e2e::World;
use pavilion_e2e::judges::LogSource;
use pavilion_e2e::load::{Answered, Load};
use pavilion_e2e::outsider::{Outsider, assert_holds};
use pavilion_e2e::relying_party::Session;

/// What may be said while a program is away.
const AWAY: [&str; 6] = [
    "log_unavailable",
    "signer_unavailable",
    "state_unavailable",
    "tenant_unavailable",
    "not_configured",
    "overloaded",
];

/// Moments that differ from run to run; the seed is printed, and `PAVILION_SEED` sets it.
struct Moments(u64);

impl Moments {
    fn new() -> Self {
        let seed = std::env::var("PAVILION_SEED").ok().map_or_else(
            || u64::from(std::process::id()) * 7_919 + 1,
            |seed| seed.parse().expect("PAVILION_SEED is a number"),
        );
        eprintln!("PAVILION_SEED={seed}");
        Self(seed)
    }

    /// Between 100 and 700 milliseconds (xorshift64).
    fn next(&mut self) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Duration::from_millis(100 + self.0 % 600)
    }
}

/// Every answer's leaf stands in the log at the answer's index, on disk and as it is served.
async fn assert_logged(world: &World, outsider: &Outsider, answered: &[Answered]) {
    let last = answered
        .iter()
        .map(|answer| answer.index)
        .max()
        .unwrap_or_default();
    let directory = world.broker.state().join("tenants/acme/auditor/log");
    // The published checkpoint follows an append within a tenth of a second.
    world.broker.wait_for("the log to cover every answer", || {
        outsider
            .read(&LogSource::Directory(&directory))
            .is_ok_and(|leaves| leaves.len() as u64 > last)
    });
    let served = world.broker.served_log("acme");
    for log in [LogSource::Directory(&directory), served] {
        assert_holds(&outsider.read(&log).unwrap(), answered);
    }
    let session = Session::anonymous(&world.broker, "acme");
    outsider.look(&session).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_any_program_at_any_moment_loses_no_acknowledged_answer() {
    let world = World::start();
    let outsider = Outsider::of(&Session::anonymous(&world.broker, "acme")).await;
    let mut moments = Moments::new();
    let programs = [
        ("pavilion-auditor", Some("acme")),
        ("pavilion-signer", Some("acme")),
        ("pavilion-verifier", Some("acme")),
        ("pavilion-router", None),
    ];
    let rounds = std::env::var("PAVILION_KILLS").map_or(3, |rounds| rounds.parse().unwrap());
    let mut all = Vec::new();
    for (program, tenant) in programs.into_iter().cycle().take(rounds * programs.len()) {
        let load = Load::start(&world).await;
        load.run_for(moments.next()).await;
        let killed = world.broker.kill_child(program, tenant);
        world.broker.wait_for("the program to be back", || {
            let now = world.broker.child(program, tenant);
            now.is_some_and(|pid| pid != killed)
        });
        world.broker.wait_ready("acme");
        let before = load.answered();
        load.run_for(Duration::from_millis(200)).await;
        let tally = load.stop().await;
        assert!(
            tally.answered.len() > before,
            "{program}: nothing was answered after it came back: {:?}",
            tally.refused
        );
        for code in &tally.refused {
            assert!(AWAY.contains(&code.as_str()), "{program}: {code}");
        }
        all.extend(tally.answered);
        assert_logged(&world, &outsider, &all).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_that_was_killed_takes_over_what_it_left_behind() {
    let mut world = World::start();
    let outsider = Outsider::of(&Session::anonymous(&world.broker, "acme")).await;
    let load = Load::start(&world).await;
    load.run_for(Duration::from_millis(400)).await;
    let orphan = world.broker.child("pavilion-signer", Some("acme")).unwrap();
    world.broker.kill();
    load.run_for(Duration::from_millis(400)).await;
    world.broker.restart();
    world.broker.wait_for("new programs", || {
        world
            .broker
            .child("pavilion-signer", Some("acme"))
            .is_some_and(|pid| pid != orphan)
    });
    world.broker.wait_ready("acme");
    let before = load.answered();
    load.run_for(Duration::from_millis(400)).await;
    let tally = load.stop().await;
    assert!(tally.answered.len() > before, "{:?}", tally.refused);
    assert!(
        !Path::new(&format!("/proc/{orphan}/exe")).exists(),
        "an orphan is still running"
    );
    assert_logged(&world, &outsider, &tally.answered).await;
}

//! Programs of a tenant are killed and paused while relying parties ask.

use std::{collections::BTreeMap, time::Duration};

use pavilion_e2e::load::Tally;
use rustix::process::Signal;

use crate::{
    processes,
    stage::{Stage, condition, eventually, tenant, until_ready},
    traffic::{Traffic, longest},
};

/// What may be said while a program is away.
const AWAY: [&str; 5] = [
    "log_unavailable",
    "signer_unavailable",
    "state_unavailable",
    "tenant_unavailable",
    "overloaded",
];

/// How often each program was started again, as the Tenant's status says.
fn restarts() -> BTreeMap<String, u64> {
    let tenant = tenant();
    let programs = tenant["status"]["dataPlane"].as_array().cloned();
    let programs = programs.into_iter().flatten();
    programs
        .map(|program| {
            let name = program["name"].as_str().unwrap().to_owned();
            (name, program["restarts"].as_u64().unwrap())
        })
        .collect()
}

async fn for_a_while() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

fn assert_told(tally: &Tally) {
    for code in &tally.refused {
        assert!(AWAY.contains(&code.as_str()), "{code}");
    }
    assert_eq!(tally.unanswered, Vec::<String>::new(), "got no answer");
    let passed = tally.answered.iter().all(|answer| answer.verdict == "pass");
    assert!(passed, "somebody old enough was told something else");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_killed_under_load_costs_no_answer_and_status_counts_it() {
    let _stage = Stage::set().await;
    let traffic = Traffic::start().await;
    for program in ["auditor", "signer", "verifier"] {
        for_a_while().await;
        let (before, mut expected) = (traffic.answered(), restarts());
        let killed = processes::signal(program, Signal::KILL);
        eventually("it runs again", || {
            processes::of(program).is_some_and(|pid| pid != killed)
        });
        *expected.get_mut(program).unwrap() += 1;
        eventually("status counts it", || restarts() == expected);
        until_ready();
        for_a_while().await;
        assert!(traffic.answered() > before, "nothing after the {program}");
    }
    let tally = traffic.stop().await;
    eprintln!(
        "{} answers, {} refusals, the slowest answer took {:?}",
        tally.answered.len(),
        tally.refused.len(),
        longest(&tally)
    );
    assert_told(&tally);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_that_hangs_lets_nothing_out_and_status_says_so() {
    let _stage = Stage::set().await;
    let traffic = Traffic::start().await;
    for_a_while().await;
    processes::signal("signer", Signal::STOP);
    for_a_while().await;
    // What was signed before is out by now.
    let before = traffic.answered();
    eventually("status says that it does not answer", || {
        condition("Ready").starts_with("False")
    });
    assert_eq!(traffic.answered(), before, "answered without its signer");
    // Unless the kubelet has put another one in its place by now.
    if processes::of("signer").is_some() {
        processes::signal("signer", Signal::CONT);
    }
    until_ready();
    eventually("it answers again", || traffic.answered() > before);
    let tally = traffic.stop().await;
    assert_told(&tally);
    assert!(
        tally.refused.contains(&"signer_unavailable".to_owned()),
        "{:?}",
        tally.refused
    );
}

//! Programs under supervision: real processes, with health sockets that the test answers for them.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use crate::stage::{Stage, Voice, until};
use pavilion_operator::host::{Child, ChildId, ChildSpec, ChildState, Phase, Program};

/// A shell script as a program.
fn spec(stage: &Stage, program: Program, script: &str) -> ChildSpec {
    let executable = stage.path().join(format!("{}.sh", program.name()));
    fs::write(&executable, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&executable, fs::Permissions::from_mode(0o755)).unwrap();
    ChildSpec {
        id: ChildId {
            tenant: Some("acme".parse().unwrap()),
            program,
        },
        executable,
        arguments: Vec::new(),
        environment: vec![("GIVEN".to_owned(), "yes".to_owned())],
        directory: stage.path().to_path_buf(),
        health: stage.path().join(format!("{}.sock", program.name())),
        // Longer than anything here takes.
        patience: Duration::from_mins(1),
        silence: Duration::from_mins(1),
        fingerprint: pavilion_json::Digest::of(b""),
    }
}

fn start(stage: &Stage, script: &str) -> Child {
    let spec = spec(stage, Program::Signer, script);
    Child::start(spec, Vec::new(), stage.surroundings.clone())
}

async fn fallen(child: &Child) -> ChildState {
    until(|| child.state().restarts > 0 && child.state().fell.is_some()).await;
    child.state()
}

#[tokio::test]
async fn a_program_that_ends_is_started_again_and_its_last_words_are_kept() {
    let stage = Stage::new().await;
    let child = start(
        &stage,
        r#"echo '{"message":"the token is away"}' >&2; exit 69"#,
    );
    let fell = fallen(&child).await.fell;
    assert_eq!(
        fell.unwrap(),
        "exit status: 69 (something it needs is away): the token is away"
    );
    until(|| child.state().restarts > 1).await;
    child.stop().await;
}

#[tokio::test]
async fn a_program_that_cannot_be_started_says_so() {
    let stage = Stage::new().await;
    let mut missing = spec(&stage, Program::Signer, "");
    missing.executable = stage.path().join("missing");
    let child = Child::start(missing, Vec::new(), stage.surroundings.clone());
    let why = fallen(&child).await.fell.unwrap();
    assert!(why.starts_with("cannot be started: "), "{why}");
    child.stop().await;
}

#[tokio::test]
async fn a_program_gets_its_own_environment_and_not_the_operators() {
    let stage = Stage::new().await;
    let child = start(&stage, r#"echo "GIVEN=$GIVEN HOME=$HOME"; exit 1"#);
    let why = fallen(&child).await.fell.unwrap();
    assert_eq!(why, "exit status: 1: GIVEN=yes HOME=");
    child.stop().await;
}

#[tokio::test]
async fn a_program_is_ready_when_it_says_so_and_only_then() {
    let stage = Stage::new().await;
    let child = start(&stage, "exec sleep 600");
    until(|| child.state().phase == Phase::Starting).await;
    assert_eq!(child.state().trouble().unwrap(), "does not answer yet");
    let voice = Voice::answer(&stage.path().join("signer.sock"), None);
    until(|| child.state().is_ready()).await;
    voice.say_not_ready("token: away");
    child.hurry();
    until(|| child.state().phase == Phase::Troubled).await;
    assert_eq!(child.state().trouble().unwrap(), "voice: token: away");
    assert!(child.state().was_ready);
    child.stop().await;
}

#[tokio::test]
async fn a_program_waits_for_the_one_it_needs() {
    let stage = Stage::new().await;
    let first = start(&stage, "exec sleep 600");
    let spec = spec(&stage, Program::Verifier, "exec sleep 600");
    let second = Child::start(spec, vec![first.when_ready()], stage.surroundings.clone());
    until(|| first.state().phase == Phase::Starting).await;
    assert_eq!(second.state().phase, Phase::Waiting);
    assert_eq!(
        second.state().trouble().unwrap(),
        "waits for the programs it needs"
    );
    let _voice = Voice::answer(&stage.path().join("signer.sock"), None);
    until(|| second.state().phase == Phase::Starting).await;
    second.stop().await;
    first.stop().await;
}

#[tokio::test]
async fn a_program_that_is_never_needed_any_more_is_not_started() {
    let stage = Stage::new().await;
    let first = start(&stage, "exec sleep 600");
    let spec = spec(&stage, Program::Verifier, "touch started");
    let second = Child::start(spec, vec![first.when_ready()], stage.surroundings.clone());
    second.stop().await;
    first.stop().await;
    assert!(!stage.path().join("started").exists());
}

#[tokio::test]
async fn a_program_may_finish_what_it_has_when_it_is_stopped() {
    let stage = Stage::new().await;
    let child = start(
        &stage,
        "trap 'touch finished; exit 0' TERM; touch begun; while :; do sleep 0.01; done",
    );
    until(|| stage.path().join("begun").exists()).await;
    child.stop().await;
    assert!(stage.path().join("finished").exists());
}

#[tokio::test]
async fn a_program_that_does_not_stop_is_killed_when_its_time_is_over() {
    let stage = Stage::new().await;
    let script = "trap '' TERM; touch begun; while :; do sleep 0.01; done";
    let mut spec = spec(&stage, Program::Signer, script);
    spec.patience = Duration::from_millis(300);
    let child = Child::start(spec, Vec::new(), stage.surroundings.clone());
    until(|| stage.path().join("begun").exists()).await;
    let pid = child.state().pid.unwrap();
    child.stop().await;
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[tokio::test]
async fn a_program_that_hangs_is_killed_and_started_again() {
    let stage = Stage::new().await;
    let mut spec = spec(&stage, Program::Signer, "exec sleep 600");
    spec.patience = Duration::from_millis(300);
    spec.silence = Duration::from_secs(3);
    let child = Child::start(spec, Vec::new(), stage.surroundings.clone());
    let voice = Voice::answer(&stage.path().join("signer.sock"), None);
    until(|| child.state().is_ready()).await;
    let pid = i32::try_from(child.state().pid.unwrap()).unwrap();
    // It can no longer take a signal that asks, nor speak.
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    drop(voice);
    let fell = fallen(&child).await.fell.unwrap();
    assert!(fell.starts_with("no answer on its health socket"), "{fell}");
    until(|| {
        child
            .state()
            .pid
            .is_some_and(|new| i32::try_from(new) != Ok(pid.as_raw_nonzero().get()))
    })
    .await;
    child.stop().await;
}

#[tokio::test]
async fn a_program_that_never_spoke_is_given_longer() {
    let stage = Stage::new().await;
    let mut spec = spec(&stage, Program::Signer, "exec sleep 600");
    spec.silence = Duration::from_secs(1);
    let child = Child::start(spec, Vec::new(), stage.surroundings.clone());
    until(|| child.state().pid.is_some()).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(child.state().restarts, 0);
    child.stop().await;
}

#[tokio::test]
async fn a_program_is_killed_with_its_supervisor() {
    let stage = Stage::new().await;
    let child = start(&stage, "exec sleep 600");
    until(|| child.state().pid.is_some()).await;
    let pid = child.state().pid.unwrap();
    drop(child);
    until(|| is_gone(pid)).await;
}

/// Gone, or only waiting to be collected.
fn is_gone(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ")
}

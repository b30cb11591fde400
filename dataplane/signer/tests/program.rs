//! `pavilion-signer` as a process: its socket, its exit codes, and `kill -9`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code, reason = "the engine's tests use the rest")]
#[path = "stage/room.rs"]
mod room;
#[path = "stage/running.rs"]
mod running;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pavilion_rpc::signer::signed::Outcome;
use pavilion_rpc::signer::{HealthRequest, Purpose, RotateRequest, SignRequest, Unsigned};
use pavilion_rpc::{Origin, code_of};
use serde_json::{Value, json};

use room::{answer, checkpoint, module, verifies};
use running::{Home, Running};

fn home() -> Home {
    Home::new(&module())
}

async fn sign(running: &Running, key_id: &str, message: Vec<u8>) -> Result<Vec<u8>, String> {
    let message = Unsigned {
        key_id: key_id.to_owned(),
        message: message.into(),
        origin: Some(Origin::of("01JZZZZZZZZZZZZZZZZZZZZZZZ")),
    };
    let call = SignRequest {
        messages: vec![message],
    };
    let answer = running.client().sign(call).await;
    let mut answer = answer
        .map_err(|status| status.message().to_owned())?
        .into_inner();
    match answer.outcomes.remove(0).outcome.unwrap() {
        Outcome::Signature(signature) => Ok(signature.to_vec()),
        Outcome::Failure(failure) => Err(failure.code),
    }
}

fn kids(keys: &[pavilion_rpc::signer::PublicKey]) -> BTreeSet<String> {
    keys.iter().map(|key| key.key_id.clone()).collect()
}

#[tokio::test]
async fn it_signs_over_its_socket_and_says_how_it_does() {
    let home = home();
    let running = home.start();
    let key = running.current(Purpose::Result).await;
    let jwk: Value = serde_json::from_str(&key.jwk).unwrap();
    let signature = sign(&running, &key.key_id, answer(&key.key_id, 1))
        .await
        .unwrap();
    assert!(verifies(&jwk, &answer(&key.key_id, 1), &signature));

    let health = running
        .client()
        .health(HealthRequest {})
        .await
        .unwrap()
        .into_inner();
    assert!(health.ready && health.reason.is_empty());
    assert_eq!(
        (health.token_label.as_str(), health.sessions_open),
        ("acme", 2)
    );
    assert!(health.mechanisms.contains(&"CKM_ECDSA".to_owned()));
    assert_eq!(health.custody["checkpoint"], "token");

    let status = running.get("/status").unwrap();
    for shown in [
        key.key_id.as_str(),
        "CKM_ECDSA",
        "\"custody\"",
        "\"sessionsOpen\":2",
    ] {
        assert!(status.contains(shown), "{shown} in {status}");
    }
    let metrics = running.get("/metrics").unwrap();
    assert!(
        metrics.contains("pavilion_hsm_sign_duration_seconds_count{purpose=\"result\"} 1"),
        "{metrics}"
    );
    assert_eq!(running.stop(), Some(0));
    assert!(!home.path("signer.sock").exists());
}

#[tokio::test]
async fn refusals_carry_their_stable_codes() {
    let home = home();
    let running = home.start();
    let key = running.current(Purpose::Result).await.key_id;
    assert_eq!(
        sign(&running, "nobody", answer("nobody", 1)).await,
        Err("key_unknown".to_owned())
    );
    assert_eq!(
        sign(&running, &key, checkpoint(1)).await,
        Err("message_not_signable".to_owned())
    );
    let log = running.current(Purpose::Checkpoint).await.key_id;
    sign(&running, &log, checkpoint(2)).await.unwrap();
    assert_eq!(
        sign(&running, &log, checkpoint(1)).await,
        Err("checkpoint_conflict".to_owned())
    );
    for purpose in [Purpose::Checkpoint, Purpose::Unspecified] {
        let refused = running
            .client()
            .rotate(RotateRequest {
                purpose: purpose.into(),
            })
            .await
            .unwrap_err();
        assert_eq!(code_of(&refused), Some("rotation_refused"));
    }
    let huge = sign(&running, &key, vec![b'a'; 2 * 1_024 * 1_024]).await;
    let refused = huge.unwrap_err();
    assert!(
        refused.contains("too large"),
        "it is refused before it is read: {refused}"
    );
}

#[tokio::test]
async fn messages_of_one_call_are_signed_or_refused_each_for_itself() {
    let home = home();
    let running = home.start();
    let key = running.current(Purpose::Result).await.key_id;
    let message = |key_id: &str, message: Vec<u8>| Unsigned {
        key_id: key_id.to_owned(),
        message: message.into(),
        origin: None,
    };
    let messages = vec![
        message(&key, answer(&key, 1)),
        message("nobody", answer("nobody", 1)),
        message(&key, answer(&key, 2)),
    ];
    let call = async |messages| {
        let answer = running.client().sign(SignRequest { messages }).await?;
        Ok::<_, tonic::Status>(answer.into_inner().outcomes)
    };
    let outcomes = call(messages).await.unwrap();
    let codes: Vec<_> = outcomes
        .into_iter()
        .map(|signed| match signed.outcome.unwrap() {
            Outcome::Signature(signature) => signature.len().to_string(),
            Outcome::Failure(failure) => failure.code,
        })
        .collect();
    assert_eq!(codes, ["64", "key_unknown", "64"]);
    for count in [0, 257] {
        let many = vec![message(&key, answer(&key, 1)); count];
        let refused = call(many).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    }
}

#[tokio::test]
async fn a_rotated_key_and_the_one_before_are_published_after_a_restart() {
    let home = home();
    let running = home.start();
    let before = running.keys().await;
    let rotate = RotateRequest {
        purpose: Purpose::Result.into(),
    };
    let key = running
        .client()
        .rotate(rotate)
        .await
        .unwrap()
        .into_inner()
        .current
        .unwrap();
    assert!(key.current && !kids(&before).contains(&key.key_id));
    assert_eq!(running.stop(), Some(0));
    let again = home.start();
    let after = again.keys().await;
    assert_eq!(after.len(), 3);
    assert!(kids(&after).is_superset(&kids(&before)));
    assert_eq!(again.current(Purpose::Result).await.key_id, key.key_id);
    let replaced = after.iter().find(|key| !key.current).unwrap();
    let (grace, leeway) = (30, 60);
    assert_eq!(
        replaced.retires_at,
        key.created_at + grace + 7 * 24 * 3_600 + leeway
    );
}

#[tokio::test]
async fn a_log_that_was_set_back_while_the_signer_was_away_gets_no_checkpoint() {
    let home = home();
    let running = home.start();
    let log = running.current(Purpose::Checkpoint).await.key_id;
    for size in 1..=5 {
        sign(&running, &log, checkpoint(size)).await.unwrap();
    }
    assert_eq!(running.stop(), Some(0));
    let again = home.start();
    let set_back = sign(&again, &log, checkpoint(4)).await;
    assert_eq!(set_back, Err("checkpoint_conflict".to_owned()));
    sign(&again, &log, checkpoint(5)).await.unwrap();
}

/// A PKCS#11 module in front of `SoftHSM` whose signatures do not come back while a file is there.
fn module_that_hangs(home: &Home) -> std::path::PathBuf {
    let source = home.path("hangs.c");
    // A function list is a version and 68 pointers; `C_Sign` is the 44th (PKCS#11 2.40, pkcs11f.h).
    let text = format!(
        r#"
        #include <dlfcn.h>
        #include <unistd.h>
        typedef unsigned long (*call)();
        struct list {{ unsigned char version[2]; call calls[68]; }};
        static struct list ours;
        static call sign;
        static unsigned long hangs(unsigned long session, void *data, unsigned long length,
                                   void *signature, unsigned long *room) {{
            while (access("hang", F_OK) == 0) sleep(1);
            return sign(session, data, length, signature, room);
        }}
        unsigned long C_GetFunctionList(struct list **out) {{
            void *module = dlopen("{}", RTLD_NOW);
            struct list *theirs;
            unsigned long refused = ((call)dlsym(module, "C_GetFunctionList"))(&theirs);
            if (refused) return refused;
            ours = *theirs;
            sign = ours.calls[43];
            ours.calls[43] = (call)hangs;
            *out = &ours;
            return 0;
        }}
        "#,
        module().display()
    );
    fs::write(&source, text).unwrap();
    let library = home.path("hangs.so");
    let made = Command::new("cc")
        .args(["-std=gnu11", "-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status();
    assert!(made.unwrap().success());
    library
}

#[tokio::test]
async fn a_signer_whose_module_does_not_return_ends_so_that_it_is_started_anew() {
    let mut home = home();
    home.config["module"] = json!(module_that_hangs(&home));
    // Time for a signature on a busy machine; it takes five of them until the process is given up.
    home.config["deadlineMilliseconds"] = json!(3_000);
    let mut running = home.start();
    let key = running.current(Purpose::Result).await.key_id;
    sign(&running, &key, answer(&key, 1)).await.unwrap();

    fs::write(home.path("hang"), "").unwrap();
    let late = sign(&running, &key, answer(&key, 2)).await;
    assert_eq!(late, Err("signer_timeout".to_owned()));
    let ended = tokio::task::spawn_blocking(move || running.child.wait().unwrap());
    let ended = tokio::time::timeout(Duration::from_mins(1), ended).await;
    // The module may hang in its own end as well; it is killed then.
    let ended = ended.expect("it ends by itself").unwrap();
    assert!(!ended.success());
    let said = fs::read_to_string(home.path("log")).unwrap();
    assert!(said.contains("does not return"), "{said}");

    fs::remove_file(home.path("hang")).unwrap();
    let again = home.start();
    assert_eq!(again.current(Purpose::Result).await.key_id, key);
    sign(&again, &key, answer(&key, 3)).await.unwrap();
}

#[tokio::test]
async fn a_signer_killed_at_any_moment_of_its_first_start_starts_the_next_time() {
    for step in 0..24 {
        let home = home();
        let mut known = BTreeSet::new();
        for try_again in 0..3 {
            let mut running = home.spawn();
            tokio::time::sleep(Duration::from_millis(step * 4 + try_again * 7)).await;
            let client = running
                .client()
                .public_keys(pavilion_rpc::signer::PublicKeysRequest {})
                .await;
            known.extend(
                client
                    .map(|keys| kids(&keys.into_inner().keys))
                    .unwrap_or_default(),
            );
            running.kill();
        }
        let running = home.start();
        let keys = running.keys().await;
        assert_eq!(keys.len(), 2, "step {step}: {keys:?}");
        assert!(
            kids(&keys).is_superset(&known),
            "step {step}: a published key was lost"
        );
        let key = running.current(Purpose::Result).await.key_id;
        sign(&running, &key, answer(&key, 1)).await.unwrap();
        let pins = fs::metadata(home.path("signer/pin"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(pins & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_signer_killed_at_any_moment_of_a_rotation_loses_no_published_key() {
    let home = home();
    let mut known = BTreeSet::new();
    for step in 0..10 {
        let mut running = home.start();
        let keys = running.keys().await;
        assert!(kids(&keys).is_superset(&known), "step {step}");
        assert_eq!(
            keys.iter().filter(|key| key.current).count(),
            2,
            "step {step}"
        );
        known.extend(kids(&keys));
        let mut client = running.client();
        let asked = tokio::spawn(async move {
            let rotate = RotateRequest {
                purpose: Purpose::Result.into(),
            };
            client
                .rotate(rotate)
                .await
                .map(|answer| answer.into_inner().current.unwrap().key_id)
        });
        tokio::time::sleep(Duration::from_micros(step * 600)).await;
        running.kill();
        known.extend(asked.await.unwrap());
    }
    let running = home.start();
    assert!(kids(&running.keys().await).is_superset(&known));
    let key = running.current(Purpose::Result).await.key_id;
    sign(&running, &key, answer(&key, 1)).await.unwrap();
}

#[tokio::test]
async fn a_process_of_another_user_is_not_served() {
    let mut home = home();
    home.config["callers"] = json!([{"uid": 54_321, "may": ["signResults", "signCheckpoints"]}]);
    let running = home.start();
    assert_eq!(
        fs::metadata(home.path("signer.sock"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o660
    );
    let refused = running.client().health(HealthRequest {}).await;
    assert!(refused.is_err(), "this user is not on the list");
}

/// A signer that gives this user some rights, and all of them to another one.
fn giving(home: &mut Home, may: &[&str]) -> Running {
    home.config["callers"] = json!([
        {"uid": rustix::process::geteuid().as_raw(), "may": may},
        {"uid": 54_321, "may": ["signResults", "signCheckpoints", "rotate"]}
    ]);
    home.start()
}

async fn rotated(running: &Running, purpose: Purpose) -> Result<String, tonic::Status> {
    let purpose = purpose.into();
    let answer = running.client().rotate(RotateRequest { purpose }).await;
    answer.map(|answer| answer.into_inner().current.unwrap().key_id)
}

fn is_denied(refused: &tonic::Status) -> bool {
    refused.code() == tonic::Code::PermissionDenied
        && code_of(refused) == Some("caller_not_allowed")
}

const DENIED: &str = "caller_not_allowed";

#[tokio::test]
async fn a_caller_that_may_sign_results_alone_gets_no_checkpoint_and_no_new_key() {
    let mut home = home();
    let running = giving(&mut home, &["signResults"]);
    let key = running.current(Purpose::Result).await.key_id;
    let log = running.current(Purpose::Checkpoint).await.key_id;
    sign(&running, &key, answer(&key, 1)).await.unwrap();
    let forged = sign(&running, &log, checkpoint(1_000_000)).await;
    assert_eq!(forged, Err(DENIED.to_owned()));
    for purpose in [Purpose::Result, Purpose::Checkpoint, Purpose::Unspecified] {
        assert!(is_denied(&rotated(&running, purpose).await.unwrap_err()));
    }
    assert_eq!(running.current(Purpose::Result).await.key_id, key);
    let metrics = running.get("/metrics").unwrap();
    let counted = "signer_refusals_total{code=\"caller_not_allowed\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
    assert_eq!(running.stop(), Some(0));
    let said = fs::read_to_string(home.path("log")).unwrap();
    let lines: Vec<_> = said.lines().filter(|line| line.contains(DENIED)).collect();
    assert_eq!(lines.len(), 4, "once for each: {said}");
    assert!(lines[0].contains("01JZZZZZZZZZZZZZZZZZZZZZZZ"), "{said}");
    assert!(
        !said.contains("1000000") && !said.contains("CsUYap"),
        "{said}"
    );

    // What was refused does not stand in the log's way.
    let running = giving(&mut home, &["signCheckpoints"]);
    sign(&running, &log, checkpoint(1)).await.unwrap();
}

#[tokio::test]
async fn a_caller_that_may_sign_checkpoints_alone_gets_no_result_and_no_new_key() {
    let mut home = home();
    let running = giving(&mut home, &["signCheckpoints"]);
    let key = running.current(Purpose::Result).await.key_id;
    let log = running.current(Purpose::Checkpoint).await.key_id;
    sign(&running, &log, checkpoint(1)).await.unwrap();
    let forged = sign(&running, &key, answer(&key, 1)).await;
    assert_eq!(forged, Err(DENIED.to_owned()));
    assert!(is_denied(
        &rotated(&running, Purpose::Result).await.unwrap_err()
    ));
}

#[tokio::test]
async fn a_caller_that_may_rotate_alone_gets_nothing_signed() {
    let mut home = home();
    let running = giving(&mut home, &["rotate"]);
    let log = running.current(Purpose::Checkpoint).await.key_id;
    let key = rotated(&running, Purpose::Result).await.unwrap();
    assert_eq!(running.current(Purpose::Result).await.key_id, key);
    for refused in [
        sign(&running, &key, answer(&key, 1)).await,
        sign(&running, &log, checkpoint(1)).await,
    ] {
        assert_eq!(refused, Err(DENIED.to_owned()));
    }
    assert!(running.client().health(HealthRequest {}).await.is_ok());
}

#[test]
fn a_missing_module_ends_with_69_and_names_the_package() {
    let mut home = home();
    home.config["module"] = json!("/nowhere/libsofthsm2.so");
    let (code, said) = ended(&home, &mut home.command());
    assert_eq!(code, Some(69));
    assert!(said.contains("apt-get install softhsm2"), "{said}");
}

#[test]
fn softhsm_without_its_variable_ends_with_78_and_says_what_to_set() {
    let home = home();
    let (code, said) = ended(&home, home.command().env_remove("SOFTHSM2_CONF"));
    assert_eq!(code, Some(78));
    assert!(
        said.contains("SOFTHSM2_CONF=signer/softhsm2.conf"),
        "{said}"
    );
    let (code, said) = ended(
        &home,
        home.command()
            .env("SOFTHSM2_CONF", "/etc/softhsm/softhsm2.conf"),
    );
    assert_eq!(code, Some(78));
    assert!(said.contains("/etc/softhsm/softhsm2.conf"), "{said}");
}

#[test]
fn a_wrong_pin_ends_with_78_and_no_pin_is_ever_said() {
    let home = home();
    drop(home.start());
    let path = home.path("signer/pin");
    let pins = fs::read_to_string(&path).unwrap();
    fs::write(&path, "0000-1111\n").unwrap();
    let (code, said) = ended(&home, &mut home.command());
    assert_eq!(code, Some(78));
    assert!(said.contains("refused the PIN"), "{said}");
    for secret in pins.lines().chain(["0000-1111"]) {
        assert!(!said.contains(secret));
    }
}

#[tokio::test]
async fn nothing_it_logs_at_its_most_talkative_has_a_pin_in_it() {
    let home = home();
    let log = fs::File::create(home.path("log")).unwrap();
    let mut child = home
        .command()
        .args(["--log-level", "trace"])
        .stderr(log)
        .spawn()
        .unwrap();
    while !home.path("signer.sock").exists() {
        assert!(child.try_wait().unwrap().is_none());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let said = fs::read_to_string(home.path("log")).unwrap();
    assert!(said.contains("token made"), "{said}");
    for pin in fs::read_to_string(home.path("signer/pin")).unwrap().lines() {
        assert!(!said.contains(pin));
    }
}

#[test]
fn a_second_signer_on_the_same_keys_ends_with_69() {
    let mut home = home();
    let _running = home.start();
    home.config["socket"] = json!("other.sock");
    home.config["process"]["health"] = json!("unix:other-health.sock");
    let (code, said) = ended(&home, &mut home.command());
    assert_eq!(code, Some(69));
    assert!(said.contains("another signer"), "{said}");
}

#[test]
fn a_wrong_configuration_ends_with_78() {
    let mut home = home();
    home.config["queueLimit"] = json!(0);
    assert_eq!(ended(&home, &mut home.command()).0, Some(78));
    home.config["queueLimit"] = json!(2_000_000);
    let (code, said) = ended(&home, &mut home.command());
    assert_eq!(code, Some(78));
    assert!(said.contains("queueLimit"), "{said}");
    home.config["queueLimit"] = json!(10);
    home.config["callers"] = json!([{"uid": 7, "may": []}, {"uid": 7, "may": ["rotate"]}]);
    let (code, said) = ended(&home, &mut home.command());
    assert_eq!(code, Some(78));
    assert!(said.contains("uid 7 stands twice"), "{said}");
}

fn ended(home: &Home, command: &mut Command) -> (Option<i32>, String) {
    assert!(Path::new(&home.path("config.json")).exists());
    let output = command.output().unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

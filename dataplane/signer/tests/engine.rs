//! The engine on a real `SoftHSM` token: signatures, keys, rotation, limits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code, reason = "the tests of recovery use the rest")]
#[path = "stage/room.rs"]
mod room;

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use cryptoki::object::{Attribute, ObjectClass};
use futures::FutureExt as _;
use pavilion_jose::Jwk;
use pavilion_signer::engine::{Engine, LEEWAY, Purpose, SignerError};
use tokio::task::JoinSet;

use room::{ORIGIN, Room, alone, answer, checkpoint, current, verifies};

/// Asks for `count` signatures at once; how often each outcome came. What was signed verifies.
async fn ask_at_once(engine: &Arc<Engine>, count: usize) -> (usize, Vec<SignerError>) {
    let key = current(engine, Purpose::Result);
    let mut asked = JoinSet::new();
    for number in 0..count {
        let (engine, kid) = (Arc::clone(engine), key.key_id.clone());
        let message = answer(&kid, number);
        asked.spawn(async move { (message.clone(), engine.sign(&kid, message).await) });
    }
    let (mut signed, mut refused) = (0, Vec::new());
    for (message, outcome) in asked.join_all().await {
        match outcome {
            Ok(signature) => {
                assert!(verifies(&key.jwk, &message, &signature));
                signed += 1;
            }
            Err(error) => refused.push(error),
        }
    }
    (signed, refused)
}

fn objects(room: &Room, class: ObjectClass) -> usize {
    let session = room.second_session();
    let found = session
        .find_objects(&[Attribute::Token(true), Attribute::Class(class)])
        .unwrap();
    session.close().unwrap();
    found.len()
}

#[test]
fn signatures_verify_with_the_published_keys() {
    alone(async |room: Room| {
        let engine = room.start();
        let (result, log) = (
            current(&engine, Purpose::Result),
            current(&engine, Purpose::Checkpoint),
        );
        let message = answer(&result.key_id, 1);
        let signature = engine.sign(&result.key_id, message.clone()).await.unwrap();
        assert!(verifies(&result.jwk, &message, &signature));
        let signature = engine.sign(&log.key_id, checkpoint(1)).await.unwrap();
        assert!(verifies(&log.jwk, &checkpoint(1), &signature));
        assert_eq!((result.custody, log.custody), ("token", "token"));
        assert_eq!(
            room.metric("hsm_sign_duration_seconds_count{purpose=\"result\"}"),
            1
        );
    });
}

#[test]
fn key_ids_are_thumbprints_and_the_published_keys_are_public() {
    alone(async |room: Room| {
        for key in room.start().public_keys() {
            let jwk: Jwk = serde_json::from_value(key.jwk.clone()).unwrap();
            assert_eq!(jwk.thumbprint(), key.key_id);
            assert_eq!(jwk.kid(), Some(key.key_id.as_str()));
            assert_eq!(key.jwk["use"], "sig");
        }
    });
}

#[test]
fn private_keys_cannot_leave_the_token() {
    alone(async |room: Room| {
        let engine = room.start();
        let session = room.second_session();
        let private = session
            .find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])
            .unwrap();
        assert_eq!(private.len(), 2);
        for key in private {
            use cryptoki::object::AttributeType::{
                Extractable, NeverExtractable, Sensitive, Value,
            };
            let attributes = session
                .get_attributes(key, &[Extractable, NeverExtractable, Sensitive, Value])
                .unwrap();
            let said = format!("{attributes:?}");
            assert!(
                said.contains("Extractable(false)") && said.contains("NeverExtractable(true)"),
                "{said}"
            );
            assert!(
                said.contains("Sensitive(true)") && !said.contains("Value("),
                "{said}"
            );
        }
        drop(engine);
    });
}

#[test]
fn keys_and_pins_survive_a_restart() {
    alone(async |room: Room| {
        let first = room.start();
        let keys = first.public_keys();
        let pin = room.user_pin();
        drop(first);
        let second = room.start();
        assert_eq!(second.public_keys(), keys);
        assert_eq!(room.user_pin(), pin);
        assert_eq!(
            std::fs::metadata(room.folder.join("pin"))
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o600
        );
        let kid = &current(&second, Purpose::Result).key_id;
        second.sign(kid, answer(kid, 1)).await.unwrap();
    });
}

#[test]
fn a_token_without_eddsa_keeps_the_checkpoint_key_sealed_and_says_so() {
    alone(async |mut room: Room| {
        room.settings.avoid_mechanisms = vec!["CKM_EDDSA".to_owned()];
        let engine = room.start();
        let key = current(&engine, Purpose::Checkpoint);
        assert_eq!(key.custody, "wrapped");
        assert_eq!(engine.status().custody["checkpoint"], "wrapped");
        assert!(!engine.status().mechanisms.contains("CKM_EDDSA"));
        let signature = engine.sign(&key.key_id, checkpoint(4)).await.unwrap();
        assert!(verifies(&key.jwk, &checkpoint(4), &signature));
        drop(engine);

        let again = room.start();
        assert_eq!(current(&again, Purpose::Checkpoint), key);
        drop(again);
        // The log keeps its identity when the token learns the mechanism.
        room.settings.avoid_mechanisms.clear();
        assert_eq!(current(&room.start(), Purpose::Checkpoint), key);
    });
}

#[test]
fn a_rotated_key_signs_for_a_grace_stays_published_for_the_overlap_and_is_then_destroyed() {
    alone(async |room: Room| {
        let engine = room.start();
        let old = current(&engine, Purpose::Result);
        room.set_time(1_000);
        let new = engine.rotate(Purpose::Result).await.unwrap();
        assert_ne!(new.key_id, old.key_id);
        assert_eq!(current(&engine, Purpose::Result), new);

        engine
            .sign(&new.key_id, answer(&new.key_id, 1))
            .await
            .unwrap();
        room.set_time(1_029);
        engine
            .sign(&old.key_id, answer(&old.key_id, 2))
            .await
            .unwrap();
        room.set_time(1_030);
        let late = engine
            .sign(&old.key_id, answer(&old.key_id, 3))
            .await
            .unwrap_err();
        assert_eq!(late.code(), "key_retired");

        room.set_time(1_000 + 3_689);
        engine.maintain().await.unwrap();
        let published = engine
            .public_keys()
            .into_iter()
            .find(|key| key.key_id == old.key_id)
            .unwrap();
        assert_eq!(
            published.retires.unwrap().as_second(),
            room::NOON + 1_000 + 30 + 3_600 + 60
        );
        assert_eq!(objects(&room, ObjectClass::PRIVATE_KEY), 3);

        room.set_time(1_000 + 3_690);
        assert!(
            !engine
                .public_keys()
                .iter()
                .any(|key| key.key_id == old.key_id)
        );
        engine.maintain().await.unwrap();
        assert_eq!(objects(&room, ObjectClass::PRIVATE_KEY), 2);
        assert_eq!(objects(&room, ObjectClass::PUBLIC_KEY), 2);
        let gone = engine
            .sign(&old.key_id, answer(&old.key_id, 4))
            .await
            .unwrap_err();
        assert_eq!(gone.code(), "key_unknown");
    });
}

#[test]
fn a_rotation_survives_a_restart() {
    alone(async |room: Room| {
        let engine = room.start();
        room.set_time(60);
        engine.rotate(Purpose::Result).await.unwrap();
        let keys = engine.public_keys();
        assert_eq!(keys.len(), 3);
        drop(engine);
        assert_eq!(room.start().public_keys(), keys);
    });
}

#[test]
fn a_result_key_that_is_old_enough_is_replaced_without_being_asked() {
    alone(async |mut room: Room| {
        room.settings.rotate_every = Some(Duration::from_mins(10));
        let engine = room.start();
        let first = current(&engine, Purpose::Result);
        room.set_time(599);
        engine.maintain().await.unwrap();
        assert_eq!(current(&engine, Purpose::Result), first);
        assert_eq!(room.metric("key_age_seconds{purpose=\"result\"}"), 599);
        room.set_time(600);
        engine.maintain().await.unwrap();
        assert_ne!(current(&engine, Purpose::Result), first);
        assert_eq!(
            room.metric("key_rotation_due_timestamp_seconds"),
            room::NOON + 1_200
        );
    });
}

#[test]
fn a_rotation_that_nobody_waits_for_any_more_is_not_made() {
    alone(async |room: Room| {
        let engine = room.start();
        for _ in 0..6 {
            // Asked, and given up before the keeper comes to it, as after a time-out.
            let asked = engine.rotate(Purpose::Result).now_or_never();
            assert!(asked.is_none());
        }
        engine.rotate(Purpose::Result).await.unwrap();
        // The keeper may have begun the first one before it was given up.
        assert!(
            engine.public_keys().len() <= 4,
            "{:?}",
            engine.public_keys()
        );
    });
}

#[test]
fn a_result_key_that_is_old_enough_is_replaced_once_however_often_that_is_asked() {
    alone(async |mut room: Room| {
        room.settings.rotate_every = Some(Duration::from_mins(10));
        let engine = room.start();
        room.set_time(600);
        let asked = (0..8).map(|_| engine.maintain());
        for outcome in futures::future::join_all(asked).await {
            outcome.unwrap();
        }
        assert_eq!(engine.public_keys().len(), 3);
    });
}

#[test]
fn the_last_answer_of_a_replaced_key_can_be_checked_as_long_as_it_is_valid() {
    alone(async |room: Room| {
        let engine = room.start();
        let old = current(&engine, Purpose::Result).key_id;
        room.set_time(1_000);
        engine.rotate(Purpose::Result).await.unwrap();
        let last = 1_029;
        room.set_time(last);
        engine.sign(&old, answer(&old, 1)).await.unwrap();
        // The longest lifetime of an answer is the overlap (the Tenant's rule); clocks may differ.
        let lifetime = i64::try_from(room.settings.overlap.as_secs()).unwrap();
        let leeway = i64::try_from(LEEWAY.as_secs()).unwrap();
        room.set_time(last + lifetime + leeway);
        engine.maintain().await.unwrap();
        let mut published = engine.public_keys().into_iter();
        assert!(published.any(|key| key.key_id == old));
    });
}

#[test]
fn the_checkpoint_key_is_not_rotated_and_result_keys_only_so_often() {
    alone(async |room: Room| {
        let engine = room.start();
        let refused = engine.rotate(Purpose::Checkpoint).await.unwrap_err();
        assert_eq!(refused.code(), "rotation_refused");
        for _ in 1..16 {
            engine.rotate(Purpose::Result).await.unwrap();
        }
        assert_eq!(
            engine.rotate(Purpose::Result).await.unwrap_err().code(),
            "rotation_refused"
        );
        room.set_time(7_200);
        engine.maintain().await.unwrap();
        engine.rotate(Purpose::Result).await.unwrap();
    });
}

#[test]
fn a_key_signs_only_messages_of_its_own_form() {
    alone(async |room: Room| {
        let engine = room.start();
        let (result, log) = (
            current(&engine, Purpose::Result).key_id,
            current(&engine, Purpose::Checkpoint).key_id,
        );
        let code =
            async |kid: &str, message: Vec<u8>| engine.sign(kid, message).await.unwrap_err().code();
        assert_eq!(code(&result, checkpoint(1)).await, "message_not_signable");
        assert_eq!(code(&log, answer(&log, 1)).await, "message_not_signable");
        assert_eq!(code(&result, answer(&log, 1)).await, "message_not_signable");
        assert_eq!(
            code(&result, vec![b'a'; 64 * 1_024 + 1]).await,
            "message_not_signable"
        );
        assert_eq!(code("nobody", answer("nobody", 1)).await, "key_unknown");
        let foreign = String::from_utf8(checkpoint(1))
            .unwrap()
            .replace(ORIGIN, "log.example/beta");
        assert_eq!(
            code(&log, foreign.into_bytes()).await,
            "message_not_signable"
        );
        assert_eq!(
            room.metric("signer_refusals_total{code=\"message_not_signable\"}"),
            5
        );
    });
}

#[test]
fn a_log_cannot_be_shown_in_two_versions() {
    alone(async |room: Room| {
        let engine = room.start();
        let log = current(&engine, Purpose::Checkpoint).key_id;
        engine.sign(&log, checkpoint(7)).await.unwrap();
        engine.sign(&log, checkpoint(7)).await.unwrap();
        let other = String::from_utf8(checkpoint(7))
            .unwrap()
            .replace("CsUY", "AAAA")
            .into_bytes();
        assert_eq!(
            engine.sign(&log, other).await.unwrap_err().code(),
            "checkpoint_conflict"
        );
        assert_eq!(
            engine.sign(&log, checkpoint(6)).await.unwrap_err().code(),
            "checkpoint_conflict"
        );
        engine.sign(&log, checkpoint(8)).await.unwrap();
    });
}

#[test]
fn requests_past_the_queue_are_refused_at_once_and_the_others_signed() {
    alone(async |mut room: Room| {
        room.settings.sessions = 1;
        room.settings.queue_limit = 4;
        let engine = Arc::new(room.start());
        let (signed, refused) = ask_at_once(&engine, 400).await;
        assert!(signed >= 4 && !refused.is_empty(), "{signed} signed");
        assert!(
            refused
                .iter()
                .all(|error| error.code() == "signer_overloaded"),
            "{refused:?}"
        );
        let (signed, _) = ask_at_once(&engine, 1).await;
        assert_eq!(signed, 1, "after the rush it signs again");
        assert_eq!(engine.status().queue_depth, 0);
    });
}

#[test]
fn a_request_that_waits_past_its_deadline_is_told_so() {
    alone(async |mut room: Room| {
        room.settings.sessions = 1;
        room.settings.deadline = Duration::from_millis(3);
        let engine = Arc::new(room.start());
        let (_, refused) = ask_at_once(&engine, 1_000).await;
        assert!(
            refused.iter().any(|error| error.code() == "signer_timeout"),
            "{}",
            refused.len()
        );
        assert!(
            refused.iter().all(|error| error.code() == "signer_timeout"),
            "{refused:?}"
        );
    });
}

#[test]
fn all_sessions_sign_at_once_and_every_signature_is_of_its_own_message() {
    alone(async |mut room: Room| {
        room.settings.sessions = 4;
        let engine = Arc::new(room.start());
        let (signed, refused) = ask_at_once(&engine, 500).await;
        assert_eq!((signed, refused), (500, vec![]));
        assert_eq!(room.metric("hsm_sessions{state=\"open\"}"), 4);
        assert_eq!(room.metric("hsm_sessions{state=\"busy\"}"), 0);
        assert_eq!(room.metric("hsm_queue_depth"), 0);
    });
}

#[test]
fn a_stopped_engine_serves_what_waits_and_takes_nothing_new() {
    alone(async |room: Room| {
        let engine = Arc::new(room.start());
        let key = current(&engine, Purpose::Result).key_id;
        let asked: Vec<_> = (0..50)
            .map(|number| {
                let (engine, kid) = (Arc::clone(&engine), key.clone());
                tokio::spawn(async move { engine.sign(&kid, answer(&kid, number)).await })
            })
            .collect();
        engine.sign(&key, answer(&key, 50)).await.unwrap();
        let stopped = Arc::clone(&engine);
        tokio::task::spawn_blocking(move || stopped.stop())
            .await
            .unwrap();
        for one in asked {
            let outcome = one.await.unwrap();
            assert!(
                outcome.is_ok()
                    || outcome
                        == Err(SignerError::Unavailable(
                            "the signer is stopping".to_owned()
                        ))
            );
        }
        assert_eq!(
            engine.sign(&key, answer(&key, 1)).await.unwrap_err().code(),
            "signer_unavailable"
        );
        assert_eq!(
            engine.rotate(Purpose::Result).await.unwrap_err().code(),
            "signer_unavailable"
        );
    });
}

//! Requests outlive the loss of what they need, or are refused until it is back.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use cryptoki::types::AuthPin;
use pavilion_signer::engine::Purpose;
use tokio::time::timeout;

use crate::hand::lose_all_sessions;
use crate::room::{Room, alone, answer, checkpoint, current, verifies};

/// Time for a signature on a busy machine, and for one that never comes not too long to be waited out.
const SHORT: Duration = Duration::from_secs(3);

#[test]
fn requests_in_flight_survive_the_loss_of_the_log_in() {
    alone(async |room: Room| {
        let engine = Arc::new(room.start());
        let key = current(&engine, Purpose::Result);
        for _round in 0..4 {
            // A module must not be used while it is restarted. An answer shows that the log-in
            // holds, so that nobody restarts it before the next one is taken away.
            engine
                .sign(&key.key_id, answer(&key.key_id, 0))
                .await
                .unwrap();
            let administrator = room.second_session();
            let asked: Vec<_> = (0..40)
                .map(|number| {
                    let (engine, kid) = (Arc::clone(&engine), key.key_id.clone());
                    tokio::spawn(async move { engine.sign(&kid, answer(&kid, number)).await })
                })
                .collect();
            administrator.logout().unwrap();
            for (number, one) in asked.into_iter().enumerate() {
                let signature = one.await.unwrap().unwrap();
                assert!(verifies(&key.jwk, &answer(&key.key_id, number), &signature));
            }
        }
        assert!(room.metric("hsm_recoveries_total") >= 1);
        assert_eq!(room.metric("hsm_sessions{state=\"open\"}"), 2);
    });
}

#[test]
fn requests_survive_the_loss_of_all_sessions() {
    alone(async |room: Room| {
        let engine = Arc::new(room.start());
        let key = current(&engine, Purpose::Result);
        lose_all_sessions(&room);
        let signature = engine
            .sign(&key.key_id, answer(&key.key_id, 7))
            .await
            .unwrap();
        assert!(verifies(&key.jwk, &answer(&key.key_id, 7), &signature));
        // Whoever looks after the keys may have met a lost session too, and says so until it is past.
        let mut readiness = engine.readiness();
        readiness.wait_for(Option::is_none).await.unwrap();
        assert!(room.metric("hsm_recoveries_total") >= 1);
        assert_eq!(room.metric("hsm_sessions{state=\"busy\"}"), 0);
        let log = current(&engine, Purpose::Checkpoint);
        let signature = engine.sign(&log.key_id, checkpoint(1)).await.unwrap();
        assert!(verifies(&log.jwk, &checkpoint(1), &signature));
    });
}

#[test]
fn a_rotation_survives_the_loss_of_all_sessions() {
    alone(async |room: Room| {
        let engine = room.start();
        lose_all_sessions(&room);
        room.set_time(5);
        let key = engine.rotate(Purpose::Result).await.unwrap();
        engine
            .sign(&key.key_id, answer(&key.key_id, 1))
            .await
            .unwrap();
        assert_eq!(engine.public_keys().len(), 3);
    });
}

#[test]
fn while_the_token_is_away_requests_are_refused_and_it_says_so_until_it_is_back() {
    alone(async |mut room: Room| {
        room.settings.deadline = SHORT;
        let engine = room.start();
        let key = current(&engine, Purpose::Result);
        let mut readiness = engine.readiness();
        assert_eq!(*readiness.borrow_and_update(), None);

        let away = room.folder.join("away");
        fs::rename(room.tokens(), &away).unwrap();
        let refused = engine
            .sign(&key.key_id, answer(&key.key_id, 1))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), "signer_unavailable");
        assert!(
            engine
                .status()
                .reason
                .is_some_and(|reason| reason.contains("token"))
        );
        let refused = engine.rotate(Purpose::Result).await.unwrap_err();
        assert_eq!(refused.code(), "signer_unavailable");
        tokio::time::sleep(SHORT + Duration::from_millis(1)).await;
        let refused = engine
            .sign(&key.key_id, answer(&key.key_id, 2))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), "signer_unavailable");

        // SoftHSM makes an empty folder of its own in the meantime.
        let _ = fs::remove_dir_all(room.tokens());
        fs::rename(&away, room.tokens()).unwrap();
        timeout(Duration::from_mins(1), readiness.wait_for(Option::is_none))
            .await
            .unwrap()
            .unwrap();
        let signature = engine
            .sign(&key.key_id, answer(&key.key_id, 3))
            .await
            .unwrap();
        assert!(verifies(&key.jwk, &answer(&key.key_id, 3), &signature));
    });
}

#[test]
fn a_changed_pin_is_found_in_the_pin_file_and_a_wrong_one_is_not_tried_twice() {
    alone(async |mut room: Room| {
        room.settings.deadline = SHORT;
        let engine = room.start();
        let key = current(&engine, Purpose::Result);
        let session = room.second_session();
        let (old, new) = (
            AuthPin::new(room.user_pin().into()),
            AuthPin::new("changed-by-hand".into()),
        );
        session.set_pin(&old, &new).unwrap();
        lose_all_sessions(&room);

        let refused = engine
            .sign(&key.key_id, answer(&key.key_id, 1))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), "signer_unavailable");
        let mut readiness = engine.readiness();
        readiness
            .wait_for(|reason| {
                reason
                    .as_ref()
                    .is_some_and(|why| why.contains("not tried again"))
            })
            .await
            .unwrap();
        let attempts = room.metric("hsm_errors_total{class=\"pin\"}");
        assert!(attempts >= 1);

        fs::write(&room.settings.pin_file, "changed-by-hand\n").unwrap();
        timeout(Duration::from_mins(1), readiness.wait_for(Option::is_none))
            .await
            .unwrap()
            .unwrap();
        engine
            .sign(&key.key_id, answer(&key.key_id, 2))
            .await
            .unwrap();
    });
}

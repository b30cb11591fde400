//! What the engine does when sessions, the token or its keys go away, or a crash left halves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

#[path = "stage/room.rs"]
mod room;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use cryptoki::context::{CInitializeArgs, CInitializeFlags};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use pavilion_process::Exit;
use pavilion_signer::engine::{Engine, Purpose, StartError};
use tokio::time::timeout;

use room::{Room, alone, answer, checkpoint, current, verifies};

const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// Closes every session of the process behind the engine's back, as a restarted token daemon does.
/// The module allows that only while no call is under way.
fn lose_all_sessions(room: &Room) {
    room.second_hand().finalize().unwrap();
    let again = room.second_hand();
    let _ = again.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
}

/// Makes a key pair with the label, as a signer that is killed just after does.
fn make_pair(room: &Room, label: &str) {
    let session = room.second_session();
    let (label, token) = (
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Token(true),
    );
    let public = [
        token.clone(),
        label.clone(),
        Attribute::EcParams(P256.to_vec()),
        Attribute::Verify(true),
    ];
    let private = [
        token,
        label,
        Attribute::Sign(true),
        Attribute::Private(true),
    ];
    session
        .generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private)
        .unwrap();
    session.close().unwrap();
}

fn destroy(room: &Room, template: &[Attribute]) {
    let session = room.second_session();
    for object in session.find_objects(template).unwrap() {
        session.destroy_object(object).unwrap();
    }
    session.close().unwrap();
}

fn exit_of(outcome: Result<Engine, StartError>) -> Exit {
    outcome.unwrap_err().into()
}

#[test]
fn requests_in_flight_survive_the_loss_of_the_log_in() {
    alone(async |room: Room| {
        let engine = Arc::new(room.start());
        let key = current(&engine, Purpose::Result);
        for round in 0..4 {
            let asked: Vec<_> = (0..40)
                .map(|number| {
                    let (engine, kid) = (Arc::clone(&engine), key.key_id.clone());
                    tokio::spawn(async move { engine.sign(&kid, answer(&kid, number)).await })
                })
                .collect();
            if round > 0 {
                // A module must not be used while it is restarted, and a recovery that somebody else
                // asked for may still be under way.
                let mut readiness = engine.readiness();
                readiness.wait_for(Option::is_none).await.unwrap();
                room.second_session().logout().unwrap();
            }
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
        room.settings.deadline = Duration::from_millis(300);
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
        tokio::time::sleep(Duration::from_millis(301)).await;
        let refused = engine
            .sign(&key.key_id, answer(&key.key_id, 2))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), "signer_unavailable");

        // SoftHSM makes an empty folder of its own in the meantime.
        let _ = fs::remove_dir_all(room.tokens());
        fs::rename(&away, room.tokens()).unwrap();
        timeout(Duration::from_secs(20), readiness.wait_for(Option::is_none))
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
        room.settings.deadline = Duration::from_millis(300);
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
        timeout(Duration::from_secs(30), readiness.wait_for(Option::is_none))
            .await
            .unwrap()
            .unwrap();
        engine
            .sign(&key.key_id, answer(&key.key_id, 2))
            .await
            .unwrap();
    });
}

#[test]
fn a_whole_key_that_a_crash_left_unrecorded_becomes_the_current_one() {
    alone(async |room: Room| {
        let first = room.start();
        let before = current(&first, Purpose::Result);
        drop(first);
        make_pair(
            &room,
            &format!(
                "pavilion:result:{}:0011223344556677",
                (room::NOON + 5) * 1_000
            ),
        );
        room.set_time(10);
        let engine = room.start();
        let after = current(&engine, Purpose::Result);
        assert_ne!(after.key_id, before.key_id);
        assert_eq!(after.created.as_second(), room::NOON + 5);
        assert_eq!(
            engine.public_keys().len(),
            3,
            "the key before is still published"
        );
        engine
            .sign(&after.key_id, answer(&after.key_id, 1))
            .await
            .unwrap();
    });
}

#[test]
fn half_a_key_that_a_crash_left_is_destroyed_and_foreign_objects_are_left_alone() {
    alone(async |room: Room| {
        let first = room.start();
        let keys = first.public_keys();
        drop(first);
        for (label, half) in [
            (
                "pavilion:result:1893456000000:0011223344556677",
                ObjectClass::PRIVATE_KEY,
            ),
            (
                "pavilion:result:1893456000001:0011223344556677",
                ObjectClass::PUBLIC_KEY,
            ),
        ] {
            make_pair(&room, label);
            destroy(
                &room,
                &[
                    Attribute::Label(label.as_bytes().to_vec()),
                    Attribute::Class(half),
                ],
            );
        }
        make_pair(&room, "somebody else's key");
        let engine = room.start();
        assert_eq!(engine.public_keys(), keys);
        let session = room.second_session();
        assert_eq!(
            session
                .find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])
                .unwrap()
                .len(),
            3
        );
        assert_eq!(
            session
                .find_objects(&[Attribute::Class(ObjectClass::PUBLIC_KEY)])
                .unwrap()
                .len(),
            3
        );
    });
}

#[test]
fn a_destruction_that_a_crash_cut_short_is_finished() {
    alone(async |room: Room| {
        let first = room.start();
        let old = current(&first, Purpose::Result);
        room.set_time(10);
        first.rotate(Purpose::Result).await.unwrap();
        drop(first);
        let text = fs::read_to_string(&room.settings.keys_file).unwrap();
        let record = format!("\"keyId\": \"{}\",", old.key_id);
        assert!(text.contains(&record), "{text}");
        let begun = text.replace(&record, &format!("{record} \"destroying\": true,"));
        fs::write(&room.settings.keys_file, begun).unwrap();
        let engine = room.start();
        assert!(
            !engine
                .public_keys()
                .iter()
                .any(|key| key.key_id == old.key_id)
        );
        assert!(
            !fs::read_to_string(&room.settings.keys_file)
                .unwrap()
                .contains(&old.key_id)
        );
    });
}

#[test]
fn without_the_record_the_token_still_says_which_keys_there_are() {
    alone(async |room: Room| {
        let first = room.start();
        room.set_time(10);
        first.rotate(Purpose::Result).await.unwrap();
        let keys = first.public_keys();
        drop(first);
        fs::remove_file(&room.settings.keys_file).unwrap();
        assert_eq!(room.start().public_keys(), keys);
    });
}

#[test]
fn a_published_key_that_is_gone_from_the_token_stops_the_start() {
    alone(async |room: Room| {
        drop(room.start());
        destroy(&room, &[Attribute::Class(ObjectClass::PRIVATE_KEY)]);
        let exit = exit_of(room.try_start());
        assert_eq!(exit.code(), 65);
        assert!(exit.to_string().contains("restore the token"), "{exit}");
    });
}

#[test]
fn a_sealed_key_whose_sealing_key_is_gone_stops_the_start() {
    alone(async |mut room: Room| {
        room.settings.avoid_mechanisms = vec!["CKM_EDDSA".to_owned()];
        drop(room.start());
        destroy(&room, &[Attribute::Class(ObjectClass::SECRET_KEY)]);
        assert_eq!(exit_of(room.try_start()).code(), 65);
    });
}

#[test]
fn a_lost_token_is_not_answered_with_new_keys() {
    alone(async |room: Room| {
        drop(room.start());
        fs::remove_dir_all(room.tokens()).unwrap();
        let exit = exit_of(room.try_start());
        assert_eq!(exit.code(), 65);
        assert!(exit.to_string().contains("is gone"), "{exit}");
    });
}

#[test]
fn a_wrong_a_missing_and_a_public_pin_file_are_each_refused_with_their_own_reason() {
    alone(async |room: Room| {
        drop(room.start());
        let pin = &room.settings.pin_file;
        let good = fs::read(pin).unwrap();

        fs::write(pin, "not-the-pin\n").unwrap();
        let exit = exit_of(room.try_start());
        assert_eq!(exit.code(), 78);
        assert!(
            exit.to_string().contains("refused the PIN")
                && !exit.to_string().contains("not-the-pin"),
            "{exit}"
        );

        fs::remove_file(pin).unwrap();
        let exit = exit_of(room.try_start());
        assert_eq!(exit.code(), 66);
        assert!(exit.to_string().contains("put its PIN back"), "{exit}");

        fs::write(pin, &good).unwrap();
        fs::set_permissions(pin, fs::Permissions::from_mode(0o644)).unwrap();
        let exit = exit_of(room.try_start());
        assert_eq!(exit.code(), 78);
        assert!(exit.to_string().contains("0600"), "{exit}");

        fs::set_permissions(pin, fs::Permissions::from_mode(0o600)).unwrap();
        room.start();
    });
}

#[test]
fn a_token_is_finished_when_its_making_was_cut_short_before_the_user_pin() {
    alone(async |room: Room| {
        fs::create_dir_all(room.tokens()).unwrap();
        let conf = format!("directories.tokendir = {}\n", room.tokens().display());
        fs::write(room.folder.join("softhsm2.conf"), conf).unwrap();
        fs::write(&room.settings.pin_file, "user-pin\nofficer-pin\n").unwrap();
        fs::set_permissions(&room.settings.pin_file, fs::Permissions::from_mode(0o600)).unwrap();
        let context = room.second_hand();
        let slot = context.get_all_slots().unwrap()[0];
        context
            .init_token(slot, &AuthPin::new("officer-pin".into()), "acme")
            .unwrap();
        context.finalize().unwrap();

        drop(room.start());
        assert_eq!(
            fs::read_dir(room.tokens()).unwrap().count(),
            1,
            "the same token was used"
        );
        let session = room.second_session();
        session.logout().unwrap();
        session
            .login(UserType::User, Some(&AuthPin::new("user-pin".into())))
            .unwrap();
    });
}

#[test]
fn a_half_made_token_that_no_pin_opens_is_passed_over() {
    alone(async |room: Room| {
        fs::create_dir_all(room.tokens()).unwrap();
        let conf = format!("directories.tokendir = {}\n", room.tokens().display());
        fs::write(room.folder.join("softhsm2.conf"), conf).unwrap();
        let context = room.second_hand();
        let slot = context.get_all_slots().unwrap()[0];
        context
            .init_token(slot, &AuthPin::new("another-officer".into()), "acme")
            .unwrap();
        context.finalize().unwrap();
        let engine = room.start();
        let key = current(&engine, Purpose::Result).key_id;
        engine.sign(&key, answer(&key, 1)).await.unwrap();
        drop(engine);
        assert_eq!(fs::read_dir(room.tokens()).unwrap().count(), 2);
        drop(room.start());
        assert_eq!(fs::read_dir(room.tokens()).unwrap().count(), 2);
    });
}

#[test]
fn a_token_whose_file_a_crash_cut_at_any_length_does_not_stop_the_start() {
    alone(async |room: Room| {
        fs::create_dir_all(room.tokens()).unwrap();
        let conf = format!("directories.tokendir = {}\n", room.tokens().display());
        fs::write(room.folder.join("softhsm2.conf"), conf).unwrap();
        let context = room.second_hand();
        let slot = context.get_all_slots().unwrap()[0];
        let officer = AuthPin::new("officer-pin".into());
        context.init_token(slot, &officer, "acme").unwrap();
        context.finalize().unwrap();
        let made = fs::read_dir(room.tokens())
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let whole = fs::read(made.join("token.object")).unwrap();
        for length in (0..whole.len()).step_by(8) {
            fs::remove_dir_all(room.tokens()).unwrap();
            let _ = fs::remove_file(&room.settings.keys_file);
            fs::create_dir_all(&made).unwrap();
            fs::write(made.join("token.object"), &whole[..length]).unwrap();
            let engine = room
                .try_start()
                .unwrap_or_else(|error| panic!("{length}: {error}"));
            assert_eq!(engine.public_keys().len(), 2, "{length}");
            drop(engine);
            room.start();
        }
    });
}

#[test]
fn a_key_whose_file_a_crash_cut_at_any_length_does_not_stop_the_start() {
    alone(async |room: Room| {
        drop(room.start());
        let token = fs::read_dir(room.tokens())
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let objects = || -> BTreeSet<PathBuf> {
            let files = fs::read_dir(&token)
                .unwrap()
                .map(|file| file.unwrap().path());
            files
                .filter(|path| path.extension().is_some_and(|end| end == "object"))
                .collect()
        };
        let before = objects();
        make_pair(&room, "pavilion:result:1893456000000:0011223344556677");
        room.second_hand().finalize().unwrap();
        let made: Vec<_> = objects().difference(&before).cloned().collect();
        let whole: Vec<_> = made.iter().map(|path| fs::read(path).unwrap()).collect();
        let record = fs::read(&room.settings.keys_file).unwrap();
        for (cut, bytes) in whole.iter().enumerate() {
            for length in (0..bytes.len()).step_by(24) {
                for (path, bytes) in made.iter().zip(&whole) {
                    fs::write(path, bytes).unwrap();
                }
                fs::write(&made[cut], &bytes[..length]).unwrap();
                fs::write(&room.settings.keys_file, &record).unwrap();
                let engine = room
                    .try_start()
                    .unwrap_or_else(|error| panic!("{cut} {length}: {error}"));
                let key = current(&engine, Purpose::Result).key_id;
                engine.sign(&key, answer(&key, 1)).await.unwrap();
            }
        }
    });
}

/// A small file system of its own, which takes root to mount.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: &Path) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        // As root, or as someone whom sudo lets be root without being asked.
        let mounted = [&["mount"][..], &["sudo", "-n", "mount"]].iter().any(|by| {
            let mut mount = Command::new(by[0]);
            mount.args(&by[1..]).args(["-t", "tmpfs", "-o"]);
            let mount = mount
                .args(["size=256k,mode=1777", "pavilion-test"])
                .arg(path);
            mount.output().is_ok_and(|output| output.status.success())
        });
        // Not a quiet skip: what this shows is shown by no other test.
        assert!(
            mounted || std::env::var_os("PAVILION_TESTS_WITHOUT_ROOT").is_some(),
            "this test mounts a small file system, which takes root; set \
             PAVILION_TESTS_WITHOUT_ROOT=1 to go without it"
        );
        mounted.then(|| Self(path.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        for by in [&["umount"][..], &["sudo", "-n", "umount"]] {
            let mut umount = Command::new(by[0]);
            let _ = umount.args(&by[1..]).arg("-l").arg(&self.0).output();
        }
    }
}

#[test]
fn a_full_token_refuses_a_rotation_as_such_and_goes_on_signing() {
    alone(async |room: Room| {
        let Some(_disk) = SmallDisk::mount(room.tokens()) else {
            eprintln!("left out, as PAVILION_TESTS_WITHOUT_ROOT asks");
            return;
        };
        let engine = room.start();
        let keys = engine.public_keys();
        let ballast = room.tokens().join("ballast");
        let _ = fs::write(&ballast, vec![0; 1_024 * 1_024]);
        room.set_time(10);
        assert_eq!(
            engine.rotate(Purpose::Result).await.unwrap_err().code(),
            "token_full"
        );
        assert_eq!(engine.public_keys(), keys);
        let key = current(&engine, Purpose::Result).key_id;
        engine.sign(&key, answer(&key, 1)).await.unwrap();
        fs::remove_file(&ballast).unwrap();
        let new = engine.rotate(Purpose::Result).await.unwrap();
        engine
            .sign(&new.key_id, answer(&new.key_id, 2))
            .await
            .unwrap();
        drop(engine);
        assert_eq!(room.start().public_keys().len(), 3);
    });
}

#[test]
fn another_token_than_ours_is_not_taken() {
    alone(async |mut room: Room| {
        drop(room.start());
        room.settings.token_label = String::from("beta").try_into().unwrap();
        room.settings.keys_file = room.folder.join("beta.json");
        // Not told that this is SoftHSM, it makes no token.
        room.settings.token_directory = None;
        let exit = exit_of(room.try_start());
        assert_eq!(exit.code(), 69);
        assert!(
            exit.to_string().contains("acme"),
            "it says which tokens there are: {exit}"
        );
    });
}

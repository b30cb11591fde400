//! Keys that a crash left half made, half destroyed or unrecorded are put in order by the next start.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use cryptoki::object::{Attribute, ObjectClass};
use pavilion_signer::engine::Purpose;

use crate::hand::{destroy, make_pair};
use crate::room::{NOON, Room, alone, answer, current};

#[test]
fn a_whole_key_that_a_crash_left_unrecorded_becomes_the_current_one() {
    alone(async |room: Room| {
        let first = room.start();
        let before = current(&first, Purpose::Result);
        drop(first);
        make_pair(
            &room,
            &format!("pavilion:result:{}:0011223344556677", (NOON + 5) * 1_000),
        );
        room.set_time(10);
        let engine = room.start();
        let after = current(&engine, Purpose::Result);
        assert_ne!(after.key_id, before.key_id);
        assert_eq!(after.created.as_second(), NOON + 5);
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

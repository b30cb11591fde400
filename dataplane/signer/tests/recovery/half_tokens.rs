//! A token whose making a crash cut short is finished, or passed over, by the next start.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use pavilion_signer::engine::Purpose;

use crate::hand::begin_token;
use crate::room::{Room, alone, answer, current};

#[test]
fn a_token_is_finished_when_its_making_was_cut_short_before_the_user_pin() {
    alone(async |room: Room| {
        fs::write(&room.settings.pin_file, "user-pin\nofficer-pin\n").unwrap();
        fs::set_permissions(&room.settings.pin_file, fs::Permissions::from_mode(0o600)).unwrap();
        begin_token(&room, "officer-pin");

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
        begin_token(&room, "another-officer");
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
        begin_token(&room, "officer-pin");
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

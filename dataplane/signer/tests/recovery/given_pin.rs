//! A PIN that comes from somewhere else, such as a mounted Secret.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use pavilion_signer::engine::{Purpose, StartError};

use crate::room::{Room, alone, answer, current};

#[test]
fn a_given_pin_file_makes_and_opens_a_token_and_is_never_written() {
    alone(async |mut room: Room| {
        room.settings.pin_file_given = true;
        let file = room.settings.pin_file.clone();
        fs::write(&file, "user-pin\nofficer-pin\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o440)).unwrap();
        for _ in 0..2 {
            let engine = room.start();
            let key = current(&engine, Purpose::Result).key_id;
            engine.sign(&key, answer(&key, 1)).await.unwrap();
        }
        assert_eq!(fs::read_dir(room.tokens()).unwrap().count(), 1);
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text, "user-pin\nofficer-pin\n");

        fs::remove_file(&file).unwrap();
        let refused = room.try_start().err().unwrap();
        assert!(matches!(refused, StartError::PinMissing(_)), "{refused}");
        assert!(!file.exists());
    });
}

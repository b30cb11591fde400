//! A start that would answer with other keys than the published ones is refused, and says what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use cryptoki::object::{Attribute, ObjectClass};
use pavilion_process::Exit;
use pavilion_signer::engine::{Engine, StartError};

use crate::hand::destroy;
use crate::room::{Room, alone};

fn exit_of(outcome: Result<Engine, StartError>) -> Exit {
    outcome.unwrap_err().into()
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

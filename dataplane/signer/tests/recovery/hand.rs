//! What somebody does to the token behind the engine's back.

use std::fs;

use cryptoki::context::{CInitializeArgs, CInitializeFlags};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::Attribute;
use cryptoki::types::AuthPin;

use crate::room::Room;

const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// Closes every session of the process behind the engine's back, as a restarted token daemon does.
/// The module allows that only while no call is under way.
pub fn lose_all_sessions(room: &Room) {
    room.second_hand().finalize().unwrap();
    let again = room.second_hand();
    let _ = again.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
}

/// Makes a token without a user PIN, as a signer that is killed while it makes one does.
pub fn begin_token(room: &Room, officer_pin: &str) {
    fs::create_dir_all(room.tokens()).unwrap();
    let conf = format!("directories.tokendir = {}\n", room.tokens().display());
    fs::write(room.folder.join("softhsm2.conf"), conf).unwrap();
    let context = room.second_hand();
    let slot = context.get_all_slots().unwrap()[0];
    let officer_pin = AuthPin::new(officer_pin.into());
    context.init_token(slot, &officer_pin, "acme").unwrap();
    context.finalize().unwrap();
}

/// Makes a key pair with the label, as a signer that is killed just after does.
pub fn make_pair(room: &Room, label: &str) {
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

/// Destroys every object that fits.
pub fn destroy(room: &Room, template: &[Attribute]) {
    let session = room.second_session();
    for object in session.find_objects(template).unwrap() {
        session.destroy_object(object).unwrap();
    }
    session.close().unwrap();
}

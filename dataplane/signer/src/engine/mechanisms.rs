//! What the token must be able to do.

use std::collections::BTreeSet;

use super::StartError;

/// Checks that the token can do what is needed; says whether it can hold Ed25519 keys.
pub(super) fn needed(offered: &BTreeSet<String>) -> Result<bool, StartError> {
    let has = |name: &str| offered.contains(name);
    // PKCS#11 2.x calls the generator of EC keys by its older name.
    if !has("CKM_EC_KEY_PAIR_GEN") && !has("CKM_ECDSA_KEY_PAIR_GEN") {
        return Err(StartError::MechanismMissing("CKM_EC_KEY_PAIR_GEN"));
    }
    if !has("CKM_ECDSA") {
        return Err(StartError::MechanismMissing("CKM_ECDSA"));
    }
    let ed25519 = has("CKM_EDDSA") && has("CKM_EC_EDWARDS_KEY_PAIR_GEN");
    if !(ed25519 || (has("CKM_AES_GCM") && has("CKM_AES_KEY_GEN"))) {
        return Err(StartError::MechanismMissing(
            "both CKM_EDDSA and CKM_AES_GCM; one is needed for the checkpoint key",
        ));
    }
    Ok(ed25519)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn offered(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_token_must_sign_with_p256_and_keep_an_ed25519_key_one_way_or_the_other() {
        let p256 = ["CKM_EC_KEY_PAIR_GEN", "CKM_ECDSA"];
        let edwards = ["CKM_EDDSA", "CKM_EC_EDWARDS_KEY_PAIR_GEN"];
        let gcm = ["CKM_AES_GCM", "CKM_AES_KEY_GEN"];
        assert!(needed(&offered(&[p256, edwards].concat())).unwrap());
        assert!(!needed(&offered(&[p256, gcm].concat())).unwrap());
        assert!(needed(&offered(&p256)).is_err());
        assert!(needed(&offered(&[edwards, gcm].concat())).is_err());
        assert!(needed(&offered(&["CKM_ECDSA_KEY_PAIR_GEN"])).is_err());
    }
}

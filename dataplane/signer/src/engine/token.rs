//! The module, the slot, and what the token in it can do.

use std::collections::BTreeSet;
use std::path::Path;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};

use super::pin::Pin;
use super::{Class, StartError, TokenError, TokenLabel};

/// Loads and initialises the module. A process may do this once per module.
pub(super) fn load(path: &Path) -> Result<Pkcs11, StartError> {
    if !path.exists() {
        return Err(StartError::ModuleMissing {
            path: path.to_owned(),
            hint: hint(path),
        });
    }
    let refuse = |why: String| StartError::ModuleRefused {
        path: path.to_owned(),
        why,
    };
    let context = Pkcs11::new(path).map_err(|error| refuse(error.to_string()))?;
    initialize(&context).map_err(|error| refuse(error.to_string()))?;
    Ok(context)
}

/// Initialises the module if it is not; threads of ours call it, with the system's locks.
pub(super) fn initialize(context: &Pkcs11) -> Result<(), TokenError> {
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        other => Ok(other?),
    }
}

/// Closes every session of the module and initialises it anew. No other thread may be in a call.
pub(super) fn restart(context: &Pkcs11) -> Result<(), TokenError> {
    // What a module says about its end does not matter: it may have ended by itself.
    let _ = context.clone().finalize();
    initialize(context)
}

/// Every slot and what the token in it says of itself. A token that cannot say is passed over: a
/// crash while it was made leaves one that answers every question with an error, for ever.
pub(super) fn tokens(context: &Pkcs11) -> Result<Vec<(Slot, TokenInfo)>, TokenError> {
    let mut tokens = Vec::new();
    for slot in context.get_slots_with_token()? {
        match context.get_token_info(slot).map_err(TokenError::from) {
            Ok(info) => tokens.push((slot, info)),
            Err(error) if error.class == Class::Device => {
                tracing::warn!(slot = slot.id(), %error, "a token does not describe itself");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(tokens)
}

/// Every slot whose token has `label`, and what the token says of itself.
pub(super) fn find(
    context: &Pkcs11,
    label: &TokenLabel,
) -> Result<Vec<(Slot, TokenInfo)>, TokenError> {
    let mut tokens = tokens(context)?;
    tokens.retain(|(_, info)| info.token_initialized() && info.label() == label.as_str());
    Ok(tokens)
}

/// The one slot whose token has `label` and can be logged in to.
pub(super) fn find_usable(context: &Pkcs11, label: &TokenLabel) -> Result<Slot, TokenError> {
    let mut usable = find(context, label)?
        .into_iter()
        .filter(|(_, info)| info.user_pin_initialized());
    let away =
        |text: &str| TokenError::new(Class::Token, format!("{text} labelled {}", label.as_str()));
    let (slot, _) = usable.next().ok_or_else(|| away("there is no token"))?;
    match usable.next() {
        None => Ok(slot),
        Some(_) => Err(away("there are several tokens")),
    }
}

/// Opens a session that may change the token and logs the process in. The session is not closed
/// when dropped: after a restart of the module its handle may be another session's.
pub(super) fn log_in(context: &Pkcs11, slot: Slot, pin: &Pin) -> Result<Session, TokenError> {
    let info = context.get_token_info(slot)?;
    if info.user_pin_locked() {
        return Err(TokenError::new(Class::Pin, "the user PIN is locked"));
    }
    if info.user_pin_final_try() {
        return Err(TokenError::new(
            Class::Pin,
            "one more wrong PIN would lock the token; log in once by hand",
        ));
    }
    let session = context.open_rw_session_no_drop(slot)?;
    match session.login(UserType::User, Some(&pin.to_auth())) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
        Err(error) => {
            let _ = session.close();
            Err(error.into())
        }
    }
}

/// The names of the mechanisms the token offers, without those to avoid.
pub(super) fn mechanisms(
    context: &Pkcs11,
    slot: Slot,
    avoid: &[String],
) -> Result<BTreeSet<String>, TokenError> {
    let offered = context.get_mechanism_list(slot)?;
    let names = offered.into_iter().map(|mechanism| mechanism.to_string());
    Ok(names.filter(|name| !avoid.contains(name)).collect())
}

fn hint(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.contains("softhsm") {
        "install the package softhsm2 (apt-get install softhsm2), or set module to where it lies"
            .to_owned()
    } else {
        "install the package that brings it, or set module to where it lies".to_owned()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn a_missing_module_names_the_package() {
        let missing = load(Path::new("/nowhere/libsofthsm2.so"))
            .unwrap_err()
            .to_string();
        assert!(
            missing.contains("/nowhere/libsofthsm2.so")
                && missing.contains("apt-get install softhsm2")
        );
        let vendor = load(Path::new("/nowhere/libvendor.so"))
            .unwrap_err()
            .to_string();
        assert!(vendor.contains("set module"), "{vendor}");
    }

    #[test]
    fn a_file_that_is_no_module_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(
            load(file.path()),
            Err(StartError::ModuleRefused { .. })
        ));
    }
}

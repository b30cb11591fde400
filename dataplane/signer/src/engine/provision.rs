//! From nothing to a token with a user PIN, in steps that each may be the last before a crash.
//!
//! | crash after | the next start finds | and does |
//! | --- | --- | --- |
//! | the PIN file | PINs, no token | makes the token with those PINs |
//! | `C_InitToken` | a token without a user PIN | logs in as officer, sets the user PIN |
//! | half of `C_InitToken` | a token that no PIN opens, or that does not describe itself | leaves it, makes another |
//! | `C_InitPIN` | a token with a user PIN | uses it, and forgets the officer's PIN |
//!
//! A token is never made where the record says that keys existed: that would answer the loss of a
//! token with new keys that nobody asked for.

use std::path::Path;

use cryptoki::context::Pkcs11;
use cryptoki::session::UserType;
use cryptoki::slot::Slot;

use super::pin::{Pin, Pins};
use super::{Class, Settings, StartError, TokenError, TokenLabel, files, token};

/// Makes sure that the token exists and has a user PIN; returns the PINs that open it.
pub(super) fn ensure_token(
    context: &Pkcs11,
    settings: &Settings,
    keys_known: bool,
) -> Result<Pins, StartError> {
    let pins = Pins::read(&settings.pin_file, settings.pin_file_given)?;
    let found = token::find(context, &settings.token_label)?;
    let usable = found
        .iter()
        .filter(|(_, info)| info.user_pin_initialized())
        .count();
    if usable > 0 {
        let pins = pins.ok_or_else(|| pin_missing(settings))?;
        // The file of a token that somebody else made is theirs.
        return Ok(match settings.token_directory {
            Some(_) if !settings.pin_file_given => pins.forget_officer(&settings.pin_file),
            _ => pins,
        });
    }
    let Some(folder) = settings.token_directory.as_deref().filter(|_| !keys_known) else {
        return Err(token_missing(context, settings, keys_known));
    };
    let pins = match pins {
        Some(pins) if settings.pin_file_given => pins,
        None if settings.pin_file_given => {
            return Err(StartError::PinMissing(format!(
                "{}: missing; give the PINs that the token is to be made with",
                settings.pin_file.display()
            )));
        }
        found => Pins::for_new_token(found, &settings.pin_file)?,
    };
    let unfinished: Vec<Slot> = found.into_iter().map(|(slot, _)| slot).collect();
    make_token(
        context,
        &settings.token_label,
        &pins,
        &unfinished,
        folder,
        &settings.pin_file,
    )?;
    Ok(if settings.pin_file_given {
        pins
    } else {
        pins.forget_officer(&settings.pin_file)
    })
}

fn make_token(
    context: &Pkcs11,
    label: &TokenLabel,
    pins: &Pins,
    unfinished: &[Slot],
    folder: &Path,
    pin_file: &Path,
) -> Result<(), StartError> {
    let officer = pins.officer.as_ref().ok_or_else(|| {
        let path = pin_file.display();
        StartError::PinFileRefused(format!(
            "{path}: its second line is to be the officer's PIN to make a token"
        ))
    })?;
    let finished = unfinished
        .iter()
        .any(|slot| set_user_pin(context, *slot, officer, &pins.user).is_ok());
    if !finished {
        let slot = empty_slot(context)?;
        context
            .init_token(slot, &officer.to_auth(), label.as_str())
            .map_err(TokenError::from)?;
        set_user_pin(context, slot, officer, &pins.user)?;
    }
    tracing::info!(token = label.as_str(), "token made");
    files::sync_tree(folder).map_err(|error| files::cannot_write(folder, &error))
}

fn set_user_pin(context: &Pkcs11, slot: Slot, officer: &Pin, user: &Pin) -> Result<(), TokenError> {
    let session = context.open_rw_session(slot)?;
    session.login(UserType::So, Some(&officer.to_auth()))?;
    session.init_pin(&user.to_auth())?;
    session.logout()?;
    Ok(session.close()?)
}

fn empty_slot(context: &Pkcs11) -> Result<Slot, TokenError> {
    let empty = token::tokens(context)?
        .into_iter()
        .find(|(_, info)| !info.token_initialized());
    let none = || TokenError::new(Class::Token, "there is no empty slot to make a token in");
    empty.map(|(slot, _)| slot).ok_or_else(none)
}

fn pin_missing(settings: &Settings) -> StartError {
    let (path, label) = (settings.pin_file.display(), settings.token_label.as_str());
    StartError::PinMissing(format!(
        "{path}: missing, but the token {label} exists; put its PIN back"
    ))
}

fn token_missing(context: &Pkcs11, settings: &Settings, keys_known: bool) -> StartError {
    let label = settings.token_label.as_str();
    if keys_known {
        let path = settings.keys_file.display();
        let text = format!(
            "{path} knows keys, but the token {label} is gone; restore it, or move {path} away to start with new keys"
        );
        return StartError::KeysRefused(text);
    }
    let labels: Vec<String> = token::tokens(context)
        .unwrap_or_default()
        .into_iter()
        .filter(|(_, info)| info.token_initialized())
        .map(|(_, info)| info.label().to_owned())
        .collect();
    StartError::TokenMissing(format!(
        "there is no token labelled {label}; the module shows {labels:?}"
    ))
}

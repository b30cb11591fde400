//! What can go wrong, as a caller and as an operator need to know it.

use std::path::PathBuf;

use cryptoki::error::{Error, RvError};
use pavilion_catalogue::{Entry, signer};
use pavilion_process::Exit;

/// Why a call of the engine failed. Nothing of a message is ever repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// No key has this id.
    #[error("no key has this id")]
    KeyUnknown,
    /// The key was replaced longer ago than the grace period.
    #[error("the key was replaced; the current key of its purpose signs now")]
    KeyRetired,
    /// The message is not of the form the key's purpose signs.
    #[error("the message is not one this key signs: {0}")]
    MessageNotSignable(&'static str),
    /// The caller may not have what it asks for.
    #[error("the caller's user may not {0}")]
    CallerNotAllowed(&'static str),
    /// A checkpoint that contradicts one signed before: a smaller tree, or another root at its size.
    #[error("the checkpoint contradicts one signed before: {0}")]
    CheckpointConflict(&'static str),
    /// The queue is full.
    #[error("the queue of signatures is full")]
    Overloaded,
    /// The signature did not come within its deadline.
    #[error("the signature did not come within its deadline")]
    Timeout,
    /// The token does not answer, or refused.
    #[error("the token is away: {0}")]
    Unavailable(String),
    /// The token has no room for another object.
    #[error("the token has no room for another key")]
    TokenFull,
    /// A rotation that may not be.
    #[error("the key is not rotated: {0}")]
    RotationRefused(&'static str),
}

impl SignerError {
    /// The catalogue's entry.
    pub fn entry(&self) -> &'static Entry {
        match self {
            Self::KeyUnknown => &signer::KEY_UNKNOWN,
            Self::KeyRetired => &signer::KEY_RETIRED,
            Self::MessageNotSignable(_) => &signer::MESSAGE_NOT_SIGNABLE,
            Self::CallerNotAllowed(_) => &signer::CALLER_NOT_ALLOWED,
            Self::CheckpointConflict(_) => &signer::CHECKPOINT_CONFLICT,
            Self::Overloaded => &signer::OVERLOADED,
            Self::Timeout => &signer::TIMEOUT,
            Self::Unavailable(_) => &signer::UNAVAILABLE,
            Self::TokenFull => &signer::TOKEN_FULL,
            Self::RotationRefused(_) => &signer::ROTATION_REFUSED,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.entry().code
    }
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no module at the path.
    #[error("there is no PKCS#11 module at {path}: {hint}", path = .path.display())]
    ModuleMissing {
        /// The configured path.
        path: PathBuf,
        /// What to install.
        hint: String,
    },
    /// The file is not a PKCS#11 module, or does not initialise.
    #[error("the PKCS#11 module {path} does not start: {why}", path = .path.display())]
    ModuleRefused {
        /// The configured path.
        path: PathBuf,
        /// What it said.
        why: String,
    },
    /// The environment does not lead `SoftHSM` to the configured folder.
    #[error("{0}")]
    Environment(String),
    /// The PIN file is missing.
    #[error("{0}")]
    PinMissing(String),
    /// The PIN file may be read by others, or says nothing usable.
    #[error("{0}")]
    PinFileRefused(String),
    /// The token refused the PIN; it is not tried again, because tokens lock.
    #[error("the token refused the PIN of {path}: {why}", path = .path.display())]
    PinRefused {
        /// The PIN file.
        path: PathBuf,
        /// What the token said.
        why: String,
    },
    /// The token is not there.
    #[error("{0}")]
    TokenMissing(String),
    /// The token lacks a mechanism that is needed.
    #[error("the token lacks {0}")]
    MechanismMissing(&'static str),
    /// Keys that were published are gone, or the record of keys is not readable by this version.
    #[error("{0}")]
    KeysRefused(String),
    /// Another signer works on the same keys.
    #[error("another signer holds {path}", path = .0.display())]
    InUse(PathBuf),
    /// A file cannot be written.
    #[error("{path}: {why}", path = .path.display())]
    CannotWrite {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The token failed in the middle.
    #[error("the token failed: {0}")]
    Token(#[from] TokenError),
}

impl From<StartError> for Exit {
    fn from(error: StartError) -> Self {
        let text = error.to_string();
        match error {
            StartError::ModuleMissing { .. }
            | StartError::ModuleRefused { .. }
            | StartError::MechanismMissing(_)
            | StartError::InUse(_)
            | StartError::TokenMissing(_)
            | StartError::Token(_) => Self::Unavailable(text),
            StartError::Environment(_)
            | StartError::PinFileRefused(_)
            | StartError::PinRefused { .. } => Self::ConfigRefused(text),
            StartError::PinMissing(_) => Self::InputMissing(text),
            StartError::KeysRefused(_) => Self::DataRefused(text),
            StartError::CannotWrite { .. } => Self::CannotWrite(text),
        }
    }
}

/// A failure of a PKCS#11 call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct TokenError {
    /// What kind of failure.
    pub class: Class,
    text: String,
}

/// Kinds of PKCS#11 failures, by what is to be done about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The session is gone or not logged in: start over.
    Session,
    /// The device or the whole module failed: start over.
    Device,
    /// The token is not there: start over, and wait for it.
    Token,
    /// One session is in a wrong state: replace that session.
    Operation,
    /// The handle of a key is stale: look the key up again.
    Key,
    /// The PIN was refused: never try the same one again.
    Pin,
    /// No memory or no room.
    Resources,
    /// A mechanism, a template or a parameter is not supported.
    Mechanism,
    /// Anything else.
    Other,
}

impl Class {
    /// Every class, for metrics that exist before the first error.
    pub const ALL: [Self; 9] = [
        Self::Session,
        Self::Device,
        Self::Token,
        Self::Operation,
        Self::Key,
        Self::Pin,
        Self::Resources,
        Self::Mechanism,
        Self::Other,
    ];

    /// The class as a label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Device => "device",
            Self::Token => "token",
            Self::Operation => "operation",
            Self::Key => "key",
            Self::Pin => "pin",
            Self::Resources => "resources",
            Self::Mechanism => "mechanism",
            Self::Other => "other",
        }
    }

    /// True when all sessions are to be opened anew.
    pub const fn needs_recovery(self) -> bool {
        matches!(self, Self::Session | Self::Device | Self::Token)
    }

    fn of(error: RvError) -> Self {
        use RvError as Rv;
        match error {
            Rv::SessionClosed
            | Rv::SessionHandleInvalid
            | Rv::SessionCount
            | Rv::UserNotLoggedIn
            | Rv::UserAnotherAlreadyLoggedIn => Self::Session,
            Rv::DeviceError
            | Rv::GeneralError
            | Rv::FunctionFailed
            | Rv::CryptokiNotInitialized
            | Rv::HostMemory => Self::Device,
            Rv::DeviceRemoved
            | Rv::TokenNotPresent
            | Rv::TokenNotRecognized
            | Rv::SlotIdInvalid => Self::Token,
            Rv::OperationActive | Rv::OperationNotInitialized => Self::Operation,
            Rv::KeyHandleInvalid | Rv::ObjectHandleInvalid => Self::Key,
            Rv::PinIncorrect
            | Rv::PinExpired
            | Rv::PinInvalid
            | Rv::PinLenRange
            | Rv::PinLocked
            | Rv::UserPinNotInitialized => Self::Pin,
            Rv::DeviceMemory => Self::Resources,
            Rv::MechanismInvalid
            | Rv::MechanismParamInvalid
            | Rv::CurveNotSupported
            | Rv::DomainParamsInvalid
            | Rv::TemplateInconsistent
            | Rv::TemplateIncomplete
            | Rv::AttributeTypeInvalid
            | Rv::AttributeValueInvalid
            | Rv::FunctionNotSupported => Self::Mechanism,
            _ => Self::Other,
        }
    }
}

impl TokenError {
    /// A failure that is not a return value of the module.
    pub(super) fn new(class: Class, text: impl Into<String>) -> Self {
        Self {
            class,
            text: text.into(),
        }
    }
}

impl From<Error> for TokenError {
    fn from(error: Error) -> Self {
        let class = match &error {
            Error::Pkcs11(value, _) => Class::of(*value),
            Error::NotSupported | Error::NullFunctionPointer => Class::Mechanism,
            _ => Class::Other,
        };
        // cryptoki explains a return value with a paragraph; its name says as much.
        let text = match &error {
            Error::Pkcs11(value, function) => format!("{function} answered {value:?}"),
            other => other.to_string(),
        };
        Self { class, text }
    }
}

impl From<TokenError> for SignerError {
    fn from(error: TokenError) -> Self {
        match error.class {
            Class::Resources => Self::TokenFull,
            _ => Self::Unavailable(error.text),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use cryptoki::context::Function;

    use super::*;

    #[test]
    fn a_missing_module_and_a_wrong_pin_end_with_different_exit_codes() {
        let missing = StartError::ModuleMissing {
            path: "x.so".into(),
            hint: "install softhsm2".into(),
        };
        assert_eq!(Exit::from(missing).code(), 69);
        let pin = StartError::PinRefused {
            path: "pin".into(),
            why: "PinIncorrect".into(),
        };
        assert_eq!(Exit::from(pin).code(), 78);
        assert_eq!(
            Exit::from(StartError::KeysRefused(String::new())).code(),
            65
        );
        assert_eq!(Exit::from(StartError::PinMissing(String::new())).code(), 66);
        let write = StartError::CannotWrite {
            path: "keys.json".into(),
            why: "disk full".into(),
        };
        assert_eq!(Exit::from(write).to_string(), "keys.json: disk full");
    }

    #[test]
    fn a_full_token_is_said_as_such() {
        let full = TokenError::from(Error::Pkcs11(
            RvError::DeviceMemory,
            Function::GenerateKeyPair,
        ));
        assert_eq!(SignerError::from(full).code(), "token_full");
    }

    #[test]
    fn only_lost_sessions_devices_and_tokens_start_a_recovery() {
        let recovering: Vec<_> = Class::ALL
            .into_iter()
            .filter(|c| c.needs_recovery())
            .collect();
        assert_eq!(recovering, [Class::Session, Class::Device, Class::Token]);
        let class = |value| TokenError::from(Error::Pkcs11(value, Function::Sign)).class;
        assert_eq!(class(RvError::SessionHandleInvalid), Class::Session);
        assert_eq!(class(RvError::CryptokiNotInitialized), Class::Device);
        assert_eq!(class(RvError::TokenNotPresent), Class::Token);
        assert_eq!(class(RvError::OperationActive), Class::Operation);
        assert_eq!(class(RvError::ObjectHandleInvalid), Class::Key);
        assert_eq!(class(RvError::PinLocked), Class::Pin);
        assert_eq!(class(RvError::CurveNotSupported), Class::Mechanism);
        assert_eq!(class(RvError::NoEvent), Class::Other);
        assert_eq!(
            TokenError::from(Error::NotSupported).class,
            Class::Mechanism
        );
    }
}

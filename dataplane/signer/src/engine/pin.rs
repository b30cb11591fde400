//! The PINs of the token and the file they rest in.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use aws_lc_rs::rand;
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use super::{StartError, files};

/// The letters of a generated PIN: 32 of them, none that could be mistaken for another.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";

/// The length of a generated PIN: 26 letters of 5 bits each.
const LENGTH: usize = 26;

/// The largest PIN file that is read, in bytes.
const MAX_FILE: u64 = 4_096;

/// A secret that opens the token. It is erased from memory when dropped and never printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Pin(Zeroizing<String>);

impl Pin {
    /// The form PKCS#11 calls take; it, too, is erased when dropped.
    pub(super) fn to_auth(&self) -> AuthPin {
        AuthPin::new(self.0.as_str().into())
    }

    fn generate() -> io::Result<Self> {
        let mut random = Zeroizing::new([0_u8; LENGTH]);
        rand::fill(random.as_mut_slice()).map_err(|_| io::Error::other("no random numbers"))?;
        let letters = random
            .iter()
            .map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
        Ok(Self(Zeroizing::new(letters.collect())))
    }
}

/// What a PIN file says: the user's PIN, and the security officer's while this program makes a token.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Pins {
    /// Opens the keys.
    pub user: Pin,
    /// Sets the user's PIN; never used again once that is done.
    pub officer: Option<Pin>,
}

impl Pins {
    /// Reads the file. `None` when there is none. One that is `given`, such as a mounted Secret, belongs to
    /// somebody else and may be readable by its group.
    ///
    /// # Errors
    /// A file that others may read, or that holds no PIN, is refused.
    pub(super) fn read(path: &Path, given: bool) -> Result<Option<Self>, StartError> {
        let refuse = |why: &str| StartError::PinFileRefused(format!("{}: {why}", path.display()));
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(refuse(&error.to_string())),
        };
        let mode = file
            .metadata()
            .map_err(|error| refuse(&error.to_string()))?
            .mode()
            & 0o777;
        let (others, fitting) = if given {
            (0o027, "0440")
        } else {
            (0o077, "0600")
        };
        if mode & others != 0 {
            return Err(refuse(&format!(
                "mode {mode:04o} lets others read it; set it to {fitting}"
            )));
        }
        let mut text = Zeroizing::new(String::with_capacity(128));
        file.take(MAX_FILE)
            .read_to_string(&mut text)
            .map_err(|_| refuse("not readable as text"))?;
        let mut lines = text
            .lines()
            .map(|line| Pin(Zeroizing::new(line.trim().to_owned())));
        let user = lines.next().filter(|pin| !pin.0.is_empty());
        let user = user.ok_or_else(|| refuse("its first line is to be the user PIN"))?;
        Ok(Some(Self {
            user,
            officer: lines.next().filter(|pin| !pin.0.is_empty()),
        }))
    }

    /// Makes the PINs that are missing to make a token, and brings both to disk before any token
    /// knows them, so that a crash in between leaves a file that the next start uses.
    pub(super) fn for_new_token(found: Option<Self>, path: &Path) -> Result<Self, StartError> {
        let user = match found {
            Some(pins) if pins.officer.is_some() => return Ok(pins),
            found => found.map(|pins| pins.user),
        };
        let made = || -> io::Result<Self> {
            if let Some(folder) = path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty())
            {
                files::make_folder(folder)?;
            }
            let pins = Self {
                user: user.map_or_else(Pin::generate, Ok)?,
                officer: Some(Pin::generate()?),
            };
            pins.write(path)?;
            Ok(pins)
        };
        made().map_err(|error| files::cannot_write(path, &error))
    }

    /// Forgets the officer's PIN, here and in the file: it could only set another user PIN, and
    /// whoever reads the file has the user PIN anyway. A token whose PIN is lost is lost with it.
    pub(super) fn forget_officer(mut self, path: &Path) -> Self {
        if self.officer.take().is_some()
            && let Err(error) = self.write(path)
        {
            // It does no more harm than before; the next start tries again.
            tracing::warn!(path = %path.display(), %error, "the officer's PIN is still in the PIN file");
        }
        self
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let officer = self.officer.as_ref().map(|pin| pin.0.as_str());
        let lines = [Some(self.user.0.as_str()), officer, Some("")];
        let lines: Vec<&str> = lines.into_iter().flatten().collect();
        files::replace(path, Zeroizing::new(lines.join("\n")).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn generated_pins_are_long_different_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signer/pin");
        let made = Pins::for_new_token(None, &path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(Pins::read(&path, false).unwrap() == Some(made.clone()));
        assert_eq!(made.user.0.len(), LENGTH);
        assert!(Some(&made.user) != made.officer.as_ref());
        let again = Pins::for_new_token(Some(made.clone()), &path).unwrap();
        assert!(
            again == made,
            "a crash before the token was made loses no PIN"
        );
    }

    #[test]
    fn the_officers_pin_leaves_the_file_when_the_token_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pin");
        let made = Pins::for_new_token(None, &path).unwrap();
        let officer = made.officer.clone().unwrap();
        let kept = made.forget_officer(&path);
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(officer.0.as_str()));
        assert!(kept.officer.is_none() && Pins::read(&path, false).unwrap() == Some(kept.clone()));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        // Another token is made with the same user PIN and another officer.
        let next = Pins::for_new_token(Some(kept.clone()), &path).unwrap();
        assert!(next.user == kept.user && next.officer.is_some_and(|pin| pin != officer));
    }

    #[test]
    fn a_pin_file_by_hand_needs_only_the_user_pin() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pin");
        fs::write(&path, "1234\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        let pins = Pins::read(&path, false).unwrap().unwrap();
        assert_eq!(pins.user.0.as_str(), "1234");
        assert!(pins.officer.is_none());
    }

    #[test]
    fn a_pin_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pin");
        fs::write(&path, "1234\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = Pins::read(&path, false).err().unwrap().to_string();
        assert!(
            refused.contains("mode 0640") && !refused.contains("1234"),
            "{refused}"
        );
        assert!(
            Pins::read(&path, true).unwrap().is_some(),
            "of a given one the group may"
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = Pins::read(&path, true).err().unwrap().to_string();
        assert!(refused.contains("set it to 0440"), "{refused}");
    }

    #[test]
    fn an_empty_pin_file_is_refused_and_a_missing_one_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pin");
        assert!(Pins::read(&path, false).unwrap().is_none());
        fs::write(&path, "\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(
            Pins::read(&path, false),
            Err(StartError::PinFileRefused(_))
        ));
    }
}

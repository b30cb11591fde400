//! The record of keys: what was ever published, and until when.
//!
//! The token says which keys there are; the record says what the token cannot: until when a
//! replaced key was promised to stay, that a key's destruction has begun, and the sealed form of a
//! key the token cannot hold. It is replaced whole and synced, so that it is never half written.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use pavilion_json::Limits;
use serde::{Deserialize, Serialize};

use super::{KeyLabel, StartError, files};

/// The version this program writes, and the newest it reads.
const VERSION: u32 = 1;

/// Everything the file says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Records {
    version: u32,
    /// One per key that was published, or that is sealed.
    pub keys: Vec<Record>,
}

/// What is known of one key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Record {
    /// Its name in the token.
    pub label: KeyLabel,
    /// Its id: the thumbprint.
    pub key_id: String,
    /// When it leaves the published set; none while it is current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retires_at: Option<Timestamp>,
    /// Its destruction has begun and is to be finished.
    #[serde(default, skip_serializing_if = "is_false")]
    pub destroying: bool,
    /// The private key, where the token cannot hold it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
}

/// A private key sealed by AES-256-GCM under a key of the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Sealed {
    /// The sealing key.
    pub by: KeyLabel,
    /// 12 bytes in hex, used once.
    pub nonce: String,
    /// The ciphertext and its tag, in hex.
    pub ciphertext: String,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn is_false(value: &bool) -> bool {
    !value
}

impl Default for Records {
    fn default() -> Self {
        Self {
            version: VERSION,
            keys: Vec::new(),
        }
    }
}

/// The file and the lock that keeps a second signer away from the same keys.
#[derive(Debug)]
pub(super) struct KeysFile {
    path: PathBuf,
    _lock: File,
}

impl KeysFile {
    /// Takes the lock and reads the record; a missing file is an empty record.
    pub(super) fn open(path: &Path) -> Result<(Self, Records), StartError> {
        if let Some(folder) = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            files::make_folder(folder).map_err(|error| files::cannot_write(folder, &error))?;
        }
        let lock = lock(path)?;
        let records = read(path)?;
        Ok((
            Self {
                path: path.to_owned(),
                _lock: lock,
            },
            records,
        ))
    }

    /// Replaces the record; it is on disk when this returns.
    pub(super) fn write(&self, records: &Records) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(records)?;
        text.push(b'\n');
        files::replace(&self.path, &text)
    }

    /// Where the record lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn lock(path: &Path) -> Result<File, StartError> {
    let path = path.with_extension("lock");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let file = options
        .open(&path)
        .map_err(|error| files::cannot_write(&path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::InUse(path)),
        Err(TryLockError::Error(error)) => Err(files::cannot_write(&path, &error)),
    }
}

fn read(path: &Path) -> Result<Records, StartError> {
    let refuse = |why: &str| StartError::KeysRefused(format!("{}: {why}", path.display()));
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Records::default()),
        Err(error) => return Err(refuse(&error.to_string())),
    };
    let value = pavilion_json::parse(&bytes, Limits::DOCUMENT)
        .map_err(|error| refuse(&error.to_string()))?;
    let version = value.get("version").and_then(serde_json::Value::as_u64);
    if version.is_some_and(|version| version > u64::from(VERSION)) {
        return Err(refuse("written by a newer version of this program"));
    }
    pavilion_json::read(&bytes, Limits::DOCUMENT).map_err(|error| refuse(&error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn a_record_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signer/keys.json");
        let (file, mut records) = KeysFile::open(&path).unwrap();
        assert!(records.keys.is_empty());
        records.keys.push(Record {
            label: "pavilion:result:1:0011223344556677".parse().unwrap(),
            key_id: "k1".to_owned(),
            retires_at: Some(Timestamp::from_second(1).unwrap()),
            destroying: true,
            sealed: None,
        });
        file.write(&records).unwrap();
        drop(file);
        let (_file, again) = KeysFile::open(&path).unwrap();
        assert_eq!(again.keys[0].label, records.keys[0].label);
        assert!(again.keys[0].destroying);
    }

    #[test]
    fn a_second_signer_on_the_same_keys_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let (_first, _) = KeysFile::open(&path).unwrap();
        assert!(matches!(KeysFile::open(&path), Err(StartError::InUse(_))));
    }

    #[test]
    fn a_record_of_a_newer_version_or_damaged_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        for text in [
            r#"{"version":2,"soul":1}"#,
            "{",
            r#"{"version":1,"keys":[],"x":1}"#,
            "",
        ] {
            fs::write(&path, text).unwrap();
            assert!(
                matches!(KeysFile::open(&path), Err(StartError::KeysRefused(_))),
                "{text}"
            );
        }
        fs::write(&path, r#"{"version":2}"#).unwrap();
        assert!(
            KeysFile::open(&path)
                .unwrap_err()
                .to_string()
                .contains("newer version")
        );
    }
}

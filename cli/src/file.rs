//! Files in and out, with errors that name them.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use pavilion_jose::SigningKey;
use pavilion_json::Limits;
use serde_json::Value;

use crate::exit::Failure;

/// More than any file that we read should have.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// A file's bytes, at most 16 MiB.
pub fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::file(format!("cannot read {}: {error}", path.display()));
    let mut content = Vec::new();
    let file = fs::File::open(path).map_err(failed)?;
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut content)
        .map_err(failed)?;
    if content.len() as u64 > MAX_BYTES {
        return Err(Failure::file(format!(
            "{} is larger than 16 MiB",
            path.display()
        )));
    }
    Ok(content)
}

/// A file's text.
pub fn text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(bytes(path)?)
        .map_err(|_| Failure::file(format!("{} is not UTF-8", path.display())))
}

/// A file's text without white space around it.
pub fn token(path: &Path) -> Result<String, Failure> {
    Ok(text(path)?.trim().to_owned())
}

/// A file's JSON, strictly read.
pub fn json(path: &Path) -> Result<Value, Failure> {
    pavilion_json::parse(&bytes(path)?, Limits::DOCUMENT)
        .map_err(|error| Failure::file(format!("{}: {error}", path.display())))
}

/// A private JWK.
pub fn private_key(path: &Path) -> Result<SigningKey, Failure> {
    SigningKey::from_jwk(&json(path)?)
        .map_err(|error| Failure::file(format!("{} is not a private JWK: {error}", path.display())))
}

/// Writes a file that only its owner can read (0600), replacing what was there: what is kept of a
/// verification may hold disclosed claims.
pub fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let failed = |error| Failure::file(format!("cannot write {}: {error}", path.display()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    // One that was there keeps its mode.
    file.set_permissions(fs::Permissions::from_mode(0o600))
        .and_then(|()| file.write_all(content))
        .map_err(failed)
}

/// Writes a file that only its owner can read (0600); one that exists is not touched.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let failed = |error| Failure::file(format!("cannot write {}: {error}", path.display()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .map_err(failed)
}

/// Makes a folder with all above it.
pub fn folder(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path)
        .map_err(|error| Failure::file(format!("cannot make {}: {error}", path.display())))
}

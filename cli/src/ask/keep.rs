//! The files of one verification, under the names that `verify DIR` looks for.

use std::path::Path;

use pavilion_results::Answer;
use serde::Serialize;
use serde_json::Value;

use super::wire::Verification;
use crate::exit::Failure;
use crate::file;

/// The body that opened the verification.
const REQUEST: &str = "request.json";
/// The verification that it opened, where evidence comes in a later step.
const OPENED: &str = "verification.json";

/// What the broker returned, besides the request.
pub struct Returned<'a> {
    /// The signed form.
    pub jwt: &'a str,
    /// The same, read.
    pub answer: &'a Answer,
    /// The receipt.
    pub receipt: &'a str,
    /// The log's newest checkpoint.
    pub checkpoint: &'a str,
    /// The log's verifier key.
    pub log_key: &'a str,
    /// The tenant's keys.
    pub jwks: &'a Value,
}

/// Keeps the body of the request that opened the verification.
pub fn request(dir: &Path, body: &[u8]) -> Result<(), Failure> {
    file::folder(dir)?;
    let opened = dir.join(OPENED);
    match std::fs::remove_file(&opened) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            let shown = opened.display();
            return Err(Failure::file(format!("cannot remove {shown}: {error}")));
        }
        _ => {}
    }
    file::write(&dir.join(REQUEST), body)
}

/// Keeps which verification that request opened, for the step that finishes it.
pub fn opened(dir: &Path, verification: &Verification) -> Result<(), Failure> {
    file::folder(dir)?;
    file::write(&dir.join(OPENED), &pretty(verification)?)
}

/// The body that opened the verification with this id, if this folder has it.
///
/// # Errors
/// When the folder has the request of another one: kept beside the answer it would make that answer
/// look forged.
pub fn request_of(dir: &Path, id: &str) -> Result<Option<Vec<u8>>, Failure> {
    let request = dir.join(REQUEST);
    if !request.exists() {
        return Ok(None);
    }
    let opened = dir.join(OPENED);
    let own = opened.exists() && file::json(&opened)?["id"] == id;
    if own {
        return file::bytes(&request).map(Some);
    }
    let message = format!(
        "{} holds the request of another verification",
        dir.display()
    );
    Err(Failure::usage(message).note(
        "hint",
        "give --out the folder that it had when this verification was opened, or an empty one",
    ))
}

/// Keeps what came back.
pub fn returned(dir: &Path, returned: &Returned<'_>) -> Result<(), Failure> {
    file::folder(dir)?;
    file::write(
        &dir.join("answer.jwt"),
        format!("{}\n", returned.jwt).as_bytes(),
    )?;
    file::write(&dir.join("answer.json"), &pretty(returned.answer)?)?;
    file::write(&dir.join("receipt.tlog-proof"), returned.receipt.as_bytes())?;
    file::write(&dir.join("checkpoint"), returned.checkpoint.as_bytes())?;
    file::write(
        &dir.join("log.vkey"),
        format!("{}\n", returned.log_key).as_bytes(),
    )?;
    file::write(&dir.join("jwks.json"), &pretty(returned.jwks)?)
}

fn pretty<T: Serialize>(value: &T) -> Result<Vec<u8>, Failure> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|error| Failure::file(format!("the answer cannot be written: {error}")))?;
    bytes.push(b'\n');
    Ok(bytes)
}

//! The files of one verification, under the names that `verify DIR` looks for.

use std::path::Path;

use pavilion_results::Answer;
use serde::Serialize;
use serde_json::Value;

use crate::exit::Failure;
use crate::file;

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
    file::write(&dir.join("request.json"), body)
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

//! An issuer, a holder and a relying party, whose keys are good for one trial.

use std::path::PathBuf;

use jiff::{Timestamp, ToSpan};
use pavilion_jose::{Algorithm, Jwk, SigningKey};
use pavilion_proofs::wallet::{ClaimPath, Draft, Holder, Issuer, Session};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::exit::Failure;
use crate::file;

/// Who issues.
pub const ISSUER: &str = "https://issuer.invalid";
/// What is issued.
pub const CREDENTIAL: &str = "urn:eudi:pid:1";
/// Who asks.
pub const RELYING_PARTY: &str = "trial";

/// The three, and a folder for what is handed on as files. It goes with them.
pub struct Actors {
    issuer: Issuer,
    issuer_key: Jwk,
    holder: Holder,
    holder_key: Jwk,
    relying_party_key: Jwk,
    folder: TempDir,
}

impl Actors {
    /// Three with new keys.
    pub fn cast() -> Result<Self, Failure> {
        let folder = TempDir::new();
        let folder =
            folder.map_err(|error| Failure::file(format!("no temporary folder: {error}")))?;
        let (issuer, holder, relying_party) = (key()?, key()?, key()?);
        let actors = Self {
            issuer_key: issuer.public(),
            issuer: Issuer::new(ISSUER, issuer),
            holder_key: holder.public(),
            holder: Holder::new(holder),
            relying_party_key: relying_party.public(),
            folder,
        };
        let own = relying_party.to_jwk().map_err(no_key)?;
        file::write_private(&actors.key_file(), own.to_string().as_bytes())?;
        Ok(actors)
    }

    /// The relying party's private key.
    pub fn key_file(&self) -> PathBuf {
        self.path("relying-party.jwk.json")
    }

    /// A file of the trial's.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Keeps something in a file.
    pub fn keep(&self, name: &str, content: &str) -> Result<PathBuf, Failure> {
        let path = self.path(name);
        file::write(&path, content.as_bytes())?;
        Ok(path)
    }

    /// The issuer's public keys.
    pub fn issuer_keys(&self) -> Value {
        published(&self.issuer_key)
    }

    /// The relying party's public keys.
    pub fn relying_party_keys(&self) -> Value {
        published(&self.relying_party_key)
    }

    /// Somebody born on a day presents that to an audience, once for each nonce.
    pub fn presentation(&self, born: &str, audience: &str, nonce: &str) -> Result<String, Failure> {
        let failed =
            |error: &dyn std::fmt::Display| Failure::file(format!("no credential: {error}"));
        let now = Timestamp::now();
        let claims = Map::from_iter([("birthdate".to_owned(), json!(born))]);
        let mut draft = Draft::new(CREDENTIAL, claims, now);
        let birthdate = || ClaimPath::from("birthdate");
        draft.disclosable = vec![birthdate()];
        draft.holder = Some(self.holder_key.clone());
        draft.expires_at = Some(now + 1.hour());
        let credential = self.issuer.issue(&draft).map_err(|error| failed(&error))?;
        let session = Session {
            nonce,
            audience,
            now,
        };
        self.holder
            .present(&credential, &[birthdate()], session)
            .map_err(|error| failed(&error))
    }
}

/// A new key, named by its thumbprint.
fn key() -> Result<SigningKey, Failure> {
    let key = SigningKey::generate(Algorithm::Es256).map_err(no_key)?;
    let mut jwk = key.to_jwk().map_err(no_key)?;
    jwk["kid"] = json!(key.public().thumbprint());
    SigningKey::from_jwk(&jwk).map_err(no_key)
}

fn no_key(error: impl std::fmt::Display) -> Failure {
    Failure::file(format!("no key could be made: {error}"))
}

fn published(key: &Jwk) -> Value {
    json!({"keys": [crate::dev::published(key)]})
}

//! Documents named by their digest: written canonically, read strictly.

use pavilion_json::{Digest, JsonError, Limits};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::route_table::RouteTable;
use crate::tenant_bundle::TenantBundle;

/// The most bytes a document may have.
pub const MAX_DOCUMENT_BYTES: usize = Limits::DOCUMENT.bytes;

/// Why a document is refused. The reader keeps what it served before.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Not JSON, over a limit, or not of the document's shape.
    #[error("the document cannot be read: {0}")]
    Json(#[from] JsonError),
    /// Right JSON in another spelling: the digest would name other bytes for the same content.
    #[error("the document is not in canonical form (RFC 8785)")]
    NotCanonical,
    /// Well-formed, but it contradicts itself.
    #[error("{path}: {message}")]
    Invalid {
        /// Where, as a path into the document.
        path: String,
        /// What is wrong there.
        message: String,
    },
}

impl LoadError {
    /// A contradiction at `path`.
    pub fn invalid(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid {
            path: path.into(),
            message: message.into(),
        }
    }
}

/// What the operator hands to a program.
pub trait Document: Serialize + DeserializeOwned {
    /// Counts up with each change of content.
    fn version(&self) -> u64;

    /// Whether the document agrees with itself.
    fn validate(&self) -> Result<(), LoadError>;

    /// The document's bytes and their digest.
    ///
    /// # Errors
    /// When a value has no JSON form, which the types here rule out.
    fn seal(&self) -> Result<(Vec<u8>, Digest), JsonError> {
        let bytes = pavilion_json::canonical(self)?;
        let digest = Digest::of(&bytes);
        Ok((bytes, digest))
    }
}

/// A document that was read whole and agrees with itself, with the digest of its bytes.
#[derive(Clone, Debug)]
pub struct Named<D> {
    document: D,
    digest: Digest,
}

impl<D: Document> Named<D> {
    /// Reads a document strictly: within limits, canonical, no unknown field, and valid.
    pub fn read(bytes: &[u8]) -> Result<Self, LoadError> {
        let document: D = pavilion_json::read(bytes, Limits::DOCUMENT)?;
        if document.seal()?.0 != bytes {
            return Err(LoadError::NotCanonical);
        }
        document.validate()?;
        Ok(Self {
            document,
            digest: Digest::of(bytes),
        })
    }

    /// The document.
    pub fn document(&self) -> &D {
        &self.document
    }

    /// The document, by value.
    pub fn into_document(self) -> D {
        self.document
    }

    /// SHA-256 of the document's bytes: its name.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl Document for TenantBundle {
    fn version(&self) -> u64 {
        self.version
    }

    fn validate(&self) -> Result<(), LoadError> {
        crate::tenant_bundle::validate(self)
    }
}

impl Document for RouteTable {
    fn version(&self) -> u64 {
        self.version
    }

    fn validate(&self) -> Result<(), LoadError> {
        crate::route_table::validate(self)
    }
}

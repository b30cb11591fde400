//! A file as routers get it: called by its content.

use bytes::Bytes;
use pavilion_json::Digest;
use pavilion_rpc::routes::MAX_FILE_BYTES;

/// What a digest is written with elsewhere.
const PREFIX: &str = "sha-256:";

/// One file. Clones share the content.
#[derive(Clone, PartialEq, Eq)]
pub struct File {
    /// Of its content.
    pub digest: Digest,
    /// PEM.
    pub content: Bytes,
}

impl File {
    /// A file of that content.
    ///
    /// # Errors
    /// That it is empty, or larger than routers take.
    pub fn new(content: String) -> Result<Self, String> {
        if content.is_empty() || content.len() > MAX_FILE_BYTES {
            let size = content.len();
            return Err(format!("has {size} bytes, not 1 to {MAX_FILE_BYTES}"));
        }
        let content = Bytes::from(content);
        Ok(Self {
            digest: Digest::of(&content),
            content,
        })
    }

    /// Its name in the table: 64 lower-case hexadecimal digits.
    pub fn name(&self) -> String {
        self.digest.to_string().replace(PREFIX, "")
    }
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The content may be a key.
        write!(f, "{}", self.digest)
    }
}

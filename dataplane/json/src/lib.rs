//! Strict JSON in, canonical JSON out, and the digest that names a document.
//!
//! Bytes from outside are checked before anything is built from them: size, UTF-8, nesting depth,
//! number of values and keys, and duplicate keys (RFC 8259 section 4 leaves those open; here they
//! are refused, because two readers may disagree about which one counts). What leaves to be hashed
//! or signed is canonical by RFC 8785. No error of this crate repeats a value of its input.

mod canonical;
mod digest;
mod error;
mod read;
mod scan;

pub use canonical::{canonical, canonical_value};
pub use digest::{Digest, DigestError};
pub use error::{JsonError, JsonErrorKind};
pub use read::{parse, read};

/// What a document may be at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of the text in bytes.
    pub bytes: usize,
    /// Levels of arrays and objects; a lone string has depth 0, `[]` has depth 1.
    pub depth: usize,
    /// Values (objects and arrays included) and object keys together.
    pub nodes: usize,
}

impl Limits {
    /// A request of a relying party: 256 KiB, 32 levels, 10,000 nodes.
    pub const REQUEST: Self = Self {
        bytes: 256 * 1024,
        depth: 32,
        nodes: 10_000,
    };
    /// A credential, a disclosure, a JOSE header: 256 KiB, 16 levels, 10,000 nodes.
    pub const CREDENTIAL: Self = Self {
        bytes: 256 * 1024,
        depth: 16,
        nodes: 10_000,
    };
    /// A document made by our own programs, such as a bundle: 16 MiB, 64 levels, 2,000,000 nodes.
    pub const DOCUMENT: Self = Self {
        bytes: 16 * 1024 * 1024,
        depth: 64,
        nodes: 2_000_000,
    };
}

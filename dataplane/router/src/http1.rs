//! A strict reading of HTTP/1.1 requests (RFC 9112), ahead of the lenient one.
//!
//! Two readers that disagree about where a request ends are how requests are smuggled. So every
//! byte of an HTTP/1 connection passes [`Guard`] first: it follows the framing on its own, lets a
//! head through only whole and only if it can be read in one way, and refuses the rest with a
//! problem. What it refuses never reaches the server behind it.

mod chunked;
mod guard;
mod head;

pub use chunked::{Chunked, Part};
pub use guard::Guard;
pub use head::{Framing, HeadLimits, Refusal, check};

//! A whole chain, and what an outsider finds when a link is broken.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
mod hostile;
mod log;
mod made;

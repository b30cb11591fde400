//! The relying-party API, in process: what a relying party can rely on.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod away;
mod bundles;
mod discovery;
mod evidence;
mod forms;
mod neighbours;
mod program;
mod questions;
mod recovery;
mod results;
mod tokens;
mod world;

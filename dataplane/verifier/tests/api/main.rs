//! The relying-party API, in process: what a relying party can rely on.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod away;
mod bundles;
mod discovery;
mod evidence;
mod findings;
mod forms;
mod neighbours;
mod program;
mod questions;
mod recovery;
mod repeats;
mod results;
#[path = "../../../process/tests/mutual_tls/roots.rs"]
mod roots;
mod stage;
mod tokens;
mod world;

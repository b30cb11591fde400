//! The auditor as its users rely on it: the engine in this process, and the program as a process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

mod appends;
mod crashes;
mod directory;
mod disk_full;
mod http;
mod opening;
mod program;
#[path = "../../../process/tests/mutual_tls/roots.rs"]
mod roots;
mod tiles_over_tls;
mod world;

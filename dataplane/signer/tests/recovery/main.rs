//! What the engine does when sessions, the token or its keys go away, or a crash left halves.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

mod away;
mod full;
mod given_pin;
mod half_keys;
mod half_tokens;
mod hand;
mod refused_starts;
#[path = "../stage/room.rs"]
mod room;

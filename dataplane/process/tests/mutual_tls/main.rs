//! What a program may rely on when it listens for one client over mutual TLS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod door;
mod files;
mod refusals;
mod roots;
mod waiting;

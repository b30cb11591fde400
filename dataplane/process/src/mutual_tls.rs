//! TLS 1.3 between two programs that each prove who they are.
//!
//! [`Listener`] is the door of a program: who has no certificate of the right trust root, made out
//! for the one name that may come, does not get past the handshake; it is counted and, seldom,
//! logged. [`connect`] is the other half. Nothing is remembered from one connection to the
//! next: no session is resumed, so that every connection proves itself against the certificates in
//! force now. The listener's files are followed; a set that cannot be used is refused, and the one
//! before it stays.

mod client;
mod connect;
mod credentials;
mod handshakes;
mod listener;
mod outcome;
mod reload;

pub use connect::connect;
pub use credentials::{Credentials, Protocol, client_config, server_config};
pub use listener::{Listener, Settings};

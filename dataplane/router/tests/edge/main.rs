//! What clients and tenants may rely on at the edge, shown with real TLS clients, raw bytes and
//! real upstream sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod drain;
mod hosts;
mod limits;
mod program;
mod reload;
mod smuggling;
mod stage;
mod upstream;

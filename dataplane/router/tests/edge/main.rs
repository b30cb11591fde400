//! What clients and tenants may rely on at the edge, shown with real TLS clients, raw bytes and
//! real upstream sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod closed;
mod drain;
mod fed;
mod hold;
mod hosts;
mod limits;
mod operator;
mod pod;
mod pods;
mod program;
mod reload;
mod replica;
#[path = "../../../process/tests/mutual_tls/roots.rs"]
mod roots;
mod smuggling;
mod stage;
mod upstream;

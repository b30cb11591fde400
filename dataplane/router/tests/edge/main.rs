//! What clients and tenants may rely on at the edge, shown with real TLS clients, raw bytes and
//! real upstream sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod drain;
mod hosts;
mod limits;
mod pod;
mod pods;
mod program;
mod reload;
#[path = "../../../process/tests/mutual_tls/roots.rs"]
mod roots;
mod smuggling;
mod stage;
mod upstream;

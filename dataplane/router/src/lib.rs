//! The shared edge: takes HTTPS for all tenants and hands each request to its tenant.
//!
//! The host in TLS SNI chooses certificate and tenant; a request that names another host than its
//! connection is refused. What is passed on is framed anew and carries only what the router itself
//! vouches for: a request id, where the request came from (RFC 7239), the client's certificate
//! (RFC 9440). Limits and time-outs hold for everything a client sends. The route table is
//! validated whole and swapped at once; a bad one is refused and the last good one keeps serving. It
//! comes in a file, or from an operator that is followed over the network.

mod access;
mod activity;
mod authority;
mod body;
mod certificate;
mod config;
mod connection;
mod headers;
mod hold;
pub mod http1;
mod loan;
mod metrics;
mod operator;
mod problem;
mod proxy;
mod reload;
mod server;
mod table;
mod taking;
mod tls;
mod upstream;
mod write_time_out;

pub use config::{Config, Limits, Operator, TimeOuts, TlsMinVersion};
pub use server::{Router, serve};

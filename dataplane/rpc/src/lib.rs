//! How the programs of one tenant talk to each other: gRPC on unix sockets.
//!
//! The contracts are the `.proto` files beside the programs that serve them; this crate holds the
//! code generated from them, the socket server and client, and the two pieces of metadata that
//! every call carries: the request id on the way in, the stable error code on the way back.

mod calls;
mod held;
mod metadata;
pub mod socket;

pub use metadata::{CODE, REQUEST_ID, code_of, request, request_id_of, status_with_code};

/// Messages, client and server of the signer (`pavilion.signer.v1`).
#[allow(
    missing_docs,
    unused_qualifications,
    clippy::pedantic,
    clippy::missing_errors_doc
)]
pub mod signer {
    tonic::include_proto!("pavilion.signer.v1");
}

/// Messages, client and server of the auditor (`pavilion.auditor.v1`).
#[allow(
    missing_docs,
    unused_qualifications,
    clippy::pedantic,
    clippy::missing_errors_doc
)]
pub mod auditor {
    tonic::include_proto!("pavilion.auditor.v1");
}

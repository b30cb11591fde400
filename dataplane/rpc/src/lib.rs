//! How programs talk to each other: gRPC, on unix sockets within a tenant ([`socket`]), and from the
//! operator to the edge over mutual TLS ([`network`]).
//!
//! The contracts are the `.proto` files beside the programs that serve them; this crate holds the
//! code generated from them, the servers and clients, and the two things that every call or
//! item of a tenant's call carries: the request id on the way in, the stable error code on the way
//! back. What many requests ask for at once goes over in one call ([`Together`]).

mod calls;
mod held;
mod metadata;
pub mod network;
mod origin;
mod outcome;
pub mod socket;
mod together;

pub use metadata::{CODE, REQUEST_ID, code_of, request, request_id_of, status_with_code};
pub use origin::{MOST_ITEMS, each};
pub use outcome::{Outcome, outcomes};
pub use shared::{Failure, Origin};
pub use together::{Manner, Together};

/// What the contracts have in common (`pavilion.rpc.v1`).
#[allow(missing_docs, clippy::pedantic)]
mod shared {
    tonic::include_proto!("pavilion.rpc.v1");
}

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

/// Messages, client and server of the route stream (`pavilion.routes.v1`).
#[allow(
    missing_docs,
    unused_qualifications,
    clippy::pedantic,
    clippy::missing_errors_doc
)]
pub mod routes {
    tonic::include_proto!("pavilion.routes.v1");

    /// The largest message of a stream, in bytes, in either direction.
    pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

    /// The most bytes of files or of the table that one message carries.
    pub const PART_BYTES: usize = 256 * 1024;

    /// The largest file, in bytes.
    pub const MAX_FILE_BYTES: usize = 64 * 1024;

    /// The most files that a caller says it has.
    pub const MAX_FILES: usize = 65_536;
}

//! How the programs of one tenant talk to each other: gRPC on unix sockets.
//!
//! The contracts are the `.proto` files beside the programs that serve them; this crate holds the
//! code generated from them, the socket server and client, and the two things that every call or
//! item of a call carries: the request id on the way in, the stable error code on the way back.
//! What many requests ask for at once goes over in one call ([`Together`]).

mod calls;
mod held;
mod metadata;
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

//! `run`: everything in a cluster, kept as the API server's objects say.
//!
//! Every replica watches ([`watching`] → [`objects`], [`live`]) and is Ready; the holder of the
//! [`lease`] looks at a tenant whenever something of it changed ([`reconcile`]): what its objects come
//! to ([`judge`]), what it needs ([`isolation`], [`memory`]), what of that is missing ([`apply`]), and
//! what it is told ([`statuses`]).

mod apply;
mod client;
mod crds_check;
mod isolation;
mod judge;
mod kinds;
mod lease;
mod live;
mod memory;
mod metrics;
mod objects;
mod owned;
mod owned_fields;
mod program;
mod reconcile;
mod retries;
mod settings;
mod statuses;
mod triggers;
mod watching;

pub use program::run;

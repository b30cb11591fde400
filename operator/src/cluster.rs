//! `run`: everything in a cluster, kept as the API server's objects say.
//!
//! Every replica watches ([`watches`] → [`objects`], [`live`]) and is Ready; the holder of the
//! [`lease`] looks at a tenant whenever something of it changed ([`reconcile`]): what its objects come
//! to ([`judge`]), what it needs ([`isolation`], [`keyring`], [`memory`], [`pod`]), what of that is missing
//! ([`apply`]), how its programs are ([`pods`], [`observe`]), whether it is isolated ([`probing`]), and what it is
//! told ([`statuses`]). A tenant
//! that is deleted ends step by step ([`termination`]). Every replica tells routers what to serve
//! ([`routes`]).

mod apply;
mod client;
mod crds_check;
mod events;
mod evidence;
mod finalizer;
mod isolation;
mod judge;
mod keyring;
mod kinds;
mod lease;
mod live;
mod memory;
mod metrics;
mod objects;
mod observe;
mod owned;
mod owned_fields;
mod parts;
mod pod;
mod pods;
mod probing;
mod program;
mod reconcile;
mod remembered;
mod retries;
mod routes;
mod settings;
mod statuses;
mod termination;
mod triggers;
mod wanted;
mod watches;
mod watching;

pub use program::run;

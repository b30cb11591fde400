//! `run`: everything in a cluster, kept as the API server's objects say.
//!
//! Every replica watches ([`watches`] → [`objects`], [`live`]) and is Ready; the holder of the
//! [`lease`] looks at a tenant whenever something of it changed ([`reconcile`]): what its objects come
//! to ([`judge`]), whether it is placed here ([`placement`]), what it needs ([`isolation`], [`keyring`], [`memory`],
//! [`pod`]), what others supply for it ([`cert_manager`], [`supplies`], [`keys`]), what of that is missing ([`apply`],
//! and [`announcer`] where somebody else undid it), how its programs are ([`pods`], [`observe`]), whether it is isolated
//! ([`probing`]), whether the Gateway before the edge leads to it ([`gateway`]), and what it is told ([`statuses`]). A
//! tenant that is deleted ends step by step ([`termination`]). Every replica tells routers what to serve ([`routes`]).
//! What no tenant has, like Regions and Plans, is told how it is ([`wide`]).

mod announcer;
mod apply;
mod belongings;
mod bounds;
mod cert_manager;
mod claims;
mod classes;
mod client;
mod closing;
mod conditions;
mod crds_check;
mod evidence;
mod finalizer;
mod gateway;
mod gathered;
mod gone;
mod isolation;
mod judge;
mod keyring;
mod keys;
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
mod placement;
mod pod;
mod pods;
mod probing;
mod program;
mod reconcile;
mod remembered;
mod restored;
mod retries;
mod routes;
mod settings;
mod sizing;
mod statuses;
mod supplies;
mod termination;
mod told;
mod triggers;
mod vacancy;
mod wanted;
mod watches;
mod watching;
mod whose;
mod wide;

pub use program::run;

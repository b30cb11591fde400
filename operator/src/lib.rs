//! The operator: turns manifests into a running data plane.
//!
//! One build path, `dereference → validate → build → apply → status`: [`manifests::dereference`]
//! reads a folder, [`validate::validate`] checks everything against everything, [`build::build`]
//! makes the desired state, [`host`] brings this machine there and keeps it there, [`status`] says
//! what was reached. A set that does not validate changes nothing: what served keeps serving.
//! [`standalone`] does so on one host, [`cluster`] with the objects of an API server, tenant by tenant.

pub mod arguments;
pub mod build;
pub mod cluster;
pub mod desired;
mod health;
pub mod host;
pub mod manifests;
mod metrics;
pub mod object_key;
pub mod records;
pub mod refusal;
pub mod standalone;
pub mod status;
pub mod talk;
pub mod trust_root;
pub mod validate;
mod watch;

//! The contract between operator and data plane.
//!
//! The operator compiles a tenant, and everything that refers to it, into one [`TenantBundle`]: a
//! canonical JSON document named by its SHA-256. The verifier validates it whole, swaps it
//! atomically and reports the digest it serves; a bundle that does not validate is refused and the
//! last good one stays. The edge gets a [`RouteTable`] by the same rules. There is no Kubernetes
//! in these documents.

mod document;
mod names;
mod route_table;
mod tenant_bundle;

pub use document::{Document, LoadError, MAX_DOCUMENT_BYTES, Named};
pub use names::{HostName, NameError, ObjectName, TenantName};
pub use route_table::{Certificate, Closed, Route, RouteTable, Target, TlsTarget, Upstream};
pub use tenant_bundle::{
    Audit, Authentication, Lifetimes, MutualTls, PolicyRevision, RelyingParty, TenantBundle,
};

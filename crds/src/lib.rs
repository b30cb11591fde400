//! The custom resources of Pavilion: `pavilion.dev/v1alpha1`.
//!
//! One Rust type per kind is the single source: the CRD's schema, its CEL rules, its printer columns
//! and the YAML under `crds/yaml/` are made from it. [`admission`] applies the same schema and rules
//! to an object without an API server, so that a manifest is judged alike on one host and in a
//! cluster.

// The derive macro takes one `printcolumn` attribute a column.
#![allow(clippy::duplicated_attributes)]

pub mod admission;
mod amount;
mod conditions;
mod duration;
mod jurisdiction;
mod keys;
mod phase;
mod plan;
mod policy;
mod region;
mod relying_party;
mod tenant;
mod trust_anchor;
mod written;
mod yaml;

pub use amount::{AmountError, Bytes, Cpu};
pub use conditions::{Condition, ConditionStatus, forget};
pub use duration::{DurationError, GoDuration};
pub use jurisdiction::Jurisdiction;
pub use keys::{CertificateAuthorities, JsonWebKeys};
pub use phase::TenantPhase;
pub use plan::{
    DEFAULT_PLAN, IssuerRef, Plan, PlanSpec, PlanStatus, Programs, Resources, Share, Storage,
    TrustRoot,
};
pub use policy::{
    Claim, Evidence, EvidenceWithRequest, Format, Obligations, Policy, PolicySpec, PolicyStatus,
    RevisionStatus,
};
pub use region::{Region, RegionSpec, RegionStatus, Residency};
pub use relying_party::{
    Authentication, MutualTls, PrivateKeyJwt, RelyingParty, RelyingPartySpec, RelyingPartyStatus,
};
pub use tenant::{
    ChildStatus, DeletionPolicy, Ingress, RefusedBundle, ServedBundle, Signing, TLS_SECRET, Tenant,
    TenantSpec, TenantStatus, Tls, Verification,
};
pub use trust_anchor::{
    Algorithm, Assurance, OnUnreachable, StatusRules, TrustAnchor, TrustAnchorSpec,
    TrustAnchorStatus, TrustedIssuer,
};
pub use yaml::{Kind, MANIFEST_MAX_DEPTH, MANIFEST_MAX_NODES, all, manifest_options, yaml};

/// The API group.
pub const GROUP: &str = "pavilion.dev";
/// The API version, as manifests write it.
pub const API_VERSION: &str = "pavilion.dev/v1alpha1";
/// The namespace of a tenant is this prefix and the tenant's name.
pub const NAMESPACE_PREFIX: &str = "pavilion-";

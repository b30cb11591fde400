//! The CRDs as a cluster gets them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use crate::{Plan, Policy, Region, RelyingParty, Tenant, TrustAnchor};

/// A kind of this group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Where tenants are placed.
    Region,
    /// How much tenants get.
    Plan,
    /// Who runs verifications here.
    Tenant,
    /// Whom we believe.
    TrustAnchor,
    /// Who may ask.
    RelyingParty,
    /// What may be asked.
    Policy,
}

impl Kind {
    /// All kinds, in the order their objects are looked at.
    pub const ALL: [Self; 6] = [
        Self::Region,
        Self::Plan,
        Self::Tenant,
        Self::TrustAnchor,
        Self::RelyingParty,
        Self::Policy,
    ];

    /// From `kind:` of a manifest.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// As in `kind:` of a manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Region => "Region",
            Self::Plan => "Plan",
            Self::Tenant => "Tenant",
            Self::TrustAnchor => "TrustAnchor",
            Self::RelyingParty => "RelyingParty",
            Self::Policy => "Policy",
        }
    }

    /// As in paths of the API.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Region => "regions",
            Self::Plan => "plans",
            Self::Tenant => "tenants",
            Self::TrustAnchor => "trustanchors",
            Self::RelyingParty => "relyingparties",
            Self::Policy => "policies",
        }
    }

    /// Whether its objects live in a tenant's namespace.
    pub const fn is_namespaced(self) -> bool {
        !matches!(self, Self::Region | Self::Plan | Self::Tenant)
    }

    /// Its definition.
    pub fn definition(self) -> CustomResourceDefinition {
        match self {
            Self::Region => Region::crd(),
            Self::Plan => Plan::crd(),
            Self::Tenant => Tenant::crd(),
            Self::TrustAnchor => TrustAnchor::crd(),
            Self::RelyingParty => RelyingParty::crd(),
            Self::Policy => Policy::crd(),
        }
    }
}

/// The deepest nesting in a manifest.
pub const MANIFEST_MAX_DEPTH: usize = 64;
/// The most values and keys in one manifest file.
pub const MANIFEST_MAX_NODES: usize = 200_000;

/// How manifests are read by every program: within stated bounds, anchors within a budget, merge keys
/// and duplicate keys refused, and `no`, `on` and the like as strings, so that `[DE, NO]` means what it
/// says.
pub fn manifest_options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: 1_000,
            max_depth: MANIFEST_MAX_DEPTH,
            max_nodes: MANIFEST_MAX_NODES,
            max_events: 3 * MANIFEST_MAX_NODES,
            max_aliases: 1_000,
            max_anchors: 1_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 100_000,
            max_replay_stack_depth: 16,
        },
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        merge_keys: serde_saphyr::MergeKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
    }
}

/// Every definition, in a fixed order.
pub fn all() -> Vec<CustomResourceDefinition> {
    Kind::ALL.into_iter().map(Kind::definition).collect()
}

/// One definition as YAML, ending with a line break.
///
/// # Errors
/// When the definition cannot be written as YAML, which would be a bug here.
pub fn yaml(definition: &CustomResourceDefinition) -> Result<String, serde_saphyr::SerializeError> {
    serde_saphyr::to_string(definition)
}

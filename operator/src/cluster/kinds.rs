//! The kinds of objects that are made for a tenant.

use k8s_openapi::{
    NamespaceResourceScope, Resource as _,
    api::{
        core::v1::{ConfigMap, LimitRange, Namespace, ResourceQuota, ServiceAccount},
        networking::v1::NetworkPolicy,
    },
};
use kube::core::ApiResource;

/// A kind, in the order in which its objects are applied: what confines comes before what it confines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OwnedKind {
    /// The tenant's namespace.
    Namespace,
    /// How much may be in it.
    ResourceQuota,
    /// How much each container may take.
    LimitRange,
    /// Who talks to whom.
    NetworkPolicy,
    /// As whom pods run.
    ServiceAccount,
    /// What pods read.
    ConfigMap,
}

impl OwnedKind {
    /// All kinds, in order.
    pub const ALL: [Self; 6] = [
        Self::Namespace,
        Self::ResourceQuota,
        Self::LimitRange,
        Self::NetworkPolicy,
        Self::ServiceAccount,
        Self::ConfigMap,
    ];

    /// As the API serves it.
    pub fn resource(self) -> ApiResource {
        match self {
            Self::Namespace => ApiResource::erase::<Namespace>(&()),
            Self::ResourceQuota => namespaced::<ResourceQuota>(),
            Self::LimitRange => namespaced::<LimitRange>(),
            Self::NetworkPolicy => namespaced::<NetworkPolicy>(),
            Self::ServiceAccount => namespaced::<ServiceAccount>(),
            Self::ConfigMap => namespaced::<ConfigMap>(),
        }
    }

    /// As in `kind:`; also a label of metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Namespace => Namespace::KIND,
            Self::ResourceQuota => ResourceQuota::KIND,
            Self::LimitRange => LimitRange::KIND,
            Self::NetworkPolicy => NetworkPolicy::KIND,
            Self::ServiceAccount => ServiceAccount::KIND,
            Self::ConfigMap => ConfigMap::KIND,
        }
    }
}

fn namespaced<K>() -> ApiResource
where
    K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    ApiResource::erase::<K>(&())
}

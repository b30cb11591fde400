//! The kinds of objects that are made for a tenant.

use k8s_openapi::{
    NamespaceResourceScope, Resource as _,
    api::{
        apps::v1::StatefulSet,
        core::v1::{ConfigMap, LimitRange, Namespace, ResourceQuota, Secret, ServiceAccount},
        networking::v1::NetworkPolicy,
    },
};
use kube::core::ApiResource;

use super::{cert_manager, gateway::Version};

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
    /// Keys and certificates.
    Secret,
    /// What pods read.
    ConfigMap,
    /// The tenant's pod.
    StatefulSet,
    /// What leads its hosts from a Gateway to the edge.
    TlsRoute,
    /// What cert-manager is asked for.
    Certificate,
}

impl OwnedKind {
    /// All kinds, in order.
    pub const ALL: [Self; 10] = [
        Self::Namespace,
        Self::ResourceQuota,
        Self::LimitRange,
        Self::NetworkPolicy,
        Self::ServiceAccount,
        Self::Secret,
        Self::ConfigMap,
        Self::StatefulSet,
        Self::TlsRoute,
        Self::Certificate,
    ];

    /// As the API serves it, where `TLSRoute` is served in a version.
    pub fn resource(self, routes: Version) -> ApiResource {
        match self {
            Self::Namespace => ApiResource::erase::<Namespace>(&()),
            Self::ResourceQuota => namespaced::<ResourceQuota>(),
            Self::LimitRange => namespaced::<LimitRange>(),
            Self::NetworkPolicy => namespaced::<NetworkPolicy>(),
            Self::ServiceAccount => namespaced::<ServiceAccount>(),
            Self::Secret => namespaced::<Secret>(),
            Self::ConfigMap => namespaced::<ConfigMap>(),
            Self::StatefulSet => namespaced::<StatefulSet>(),
            Self::TlsRoute => routes.resource(),
            Self::Certificate => cert_manager::resource(),
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
            Self::Secret => Secret::KIND,
            Self::ConfigMap => ConfigMap::KIND,
            Self::StatefulSet => StatefulSet::KIND,
            Self::TlsRoute => "TLSRoute",
            Self::Certificate => cert_manager::KIND,
        }
    }
}

fn namespaced<K>() -> ApiResource
where
    K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    ApiResource::erase::<K>(&())
}

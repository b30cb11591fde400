//! Whether a namespace that its owner gave has room for a tenant's keys: nothing of anybody else's may run beside them, or
//! be what is to read them.
//!
//! It is looked at once the namespace is closed, and before there is anything to be read in it.

use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api,
    api::{ListParams, PartialObjectMeta},
};
use pavilion_bundle::TenantName;

use super::{
    apply::{Applier, ApplyError},
    keyring::POD_SECRET,
    kinds::OwnedKind,
    live::FIELD_MANAGER,
    owned::{Owned, OwnedKey, namespace_of},
    owned_fields::has_applied,
    pod::NAME,
};

impl Applier {
    /// Looks before the tenant's Secret is made where `owned` is that, and nobody knows what else there is.
    ///
    /// # Errors
    /// [`ApplyError::NamespaceOccupied`], or the API server.
    pub(super) async fn look_around(
        &self,
        tenant: &TenantName,
        owned: &Owned,
        wanted: &[Owned],
    ) -> Result<(), ApplyError> {
        if owned.key != key(tenant, OwnedKind::Secret, POD_SECRET) || self.live.has(&owned.key) {
            return Ok(());
        }
        let namespace = namespace_of(tenant);
        let occupied = |what| ApplyError::NamespaceOccupied(namespace.clone(), what);
        for owned in wanted {
            if owned.key.namespace.as_deref() == Some(&namespace)
                && !self.live.has(&owned.key)
                && self.is_somebody_elses(&owned.key).await?
            {
                return Err(occupied(owned.key.to_string()));
            }
        }
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &namespace);
        let params = ListParams::default();
        let pods = self.request(&owned.key, api.list_metadata(&params)).await?;
        let set = key(tenant, OwnedKind::StatefulSet, NAME);
        let own = self.live.seen(&set).map(|set| set.uid);
        match first_beside(&pods.items, own.as_deref()) {
            Some(pod) => Err(occupied(format!("Pod {namespace}/{pod}"))),
            None => Ok(()),
        }
    }

    /// Whether it is an order for an authority, and there is one of that name that the operator did not make: people order
    /// certificates beside the operator too.
    pub(super) async fn is_taken_order(&self, key: &OwnedKey) -> bool {
        key.kind == OwnedKind::Certificate
            && !self.live.has(key)
            && self.is_somebody_elses(key).await.unwrap_or(false)
    }

    async fn is_somebody_elses(&self, key: &OwnedKey) -> Result<bool, ApplyError> {
        let found = self.listed(key).await?;
        Ok(found.is_some_and(|object| !has_applied(&object, FIELD_MANAGER)))
    }
}

fn key(tenant: &TenantName, kind: OwnedKind, name: &str) -> OwnedKey {
    OwnedKey {
        kind,
        namespace: Some(namespace_of(tenant)),
        name: name.to_owned(),
    }
}

/// The first pod that is not of the tenant's own `StatefulSet`, by its uid.
fn first_beside<'a>(pods: &'a [PartialObjectMeta<Pod>], own: Option<&str>) -> Option<&'a str> {
    let is_own = |metadata: &ObjectMeta| {
        let mut owners = metadata.owner_references.iter().flatten();
        owners.any(|owner| own == Some(owner.uid.as_str()))
    };
    let mut beside = pods.iter().filter(|pod| !is_own(&pod.metadata));
    let pod = beside.next()?;
    Some(pod.metadata.name.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn pod(name: &str, owner: &str) -> PartialObjectMeta<Pod> {
        let owner = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "data-plane", "uid": owner});
        serde_json::from_value(json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
            "metadata": {"name": name, "ownerReferences": [owner]},
        }))
        .unwrap()
    }

    #[test]
    fn a_pod_is_the_tenants_own_by_the_uid_of_its_set_and_by_nothing_else() {
        let pods = [pod("data-plane-0", "ours"), pod("data-plane-1", "theirs")];
        assert_eq!(first_beside(&pods, Some("ours")), Some("data-plane-1"));
        assert_eq!(first_beside(&pods[..1], Some("ours")), None);
        assert_eq!(first_beside(&pods[..1], None), Some("data-plane-0"));
        assert_eq!(first_beside(&[], None), None);
    }
}

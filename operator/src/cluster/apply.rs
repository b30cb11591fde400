//! Apply: brings the API server's objects to what they are to be. The only place that writes them.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions},
    core::ApiResource,
};
use pavilion_bundle::TenantName;
use serde_json::json;
use tokio::time::timeout;

use super::{
    announcer::Announcer,
    cert_manager::Certificates,
    gateway::Front,
    keyring,
    kinds::OwnedKind,
    lease::{Fence, LeaseOver},
    live::{FIELD_MANAGER, Live, Seen},
    metrics::ClusterMetrics,
    owned::{Owned, OwnedKey, TENANT_LABEL, namespace_of},
    owned_fields::{applied_by, has_applied, is_shared},
    pod::NAME,
    pods::{TenantPod, pod_name},
    restored::{Damage, Restored},
    supplies::authority_of,
    told::Told,
    wanted::Wanted,
};

/// How long one request to the API server may take.
pub const REQUEST_TIME_OUT: Duration = Duration::from_secs(10);

/// What is said of one that took longer.
pub const NO_ANSWER: &str = "the API server did not answer in time";

/// Why not all could be applied. What comes before it in the order is.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Another replica writes now.
    #[error(transparent)]
    Lease(#[from] LeaseOver),
    /// A namespace of that name is somebody else's.
    #[error(
        "the namespace {0} exists and is not marked as this tenant's: label it {TENANT_LABEL}={1} if it is to be used, or choose another name for the tenant"
    )]
    NamespaceTaken(String, TenantName),
    /// Something of somebody else's is in a namespace that is to be the tenant's.
    #[error(
        "the namespace {0} is not the tenant's alone: {1} was there before. Delete it: nothing may run beside the tenant's programs, or pass for them"
    )]
    NamespaceOccupied(String, String),
    /// The API server refused it, or did not answer.
    #[error("{0}: {1}")]
    Api(OwnedKey, String),
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Objects made or changed.
    pub written: usize,
    /// Objects deleted, because they are not wanted any more.
    pub deleted: usize,
}

/// Applies objects of tenants.
pub struct Applier {
    pub(super) client: Client,
    pub(super) live: Arc<Live>,
    fence: Fence,
    metrics: ClusterMetrics,
    announcer: Arc<Announcer>,
    certificates: Arc<Certificates>,
    front: Arc<Front>,
}

impl Applier {
    /// An applier that writes while `fence` allows it.
    pub fn new(
        client: Client,
        live: Arc<Live>,
        fence: Fence,
        metrics: ClusterMetrics,
        announcer: Arc<Announcer>,
        certificates: Arc<Certificates>,
        front: Arc<Front>,
    ) -> Self {
        Self {
            client,
            live,
            fence,
            metrics,
            announcer,
            certificates,
            front,
        }
    }

    /// Makes a tenant's objects what they are to be, in their order, and deletes those that are not
    /// wanted any more. What is so already is left alone and costs no request. `written` hears of each that was written,
    /// also where a later one cannot be.
    ///
    /// # Errors
    /// The first object that could not be applied.
    pub async fn apply(
        &self,
        tenant: &TenantName,
        wanted: &Wanted,
        written: impl Fn(OwnedKind),
    ) -> Result<Applied, ApplyError> {
        let mut applied = Applied::default();
        // With its namespace everything in it went.
        let mut namespace_went = false;
        for owned in &wanted.objects {
            if self.live.is_as(owned) {
                continue;
            }
            let damage = self.damage(owned).await;
            if !wanted.is_new {
                self.adopt(tenant, &owned.key).await?;
                self.look_around(tenant, owned, &wanted.objects).await?;
            }
            if self.is_taken_order(&owned.key).await {
                let why = format!("{} is somebody else's", owned.key);
                self.not_taken(tenant, &owned.key, why)?;
                continue;
            }
            let Some(answer) = self.write(tenant, owned).await? else {
                continue;
            };
            written(owned.key.kind);
            // Somebody made it since nobody had it: what is in it is looked at from now on.
            if owned.key.kind == OwnedKind::Namespace
                && wanted.is_new
                && is_shared(&answer, FIELD_MANAGER)
            {
                let what = "a Namespace of somebody else's making".to_owned();
                return Err(ApplyError::NamespaceOccupied(owned.key.name.clone(), what));
            }
            applied.written += 1;
            if let Some(damage) = damage {
                let restored = Restored {
                    key: owned.key.clone(),
                    api_version: self.resource(&owned.key).api_version,
                    damage,
                };
                self.tell_of(tenant, &restored, namespace_went);
                namespace_went |=
                    owned.key.kind == OwnedKind::Namespace && restored.damage == Damage::Deleted;
            }
        }
        if !wanted.is_whole() {
            return Ok(applied);
        }
        for (key, seen) in self.live.orphans(tenant, &wanted.objects) {
            self.delete(&key, &seen).await?;
            applied.deleted += 1;
        }
        Ok(applied)
    }

    /// What somebody else did to an object that was right; `None` for one that is new, or is to be other than before.
    async fn damage(&self, owned: &Owned) -> Option<Damage> {
        if !self.live.drifted(owned) {
            return None;
        }
        let found = match self.listed(&owned.key).await {
            Err(_) => return Some(Damage::Changed(Vec::new())),
            Ok(None) => return Some(Damage::Deleted),
            Ok(Some(found)) => found,
        };
        let left = applied_by(&found, FIELD_MANAGER).unwrap_or_default();
        Some(Damage::between(owned.content(), &left))
    }

    /// An object by its name, of a kind that the operator may list and not get.
    pub(super) async fn listed(&self, key: &OwnedKey) -> Result<Option<Told>, ApplyError> {
        let named = ListParams::default().fields(&format!("metadata.name={}", key.name));
        let found = self.request(key, self.api(key).list(&named)).await?;
        Ok(found.items.into_iter().next())
    }

    fn tell_of(&self, tenant: &TenantName, restored: &Restored, with_its_namespace: bool) {
        self.metrics.restored(restored.key.kind);
        tracing::warn!("{restored}");
        if !with_its_namespace || restored.key.kind == OwnedKind::Namespace {
            self.announcer.restored(tenant, restored);
        }
    }

    /// A namespace that is there and not known as ours is used only when its owner says so.
    async fn adopt(&self, tenant: &TenantName, key: &OwnedKey) -> Result<(), ApplyError> {
        if key.namespace.is_some() || self.live.has(key) {
            return Ok(());
        }
        let Some(found) = self.find(key).await? else {
            return Ok(());
        };
        // Ours before somebody took its labels away.
        if has_applied(&found, FIELD_MANAGER) {
            return Ok(());
        }
        let label = found
            .metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get(TENANT_LABEL));
        if label.map(String::as_str) == Some(tenant.as_str()) {
            return Ok(());
        }
        Err(ApplyError::NamespaceTaken(key.name.clone(), tenant.clone()))
    }

    async fn find(&self, key: &OwnedKey) -> Result<Option<Told>, ApplyError> {
        self.request(key, self.api(key).get_opt(&key.name)).await
    }

    /// Whether there is nothing of a tenant: none of its objects was heard of, and the API server has no namespace of its
    /// name. The namespace is the first that is made and the first that is destroyed: where it is not, nothing is missed
    /// that a watch has yet to tell, or that lost our label.
    ///
    /// # Errors
    /// The API server.
    pub async fn lacks_all_of(&self, tenant: &TenantName) -> Result<bool, ApplyError> {
        if self.live.knows(tenant) {
            return Ok(false);
        }
        let found = self.find(&namespace_key(tenant)).await?;
        Ok(found.is_none())
    }

    /// What was written, if it was. A Certificate that is not taken, be it for want of an answer, or of which there is no
    /// such kind, keeps nothing else back: what is the matter with it is told of the tenant's root.
    async fn write(&self, tenant: &TenantName, owned: &Owned) -> Result<Option<Told>, ApplyError> {
        self.fence.check()?;
        let api = self.api(&owned.key);
        // Nobody else has fields in these objects to be overwritten: what another set of ours is drift.
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let object = owned.sent_as(self.resource(&owned.key));
        let existed = self.live.has(&owned.key);
        let writing = self.live.writing(&owned.key);
        let patch = Patch::Apply(&object);
        let request = api.patch(&owned.key.name, &params, &patch);
        let answer = match timeout(REQUEST_TIME_OUT, request).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(kube::Error::Api(status)))
                if owned.key.kind == OwnedKind::Certificate && status.code == 404 =>
            {
                self.certificates.are_unserved();
                return Ok(None);
            }
            Ok(Err(error)) => {
                self.not_taken(tenant, &owned.key, error.to_string())?;
                return Ok(None);
            }
            Err(_) => {
                self.not_taken(tenant, &owned.key, NO_ANSWER.to_owned())?;
                return Ok(None);
            }
        };
        self.live.applied(owned, &answer);
        drop(writing);
        self.metrics.wrote(owned.key.kind, existed);
        tracing::debug!(existed, "applied {}", owned.key);
        Ok(Some(answer))
    }

    /// What comes of it that an object is not taken.
    fn not_taken(
        &self,
        tenant: &TenantName,
        key: &OwnedKey,
        why: String,
    ) -> Result<(), ApplyError> {
        if key.kind != OwnedKind::Certificate {
            return Err(ApplyError::Api(key.clone(), why));
        }
        tracing::warn!(why, "{key} is not taken");
        self.certificates.refused(tenant, &why);
        Ok(())
    }

    /// Whether the Secret with a tenant's keys and its route is as it is among these objects.
    pub fn has_route_of(&self, wanted: &[Owned], tenant: &TenantName, beside: &str) -> bool {
        let key = keys_key(tenant, beside);
        let mut secrets = wanted.iter().filter(|owned| owned.key == key);
        secrets.all(|owned| self.live.is_as(owned))
    }

    /// What is known of a tenant's namespace.
    pub fn namespace(&self, tenant: &TenantName) -> Option<Seen> {
        self.live.seen(&namespace_key(tenant))
    }

    /// What is known of the Secret with the tenant's keys and its route.
    pub fn keys(&self, tenant: &TenantName, beside: &str) -> Option<Seen> {
        self.live.seen(&keys_key(tenant, beside))
    }

    /// Whether cert-manager is asked for a tenant's authority.
    pub fn asks_for_authority(&self, tenant: &TenantName, beside: &str) -> bool {
        self.live.has(&authority_key(tenant, beside))
    }

    /// Deletes a tenant's namespace, with its log and its token, the route that leads to it, the order for an authority, and
    /// the keys that open it. The namespace first: whoever finds it ending knows what was begun. The keys last: without
    /// them all is gone.
    ///
    /// # Errors
    /// The lease, or the API server.
    pub async fn destroy(&self, tenant: &TenantName, beside: &str) -> Result<(), ApplyError> {
        for key in [
            namespace_key(tenant),
            route_key(tenant, beside),
            authority_key(tenant, beside),
            keys_key(tenant, beside),
        ] {
            if let Some(seen) = self.live.seen(&key).filter(|seen| !seen.deleting) {
                self.delete(&key, &seen).await?;
            }
        }
        Ok(())
    }

    /// Deletes the Secret in which cert-manager gave a tenant's authority. While its Certificate is there it would only be
    /// made again.
    ///
    /// # Errors
    /// The lease, or the API server.
    pub async fn destroy_authority(
        &self,
        tenant: &TenantName,
        beside: &str,
        uid: String,
    ) -> Result<(), ApplyError> {
        if self.asks_for_authority(tenant, beside) {
            return Ok(());
        }
        self.fence.check()?;
        let api: Api<Secret> = Api::namespaced(self.client.clone(), beside);
        let key = OwnedKey {
            kind: OwnedKind::Secret,
            ..authority_key(tenant, beside)
        };
        let params = of_uid(uid);
        match timeout(REQUEST_TIME_OUT, api.delete(&key.name, &params)).await {
            Ok(Ok(_)) => tracing::info!("deleted {key}, which is not wanted any more"),
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => {}
            Ok(Err(error)) => return Err(ApplyError::Api(key, error.to_string())),
            Err(_) => return Err(no_answer(&key)),
        }
        Ok(())
    }

    /// Forgets a tenant that is gone.
    pub fn forget(&self, tenant: &TenantName) {
        self.live.forget_tenant(tenant);
    }

    /// While it allows it, this replica writes.
    pub fn fence(&self) -> &Fence {
        &self.fence
    }

    /// Tells a tenant's pod by annotations what it is to serve, or to listen with. The kubelet brings a mounted `ConfigMap`
    /// or Secret up to date within a minute or so, and at once when something of the pod changes.
    ///
    /// # Errors
    /// The lease, or the API server.
    pub async fn tell(
        &self,
        tenant: &TenantName,
        pod: &TenantPod,
        (annotation, digest): (&str, String),
    ) -> Result<(), ApplyError> {
        self.fence.check()?;
        let key = OwnedKey {
            kind: OwnedKind::StatefulSet,
            namespace: Some(namespace_of(tenant)),
            name: NAME.to_owned(),
        };
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &namespace_of(tenant));
        let patch = json!({"metadata": {
            // Not one that was made anew meanwhile: it has the newest already.
            "uid": pod.uid,
            "annotations": {annotation: digest},
        }});
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let name = pod_name();
        match timeout(
            REQUEST_TIME_OUT,
            api.patch_metadata(&name, &params, &Patch::Merge(&patch)),
        )
        .await
        {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => Ok(()),
            Ok(Err(error)) => Err(ApplyError::Api(key, error.to_string())),
            Err(_) => Err(no_answer(&key)),
        }
    }

    async fn delete(&self, key: &OwnedKey, seen: &Seen) -> Result<(), ApplyError> {
        self.fence.check()?;
        let params = of_uid(seen.uid.clone());
        self.live.let_go(key);
        let api = self.api(key);
        match timeout(REQUEST_TIME_OUT, api.delete(&key.name, &params)).await {
            Ok(Ok(_)) => {}
            // The watch may have missed that it went.
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => {
                self.live.went(key, &seen.uid);
                return Ok(());
            }
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => {}
            Ok(Err(error)) => return Err(ApplyError::Api(key.clone(), error.to_string())),
            Err(_) => return Err(no_answer(key)),
        }
        self.metrics.deleted(key.kind);
        tracing::info!("deleted {key}, which is not wanted any more");
        Ok(())
    }

    pub(super) async fn request<T>(
        &self,
        key: &OwnedKey,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, ApplyError> {
        match timeout(REQUEST_TIME_OUT, request).await {
            Ok(outcome) => outcome.map_err(|error| ApplyError::Api(key.clone(), error.to_string())),
            Err(_) => Err(no_answer(key)),
        }
    }

    pub(super) fn api(&self, key: &OwnedKey) -> Api<Told> {
        let resource = self.resource(key);
        match &key.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }

    fn resource(&self, key: &OwnedKey) -> ApiResource {
        key.kind.resource(self.front.version())
    }
}

fn namespace_key(tenant: &TenantName) -> OwnedKey {
    OwnedKey {
        kind: OwnedKind::Namespace,
        namespace: None,
        name: namespace_of(tenant),
    }
}

fn keys_key(tenant: &TenantName, beside: &str) -> OwnedKey {
    OwnedKey {
        kind: OwnedKind::Secret,
        namespace: Some(beside.to_owned()),
        name: keyring::name_of(tenant),
    }
}

fn route_key(tenant: &TenantName, beside: &str) -> OwnedKey {
    OwnedKey {
        kind: OwnedKind::TlsRoute,
        ..keys_key(tenant, beside)
    }
}

fn authority_key(tenant: &TenantName, beside: &str) -> OwnedKey {
    OwnedKey {
        kind: OwnedKind::Certificate,
        namespace: Some(beside.to_owned()),
        name: authority_of(tenant),
    }
}

/// Not one that was made anew meanwhile.
fn of_uid(uid: String) -> DeleteParams {
    DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(uid),
            ..Preconditions::default()
        }),
        ..DeleteParams::default()
    }
}

fn no_answer(key: &OwnedKey) -> ApplyError {
    ApplyError::Api(key.clone(), NO_ANSWER.to_owned())
}

//! The mark on a Tenant that keeps it there until what was made for it is seen to.

use kube::{
    Api, Client,
    api::{Patch, PatchParams},
    core::DynamicObject,
};
use pavilion_crds::{API_VERSION, Kind};
use serde_json::json;
use tokio::time::timeout;

use super::{
    apply::REQUEST_TIME_OUT, lease::Fence, live::FIELD_MANAGER, objects::resource,
    statuses::StatusError,
};
use crate::object_key::ObjectKey;

/// The mark.
pub const FINALIZER: &str = "pavilion.dev/tenant";

/// Sets the mark and takes it away.
pub struct Finalizers {
    client: Client,
    fence: Fence,
}

impl Finalizers {
    /// Writes while `fence` allows it.
    pub fn new(client: Client, fence: Fence) -> Self {
        Self { client, fence }
    }

    /// Marks a Tenant before anything is made for it. False when it went meanwhile, or another took its place: nothing
    /// would see to what is made for it then.
    ///
    /// # Errors
    /// The lease, or the API server.
    pub async fn hold(&self, tenant: &DynamicObject) -> Result<bool, StatusError> {
        if is_held(tenant) {
            return Ok(true);
        }
        self.write(tenant, &[FINALIZER]).await
    }

    /// Lets a Tenant go.
    ///
    /// # Errors
    /// The lease, or the API server.
    pub async fn release(&self, tenant: &DynamicObject) -> Result<(), StatusError> {
        if !is_held(tenant) {
            return Ok(());
        }
        self.write(tenant, &[]).await.map(|_| ())
    }

    /// Whether there is that Tenant.
    async fn write(&self, tenant: &DynamicObject, marks: &[&str]) -> Result<bool, StatusError> {
        self.fence.check()?;
        let name = tenant.metadata.name.clone().unwrap_or_default();
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource(Kind::Tenant));
        let document = json!({
            "apiVersion": API_VERSION,
            "kind": Kind::Tenant.name(),
            // Not one that was made anew meanwhile, and none where there is none any more.
            "metadata": {"name": name, "uid": tenant.metadata.uid, "finalizers": marks},
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let refused = |why: String| StatusError::Mark(ObjectKey::tenant(&name), why);
        match timeout(
            REQUEST_TIME_OUT,
            api.patch(&name, &params, &Patch::Apply(&document)),
        )
        .await
        {
            Ok(Ok(_)) => Ok(true),
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => Ok(false),
            Ok(Err(error)) => Err(refused(error.to_string())),
            Err(_) => Err(refused("the API server did not answer in time".to_owned())),
        }
    }
}

/// Whether a Tenant is marked.
pub fn is_held(tenant: &DynamicObject) -> bool {
    let marks = tenant.metadata.finalizers.iter().flatten();
    marks.into_iter().any(|mark| mark == FINALIZER)
}

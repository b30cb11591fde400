//! Many Tenants.

use anyhow::Result;
use futures::{StreamExt, TryStreamExt, stream};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use serde_json::json;

/// The region that the operator is told it is in.
pub const REGION: &str = "here";

/// Applies so many, as platform teams would.
pub async fn apply(client: &Client, count: usize, at_once: usize) -> Result<()> {
    let resource = ApiResource::erase::<pavilion_crds::Tenant>(&());
    let tenants: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let params = PatchParams::apply("bench");
    stream::iter(0..count)
        .map(|number| {
            let (tenants, params) = (&tenants, &params);
            async move {
                let name = format!("t{number:04}");
                let tenant = json!({
                    "apiVersion": pavilion_crds::API_VERSION, "kind": "Tenant", "metadata": {"name": name},
                    "spec": {"regions": [REGION], "ingress": {"hosts": [format!("{name}.example")]}},
                });
                tenants.patch(&name, params, &Patch::Apply(&tenant)).await.map(drop)
            }
        })
        .buffer_unordered(at_once)
        .try_collect::<()>()
        .await?;
    Ok(())
}

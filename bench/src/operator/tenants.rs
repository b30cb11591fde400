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
    let all = |resource| Api::<DynamicObject>::all_with(client.clone(), &resource);
    let params = PatchParams::apply("bench");
    let region = json!({
        "apiVersion": pavilion_crds::API_VERSION, "kind": "Region", "metadata": {"name": REGION},
        "spec": {"jurisdiction": "DE"},
    });
    let regions = all(ApiResource::erase::<pavilion_crds::Region>(&()));
    regions
        .patch(REGION, &params, &Patch::Apply(&region))
        .await?;
    let plan = json!({
        "apiVersion": pavilion_crds::API_VERSION, "kind": "Plan", "metadata": {"name": "standard"}, "spec": {},
    });
    let plans = all(ApiResource::erase::<pavilion_crds::Plan>(&()));
    plans
        .patch("standard", &params, &Patch::Apply(&plan))
        .await?;
    let tenants = all(ApiResource::erase::<pavilion_crds::Tenant>(&()));
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

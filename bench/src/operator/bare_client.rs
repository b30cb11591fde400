//! The limit: a client that applies the same objects and does nothing else.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::{StreamExt, TryStreamExt, stream};
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};

use super::owned::{Object, Objects};

/// Applies all objects, those of a tenant one after the other, and of so many tenants at once; how long that took.
pub async fn apply(client: &Client, objects: &Objects, at_once: usize) -> Result<Duration> {
    let since = Instant::now();
    stream::iter(objects.by_tenant.values())
        .map(|objects| tenant(client, objects))
        .buffer_unordered(at_once)
        .try_collect::<()>()
        .await?;
    Ok(since.elapsed())
}

async fn tenant(client: &Client, objects: &[Object]) -> Result<(), kube::Error> {
    let params = PatchParams::apply("bench").force();
    for object in objects {
        let (client, resource) = (client.clone(), &object.resource);
        let api: Api<DynamicObject> = match &object.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, resource),
            None => Api::all_with(client, resource),
        };
        api.patch(&object.name, &params, &Patch::Apply(&object.patch))
            .await?;
    }
    Ok(())
}

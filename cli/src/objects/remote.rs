//! A cluster: its objects as the API server has them, and whether a replica of the operator leads.

use kube::core::DynamicObject;
use pavilion_crds::{Kind, NAMESPACE_PREFIX};
use serde_json::{Value, json};

use super::{Document, Found, Watch};
use crate::args::ClusterArgs;
use crate::cluster::{Cluster, Leader, Trouble, block_on, leader};
use crate::console::Waiting;
use crate::exit::Failure;

/// What of an object's metadata is shown.
const KEPT: [&str; 6] = [
    "name",
    "namespace",
    "uid",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
];

/// The objects of one tenant or of all, and where they are. For one tenant nothing is asked beyond its own
/// namespace, so that its own people may.
pub fn find(args: &ClusterArgs, tenant: Option<&str>) -> Result<(Found, String), Failure> {
    block_on(async {
        let waiting = Waiting::on("asking the API server");
        let cluster = Cluster::connect(args).await?;
        let documents = match tenant {
            Some(tenant) => of(&cluster, tenant).await,
            None => all(&cluster).await,
        };
        let documents = documents.map_err(|trouble| cluster.failure(&trouble))?;
        waiting.now("looking who leads");
        let watch = watch(&cluster, args).await;
        let url = cluster.url().to_owned();
        Ok((Found { documents, watch }, url))
    })
}

async fn all(cluster: &Cluster) -> Result<Vec<Document>, Trouble> {
    let mut documents = Vec::new();
    for kind in Kind::ALL {
        let objects = cluster.list(&cluster.ours(kind, None)).await?;
        documents.extend(objects.into_iter().map(|object| document(kind, object)));
    }
    Ok(documents)
}

async fn of(cluster: &Cluster, tenant: &str) -> Result<Vec<Document>, Trouble> {
    let tenants = cluster.ours(Kind::Tenant, None);
    let found = match cluster.ask(tenants.get(tenant)).await {
        Ok(found) => found,
        // Said by the caller, who knows how to list them.
        Err(Trouble::NoObject) => return Ok(Vec::new()),
        Err(trouble) => return Err(trouble),
    };
    let mut documents = vec![document(Kind::Tenant, found)];
    let namespace = format!("{NAMESPACE_PREFIX}{tenant}");
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_namespaced()) {
        let api = cluster.ours(kind, Some(&namespace));
        let objects = cluster.list(&api).await?;
        documents.extend(objects.into_iter().map(|object| document(kind, object)));
    }
    Ok(documents)
}

/// An object of the same form as a status document of a host.
fn document(kind: Kind, object: DynamicObject) -> Document {
    let mut metadata = serde_json::to_value(&object.metadata).unwrap_or_default();
    if let Some(fields) = metadata.as_object_mut() {
        fields.retain(|field, _| KEPT.contains(&field.as_str()));
    }
    let mut value = json!({
        "apiVersion": pavilion_crds::API_VERSION, "kind": kind.name(), "metadata": metadata,
    });
    if let Some(status) = object
        .data
        .get("status")
        .filter(|status| **status != Value::Null)
    {
        value["status"] = status.clone();
    }
    Document::new(value)
}

async fn watch(cluster: &Cluster, args: &ClusterArgs) -> Watch {
    match leader(cluster, args.operator_namespace.as_deref()).await {
        Leader::Held { .. } => Watch::Held,
        Leader::Nobody(None) => Watch::Free(format!("no operator leads at {}", cluster.url())),
        Leader::Nobody(Some(last)) => Watch::Free(format!(
            "no operator leads at {}: {last} did last, and renews its lease no more",
            cluster.url()
        )),
        Leader::Unseen(trouble) => Watch::Unknown(trouble.words()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_object_is_shown_as_a_status_document_is() {
        let object: DynamicObject = serde_json::from_value(json!({
            "metadata": {"name": "acme", "generation": 2, "managedFields": [{"manager": "kubectl"}],
                "annotations": {"a": "b"}},
            "spec": {"regions": ["eu"]},
            "status": {"region": "eu"},
        }))
        .unwrap();
        let shown = document(Kind::Tenant, object);
        let shown = serde_json::to_value(super::super::List::of(&[shown])).unwrap();
        assert_eq!(
            shown["items"][0],
            json!({"apiVersion": "pavilion.dev/v1alpha1", "kind": "Tenant",
                "metadata": {"name": "acme", "generation": 2}, "status": {"region": "eu"}})
        );
    }
}

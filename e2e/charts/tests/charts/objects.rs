//! The kinds that the tests look at.

use kube::{
    Api, Client,
    api::{Patch, PatchParams},
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Value, json};

/// Objects of a kind.
pub fn api(client: &Client, kind: &str, namespace: Option<&str>) -> Api<DynamicObject> {
    let resource = resource(kind);
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// Changes an object as a person would, by some of its fields.
pub async fn merge(
    api: &Api<DynamicObject>,
    name: &str,
    patch: &Value,
) -> Result<DynamicObject, kube::Error> {
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch))
        .await
}

/// What is in an object, but for what the cluster counts in it.
pub fn content(object: &DynamicObject) -> Value {
    let mut content = object.data.clone();
    if let Some(fields) = content.as_object_mut() {
        fields.remove("status");
    }
    content
}

/// A pod as confined as a tenant's namespace asks; nothing runs in it, for want of an image.
pub fn pod(name: &str, labels: Value) -> DynamicObject {
    let pod = json!({
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{
                "name": "one", "image": "none.invalid/none", "imagePullPolicy": "Never",
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    });
    serde_json::from_value(pod).unwrap()
}

fn resource(kind: &str) -> ApiResource {
    let (group, version) = match kind {
        "Region" | "Plan" | "Tenant" | "Policy" | "TrustAnchor" | "RelyingParty" => {
            ("pavilion.dev", "v1alpha1")
        }
        "Certificate" => ("cert-manager.io", "v1"),
        "CustomResourceDefinition" => ("apiextensions.k8s.io", "v1"),
        "NetworkPolicy" => ("networking.k8s.io", "v1"),
        "ValidatingAdmissionPolicy" => ("admissionregistration.k8s.io", "v1"),
        "ClusterRoleBinding" | "RoleBinding" | "Role" => ("rbac.authorization.k8s.io", "v1"),
        "StatefulSet" | "Deployment" => ("apps", "v1"),
        "Job" => ("batch", "v1"),
        "GatewayClass" | "Gateway" => ("gateway.networking.k8s.io", "v1"),
        "EndpointSlice" => ("discovery.k8s.io", "v1"),
        "Event" => ("events.k8s.io", "v1"),
        "Namespace" | "Node" | "Pod" | "Service" | "Secret" | "ConfigMap" | "ServiceAccount"
        | "ResourceQuota" | "LimitRange" => ("", "v1"),
        other => panic!("no path for {other}"),
    };
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

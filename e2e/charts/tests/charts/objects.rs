//! The kinds that the tests look at.

use kube::{
    Api, Client,
    api::{Patch, PatchParams},
    core::{ApiResource, DynamicObject},
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
    let (group, version, plural) = match kind {
        "Region" => ("pavilion.dev", "v1alpha1", "regions"),
        "Plan" => ("pavilion.dev", "v1alpha1", "plans"),
        "Tenant" => ("pavilion.dev", "v1alpha1", "tenants"),
        "Policy" => ("pavilion.dev", "v1alpha1", "policies"),
        "TrustAnchor" => ("pavilion.dev", "v1alpha1", "trustanchors"),
        "RelyingParty" => ("pavilion.dev", "v1alpha1", "relyingparties"),
        "Certificate" => ("cert-manager.io", "v1", "certificates"),
        "CustomResourceDefinition" => ("apiextensions.k8s.io", "v1", "customresourcedefinitions"),
        "NetworkPolicy" => ("networking.k8s.io", "v1", "networkpolicies"),
        "ValidatingAdmissionPolicy" => (
            "admissionregistration.k8s.io",
            "v1",
            "validatingadmissionpolicies",
        ),
        "ClusterRoleBinding" => ("rbac.authorization.k8s.io", "v1", "clusterrolebindings"),
        "RoleBinding" => ("rbac.authorization.k8s.io", "v1", "rolebindings"),
        "StatefulSet" => ("apps", "v1", "statefulsets"),
        "Deployment" => ("apps", "v1", "deployments"),
        "Namespace" => ("", "v1", "namespaces"),
        "GatewayClass" => ("gateway.networking.k8s.io", "v1", "gatewayclasses"),
        "Gateway" => ("gateway.networking.k8s.io", "v1", "gateways"),
        "EndpointSlice" => ("discovery.k8s.io", "v1", "endpointslices"),
        "Node" => ("", "v1", "nodes"),
        "Event" => ("events.k8s.io", "v1", "events"),
        "Pod" => ("", "v1", "pods"),
        "Role" => ("rbac.authorization.k8s.io", "v1", "roles"),
        "Service" => ("", "v1", "services"),
        "Secret" => ("", "v1", "secrets"),
        "ConfigMap" => ("", "v1", "configmaps"),
        "ServiceAccount" => ("", "v1", "serviceaccounts"),
        "ResourceQuota" => ("", "v1", "resourcequotas"),
        "LimitRange" => ("", "v1", "limitranges"),
        other => panic!("no path for {other}"),
    };
    let api_version = match group {
        "" => version.to_owned(),
        group => format!("{group}/{version}"),
    };
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version,
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

//! The names of a cluster.

use serde_json::{Value, json};

use crate::images::reference;
use crate::plan::Plan;

const NAMESPACE: &str = "kube-system";
/// The deployment.
pub const NAME: &str = "coredns";
/// Network policies of others name the pods by it.
const LABEL: &str = "kube-dns";

const COREFILE: &str = "\
.:53 {
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        ttl 5
    }
    cache 5
}
";

/// Everything it consists of.
pub fn objects(plan: &Plan) -> Vec<Value> {
    let mut objects = rights();
    objects.push(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "data": {"Corefile": COREFILE},
    }));
    objects.push(deployment());
    objects.push(service(plan));
    objects
}

fn rights() -> Vec<Value> {
    let role = "system:coredns";
    let group = "rbac.authorization.k8s.io";
    let api = format!("{group}/v1");
    let verbs = ["list", "watch"];
    vec![
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
        }),
        json!({
            "apiVersion": api, "kind": "ClusterRole", "metadata": {"name": role},
            "rules": [
                {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": verbs},
                {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": verbs},
            ],
        }),
        json!({
            "apiVersion": api, "kind": "ClusterRoleBinding", "metadata": {"name": role},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
        }),
    ]
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": {"k8s-app": LABEL}},
            "template": {
                "metadata": {"labels": {"k8s-app": LABEL}},
                "spec": {
                    "serviceAccountName": NAME,
                    // What it does not know, nobody knows.
                    "dnsPolicy": "Default",
                    "containers": [container()],
                    "volumes": [{"name": "config", "configMap": {"name": NAME}}],
                },
            },
        },
    })
}

fn container() -> Value {
    json!({
        "name": NAME,
        "image": reference("coredns"),
        "imagePullPolicy": "Never",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [
            {"name": "dns", "containerPort": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
        ],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "runAsNonRoot": true,
            "capabilities": {"drop": ["ALL"]},
        },
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
    })
}

fn service(plan: &Plan) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": LABEL, "namespace": NAMESPACE},
        "spec": {
            "selector": {"k8s-app": LABEL},
            "clusterIP": plan.service(10).to_string(),
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP"},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
            ],
        },
    })
}

//! What a tenant's admin reaches: nothing beside the tenant, of the tenant what is the admin's to say.

use std::collections::BTreeSet;

use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
    core::DynamicObject,
    discovery::{Discovery, Scope},
};
use serde_json::{Value, json};

use super::{
    Row,
    tenant::{Tenant, binding, make, word},
};
use crate::{callers::may, objects::api};

const VERBS: [&str; 8] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
];

/// What anybody may who is known to the cluster: ask who one is and what one may. Nothing of it is kept.
const ABOUT_ONESELF: [&str; 3] = [
    "selfsubjectreviews",
    "selfsubjectaccessreviews",
    "selfsubjectrulesreviews",
];

/// What the admin may do, of all kinds of a scope in a namespace.
async fn allowed(tenant: &Tenant, scope: &Scope, namespace: &str) -> Vec<String> {
    let found = Discovery::new(tenant.rescuer.clone()).run().await.unwrap();
    let mut allowed = Vec::new();
    let kinds = found
        .groups()
        .flat_map(kube::discovery::ApiGroup::recommended_resources);
    for (resource, capabilities) in kinds {
        if capabilities.scope != *scope || ABOUT_ONESELF.contains(&resource.plural.as_str()) {
            continue;
        }
        for verb in VERBS {
            let attributes = json!({
                "group": resource.group, "resource": resource.plural, "verb": verb, "namespace": namespace,
            });
            if capabilities.supports_operation(verb) && may(&tenant.admin, attributes).await {
                allowed.push(format!("{verb} {}", resource.plural));
            }
        }
    }
    allowed
}

fn nothing(allowed: &[String]) -> Row {
    let seen = match allowed {
        [] => "refused".to_owned(),
        some => format!("allowed: {}", some.join(", ")),
    };
    Row::new("refused", seen)
}

pub async fn cluster_resources(tenant: &Tenant) -> Row {
    nothing(&allowed(tenant, &Scope::Cluster, "").await)
        .with("every kind of the cluster, every verb; reviews about oneself excepted")
}

pub async fn other_tenant(tenant: &Tenant) -> Row {
    nothing(&allowed(tenant, &Scope::Namespaced, &tenant.other).await)
        .with("every kind of a namespace, every verb")
}

/// The operator's objects of one kind in the tenant's namespace.
async fn ours(tenant: &Tenant, kind: &str) -> Vec<DynamicObject> {
    let ours = ListParams::default().labels("app.kubernetes.io/managed-by=pavilion-operator");
    let found = api(&tenant.rescuer, kind, Some(&tenant.namespace))
        .list(&ours)
        .await;
    found.unwrap().items
}

/// Whether an object of the operator's can be changed or deleted.
async fn guarded(tenant: &Tenant, kind: &str) -> String {
    let found = ours(tenant, kind).await;
    if found.is_empty() {
        return format!("there is no {kind}");
    }
    let edit = json!({"metadata": {"annotations": {"benchmark": "1"}}});
    for object in found {
        let (objects, name) = (tenant.api(kind), object.name_any());
        let params = PatchParams {
            dry_run: true,
            ..PatchParams::default()
        };
        let changed = word(objects.patch(&name, &params, &Patch::Merge(&edit)).await);
        let params = DeleteParams {
            dry_run: true,
            ..DeleteParams::default()
        };
        let deleted = word(objects.delete(&name, &params).await);
        if (changed.as_str(), deleted.as_str()) != ("refused", "refused") {
            return format!("{kind} {name}: {changed}, {deleted}");
        }
    }
    "refused".to_owned()
}

pub async fn shared_resources(tenant: &Tenant) -> Row {
    let kinds = [
        "NetworkPolicy",
        "ResourceQuota",
        "LimitRange",
        "ServiceAccount",
        "ConfigMap",
        "Secret",
        "StatefulSet",
    ];
    for kind in kinds {
        let seen = guarded(tenant, kind).await;
        if seen != "refused" {
            return Row::new("refused", seen);
        }
    }
    Row::new("refused", "refused").with("every object that is labelled as the operator's")
}

pub async fn quota(tenant: &Tenant) -> Row {
    Row::new("refused", guarded(tenant, "ResourceQuota").await)
}

pub async fn escalation(tenant: &Tenant) -> Row {
    let group = "rbac.authorization.k8s.io";
    let verb = |resource: &str, verb: &str| json!({"group": group, "resource": resource, "verb": verb, "namespace": tenant.namespace});
    for (resource, word) in [("roles", "escalate"), ("clusterroles", "bind")] {
        if may(&tenant.admin, verb(resource, word)).await {
            return Row::new("refused", format!("may {word} {resource}"));
        }
    }
    let everything = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]);
    let role = json!({"metadata": {"name": "benchmark"}, "rules": everything});
    let role = tenant.tries("Role", role).await;
    let bound = binding("benchmark", "cluster-admin", "chart-test-benchmark-admin");
    let bound = tenant.tries("RoleBinding", bound).await;
    match (role.as_str(), bound.as_str()) {
        ("refused", "refused") => Row::new("refused", "refused"),
        _ => Row::new("refused", format!("{role}, {bound}")),
    }
}

pub async fn node_port(tenant: &Tenant) -> Row {
    let service = |kind: &str| {
        let spec = json!({"type": kind, "selector": {"app": "none"}, "ports": [{"port": 80}]});
        json!({"metadata": {"name": "benchmark"}, "spec": spec})
    };
    let open = tenant.tries("Service", service("NodePort")).await;
    let closed = tenant.tries("Service", service("ClusterIP")).await;
    match closed.as_str() {
        "allowed" => Row::new("refused", open).with("by the quota; a Service inside is allowed"),
        _ => Row::new("refused", format!("also a Service inside: {closed}")),
    }
}

/// Which of some amounts no quota limits, as its admin sees them.
async fn unlimited(tenant: &Tenant, amounts: &[&str]) -> Row {
    let quotas = tenant
        .api("ResourceQuota")
        .list(&ListParams::default())
        .await
        .unwrap();
    let hard = quotas
        .iter()
        .filter_map(|quota| quota.data["spec"]["hard"].as_object());
    let hard: BTreeSet<&String> = hard.flat_map(|hard| hard.keys()).collect();
    let open = amounts
        .iter()
        .filter(|amount| !hard.contains(&(**amount).to_owned()));
    let open: Vec<&str> = open.copied().collect();
    match open.as_slice() {
        [] => Row::new("limited", "limited"),
        open => Row::new("limited", format!("not limited: {}", open.join(", "))),
    }
}

pub async fn amounts(tenant: &Tenant) -> Row {
    let amounts = [
        "requests.cpu",
        "limits.cpu",
        "requests.memory",
        "limits.memory",
        "requests.ephemeral-storage",
        "limits.ephemeral-storage",
    ];
    unlimited(tenant, &amounts).await
}

pub async fn numbers(tenant: &Tenant) -> Row {
    let numbers = [
        "pods",
        "services",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
    ];
    unlimited(tenant, &numbers).await
}

fn network_policy(spec: &Value) -> Value {
    json!({"metadata": {"name": "benchmark"}, "spec": spec})
}

pub async fn network_policies(tenant: &Tenant) -> Row {
    let narrow =
        json!({"podSelector": {}, "egress": [{"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}]});
    let wide = json!({"podSelector": {}, "ingress": [{}], "egress": [{}]});
    let narrow = tenant.tries("NetworkPolicy", network_policy(&narrow)).await;
    let wide = tenant.tries("NetworkPolicy", network_policy(&wide)).await;
    Row::new(
        "allowed, but for one that opens the tenant",
        match (narrow.as_str(), wide.as_str()) {
            ("allowed", "refused") => "allowed, but for one that opens the tenant".to_owned(),
            _ => format!("narrow {narrow}, wide {wide}"),
        },
    )
    .with("policies add up, so one that opens cannot be closed by another")
}

pub async fn role_bindings(tenant: &Tenant) -> Row {
    let rules = json!([{"apiGroups": [""], "resources": ["events"], "verbs": ["get", "list"]}]);
    let role = json!({"metadata": {"name": "benchmark"}, "rules": rules});
    let role = tenant.tries("Role", role).await;
    let colleague = binding("benchmark", "pavilion-owner", "chart-test-colleague");
    let bound = word(make(&tenant.api("RoleBinding"), colleague).await);
    let seen = if role == bound {
        role
    } else {
        format!("{role}, {bound}")
    };
    Row::new("allowed", seen)
}

pub async fn default_deny(tenant: &Tenant) -> Row {
    let mut seen = "denied".to_owned();
    for namespace in [&tenant.namespace, &tenant.other] {
        let policies = api(&tenant.rescuer, "NetworkPolicy", Some(namespace));
        let all = policies.list(&ListParams::default()).await.unwrap();
        let denies = all.iter().any(|policy| {
            policy.data["spec"] == json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
        });
        if !denies {
            seen = format!("{namespace} has no policy that denies");
        }
    }
    Row::new("denied", seen).with(
        "traffic itself is tried with pods: a_tenants_pods_reach_nobody_from_their_first_moment_on",
    )
}

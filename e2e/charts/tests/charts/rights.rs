//! The operator's rights: enough for its work, and for nothing else.

use kube::{
    Client,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use pavilion_e2e_charts::NAMESPACE;
use serde_json::{Value, json};

use crate::{
    callers::{by, may, refusal, user},
    objects::api,
    operator::{Operator, eventually},
    stage::{LABEL, Stage},
};

/// Group, resource (and subresource), verb, namespace: what would make the account more than an operator.
const DENIED: [(&str, &str, &str, &str); 53] = [
    ("*", "*", "*", ""),
    ("", "nodes", "get", ""),
    ("", "nodes", "list", ""),
    ("", "nodes/proxy", "get", ""),
    ("", "secrets", "list", ""),
    ("", "secrets", "list", "kube-system"),
    ("", "secrets", "get", "kube-system"),
    ("", "secrets", "watch", "pavilion-acme"),
    ("", "secrets", "deletecollection", "pavilion-acme"),
    ("", "configmaps", "get", "kube-system"),
    ("", "configmaps", "patch", "pavilion-acme"),
    ("", "pods", "get", "pavilion-acme"),
    ("", "pods", "create", "pavilion-acme"),
    ("", "pods", "delete", "pavilion-acme"),
    ("", "pods/exec", "create", "pavilion-acme"),
    ("", "pods/exec", "get", "pavilion-acme"),
    ("", "pods/attach", "create", "pavilion-acme"),
    ("", "pods/portforward", "create", "pavilion-acme"),
    ("", "pods/ephemeralcontainers", "patch", "pavilion-acme"),
    ("", "pods/log", "get", "pavilion-acme"),
    ("", "serviceaccounts/token", "create", NAMESPACE),
    ("", "persistentvolumeclaims", "delete", "pavilion-acme"),
    ("", "users", "impersonate", ""),
    ("", "groups", "impersonate", ""),
    ("", "serviceaccounts", "impersonate", "kube-system"),
    ("rbac.authorization.k8s.io", "clusterroles", "escalate", ""),
    ("rbac.authorization.k8s.io", "clusterroles", "bind", ""),
    (
        "rbac.authorization.k8s.io",
        "clusterrolebindings",
        "create",
        "",
    ),
    (
        "rbac.authorization.k8s.io",
        "rolebindings",
        "create",
        "pavilion-acme",
    ),
    (
        "admissionregistration.k8s.io",
        "validatingadmissionpolicies",
        "delete",
        "",
    ),
    (
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        "create",
        "",
    ),
    (
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        "patch",
        "",
    ),
    (
        "certificates.k8s.io",
        "certificatesigningrequests",
        "create",
        "",
    ),
    // Beside its own there are orders of others, and of issuers it only knows names.
    ("cert-manager.io", "certificates", "list", ""),
    ("cert-manager.io", "certificates", "create", "pavilion-acme"),
    ("cert-manager.io", "certificates", "get", NAMESPACE),
    ("cert-manager.io", "clusterissuers", "get", ""),
    (
        "cert-manager.io",
        "certificaterequests/status",
        "patch",
        NAMESPACE,
    ),
    ("pavilion.dev", "tenants", "delete", ""),
    // Where tenants may be is not the operator's to say.
    ("pavilion.dev", "regions", "create", ""),
    ("pavilion.dev", "regions", "patch", ""),
    // Nor is how much they get.
    ("pavilion.dev", "plans", "create", ""),
    ("pavilion.dev", "plans", "patch", ""),
    ("scheduling.k8s.io", "priorityclasses", "create", ""),
    ("node.k8s.io", "runtimeclasses", "patch", ""),
    // Of Gateways it knows the name that it was told, and of routes its own.
    ("gateway.networking.k8s.io", "gateways", "get", NAMESPACE),
    ("gateway.networking.k8s.io", "gateways", "patch", NAMESPACE),
    ("gateway.networking.k8s.io", "tlsroutes", "list", ""),
    (
        "gateway.networking.k8s.io",
        "tlsroutes",
        "create",
        "pavilion-acme",
    ),
    (
        "gateway.networking.k8s.io",
        "tlsroutes/status",
        "patch",
        NAMESPACE,
    ),
    (
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        "list",
        "",
    ),
    ("events.k8s.io", "events", "delete", "default"),
    ("coordination.k8s.io", "leases", "update", "kube-system"),
];

/// What its work is done with.
const ALLOWED: [(&str, &str, &str, &str); 20] = [
    ("", "namespaces", "create", ""),
    // Of tenants only, says a policy.
    ("", "namespaces", "delete", ""),
    // Its mark only, says a policy.
    ("pavilion.dev", "tenants", "patch", ""),
    ("", "secrets", "get", NAMESPACE),
    ("", "secrets", "create", "pavilion-acme"),
    ("apps", "statefulsets", "patch", "pavilion-acme"),
    ("", "pods", "patch", "pavilion-acme"),
    ("pavilion.dev", "tenants/status", "patch", ""),
    ("pavilion.dev", "regions", "watch", ""),
    ("pavilion.dev", "regions/status", "patch", ""),
    ("pavilion.dev", "plans/status", "patch", ""),
    ("scheduling.k8s.io", "priorityclasses", "watch", ""),
    ("node.k8s.io", "runtimeclasses", "list", ""),
    ("gateway.networking.k8s.io", "tlsroutes", "watch", NAMESPACE),
    ("gateway.networking.k8s.io", "tlsroutes", "patch", NAMESPACE),
    (
        "gateway.networking.k8s.io",
        "tlsroutes",
        "delete",
        NAMESPACE,
    ),
    ("coordination.k8s.io", "leases", "create", NAMESPACE),
    ("cert-manager.io", "certificates", "patch", NAMESPACE),
    ("events.k8s.io", "events", "create", "default"),
    ("events.k8s.io", "events", "patch", "default"),
];

fn attributes((group, resource, verb, namespace): (&str, &str, &str, &str)) -> Value {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    json!({
        "group": group, "resource": resource, "subresource": subresource, "verb": verb,
        "namespace": namespace,
    })
}

#[tokio::test]
async fn the_account_may_do_its_work_and_nothing_that_would_make_it_more() {
    let stage = Stage::set().await;
    let operator = Operator::leading(&stage.admin, "rights").await;
    let account = by(&operator.kubeconfig()).await;
    for denied in DENIED {
        assert!(
            !may(&account, attributes(denied)).await,
            "{denied:?} is allowed"
        );
    }
    for allowed in ALLOWED {
        assert!(
            may(&account, attributes(allowed)).await,
            "{allowed:?} is denied"
        );
    }
}

#[tokio::test]
async fn the_owner_of_a_tenant_writes_its_objects_and_reads_no_secret() {
    let stage = Stage::set().await;
    let (namespace, owner) = ("chart-test-owned", "chart-test-owner");
    let object = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": namespace, "labels": {LABEL: "true"}},
    });
    stage.apply("Namespace", None, namespace, object).await;
    let group = "rbac.authorization.k8s.io";
    let binding = json!({
        "apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": {"name": owner},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "pavilion-owner"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": owner}],
    });
    stage
        .apply("RoleBinding", Some(namespace), owner, binding)
        .await;
    let owner = user(owner, &[]).await;
    let own = |group, resource, verb| attributes((group, resource, verb, namespace));
    for verb in ["create", "patch", "delete"] {
        // The API server's authorizer hears of the binding in its own time.
        eventually(verb, async || {
            may(&owner, own("pavilion.dev", "policies", verb)).await
        })
        .await;
    }
    for (resource, verb) in [
        ("secrets", "get"),
        ("secrets", "list"),
        ("pods", "create"),
        ("pods/exec", "create"),
    ] {
        assert!(
            !may(&owner, own("", resource, verb)).await,
            "{verb} {resource}"
        );
    }
    let elsewhere = ("pavilion.dev", "policies", "create", "default");
    assert!(!may(&owner, attributes(elsewhere)).await);
}

#[tokio::test]
async fn of_secrets_elsewhere_the_account_sees_those_of_tenants_alone() {
    let stage = Stage::set().await;
    let operator = Operator::leading(&stage.admin, "secrets").await;
    let account = by(&operator.kubeconfig()).await;
    let everywhere = api(&account, "Secret", None);
    refusal(
        "a list of all Secrets",
        everywhere.list(&ListParams::default()).await,
    );
    let by_label = ListParams::default().labels("app.kubernetes.io/managed-by=pavilion-operator");
    refusal(
        "a list of Secrets by label",
        everywhere.list(&by_label).await,
    );
    for name in ["pavilion", "pavilion-tls"] {
        let by_name = ListParams::default().fields(&format!("metadata.name={name}"));
        everywhere.list(&by_name).await.unwrap();
    }
    // What others put there it reads.
    let params = DeleteParams::default();
    let foreign = api(&account, "Secret", Some("default"));
    let deleted = foreign.delete("pavilion-tls", &params).await;
    refusal("deleting the certificate of somebody's hosts", deleted);
    let own = api(&account, "Secret", Some(NAMESPACE));
    own.list(&ListParams::default()).await.unwrap();
}

#[tokio::test]
async fn the_account_writes_nowhere_but_in_its_own_namespace_and_in_those_of_tenants() {
    let stage = Stage::set().await;
    let operator = Operator::leading(&stage.admin, "bounds").await;
    let namespace = stage.tenant(&operator, "bounds").await;
    let account = by(&operator.kubeconfig()).await;

    for place in ["default", "kube-system"] {
        let made = create(&account, "Secret", place, json!({})).await;
        assert!(refusal(place, made).contains("pavilion-operator-bounds"));
        let made = create(&account, "StatefulSet", place, stateful_set()).await;
        assert!(refusal(place, made).contains("pavilion-operator-bounds"));
    }
    // Somebody else's namespace, whatever it is called.
    let other = "pavilion-of-somebody-else";
    let object = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": other, "labels": {LABEL: "true"}},
    });
    stage.apply("Namespace", None, other, object).await;
    let made = create(&account, "ConfigMap", other, json!({})).await;
    assert!(refusal(other, made).contains("pavilion-operator-bounds"));

    let namespaces = api(&account, "Namespace", None);
    let mark = json!({"metadata": {"labels": {"pavilion.dev/tenant": "of-somebody-else"}}});
    let marked = namespaces
        .patch(other, &PatchParams::default(), &Patch::Merge(&mark))
        .await;
    assert!(refusal(other, marked).contains("pavilion-operator-namespaces"));
    let label =
        json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}});
    for name in ["kube-system", NAMESPACE] {
        let patched = namespaces
            .patch(name, &PatchParams::default(), &Patch::Merge(&label))
            .await;
        assert!(refusal(name, patched).contains("pavilion-operator-namespaces"));
    }

    // Beside them, Events of Tenants, and of nothing else.
    let event = |kind: &str| {
        json!({
            "metadata": {}, "eventTime": "2026-01-01T00:00:00.000000Z", "action": "Restore",
            "reason": "ObjectRestored", "type": "Warning", "note": "a test",
            "reportingController": "pavilion-operator", "reportingInstance": "chart-test",
            "regarding": {"apiVersion": "v1", "kind": kind, "name": "bounds"},
        })
    };
    create(&account, "Event", "default", event("Tenant"))
        .await
        .unwrap();
    let events = api(&stage.admin, "Event", Some("default"));
    events
        .delete("chart-test", &DeleteParams::default())
        .await
        .unwrap();
    let made = create(&account, "Event", "default", event("Node")).await;
    assert!(refusal("an Event of a node", made).contains("pavilion-operator-bounds"));

    // In its own places too it makes no token of an account.
    let token = json!({
        "type": "kubernetes.io/service-account-token",
        "metadata": {"annotations": {"kubernetes.io/service-account.name": "data-plane"}},
    });
    for place in [NAMESPACE, &namespace] {
        let made = create(&account, "Secret", place, token.clone()).await;
        assert!(refusal(place, made).contains("pavilion-operator-secrets"));
        create(&account, "Secret", place, json!({})).await.unwrap();
    }
    let secrets = api(&account, "Secret", Some(NAMESPACE));
    secrets
        .delete("chart-test", &DeleteParams::default())
        .await
        .unwrap();
}

async fn create(
    client: &Client,
    kind: &str,
    namespace: &str,
    mut object: Value,
) -> Result<kube::core::DynamicObject, kube::Error> {
    object["metadata"]["name"] = "chart-test".into();
    let object = serde_json::from_value(object).unwrap();
    let api = api(client, kind, Some(namespace));
    api.create(&PostParams::default(), &object).await
}

fn stateful_set() -> Value {
    let labels = json!({"app": "chart-test"});
    json!({"spec": {
        "serviceName": "none", "replicas": 0, "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "one", "image": "none"}]},
        },
    }})
}

//! Every object that the operator makes for a tenant stays as it made it: who looks after the tenant and who
//! looks after the cluster are refused, and what somebody breaks the glass for is put right, counted, and told.

use kube::{
    Client, ResourceExt,
    api::{DeleteParams, ListParams},
    core::DynamicObject,
};
use serde_json::{Value, json};

use crate::{
    callers::{BREAK_GLASS, refusal, user},
    objects::{api, content, merge},
    operator::{Operator, eventually},
    stage::{MALLORY, Stage},
};

const TENANT: &str = "drift";
const ADMIN: &str = "chart-test-tenant-admin";

/// One object of the tenant's.
struct Case {
    kind: String,
    namespace: Option<String>,
    name: String,
    edit: Value,
    field: String,
}

impl Case {
    fn new(kind: &str, object: &DynamicObject) -> Self {
        let (edit, field) = edit(kind, object);
        Self {
            kind: kind.to_owned(),
            namespace: object.namespace(),
            name: object.name_any(),
            edit,
            field,
        }
    }

    fn api(&self, client: &Client) -> kube::Api<DynamicObject> {
        api(client, &self.kind, self.namespace.as_deref())
    }

    fn called(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }
}

/// What somebody would change in an object of a kind, and the field that is told then. A kind that is made for tenants
/// and is not here fails the test.
fn edit(kind: &str, object: &DynamicObject) -> (Value, String) {
    let (edit, field) = match kind {
        "Namespace" => (
            json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}),
            "metadata.labels.pod-security.kubernetes.io/enforce",
        ),
        "ResourceQuota" => (
            json!({"spec": {"hard": {"pods": "1000"}}}),
            "spec.hard.pods",
        ),
        "LimitRange" => (
            json!({"spec": {"limits": [{"type": "Container"}]}}),
            "spec.limits",
        ),
        "NetworkPolicy" => (
            json!({"spec": {"podSelector": {"matchLabels": {"nobody": "has"}}}}),
            "spec.podSelector",
        ),
        "ServiceAccount" => (
            json!({"automountServiceAccountToken": true}),
            "automountServiceAccountToken",
        ),
        "Secret" | "ConfigMap" => {
            let entries = object.data["data"].as_object().unwrap();
            let first = entries.keys().next().unwrap();
            return (
                json!({"data": {first.clone(): null}}),
                format!("data.{first}"),
            );
        }
        "StatefulSet" => (json!({"spec": {"replicas": 0}}), "spec.replicas"),
        other => panic!("the operator makes a {other}, and nobody says how one is broken"),
    };
    (edit, field.to_owned())
}

/// The kinds that the operator counts, which are all that it makes; but for those that not every cluster has: the route
/// from a Gateway (`gateway.rs`), and what cert-manager is asked for (`certificates.rs`).
async fn kinds(operator: &Operator) -> Vec<String> {
    let metrics = operator.get("metrics").await;
    let lines = metrics.lines();
    let kinds = lines.filter_map(|line| {
        let rest = line.strip_prefix("pavilion_objects_made_total{kind=\"")?;
        rest.split('"').next()
    });
    let kinds = kinds.filter(|kind| !["TLSRoute", "Certificate"].contains(kind));
    kinds.map(str::to_owned).collect()
}

/// Every object of the tenant; its namespace last, because with it the others go.
async fn cases(stage: &Stage, operator: &Operator) -> Vec<Case> {
    let ours =
        format!("app.kubernetes.io/managed-by=pavilion-operator,pavilion.dev/tenant={TENANT}");
    let ours = ListParams::default().labels(&ours);
    let mut cases = Vec::new();
    for kind in kinds(operator).await {
        let found = api(&stage.admin, &kind, None).list(&ours).await.unwrap();
        assert!(!found.items.is_empty(), "the tenant has no {kind}");
        cases.extend(found.iter().map(|object| Case::new(&kind, object)));
    }
    cases.sort_by_key(|case| case.kind == "Namespace");
    cases
}

/// How often objects of a kind were put right.
async fn restored(operator: &Operator, kind: &str) -> u64 {
    let metrics = operator.get("metrics").await;
    let series = format!("pavilion_objects_restored_total{{kind=\"{kind}\"}} ");
    let mut lines = metrics.lines();
    let count = lines.find_map(|line| line.strip_prefix(&series));
    count.unwrap().parse().unwrap()
}

/// Whether an Event of the Tenant says what was put right of an object.
async fn told(stage: &Stage, case: &Case, what: &str) -> bool {
    let ours = ListParams::default().fields("reason=ObjectRestored");
    let events = api(&stage.admin, "Event", Some("default"))
        .list(&ours)
        .await
        .unwrap();
    events.iter().any(|event| {
        let (about, object) = (&event.data["regarding"], &event.data["related"]);
        let note = event.data["note"].as_str().unwrap();
        about["kind"] == "Tenant"
            && about["name"] == TENANT
            && object["kind"] == case.kind
            && object["name"] == case.name
            && object["namespace"].as_str() == case.namespace.as_deref()
            && note.contains(&case.name)
            && note.contains(what)
    })
}

/// A person whom somebody gave everything in the tenant's namespace that Kubernetes' own role for that has.
async fn tenant_admin(stage: &Stage, namespace: &str) -> Client {
    let group = "rbac.authorization.k8s.io";
    for role in ["admin", "pavilion-owner"] {
        let name = format!("{ADMIN}-{role}");
        let binding = json!({
            "apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": group, "kind": "User", "name": ADMIN}],
        });
        stage
            .apply("RoleBinding", Some(namespace), &name, binding)
            .await;
    }
    user(ADMIN, &[]).await
}

#[tokio::test]
async fn every_object_of_a_tenant_is_guarded_from_those_who_look_after_tenant_and_cluster() {
    let stage = Stage::set().await;
    let operator = Operator::leading(&stage.admin, "guarded").await;
    let namespace = stage.tenant(&operator, TENANT).await;
    let owner = tenant_admin(&stage, &namespace).await;
    let mallory = user(MALLORY, &[]).await;
    for case in cases(&stage, &operator).await {
        for (who, client) in [("tenant", &owner), ("cluster", &mallory)] {
            let what = format!("{}, by who looks after the {who}", case.called());
            let objects = case.api(client);
            let said = refusal(&what, merge(&objects, &case.name, &case.edit).await);
            // The tenant's may have no role to try; the cluster's has every role.
            assert!(
                who == "tenant" || said.contains("ValidatingAdmissionPolicy"),
                "{said}"
            );
            let deleted = objects.delete(&case.name, &DeleteParams::default()).await;
            let said = refusal(&what, deleted);
            assert!(
                who == "tenant" || said.contains("ValidatingAdmissionPolicy"),
                "{said}"
            );
        }
    }
    assert_eq!(operator.count("objects_restored_total").await, 0);
}

#[tokio::test]
async fn every_object_of_a_tenant_that_is_edited_or_deleted_is_put_right_counted_and_told() {
    let stage = Stage::set().await;
    let operator = Operator::leading(&stage.admin, "drift").await;
    let namespace = stage.tenant(&operator, TENANT).await;
    // Making it was no putting right.
    assert_eq!(operator.count("objects_restored_total").await, 0);
    let rescuer = user(MALLORY, &[BREAK_GLASS]).await;
    let cases = cases(&stage, &operator).await;
    for case in &cases {
        let objects = case.api(&rescuer);
        let before = objects.get(&case.name).await.unwrap();
        let so_far = restored(&operator, &case.kind).await;
        merge(&objects, &case.name, &case.edit).await.unwrap();
        eventually(&format!("{} is as before", case.called()), async || {
            let now = objects.get(&case.name).await.unwrap();
            content(&now) == content(&before)
                && now.labels() == before.labels()
                && restored(&operator, &case.kind).await > so_far
        })
        .await;
        let field = &case.field;
        eventually(&format!("{}: {field} is told", case.called()), async || {
            told(&stage, case, field).await
        })
        .await;

        let so_far = restored(&operator, &case.kind).await;
        objects
            .delete(&case.name, &DeleteParams::default())
            .await
            .unwrap();
        eventually(&format!("{} is there again", case.called()), async || {
            let now = objects.get_opt(&case.name).await.unwrap();
            now.is_some_and(|now| content(&now) == content(&before) && now.uid() != before.uid())
                && restored(&operator, &case.kind).await > so_far
        })
        .await;
        eventually(
            &format!("the end of {} is told", case.called()),
            async || told(&stage, case, "was deleted").await,
        )
        .await;
    }
    assert_eq!(
        operator.count("objects_deleted_total").await,
        0,
        "{}",
        operator.said()
    );
    // Each was edited and deleted, and what was in the namespace went with it once more.
    let inside = cases
        .iter()
        .filter(|case| case.namespace.as_ref() == Some(&namespace));
    let all = (2 * cases.len() + inside.count()) as u64;
    eventually("everything is there again", async || {
        operator.count("objects_restored_total").await >= all
    })
    .await;
    // Its own change is none to tell of.
    let so_far = operator.count("objects_restored_total").await;
    let changed = operator.count("objects_changed_total").await;
    let hosts = json!({"spec": {"ingress": {"hosts": ["other.drift.example"]}}});
    merge(&api(&stage.admin, "Tenant", None), TENANT, &hosts)
        .await
        .unwrap();
    eventually("the change is in force", async || {
        operator.count("objects_changed_total").await > changed
    })
    .await;
    assert_eq!(operator.count("objects_restored_total").await, so_far);
}

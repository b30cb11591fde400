#![allow(clippy::unwrap_used)]

use super::*;
use crate::cluster::{told::tests::told, triggers::triggers};
use serde_json::{Value, json};

/// A quota as a watch tells it: ours is all of it that `fields` names.
fn quota(version: u64, uid: &str, pods: &str, fields: &Value) -> Told {
    let entry = json!({"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": fields});
    let object = json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {
            "name": "pavilion", "namespace": "pavilion-acme", "uid": uid,
            "resourceVersion": version.to_string(), "labels": {TENANT_LABEL: "acme"},
            "managedFields": [entry],
        },
        "spec": {"hard": {"pods": pods}},
    });
    told(&object)
}

fn all() -> Value {
    json!({
        "f:metadata": {"f:labels": {"f:pavilion.dev/tenant": {}}},
        "f:spec": {"f:hard": {"f:pods": {}}},
    })
}

fn wanted(pods: &str) -> Owned {
    let object = json!({
        "metadata": {"name": "pavilion", "labels": {TENANT_LABEL: "acme"}},
        "spec": {"hard": {"pods": pods}},
    });
    Owned::namespaced(OwnedKind::ResourceQuota, &"acme".parse().unwrap(), &object)
}

fn part() -> Part {
    let parts = Part::all("pavilion-system").into_iter();
    let mut quotas = parts.filter(|part| part.kind == OwnedKind::ResourceQuota);
    quotas.next().unwrap()
}

/// One that applied the quota, with the place where watches tell.
fn leading() -> (Live, Triggers) {
    let live = Live::new("pavilion-system");
    live.lead();
    live.applied(&wanted("8"), &quota(10, "one", "8", &all()));
    (live, triggers().0)
}

#[test]
fn what_somebody_else_changed_or_deleted_has_drifted() {
    let (live, triggers) = leading();
    assert!(live.is_as(&wanted("8")) && !live.drifted(&wanted("8")));
    let without = json!({"f:metadata": {"f:labels": {"f:pavilion.dev/tenant": {}}}});
    let edited = quota(11, "one", "1000", &without);
    live.hear(&part(), News::Seen(edited), &triggers);
    assert!(!live.is_as(&wanted("8")) && live.drifted(&wanted("8")));
    live.applied(&wanted("8"), &quota(12, "one", "8", &all()));
    assert!(!live.drifted(&wanted("8")));
    let gone = quota(13, "one", "8", &all());
    live.hear(&part(), News::Gone(gone), &triggers);
    assert!(live.drifted(&wanted("8")));
}

#[test]
fn an_object_on_which_somebody_wrote_another_tenants_name_is_still_its_own_tenants() {
    let (live, (triggers, mut told)) = (Live::new("pavilion-system"), triggers());
    live.lead();
    live.applied(&wanted("8"), &quota(10, "one", "8", &all()));
    let others = json!({"f:spec": {"f:hard": {"f:pods": {}}}});
    let mut edited = quota(11, "one", "8", &others);
    let labels = edited.metadata.labels.as_mut().unwrap();
    labels.insert(TENANT_LABEL.to_owned(), "beta".to_owned());
    live.hear(&part(), News::Seen(edited), &triggers);
    assert_eq!(told.try_recv().unwrap(), "acme");
    assert!(live.drifted(&wanted("8")));
    assert!(!live.knows(&"beta".parse().unwrap()));
}

#[test]
fn a_namespace_is_a_tenants_once_its_owner_or_we_said_so() {
    let (live, triggers) = (Live::new("pavilion-system"), triggers().0);
    let acme = "acme".parse().unwrap();
    let namespaces = Part::all("pavilion-system").into_iter();
    let mut namespaces = namespaces.filter(|part| part.kind == OwnedKind::Namespace);
    let part = namespaces.next().unwrap();
    let namespace = |version: u64, labels: Value| {
        let metadata = json!({"name": "pavilion-acme", "uid": "one", "resourceVersion": version.to_string(), "labels": labels});
        News::Seen(told(&json!({"metadata": metadata})))
    };
    live.hear(&part, namespace(1, json!({"a": "1"})), &triggers);
    live.hear(
        &part,
        namespace(2, json!({TENANT_LABEL: "beta"})),
        &triggers,
    );
    assert!(!live.knows(&acme));
    live.hear(
        &part,
        namespace(3, json!({TENANT_LABEL: "acme"})),
        &triggers,
    );
    assert!(live.knows(&acme));
}

#[test]
fn a_change_of_our_own_is_no_drift_whoever_tells_of_it_first() {
    let (live, triggers) = leading();
    let ours = quota(11, "one", "16", &all());
    live.hear(&part(), News::Seen(ours.clone()), &triggers);
    assert!(!live.drifted(&wanted("16")));
    live.applied(&wanted("16"), &ours);
    assert!(live.is_as(&wanted("16")) && !live.drifted(&wanted("16")));
    live.let_go(&wanted("16").key);
    live.hear(&part(), News::Gone(ours), &triggers);
    assert!(!live.drifted(&wanted("16")));
}

#[test]
fn a_tenant_is_not_looked_at_for_what_was_just_written_and_is_for_what_came_over_it() {
    let (live, (triggers, mut told)) = (Live::new("pavilion-system"), triggers());
    live.lead();
    let owned = wanted("8");
    for (version, pods, expected) in [(10, "8", false), (21, "1000", true)] {
        let writing = live.writing(&owned.key);
        let heard = quota(version, "one", pods, &all());
        live.hear(&part(), News::Seen(heard), &triggers);
        let answer = version.min(20);
        live.applied(&owned, &quota(answer, "one", "8", &all()));
        drop(writing);
        assert_eq!(told.try_recv().is_ok(), expected);
        assert_eq!(live.is_as(&owned), !expected);
    }
    assert!(live.drifted(&owned));
}

#[test]
fn what_is_told_while_a_write_has_no_answer_is_heard_in_the_end() {
    let (live, (triggers, mut told)) = (Live::new("pavilion-system"), triggers());
    let owned = wanted("8");
    let writing = live.writing(&owned.key);
    live.hear(
        &part(),
        News::Seen(quota(10, "one", "8", &all())),
        &triggers,
    );
    assert!(!live.has(&owned.key));
    drop(writing);
    assert!(live.is_as(&owned) && told.try_recv().is_ok());
}

#[test]
fn what_the_api_server_writes_in_another_form_is_right_although_the_watch_told_first() {
    let (live, triggers) = leading();
    let answer = quota(11, "one", "1k", &all());
    live.hear(&part(), News::Seen(answer.clone()), &triggers);
    live.applied(&wanted("1000"), &answer);
    assert!(live.is_as(&wanted("1000")));
}

#[test]
fn what_a_standby_sees_is_the_work_of_the_one_that_writes() {
    let (live, triggers) = (Live::new("pavilion-system"), triggers().0);
    live.hear(
        &part(),
        News::Seen(quota(10, "one", "8", &all())),
        &triggers,
    );
    live.hear(
        &part(),
        News::Seen(quota(11, "one", "16", &all())),
        &triggers,
    );
    assert!(!live.drifted(&wanted("8")));
    live.hear(
        &part(),
        News::Gone(quota(12, "one", "16", &all())),
        &triggers,
    );
    assert!(!live.drifted(&wanted("16")));
}

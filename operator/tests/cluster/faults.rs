//! What goes wrong between an operator and its API server, after each of its writes and while it hears nothing
//! (after Sieve: intermediate, stale and unobserved states).

use std::{collections::BTreeMap, time::Duration};

use kube::{
    ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    between::Between,
    picture::picture,
    stage::{Operator, REGION, Stage, delete, eventually, eventually_within, host},
};

/// How long a deletion may take whose steps each have their time.
const END_OF_TENANT: Duration = Duration::from_secs(150);

/// The Secrets of a tenant: which they are, and what is in them.
async fn secrets(stage: &Stage, tenant: &str) -> BTreeMap<String, (Option<String>, Value)> {
    let api = stage.api("Secret", Some(&stage.namespace));
    let of_tenant = ListParams::default().labels(&format!("pavilion.dev/tenant={tenant}"));
    let found = api.list(&of_tenant).await.unwrap();
    let found = found.into_iter();
    found
        .map(|secret| {
            (
                secret.name_any(),
                (secret.uid(), secret.data["data"].clone()),
            )
        })
        .collect()
}

/// An operator that leads, by that way.
async fn leading(stage: &Stage, way: &Between) -> Operator {
    // Of the same name each time, as a container that is started again: its lease is its own.
    let operator = stage.operator_by(way, "one");
    operator.until_ready().await;
    eventually("it leads", async || operator.leads().await).await;
    operator
}

#[tokio::test]
async fn an_operator_killed_after_any_of_its_writes_finishes_what_it_began() {
    let stage = Stage::set().await;
    let way = Between::open(&stage.client).await;
    let mut operator = leading(&stage, &way).await;
    operator.rest().await;
    let before = way.writes().len();
    let whole = stage.confined("whole").await;
    operator.rest().await;
    let expected = picture(&stage, &whole).await;
    let steps = way.writes()[before..].to_vec();
    assert!(steps.len() > expected.len() / 2, "{steps:?}");
    for (index, step) in steps.iter().enumerate() {
        let tenant = stage.tenant(&format!("t{index}"));
        way.end_after(index + 1);
        stage.apply_tenant(&tenant, REGION, &host(&tenant)).await;
        let mut last = BTreeMap::new();
        // The last writes are statuses, of which there may be fewer when more is told at once.
        eventually("it was stopped, or needed fewer writes", async || {
            last = picture(&stage, &tenant).await;
            way.is_away() || last == expected
        })
        .await;
        let kept = secrets(&stage, &tenant).await;
        operator.signal(Signal::KILL);
        operator.code().await;
        way.come_back();
        operator = leading(&stage, &way).await;
        eventually(&format!("all is as ever after {step}"), async || {
            last = picture(&stage, &tenant).await;
            last == expected
        })
        .await;
        let now = secrets(&stage, &tenant).await;
        for (name, secret) in kept {
            assert_eq!(now.get(&name), Some(&secret), "{name} was made anew");
        }
    }
    operator.rest().await;
    for (index, step) in steps.iter().enumerate() {
        let tenant = stage.tenant(&format!("t{index}"));
        assert_eq!(picture(&stage, &tenant).await, expected, "after {step}");
    }
}

#[tokio::test]
async fn an_operator_killed_after_each_of_its_writes_ends_a_deletion_and_leaves_nothing() {
    let stage = Stage::set().await;
    let way = Between::open(&stage.client).await;
    let mut operator = leading(&stage, &way).await;
    let tenants = stage.api("Tenant", None);
    let tenant = stage.confined("acme").await;
    let patch = Patch::Merge(json!({"spec": {"deletionPolicy": "Delete"}}));
    let params = PatchParams::default();
    tenants.patch(&tenant, &params, &patch).await.unwrap();
    operator.rest().await;
    let before = way.writes().len();
    way.end_after(1);
    delete(&tenants, &tenant).await;
    let mut last = BTreeMap::from([("all".to_owned(), String::new())]);
    while !last.is_empty() {
        // Nobody can tell the last checkpoint of its log here, and that has time until it is given up.
        eventually_within(END_OF_TENANT, "it writes, or nothing is left", async || {
            last = picture(&stage, &tenant).await;
            way.is_away() || last.is_empty()
        })
        .await;
        let steps = &way.writes()[before..];
        assert!(steps.len() < 40, "it comes to no end: {steps:?}");
        operator.signal(Signal::KILL);
        operator.code().await;
        way.come_back();
        way.end_after(1);
        operator = stage.operator_by(&way, "one");
    }
    let steps = &way.writes()[before..];
    assert!(
        steps.len() >= 4,
        "it was to be killed more often: {steps:?}"
    );
}

#[tokio::test]
async fn a_deletion_ends_although_its_tenants_keys_cannot_be_written_any_more() {
    let stage = Stage::set().await;
    let way = Between::open(&stage.client).await;
    let operator = leading(&stage, &way).await;
    let tenants = stage.api("Tenant", None);
    let tenant = stage.confined("acme").await;
    let patch = Patch::Merge(json!({"spec": {"deletionPolicy": "Delete"}}));
    let params = PatchParams::default();
    tenants.patch(&tenant, &params, &patch).await.unwrap();
    operator.rest().await;
    let secret = format!("/namespaces/{}/secrets/tenant-{tenant}", stage.namespace);
    way.forbid(move |what| what.starts_with("PATCH") && what.ends_with(&secret));
    let uid = tenants.get(&tenant).await.unwrap().uid().unwrap();
    delete(&tenants, &tenant).await;
    stage
        .until(&tenant, "Terminating", "True Terminating")
        .await;
    // Nothing else stops its pod, which has more time than a test.
    let sets = stage.api("StatefulSet", Some(&format!("pavilion-{tenant}")));
    delete(&sets, "data-plane").await;
    eventually_within(END_OF_TENANT, "it is gone", async || {
        tenants.get_opt(&tenant).await.unwrap().is_none()
    })
    .await;
    assert_eq!(picture(&stage, &tenant).await, BTreeMap::new());
    let maps = stage.api("ConfigMap", Some(&stage.namespace));
    let evidence = maps.get(&format!("evidence-{tenant}-{}", &uid[..8])).await;
    assert!(evidence.unwrap().data["data"]["missing"].is_string());
}

#[tokio::test]
async fn an_operator_that_hears_late_claims_nothing_of_what_it_has_not_heard() {
    let stage = Stage::set().await;
    let way = Between::open(&stage.client).await;
    let operator = leading(&stage, &way).await;
    let edited = stage.confined("edited").await;
    let replaced = stage.confined("replaced").await;
    operator.rest().await;
    let expected = picture(&stage, &edited).await;
    let tenants = stage.api("Tenant", None);
    let uid = tenants.get(&replaced).await.unwrap().uid();

    way.keep_quiet(true);
    let other = format!("other.{}", host(&edited));
    stage.apply_tenant(&edited, REGION, &other).await;
    // Whoever looks after the cluster forces one out, and its owner applies it anew.
    let forced = json!({"metadata": {"finalizers": null}});
    let patch = Patch::Merge(&forced);
    let params = PatchParams::default();
    tenants.patch(&replaced, &params, &patch).await.unwrap();
    delete(&tenants, &replaced).await;
    stage
        .apply_tenant(&replaced, REGION, &host(&replaced))
        .await;
    let policies = stage.api("NetworkPolicy", Some(&format!("pavilion-{edited}")));
    delete(&policies, "default-deny").await;
    for _ in 0..20 {
        let now = tenants.get(&edited).await.unwrap();
        let generation = now.metadata.generation.unwrap();
        assert!(now.data["status"]["observedGeneration"].as_i64().unwrap() < generation);
        let anew = tenants.get(&replaced).await.unwrap();
        assert_ne!(anew.uid(), uid);
        assert_eq!(anew.data.get("status"), None, "told of another one");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    way.keep_quiet(false);
    for tenant in [&edited, &replaced] {
        eventually("all is as it is to be", async || {
            picture(&stage, tenant).await == expected
        })
        .await;
    }
}

#[tokio::test]
async fn what_happened_while_nothing_was_heard_is_found_again() {
    let stage = Stage::set().await;
    let way = Between::open(&stage.client).await;
    let operator = leading(&stage, &way).await;
    let stays = stage.confined("stays").await;
    let goes = stage.confined("goes").await;
    operator.rest().await;
    let expected = picture(&stage, &stays).await;
    let tenants = stage.api("Tenant", None);

    // Shorter than its lease, so that it goes on with what it remembers.
    way.go_away();
    way.forget(true);
    let namespace = format!("pavilion-{stays}");
    delete(
        &stage.api("NetworkPolicy", Some(&namespace)),
        "default-deny",
    )
    .await;
    delete(&stage.api("ConfigMap", Some(&namespace)), "pavilion").await;
    delete(&tenants, &goes).await;
    let comes = stage.tenant("comes");
    stage.apply_tenant(&comes, REGION, &host(&comes)).await;
    way.come_back();
    // It asks to hear on from where it was, and is told that nobody knows any more what happened since.
    for kind in ["/tenants", "/networkpolicies", "/configmaps"] {
        eventually(kind, async || way.has_refused(kind)).await;
    }
    way.forget(false);
    for tenant in [&stays, &comes] {
        eventually("all is as it is to be", async || {
            picture(&stage, tenant).await == expected
        })
        .await;
    }
    eventually("the tenant that was deleted is gone", async || {
        tenants.get_opt(&goes).await.unwrap().is_none()
    })
    .await;
    assert!(operator.leads().await, "it is the same operator");
}

#[tokio::test]
async fn an_operator_without_an_api_server_ends_and_the_next_writes_nothing_that_is_so_already() {
    let stage = Stage::set().await;
    let way = Between::open(&stage.client).await;
    let mut operator = leading(&stage, &way).await;
    let tenant = stage.confined("acme").await;
    stage.until_counted(1).await;
    operator.rest().await;
    let expected = picture(&stage, &tenant).await;
    way.go_away();
    assert_eq!(operator.code().await, Some(69), "its lease has run out");
    // It is started again, and again, as long as there is nobody to talk to.
    let mut next = stage.operator_by(&way, "one");
    let seconds = std::env::var("AWAY_SECONDS").map_or(5, |text| text.parse().unwrap());
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    assert!(!next.get("readyz").await.contains("watches: ok"));
    next.signal(Signal::TERM);
    next.code().await;
    way.come_back();
    let before = way.writes().len();
    let operator = leading(&stage, &way).await;
    eventually("it has looked", async || {
        operator.count("rounds_total").await > 0
    })
    .await;
    operator.rest().await;
    // The node may have brought its pod to another state, which is told.
    let told = format!("/tenants/{tenant}/status");
    let written: Vec<String> = way.writes().split_off(before);
    let (told, written): (Vec<_>, Vec<_>) =
        written.into_iter().partition(|what| what.ends_with(&told));
    assert_eq!(written, Vec::<String>::new());
    assert!(told.len() <= 1, "{told:?}");
    assert_eq!(picture(&stage, &tenant).await, expected);
}

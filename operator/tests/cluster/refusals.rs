//! What is refused says why, and what was accepted before stays in force.

use kube::api::PostParams;
use serde_json::{Value, json};

use crate::stage::{REGION, Stage, delete, eventually, host, trust_anchor};

#[tokio::test]
async fn a_tenant_of_another_region_is_left_to_its_operator() {
    let stage = Stage::set().await;
    let _operator = stage.operator("one").await;
    let tenant = stage.tenant("far");
    stage.apply_tenant(&tenant, "there", &host(&tenant)).await;
    stage
        .until(&tenant, "Placed", "False PlacedElsewhere")
        .await;
    stage.until(&tenant, "Ready", "False PlacedElsewhere").await;
    let namespace = stage
        .api("Namespace", None)
        .get_opt(&format!("pavilion-{tenant}"))
        .await;
    assert!(namespace.unwrap().is_none());
}

#[tokio::test]
async fn a_namespace_is_used_only_when_its_owner_marked_it() {
    let stage = Stage::set().await;
    let operator = stage.operator("one").await;
    let (theirs, given) = (stage.tenant("theirs"), stage.tenant("given"));
    stage
        .namespace_with(&format!("pavilion-{theirs}"), json!({}))
        .await;
    stage
        .namespace_with(
            &format!("pavilion-{given}"),
            json!({"pavilion.dev/tenant": given}),
        )
        .await;
    for tenant in [&theirs, &given] {
        stage
            .apply_tenant(tenant, REGION, &format!("{tenant}.example"))
            .await;
    }
    stage
        .until(&given, "IsolationApplied", "True IsolationApplied")
        .await;
    stage
        .until(&theirs, "IsolationApplied", "False NamespaceTaken")
        .await;
    stage.until(&theirs, "Ready", "False NamespaceTaken").await;
    let policies = stage.api("NetworkPolicy", Some(&format!("pavilion-{theirs}")));
    assert!(policies.get_opt("default-deny").await.unwrap().is_none());
    eventually("the failure is counted", async || {
        operator.count("round_failures_total").await > 0
    })
    .await;
    // Nothing was made for it that there would be to be waited for, or to be kept.
    delete(&stage.api("Tenant", None), &theirs).await;
    let tenants = stage.api("Tenant", None);
    eventually("the tenant is gone", async || {
        tenants.get_opt(&theirs).await.unwrap().is_none()
    })
    .await;
}

#[tokio::test]
async fn a_marked_namespace_gets_a_tenants_keys_only_when_nothing_of_anybody_elses_is_in_it() {
    let stage = Stage::set().await;
    let _operator = stage.operator("one").await;
    let container =
        json!({"name": "spy", "image": "none.invalid/none", "imagePullPolicy": "Never"});
    let pod = json!({"terminationGracePeriodSeconds": 0, "containers": [container]});
    let labels = json!({"app": "spy"});
    let template = json!({"metadata": {"labels": labels}, "spec": pod});
    let set = json!({"replicas": 0, "selector": {"matchLabels": labels}, "template": template});
    for (kind, name, spec) in [("Pod", "spy", pod), ("StatefulSet", "data-plane", set)] {
        let tenant = stage.tenant(&kind.to_ascii_lowercase());
        let namespace = format!("pavilion-{tenant}");
        let mark = json!({"pavilion.dev/tenant": tenant});
        stage.namespace_with(&namespace, mark).await;
        let theirs = stage.api(kind, Some(&namespace));
        let object = json!({"metadata": {"name": name}, "spec": spec});
        let object = serde_json::from_value(object).unwrap();
        theirs
            .create(&PostParams::default(), &object)
            .await
            .unwrap();
        stage
            .apply_tenant(&tenant, REGION, &format!("{tenant}.example"))
            .await;
        stage
            .until(&tenant, "IsolationApplied", "False NamespaceTaken")
            .await;
        let found = stage.api("Tenant", None).get(&tenant).await.unwrap();
        let told = found.data["status"].to_string();
        assert!(
            told.contains(&format!("{kind} {namespace}/{name}")),
            "{told}"
        );
        let secrets = stage.api("Secret", Some(&namespace));
        assert!(secrets.get_opt("pavilion").await.unwrap().is_none());
        delete(&theirs, name).await;
        stage
            .until(&tenant, "IsolationApplied", "True IsolationApplied")
            .await;
        assert!(secrets.get_opt("pavilion").await.unwrap().is_some());
    }
}

/// Waits until a tenant is refused a host, and told who has it.
async fn is_told_whose_host_it_is(stage: &Stage, tenant: &str, holder: &str) {
    stage.until(tenant, "Accepted", "False HostClaimed").await;
    let found = stage.api("Tenant", None).get(tenant).await.unwrap();
    let told = found.data["status"].to_string();
    let expected = format!("already a host of Tenant {holder}");
    assert!(told.contains(&expected), "{told}");
}

#[tokio::test]
async fn a_host_belongs_to_the_tenant_that_had_it_first_until_that_is_gone() {
    let stage = Stage::set().await;
    let _operator = stage.operator("one").await;
    let (first, second) = (stage.tenant("first"), stage.tenant("second"));
    let host = format!("{}.example", stage.mark);
    stage.apply_tenant(&first, REGION, &host).await;
    stage
        .until(&first, "IsolationApplied", "True IsolationApplied")
        .await;
    // Seconds are what the API server tells the two apart by.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    stage.apply_tenant(&second, REGION, &host).await;
    is_told_whose_host_it_is(&stage, &second, &first).await;
    delete(&stage.api("Tenant", None), &first).await;
    stage.until(&second, "Accepted", "True Accepted").await;
}

#[tokio::test]
async fn a_tenant_that_is_served_at_a_host_keeps_it_from_an_older_one_that_wants_it_later() {
    let stage = Stage::set().await;
    let _operator = stage.operator("one").await;
    let (older, younger) = (stage.tenant("older"), stage.tenant("younger"));
    let host = format!("{}.example", stage.mark);
    stage
        .apply_tenant(&older, REGION, &format!("other-{host}"))
        .await;
    stage.until(&older, "Accepted", "True Accepted").await;
    // Seconds are what the API server tells the two apart by.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    stage.apply_tenant(&younger, REGION, &host).await;
    stage
        .until(&younger, "IsolationApplied", "True IsolationApplied")
        .await;
    stage.apply_tenant(&older, REGION, &host).await;
    is_told_whose_host_it_is(&stage, &older, &younger).await;
    let accepted = stage.condition("Tenant", None, &younger, "Accepted").await;
    assert_eq!(accepted, "True Accepted");
    delete(&stage.api("Tenant", None), &younger).await;
    stage.until(&older, "Accepted", "True Accepted").await;
}

#[tokio::test]
async fn a_broken_edit_leaves_the_last_good_bundle_in_force_and_says_so() {
    let stage = Stage::set().await;
    let operator = stage.operator("one").await;
    let tenant = stage.confined("acme").await;
    let namespace = format!("pavilion-{tenant}");
    let map = stage.api("ConfigMap", Some(&namespace));
    let bundle = async || -> Value {
        let found = map.get("pavilion").await.unwrap();
        serde_json::from_str(found.data["data"]["bundle.json"].as_str().unwrap()).unwrap()
    };
    let before = bundle().await;
    // The API server takes it; only all objects together show that no trust anchor of that name is there.
    let policy = json!({
        "title": "Is over 18", "purposes": ["age"],
        "evidence": [{"id": "pid", "format": "dc+sd-jwt", "types": ["urn:eudi:pid:1"], "trust": ["nobody"],
            "claims": [{"id": "birthdate", "path": ["birthdate"]}]}],
        "rule": {"claim": "pid.birthdate", "age": {"atLeast": 18}},
    });
    stage
        .apply("Policy", Some(&namespace), "over18", policy)
        .await;
    eventually("the policy is refused", async || {
        stage
            .condition("Policy", Some(&namespace), "over18", "Accepted")
            .await
            == "False ReferenceDangling"
    })
    .await;
    stage
        .until(&tenant, "Ready", "False ReferenceDangling")
        .await;
    assert_eq!(bundle().await, before);
    // The next operator knows what was in force, and puts it right.
    drop(operator);
    let second = stage.operator("one").await;
    eventually("the second operator writes", async || second.leads().await).await;
    eventually("it looked at every tenant", async || {
        second.count("rounds_total").await > 0
    })
    .await;
    delete(
        &stage.api("NetworkPolicy", Some(&namespace)),
        "default-deny",
    )
    .await;
    eventually("the policy is there again", async || {
        let policies = stage.api("NetworkPolicy", Some(&namespace));
        policies.get_opt("default-deny").await.unwrap().is_some()
    })
    .await;
    assert_eq!(bundle().await, before);
    delete(&stage.api("Policy", Some(&namespace)), "over18").await;
    stage.until(&tenant, "Accepted", "True Accepted").await;
    assert_eq!(bundle().await["hosts"], before["hosts"]);
}

#[tokio::test]
async fn a_tenant_whose_state_was_lost_keeps_its_namespace_while_its_objects_are_refused() {
    let stage = Stage::set().await;
    let mut operator = stage.operator("one").await;
    let tenant = stage.confined("acme").await;
    let namespace = format!("pavilion-{tenant}");
    operator.signal(rustix::process::Signal::TERM);
    assert_eq!(operator.code().await, Some(0));
    delete(&stage.api("ConfigMap", Some(&namespace)), "pavilion").await;
    stage.apply_tenant(&tenant, REGION, "1.2.3.4").await;
    let _second = stage.operator("two").await;
    stage.until(&tenant, "Accepted", "False FieldInvalid").await;
    stage
        .until(&tenant, "IsolationApplied", "False Progressing")
        .await;
    let found = stage.api("Namespace", None).get(&namespace).await.unwrap();
    assert!(found.metadata.deletion_timestamp.is_none());
    stage
        .api("NetworkPolicy", Some(&namespace))
        .get("default-deny")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_tenant_that_does_not_fit_is_refused_and_keeps_what_was_accepted() {
    let stage = Stage::set().await;
    let _operator = stage.operator("one").await;
    let tenant = stage.confined("acme").await;
    let namespace = format!("pavilion-{tenant}");
    stage
        .apply("TrustAnchor", Some(&namespace), "issuers", trust_anchor())
        .await;
    let step = "s".repeat(250);
    let policy = |claims: usize| {
        let claims: Vec<Value> = (0..claims)
            .map(|n| json!({"id": format!("c{n}"), "path": [step, step, step, format!("c{n}")]}))
            .collect();
        json!({
            "title": "Long paths", "purposes": ["age"],
            "evidence": [{"id": "pid", "format": "dc+sd-jwt", "types": ["urn:eudi:pid:1"],
                "trust": ["issuers"], "claims": claims}],
            "rule": {"claim": "pid.c0", "equals": "x"},
        })
    };
    // Some 50 kB in one.
    let policies = stage.api("Policy", Some(&namespace));
    stage
        .apply("Policy", Some(&namespace), "huge", policy(64))
        .await;
    eventually("the one is refused", async || {
        let found = stage.condition("Policy", Some(&namespace), "huge", "Accepted");
        found.await == "False BundleTooLarge"
    })
    .await;
    delete(&policies, "huge").await;
    stage.until(&tenant, "Accepted", "True Accepted").await;
    // Each is some 24 kB; the API server takes 1 MiB in one object.
    for n in 0..48 {
        let name = format!("long{n}");
        stage
            .apply("Policy", Some(&namespace), &name, policy(30))
            .await;
    }
    stage
        .until(&tenant, "Accepted", "False BundleTooLarge")
        .await;
    stage.until(&tenant, "Ready", "False BundleTooLarge").await;
    stage
        .until(&tenant, "IsolationApplied", "True IsolationApplied")
        .await;
}

#[tokio::test]
async fn what_there_is_no_room_for_is_said_and_is_taken_up_once_there_is() {
    let stage = Stage::set().await;
    let _operator = stage.operator("one").await;
    let tenant = stage.confined("acme").await;
    let namespace = format!("pavilion-{tenant}");
    let mut large = trust_anchor();
    // Nobody minds what else is in a key (RFC 7517, section 4).
    large["issuers"][0]["jwks"]["keys"][0]["remark"] = json!("r".repeat(250 * 1024));
    let names: Vec<String> = (0..17).map(|n| format!("large{n}")).collect();
    for name in &names {
        stage
            .apply("TrustAnchor", Some(&namespace), name, large.clone())
            .await;
    }
    let tenants = stage.api("Tenant", None);
    eventually("its owner is told", async || {
        let found = tenants.get(&tenant).await.unwrap();
        found.data["status"]
            .to_string()
            .contains("1 of them are not looked at")
    })
    .await;
    stage
        .until(&tenant, "Accepted", "False BundleTooLarge")
        .await;
    let anchors = stage.api("TrustAnchor", Some(&namespace));
    let last = &names[16];
    assert!(anchors.get(last).await.unwrap().data["status"].is_null());
    for name in &names[..16] {
        delete(&anchors, name).await;
    }
    stage.until(&tenant, "Accepted", "True Accepted").await;
    eventually("the last is in force", async || {
        let found = stage.condition("TrustAnchor", Some(&namespace), last, "Accepted");
        found.await == "True Accepted"
    })
    .await;
}

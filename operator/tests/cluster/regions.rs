//! A tenant is placed by what the Region of its cluster says.

use kube::core::DynamicObject;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::stage::{REGION, Stage, delete, eventually, host};

/// A Tenant that asks for something of its region.
async fn apply(stage: &Stage, tenant: &str, host: &str, more: Value) {
    let mut spec =
        json!({"regions": [REGION], "ingress": {"hosts": [host]}, "deletionPolicy": "Retain"});
    spec.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    stage.apply("Tenant", None, tenant, spec).await;
}

async fn tenant(stage: &Stage, name: &str) -> DynamicObject {
    stage.api("Tenant", None).get(name).await.unwrap()
}

fn message(object: &DynamicObject, type_: &str) -> String {
    let conditions = object.data["status"]["conditions"].as_array().unwrap();
    let found = conditions.iter().find(|one| one["type"] == type_).unwrap();
    found["message"].as_str().unwrap().to_owned()
}

/// The hosts that are in force.
async fn hosts(stage: &Stage, tenant: &str) -> Value {
    let maps = stage.api("ConfigMap", Some(&format!("pavilion-{tenant}")));
    let found = maps.get("pavilion").await.unwrap();
    let bundle = found.data["data"]["bundle.json"].as_str().unwrap();
    serde_json::from_str::<Value>(bundle).unwrap()["hosts"].clone()
}

async fn replicas(stage: &Stage, tenant: &str) -> Value {
    let sets = stage.api("StatefulSet", Some(&format!("pavilion-{tenant}")));
    sets.get("data-plane").await.unwrap().data["spec"]["replicas"].clone()
}

#[tokio::test]
async fn without_a_region_nothing_new_is_placed_and_what_serves_goes_on() {
    let stage = Stage::set().await;
    let _operator = stage.operator("one").await;
    let before = stage.confined("before").await;
    stage.until(&before, "Placed", "True Placed").await;
    delete(&stage.api("Region", None), REGION).await;
    stage.until(&before, "Placed", "False RegionUnknown").await;
    stage.until(&before, "Ready", "False RegionUnknown").await;

    let after = stage.tenant("after");
    stage.apply_tenant(&after, REGION, &host(&after)).await;
    stage.until(&after, "Placed", "False RegionUnknown").await;
    let namespaces = stage.api("Namespace", None);
    let made = namespaces.get_opt(&format!("pavilion-{after}")).await;
    assert!(made.unwrap().is_none());

    // No edit takes effect, and what confines the tenant is still put right.
    let other = format!("other.{before}.example");
    stage.apply_tenant(&before, REGION, &other).await;
    let policies = stage.api("NetworkPolicy", Some(&format!("pavilion-{before}")));
    delete(&policies, "default-deny").await;
    eventually("the policy is there again", async || {
        policies.get_opt("default-deny").await.unwrap().is_some()
    })
    .await;
    assert_eq!(hosts(&stage, &before).await, json!([host(&before)]));
    assert_eq!(replicas(&stage, &before).await, 1);

    stage.apply_region(json!({"jurisdiction": "DE"})).await;
    stage.until(&before, "Placed", "True Placed").await;
    stage
        .until(&after, "IsolationApplied", "True IsolationApplied")
        .await;
    assert_eq!(hosts(&stage, &before).await, json!([other]));
}

#[tokio::test]
async fn a_tenant_is_placed_only_where_the_law_is_what_it_asks_for() {
    let stage = Stage::set().await;
    let _operator = stage.operator("one").await;
    stage
        .apply_region(json!({"jurisdiction": "US", "regimes": ["HIPAA"]}))
        .await;
    let name = stage.tenant("asks");
    let residency = json!({"jurisdictions": ["EU"], "regimes": ["GDPR"]});
    let asks = json!({"residency": residency});
    apply(&stage, &name, &host(&name), asks.clone()).await;
    stage.until(&name, "Placed", "False ResidencyUnmet").await;
    let said = message(&tenant(&stage, &name).await, "Placed");
    assert!(
        said.contains("it lies in US, not in EU; it is not run under GDPR"),
        "{said}"
    );
    let namespaces = stage.api("Namespace", None);
    let made = namespaces.get_opt(&format!("pavilion-{name}")).await;
    assert!(made.unwrap().is_none());

    let endpoint = "https://edge.example";
    let fits = json!({"jurisdiction": "DE", "regimes": ["GDPR"], "endpoint": endpoint});
    stage.apply_region(fits.clone()).await;
    stage
        .until(&name, "IsolationApplied", "True IsolationApplied")
        .await;
    let found = tenant(&stage, &name).await;
    assert_eq!(found.data["status"]["region"], REGION);
    assert_eq!(found.data["status"]["endpoint"], endpoint);

    // The region is edited so that it does not fit any more.
    stage.apply_region(json!({"jurisdiction": "DE"})).await;
    stage.until(&name, "Placed", "False ResidencyUnmet").await;
    stage.until(&name, "Ready", "False ResidencyUnmet").await;
    let other = format!("other.{name}.example");
    apply(&stage, &name, &other, asks.clone()).await;
    let generation = tenant(&stage, &name).await.metadata.generation;
    eventually("the edit was looked at", async || {
        let found = tenant(&stage, &name).await;
        found.data["status"]["observedGeneration"] == json!(generation)
    })
    .await;
    assert_eq!(hosts(&stage, &name).await, json!([host(&name)]));
    assert_eq!(replicas(&stage, &name).await, 1);

    // Its owner can take it off the air, and it comes back only where it may be.
    let hibernating = json!({"residency": residency, "hibernate": true});
    apply(&stage, &name, &other, hibernating).await;
    eventually("it is off the air", async || {
        replicas(&stage, &name).await == 0
    })
    .await;
    stage.apply_region(fits).await;
    apply(&stage, &name, &other, asks).await;
    eventually("it is on the air again", async || {
        replicas(&stage, &name).await == 1
    })
    .await;
    assert_eq!(hosts(&stage, &name).await, json!([other]));
}

#[tokio::test]
async fn a_tenant_from_before_the_region_was_called_otherwise_is_looked_after_and_can_be_deleted() {
    let stage = Stage::set().await;
    let mut first = stage.operator("one").await;
    let name = stage.confined("acme").await;
    first.rest().await;
    first.signal(Signal::TERM);
    assert_eq!(first.code().await, Some(0));
    let _second = stage.operator_in("renamed", "two").await;
    stage.until(&name, "Placed", "False PlacedElsewhere").await;
    stage.until(&name, "Ready", "False PlacedElsewhere").await;

    // It goes on, is put right, and nothing new of it takes effect but that its owner takes it off the air.
    let policies = stage.api("NetworkPolicy", Some(&format!("pavilion-{name}")));
    delete(&policies, "default-deny").await;
    eventually("the policy is there again", async || {
        policies.get_opt("default-deny").await.unwrap().is_some()
    })
    .await;
    assert_eq!(replicas(&stage, &name).await, 1);
    let other = format!("other.{name}.example");
    apply(&stage, &name, &other, json!({"hibernate": true})).await;
    eventually("it is off the air", async || {
        replicas(&stage, &name).await == 0
    })
    .await;
    assert_eq!(hosts(&stage, &name).await, json!([host(&name)]));

    let tenants = stage.api("Tenant", None);
    delete(&tenants, &name).await;
    eventually("it is gone", async || {
        tenants.get_opt(&name).await.unwrap().is_none()
    })
    .await;
}

#[tokio::test]
async fn a_region_says_how_it_is_and_how_many_tenants_are_placed_in_it() {
    let stage = Stage::set().await;
    let _operator = stage.operator("one").await;
    let api = stage.api("Region", None);
    stage.until_counted(0).await;
    for name in ["one", "two"] {
        stage.confined(name).await;
    }
    stage.until_counted(2).await;
    let accepted = async |name: &str| stage.condition("Region", None, name, "Accepted").await;
    assert_eq!(accepted(REGION).await, "True Accepted");
    // No router runs here.
    let ready = stage.condition("Region", None, REGION, "Ready").await;
    assert_eq!(ready, "False EdgeUnavailable");

    let elsewhere = format!("there-{}", stage.mark);
    stage
        .apply("Region", None, &elsewhere, json!({"jurisdiction": "FR"}))
        .await;
    eventually("the other region is told that it is another", async || {
        stage.condition("Region", None, &elsewhere, "Ready").await == "False RegionElsewhere"
    })
    .await;
    delete(&api, &elsewhere).await;
}

#[tokio::test]
async fn a_region_that_cannot_be_is_refused_and_places_nobody() {
    let stage = Stage::set().await;
    let _operator = stage.operator("one").await;
    // The edge is at port 443, which is part of the names of issuers.
    for endpoint in ["https://edge.example:8443", "https://edge.example:99999"] {
        stage
            .apply_region(json!({"jurisdiction": "DE", "endpoint": endpoint}))
            .await;
        eventually("the region is refused", async || {
            stage.condition("Region", None, REGION, "Accepted").await == "False EndpointInvalid"
        })
        .await;
        let name = stage.tenant("late");
        stage.apply_tenant(&name, REGION, &host(&name)).await;
        stage.until(&name, "Placed", "False RegionRefused").await;
        let said = message(&tenant(&stage, &name).await, "Placed");
        assert!(said.contains("spec.endpoint"), "{said}");
        stage.apply_region(json!({"jurisdiction": "DE"})).await;
        stage.until(&name, "Placed", "True Placed").await;
    }
}

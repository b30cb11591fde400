//! How much a tenant gets follows from its Plan, and a Plan that cannot be had changes nothing.

use kube::{
    api::{Patch, PatchParams},
    core::DynamicObject,
};
use serde_json::{Value, json};

use crate::stage::{REGION, Stage, delete, eventually, host};

/// A Tenant with a plan.
async fn apply(stage: &Stage, tenant: &str, plan: &str) {
    let spec = json!({
        "regions": [REGION], "ingress": {"hosts": [host(tenant)]}, "deletionPolicy": "Retain",
        "plan": plan,
    });
    stage.apply("Tenant", None, tenant, spec).await;
}

/// A spec of a Plan whose signer gets this much.
fn plan(cpu: &str, more: Value) -> Value {
    let share = |cpu: &str| json!({"cpu": cpu, "memory": "64Mi"});
    let mut spec =
        json!({"programs": {"signer": {"requests": share("10m"), "limits": share(cpu)}}});
    let more = more.as_object().unwrap().clone();
    spec.as_object_mut().unwrap().extend(more);
    spec
}

async fn set(stage: &Stage, tenant: &str) -> DynamicObject {
    let sets = stage.api("StatefulSet", Some(&format!("pavilion-{tenant}")));
    sets.get("data-plane").await.unwrap()
}

/// The most that the signer may take.
fn signer(set: &DynamicObject) -> &Value {
    let containers = &set.data["spec"]["template"]["spec"]["initContainers"];
    let mut containers = containers.as_array().unwrap().iter();
    let signer = containers.find(|container| container["name"] == "signer");
    &signer.unwrap()["resources"]["limits"]["cpu"]
}

async fn quota(stage: &Stage, tenant: &str) -> Value {
    let quotas = stage.api("ResourceQuota", Some(&format!("pavilion-{tenant}")));
    quotas.get("pavilion").await.unwrap().data["spec"]["hard"].clone()
}

/// Makes a class of the cluster's.
async fn class(stage: &Stage, kind: &str, api_version: &str, name: &str, more: Value) {
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
    let more = more.as_object().unwrap().clone();
    object.as_object_mut().unwrap().extend(more);
    let params = PatchParams::apply("owner").force();
    let api = stage.api(kind, None);
    api.patch(name, &params, &Patch::Apply(&object))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_tenant_follows_its_plan_and_its_volumes_keep_the_size_they_were_made_with() {
    let stage = Stage::set().await;
    let _operator = stage.operator("one").await;
    let (name, own) = (stage.tenant("acme"), format!("own-{}", stage.mark));
    let storage = json!({"storage": {"log": "2Gi", "state": "512Mi"}});
    stage.apply("Plan", None, &own, plan("500m", storage)).await;
    apply(&stage, &name, &own).await;
    stage
        .until(&name, "IsolationApplied", "True IsolationApplied")
        .await;
    let made = set(&stage, &name).await;
    assert_eq!(signer(&made), "500m");
    // Twice the pod (2 and 1 of the others, 500m of the signer, 200m of the probe), and four more containers.
    assert_eq!(quota(&stage, &name).await["limits.cpu"], "11400m");
    assert_eq!(quota(&stage, &name).await["requests.storage"], "2624Mi");
    let claims = made.data["spec"]["volumeClaimTemplates"].clone();

    let storage = json!({"storage": {"log": "4Gi"}});
    stage.apply("Plan", None, &own, plan("2", storage)).await;
    eventually("the tenant follows its plan", async || {
        signer(&set(&stage, &name).await) == "2"
    })
    .await;
    assert_eq!(quota(&stage, &name).await["limits.cpu"], "14400m");
    assert_eq!(quota(&stage, &name).await["requests.storage"], "5184Mi");
    let after = set(&stage, &name).await;
    assert_eq!(after.data["spec"]["volumeClaimTemplates"], claims);
    assert_eq!(after.metadata.uid, made.metadata.uid);
    eventually("the plan counts its tenants", async || {
        let found = stage.api("Plan", None).get(&own).await.unwrap();
        found.data["status"]["tenants"] == 1
    })
    .await;

    apply(&stage, &name, "standard").await;
    eventually("the tenant has another plan", async || {
        signer(&set(&stage, &name).await) == "1"
    })
    .await;
    delete(&stage.api("Plan", None), &own).await;
    stage.until(&name, "Accepted", "True Accepted").await;
}

#[tokio::test]
async fn an_unknown_plan_is_refused_and_what_was_accepted_keeps_serving() {
    let stage = Stage::set().await;
    let operator = stage.operator("one").await;
    let (name, own) = (stage.tenant("acme"), format!("own-{}", stage.mark));
    let never = stage.tenant("never");
    apply(&stage, &never, &own).await;
    stage.until(&never, "Accepted", "False PlanUnknown").await;
    let namespaces = stage.api("Namespace", None);
    let found = namespaces.get_opt(&format!("pavilion-{never}")).await;
    assert!(found.unwrap().is_none());

    stage
        .apply("Plan", None, &own, plan("500m", json!({})))
        .await;
    apply(&stage, &name, &own).await;
    stage
        .until(&name, "IsolationApplied", "True IsolationApplied")
        .await;
    stage
        .until(&never, "IsolationApplied", "True IsolationApplied")
        .await;
    let before = set(&stage, &name).await;
    delete(&stage.api("Plan", None), &own).await;
    stage.until(&name, "Accepted", "False PlanUnknown").await;
    stage.until(&name, "Ready", "False PlanUnknown").await;

    // The next operator knows the plan that was in force, and leaves the tenant as it is.
    drop(operator);
    let second = stage.operator("one").await;
    eventually("the second operator looked at every tenant", async || {
        second.count("rounds_total").await >= 2
    })
    .await;
    second.rest().await;
    let after = set(&stage, &name).await;
    assert_eq!(after.data["spec"], before.data["spec"]);
    assert_eq!(second.count("objects_changed_total").await, 0);
}

#[tokio::test]
async fn a_plan_of_a_class_that_is_not_there_makes_no_broken_pod() {
    let stage = Stage::set().await;
    let _operator = stage.operator("one").await;
    let (name, own) = (stage.tenant("acme"), format!("own-{}", stage.mark));
    let (runtime, priority) = (format!("r-{}", stage.mark), format!("p-{}", stage.mark));
    stage
        .apply("Plan", None, &own, plan("500m", json!({})))
        .await;
    apply(&stage, &name, &own).await;
    stage
        .until(&name, "IsolationApplied", "True IsolationApplied")
        .await;
    let before = set(&stage, &name).await;

    let classes = json!({"runtimeClassName": runtime, "priorityClassName": priority});
    stage.apply("Plan", None, &own, plan("2", classes)).await;
    let accepted = async || stage.condition("Plan", None, &own, "Accepted").await;
    for (expected, kind, api_version, class_name, more) in [
        (
            "False PriorityClassUnknown",
            "PriorityClass",
            "scheduling.k8s.io/v1",
            &priority,
            json!({"value": 7}),
        ),
        (
            "False RuntimeClassUnknown",
            "RuntimeClass",
            "node.k8s.io/v1",
            &runtime,
            json!({"handler": "runc"}),
        ),
    ] {
        stage.until(&name, "Accepted", expected).await;
        eventually("the plan is told why", async || {
            accepted().await == expected
        })
        .await;
        let now = set(&stage, &name).await;
        assert_eq!(now.data["spec"], before.data["spec"]);
        class(&stage, kind, api_version, class_name, more).await;
    }
    stage.until(&name, "Accepted", "True Accepted").await;
    eventually("the pod is of the classes", async || {
        let found = set(&stage, &name).await;
        let pod = &found.data["spec"]["template"]["spec"];
        pod["runtimeClassName"] == runtime.as_str() && pod["priorityClassName"] == priority.as_str()
    })
    .await;
    eventually("the plan is accepted", async || {
        accepted().await == "True Accepted"
    })
    .await;

    // One that goes away takes nothing that is in force with it.
    delete(&stage.api("RuntimeClass", None), &runtime).await;
    stage
        .until(&name, "Accepted", "False RuntimeClassUnknown")
        .await;
    let found = set(&stage, &name).await;
    let pod = &found.data["spec"]["template"]["spec"];
    assert_eq!(pod["runtimeClassName"], runtime);
    delete(&stage.api("PriorityClass", None), &priority).await;
    delete(&stage.api("Plan", None), &own).await;
}

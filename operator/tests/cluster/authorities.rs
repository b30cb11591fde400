//! An authority that cert-manager is asked for, where the API server does not even take the question.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Value, json};

use crate::{
    between::Between,
    stage::{REGION, Stage, delete, eventually, host},
};

const NAME: &str = "certificates.cert-manager.io";

/// As much of cert-manager's definition as makes the API server serve the kind.
fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME},
        "spec": {
            "group": "cert-manager.io", "scope": "Namespaced",
            "names": {"kind": "Certificate", "listKind": "CertificateList", "plural": "certificates", "singular": "certificate"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    })
}

async fn serve_certificates(definitions: &Api<CustomResourceDefinition>) {
    let params = PatchParams::apply("test").force();
    let patch = Patch::Apply(definition());
    definitions.patch(NAME, &params, &patch).await.unwrap();
}

/// What is said of a tenant's root.
async fn said(stage: &Stage, tenant: &str) -> String {
    let tenant = stage.api("Tenant", None).get(tenant).await.unwrap();
    let conditions = tenant.data["status"]["conditions"].as_array().cloned();
    let mut conditions = conditions.into_iter().flatten();
    let root = conditions.find(|one| one["type"] == "TrustRootReady");
    let message = root.and_then(|root| root["message"].as_str().map(str::to_owned));
    message.unwrap_or_default()
}

#[tokio::test]
async fn an_order_of_that_name_that_somebody_else_made_stays_theirs() {
    let stage = Stage::set().await;
    let definitions: Api<CustomResourceDefinition> = Api::all(stage.client.clone());
    serve_certificates(&definitions).await;
    let (tenant, plan) = (stage.tenant("acme"), format!("vouched-{}", stage.mark));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(
        "cert-manager.io",
        "v1",
        "Certificate",
    ));
    let orders: Api<DynamicObject> =
        Api::namespaced_with(stage.client.clone(), &stage.namespace, &resource);
    let name = format!("root-{tenant}");
    let theirs = json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
        "metadata": {"name": name}, "spec": {"secretName": "theirs"},
    });
    let theirs = serde_json::from_value(theirs).unwrap();
    eventually("the kind is served", async || {
        orders.create(&PostParams::default(), &theirs).await.is_ok()
    })
    .await;
    let _operator = stage.operator("one").await;
    let root = json!({"trustRoot": {"issuerRef": {"name": "organisation"}}});
    stage.apply("Plan", None, &plan, root).await;
    let spec = json!({
        "regions": [REGION], "ingress": {"hosts": [host(&tenant)]}, "deletionPolicy": "Retain",
        "plan": plan,
    });
    stage.apply("Tenant", None, &tenant, spec).await;
    eventually("it is told whose it is", async || {
        said(&stage, &tenant).await.contains("is somebody else's")
    })
    .await;
    let found = orders.get(&name).await.unwrap();
    assert_eq!(found.data["spec"], json!({"secretName": "theirs"}));
    delete(&stage.api("Plan", None), &plan).await;
    delete(&stage.api("CustomResourceDefinition", None), NAME).await;
}

#[tokio::test]
async fn an_order_that_gets_no_answer_keeps_nothing_else_back_and_is_told_of_the_root() {
    let stage = Stage::set().await;
    let definitions: Api<CustomResourceDefinition> = Api::all(stage.client.clone());
    serve_certificates(&definitions).await;
    let way = Between::open(&stage.client).await;
    way.leave_unanswered("/certificates");
    let operator = stage.operator_by(&way, "one");
    operator.until_ready().await;
    let (tenant, plan) = (stage.tenant("acme"), format!("vouched-{}", stage.mark));
    let root = json!({"trustRoot": {"issuerRef": {"name": "organisation"}}});
    stage.apply("Plan", None, &plan, root).await;
    stage.confined("acme").await;
    let spec = json!({
        "regions": [REGION], "ingress": {"hosts": [host(&tenant)]}, "deletionPolicy": "Retain",
        "plan": plan,
    });
    stage.apply("Tenant", None, &tenant, spec).await;
    eventually("it is told that there was no answer", async || {
        said(&stage, &tenant)
            .await
            .contains("did not answer in time")
    })
    .await;
    stage
        .until(&tenant, "TrustRootReady", "False TrustRootPending")
        .await;
    let applied = stage.condition("Tenant", None, &tenant, "IsolationApplied");
    assert_eq!(applied.await, "True IsolationApplied");
    assert_eq!(operator.count("round_failures_total").await, 0);
    delete(&stage.api("Plan", None), &plan).await;
    delete(&stage.api("CustomResourceDefinition", None), NAME).await;
}

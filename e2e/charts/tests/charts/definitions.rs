//! An operator that meets older custom resource definitions does not begin.

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures::FutureExt;
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use pavilion_crds::Kind;
use serde_json::{Value, json};

use crate::{objects::api, operator::Operator, stage::Stage};

#[tokio::test]
async fn an_operator_refuses_older_definitions_and_says_which_field_they_lack() {
    let stage = Stage::set().await;
    let definitions = api(&stage.admin, "CustomResourceDefinition", None);
    let ours = Kind::Tenant.definition();
    let name = ours.name_any();
    let mut older = definitions.get(&name).await.unwrap().data["spec"]["versions"].clone();
    let spec = older.pointer_mut("/0/schema/openAPIV3Schema/properties/spec/properties");
    let fields = spec.and_then(Value::as_object_mut).unwrap();
    assert!(fields.remove("suspend").is_some());
    let set = async |versions: Value| {
        let patch = json!({"spec": {"versions": versions}});
        let (params, patch) = (PatchParams::default(), Patch::Merge(&patch));
        definitions.patch(&name, &params, &patch).await.unwrap();
    };
    set(older).await;

    let end = async { Operator::start(&stage.admin, "newer").await.end().await };
    let ended = AssertUnwindSafe(end).catch_unwind().await;
    // They are as before, for whoever comes next, also when it never ended.
    set(serde_json::to_value(&ours).unwrap()["spec"]["versions"].clone()).await;
    let (code, said) = ended.unwrap_or_else(|panic| resume_unwind(panic));

    assert_eq!(code, Some(78), "{said}");
    for expected in [
        "tenants.pavilion.dev",
        ".spec.suspend",
        "crds_older",
        "pavilion-crds",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    drop(Operator::leading(&stage.admin, "again").await);
}

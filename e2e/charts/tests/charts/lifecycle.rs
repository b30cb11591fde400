//! Install, upgrade, roll back, uninstall and install again: tenants notice nothing.

use std::collections::BTreeMap;

use kube::{Client, ResourceExt, api::ListParams};
use pavilion_crds::Kind;
use pavilion_e2e_charts::{Helm, NAMESPACE, RELEASE};
use serde_json::{Value, json};

use crate::{
    objects::{api, content},
    operator::Operator,
    stage::Stage,
};

/// What the operator makes in a tenant's namespace.
const KINDS: [&str; 7] = [
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "ServiceAccount",
    "ConfigMap",
    "Secret",
    "StatefulSet",
];

/// Everything there is of a tenant: which object it is, and what is in it. What the cluster says of it is
/// left out: its pod finds no image here, which is told anew at each try.
async fn everything(admin: &Client, namespace: &str) -> BTreeMap<String, Value> {
    let tenant = namespace.strip_prefix("pavilion-").unwrap();
    let mut found = vec![
        (
            "Tenant",
            api(admin, "Tenant", None).get(tenant).await.unwrap(),
        ),
        (
            "Namespace",
            api(admin, "Namespace", None).get(namespace).await.unwrap(),
        ),
    ];
    for kind in KINDS {
        let ours = ListParams::default().labels("app.kubernetes.io/managed-by=pavilion-operator");
        let objects = api(admin, kind, Some(namespace)).list(&ours).await.unwrap();
        found.extend(objects.into_iter().map(|object| (kind, object)));
    }
    let told = found.into_iter().map(|(kind, object)| {
        let name = format!("{kind} {}", object.name_any());
        (
            name,
            json!({"uid": object.uid(), "labels": object.labels(), "content": content(&object)}),
        )
    });
    told.collect()
}

/// An operator that has looked at every tenant again.
async fn again(stage: &Stage, identity: &str) -> Operator {
    let operator = Operator::leading(&stage.admin, identity).await;
    operator.rest(1).await;
    assert_eq!(
        operator.count("round_failures_total").await,
        0,
        "{}",
        operator.said()
    );
    operator
}

async fn through_its_life(helm: Helm) {
    let name = format!("life-{}", helm.name);
    let stage = Stage::anew(helm).await;
    let operator = Operator::leading(&stage.admin, "first").await;
    let namespace = stage.tenant(&operator, &name).await;
    operator.stop().await;
    let before = everything(&stage.admin, &namespace).await;
    assert!(before.len() >= 7, "{before:?}");

    // What concerns operator and edge alone.
    stage.pavilion(
        "upgrade",
        &["operator.workers=8", "router.tlsMinVersion=1.2"],
    );
    let upgraded = again(&stage, "upgraded").await;
    assert_eq!(upgraded.object_writes().await, 0, "{}", upgraded.said());
    upgraded.stop().await;
    assert_eq!(everything(&stage.admin, &namespace).await, before);

    let line = ["rollback", RELEASE, "1", "--namespace", NAMESPACE];
    stage.helm.succeed(&line).unwrap();
    let rolled_back = again(&stage, "rolled-back").await;
    assert_eq!(
        rolled_back.object_writes().await,
        0,
        "{}",
        rolled_back.said()
    );
    rolled_back.stop().await;
    assert_eq!(everything(&stage.admin, &namespace).await, before);

    stage.uninstall();
    let definitions = api(&stage.admin, "CustomResourceDefinition", None);
    for kind in Kind::ALL {
        let name = format!("{}.pavilion.dev", kind.plural());
        assert!(
            definitions.get_opt(&name).await.unwrap().is_some(),
            "{name}"
        );
    }
    assert_eq!(everything(&stage.admin, &namespace).await, before);

    stage.install(&[]);
    let reinstalled = again(&stage, "reinstalled").await;
    assert_eq!(
        reinstalled.object_writes().await,
        0,
        "{}",
        reinstalled.said()
    );
    assert_eq!(everything(&stage.admin, &namespace).await, before);
}

#[tokio::test]
async fn tenants_stay_as_they_are_through_the_life_of_an_installation_by_helm_3() {
    let [three, _] = Helm::both().unwrap();
    through_its_life(three).await;
}

#[tokio::test]
async fn tenants_stay_as_they_are_through_the_life_of_an_installation_by_helm_4() {
    let [_, four] = Helm::both().unwrap();
    through_its_life(four).await;
}

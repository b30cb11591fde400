//! Install, upgrade, roll back, uninstall and install again: tenants notice nothing.

use std::collections::BTreeMap;

use kube::{Client, ResourceExt, api::ListParams};
use pavilion_crds::Kind;
use pavilion_e2e_charts::{Helm, NAMESPACE, RELEASE};

use crate::{
    objects::api,
    operator::{Operator, eventually},
    stage::Stage,
};

/// Everything there is of a tenant, with the version of each.
async fn everything(admin: &Client, namespace: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut see = |object: kube::core::DynamicObject, kind: &str| {
        let version = (object.uid().unwrap(), object.resource_version().unwrap());
        found.insert(
            format!("{kind} {}", object.name_any()),
            format!("{version:?}"),
        );
    };
    let tenant = namespace.strip_prefix("pavilion-").unwrap();
    see(
        api(admin, "Tenant", None).get(tenant).await.unwrap(),
        "Tenant",
    );
    see(
        api(admin, "Namespace", None).get(namespace).await.unwrap(),
        "Namespace",
    );
    let kinds = [
        "NetworkPolicy",
        "ResourceQuota",
        "LimitRange",
        "ServiceAccount",
        "ConfigMap",
        "Secret",
        "StatefulSet",
    ];
    for kind in kinds {
        let ours = ListParams::default().labels("app.kubernetes.io/managed-by=pavilion-operator");
        for object in api(admin, kind, Some(namespace)).list(&ours).await.unwrap() {
            // Its status is counted by the cluster.
            if kind != "ResourceQuota" {
                see(object, kind);
            }
        }
    }
    found
}

/// An operator that has looked at every tenant again.
async fn again(stage: &Stage, identity: &str) -> Operator {
    let operator = Operator::leading(&stage.admin, identity).await;
    eventually("every tenant was looked at", async || {
        operator.count("rounds_total").await >= 1
    })
    .await;
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
    assert_eq!(upgraded.writes().await, 0, "{}", upgraded.said());
    upgraded.stop().await;
    assert_eq!(everything(&stage.admin, &namespace).await, before);

    let line = ["rollback", RELEASE, "1", "--namespace", NAMESPACE];
    stage.helm.succeed(&line).unwrap();
    let rolled_back = again(&stage, "rolled-back").await;
    assert_eq!(rolled_back.writes().await, 0, "{}", rolled_back.said());
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
    assert_eq!(reinstalled.writes().await, 0, "{}", reinstalled.said());
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

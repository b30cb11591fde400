//! Behind a Gateway: what the operator asks of it, and that a real one does it without opening a connection.
//!
//! Contour and Envoy, which others wrote, stand for the platform team's Gateway. They and a router run on this machine,
//! for no image is needed then; the API server, its definitions and its policies are the cluster's.

mod router;

use std::net::SocketAddr;
use std::process::Command;

use kube::{
    Api, Client, ResourceExt,
    api::DeleteParams,
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use pavilion_e2e::{judges, relying_party::client_of};
use pavilion_e2e_charts::{
    NAMESPACE,
    gateway::{Contour, Definitions, GATEWAY, PLATFORM, class, ours},
    verdict,
};
use serde_json::{Value, json};

use self::router::Router;
use crate::{
    callers::{BREAK_GLASS, refusal, user},
    objects::{api, merge},
    operator::{Operator, eventually},
    stage::{LABEL, MALLORY, REGION, Stage},
};

const TENANT: &str = "routed";
const ROUTE: &str = "tenant-routed";
const HOST: &str = "routed.example";

/// An installation that was told of the Gateway, in a cluster without the Gateway API.
async fn set() -> (Stage, Operator, Definitions) {
    let mut stage = Stage::set().await;
    let definitions = Definitions::find().unwrap();
    // The next test knows nothing of a Gateway.
    stage.spoil();
    definitions.remove().unwrap();
    let object = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": PLATFORM, "labels": {LABEL: "true"}},
    });
    stage.apply("Namespace", None, PLATFORM, object).await;
    let (name, namespace) = (
        format!("router.gateway.name={GATEWAY}"),
        format!("router.gateway.namespace={PLATFORM}"),
    );
    stage.pavilion("upgrade", &[&name, &namespace]);
    let operator = Operator::leading(&stage.admin, "gateway").await;
    stage.tenant(&operator, TENANT).await;
    (stage, operator, definitions)
}

/// The routes beside the operator, in one version.
fn routes(client: &Client, version: &str) -> Api<DynamicObject> {
    let group = "gateway.networking.k8s.io";
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, "TLSRoute"));
    Api::namespaced_with(client.clone(), NAMESPACE, &resource)
}

/// Status and reason of a condition, like `False GatewaySilent`; empty while there is none.
async fn condition(admin: &Client, kind: &str, name: &str, type_: &str) -> String {
    let object = api(admin, kind, None).get(name).await.unwrap();
    verdict(&object.data["status"], type_)
}

async fn until(admin: &Client, kind: &str, name: &str, type_: &str, expected: &str) {
    eventually(&format!("{type_} of {name} is {expected}"), async || {
        condition(admin, kind, name, type_).await == expected
    })
    .await;
}

/// Waits until the tenant is told this of its route.
async fn until_told(stage: &Stage, expected: &str) {
    until(&stage.admin, "Tenant", TENANT, "Programmed", expected).await;
}

async fn until_region_says(stage: &Stage, expected: &str) {
    until(&stage.admin, "Region", REGION, "Ready", expected).await;
}

/// A route, as soon as there is one in this version.
async fn route(stage: &Stage, version: &str) -> DynamicObject {
    let routes = routes(&stage.admin, version);
    let mut found = None;
    eventually("the route is there", async || {
        // The API server takes a moment to serve a definition that is new.
        found = routes.get_opt(ROUTE).await.ok().flatten();
        found.is_some()
    })
    .await;
    found.unwrap()
}

async fn until_gone(stage: &Stage) {
    let routes = routes(&stage.admin, "v1");
    eventually("the route is gone", async || {
        routes.get_opt(ROUTE).await.unwrap().is_none()
    })
    .await;
}

#[tokio::test]
async fn a_tenants_route_comes_with_the_gateway_api_and_is_guarded_until_no_gateway_is_named() {
    let (stage, operator, definitions) = set().await;
    until_told(&stage, "False GatewayApiMissing").await;
    until_region_says(&stage, "False GatewayApiMissing").await;

    // Gateway API 1.3 knows v1alpha2 alone. Nothing is started again.
    definitions.install().unwrap();
    let first = route(&stage, "v1alpha2").await;
    let spec = json!({
        "parentRefs": [{
            "group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": PLATFORM, "name": GATEWAY,
        }],
        "hostnames": [HOST],
        "rules": [{"backendRefs": [{
            "group": "", "kind": "Service", "name": "pavilion-router", "port": 443, "weight": 1,
        }]}],
    });
    assert_eq!(first.data["spec"], spec);
    until_told(&stage, "False GatewaySilent").await;
    until_region_says(&stage, "False EdgeUnavailable").await;

    // With Gateway API 1.6 it is v1, and the same route.
    definitions.upgrade().unwrap();
    let second = route(&stage, "v1").await;
    assert_eq!(
        (second.uid(), &second.data["spec"]),
        (first.uid(), &first.data["spec"])
    );
    guarded_and_put_right(&operator, &second).await;
    rival_gets_none(&stage).await;

    operator.stop().await;
    let operator = Operator::leading(&stage.admin, "gateway-again").await;
    operator.rest(2).await;
    assert_eq!(operator.object_writes().await, 0, "{}", operator.said());
    operator.stop().await;

    stage.pavilion("upgrade", &[]);
    let _operator = Operator::leading(&stage.admin, "gateway-unnamed").await;
    until_gone(&stage).await;
    definitions.remove().unwrap();
}

/// Nobody else changes it; what somebody breaks the glass for is put right.
async fn guarded_and_put_right(operator: &Operator, before: &DynamicObject) {
    let edit = json!({"spec": {"hostnames": ["elsewhere.example"]}});
    let mallory = routes(&user(MALLORY, &[]).await, "v1");
    let said = refusal("an edit", merge(&mallory, ROUTE, &edit).await);
    assert!(said.contains("pavilion-managed-objects"), "{said}");
    let deleted = mallory.delete(ROUTE, &DeleteParams::default()).await;
    let said = refusal("a deletion", deleted);
    assert!(said.contains("pavilion-managed-objects"), "{said}");

    let rescuer = routes(&user(MALLORY, &[BREAK_GLASS]).await, "v1");
    merge(&rescuer, ROUTE, &edit).await.unwrap();
    eventually("the route is as before", async || {
        let now = rescuer.get(ROUTE).await.unwrap();
        now.data["spec"] == before.data["spec"]
    })
    .await;
    rescuer
        .delete(ROUTE, &DeleteParams::default())
        .await
        .unwrap();
    eventually("the route is there again", async || {
        let now = rescuer.get_opt(ROUTE).await.unwrap();
        now.is_some_and(|now| now.uid() != before.uid() && now.data["spec"] == before.data["spec"])
    })
    .await;
    let restored = "pavilion_objects_restored_total{kind=\"TLSRoute\"} 2";
    eventually("both are counted", async || {
        operator.get("metrics").await.contains(restored)
    })
    .await;
}

/// Who claims a host that another has leads nobody to it.
async fn rival_gets_none(stage: &Stage) {
    let rival = "routed-rival";
    let object = json!({
        "apiVersion": pavilion_crds::API_VERSION, "kind": "Tenant",
        "metadata": {"name": rival, "labels": {LABEL: "true"}},
        "spec": {"regions": [REGION], "ingress": {"hosts": [HOST]}},
    });
    stage.apply("Tenant", None, rival, object).await;
    until(
        &stage.admin,
        "Tenant",
        rival,
        "Accepted",
        "False HostClaimed",
    )
    .await;
    let routes = routes(&stage.admin, "v1");
    let route = routes.get_opt("tenant-routed-rival").await.unwrap();
    assert!(route.is_none(), "{route:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn relying_parties_come_through_a_gateway_to_the_tenant_whose_host_they_name_and_to_no_other()
{
    let (stage, operator, definitions) = set().await;
    definitions.install().unwrap();
    definitions.upgrade().unwrap();
    let router = Router::start(&stage, &operator).await;
    let envoy = Command::new(judges::envoy());
    let contour = Contour::start(envoy, [127, 0, 0, 1].into()).unwrap();
    apply_gateway(&stage, &contour, &json!({"from": "Same"})).await;
    until_told(&stage, "False GatewayRefused").await;
    apply_gateway(&stage, &contour, &ours()).await;
    // What is left is that the tenant's pod has no image here.
    until_told(&stage, "False Progressing").await;

    // Who trusts the tenant's own root alone is shown a certificate of it: nobody on the way opened the connection.
    let root = root(&stage).await;
    eventually("somebody comes through", async || {
        get(&root, &contour, HOST).await.is_some()
    })
    .await;
    let (status, problem) = get(&root, &contour, HOST).await.unwrap();
    assert_eq!((status, &problem["code"]), (503, &json!("tenant_starting")));
    assert_eq!(get(&root, &contour, "nobody.example").await, None);

    let tenants = api(&stage.admin, "Tenant", None);
    let delete = json!({"spec": {"deletionPolicy": "Delete"}});
    merge(&tenants, TENANT, &delete).await.unwrap();
    tenants
        .delete(TENANT, &DeleteParams::default())
        .await
        .unwrap();
    until_gone(&stage).await;
    eventually("nobody comes through", async || {
        get(&root, &contour, HOST).await.is_none()
    })
    .await;
    drop((contour, router));
    definitions.remove().unwrap();
}

async fn apply_gateway(stage: &Stage, contour: &Contour, namespaces: &Value) {
    stage.apply("GatewayClass", None, GATEWAY, class()).await;
    let gateway = contour.gateway(namespaces);
    stage
        .apply("Gateway", Some(PLATFORM), GATEWAY, gateway)
        .await;
}

/// What relying parties of the tenant trust.
async fn root(stage: &Stage) -> String {
    let namespace = format!("pavilion-{TENANT}");
    let maps = api(&stage.admin, "ConfigMap", Some(&namespace));
    let map = maps.get("pavilion").await.unwrap();
    map.data["data"]["ca.crt"].as_str().unwrap().to_owned()
}

/// What somebody is answered who trusts this root alone and asks a host through the Gateway; `None` who gets nowhere.
async fn get(root: &str, contour: &Contour, host: &str) -> Option<(u16, Value)> {
    let address = SocketAddr::from(([127, 0, 0, 1], contour.port()));
    let client = client_of(host, address, root.as_bytes());
    let url = format!("https://{host}:{}/", contour.port());
    let answer = client.build().unwrap().get(url).send().await.ok()?;
    let status = answer.status().as_u16();
    Some((status, answer.json().await.unwrap()))
}

//! Authorities and certificates that cert-manager gives, in a cluster with its own controllers.

use std::{sync::Arc, time::SystemTime};

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, api::DeleteParams, core::DynamicObject};
use pavilion_e2e_charts::{
    NAMESPACE,
    cert_manager::{CertManager, ORGANISATION, apply, secret},
    verdict,
};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use serde_json::{Value, json};

use crate::{
    callers::{BREAK_GLASS, refusal, user},
    objects::{api, merge},
    operator::{Operator, eventually},
    stage::{LABEL, MALLORY, REGION, Stage},
};

/// The Plan whose tenants the organisation vouches for.
const PLAN: &str = "chart-test-vouched";

fn apply_plan() {
    apply(&json!({
        "apiVersion": pavilion_crds::API_VERSION, "kind": "Plan",
        "metadata": {"name": PLAN, "labels": {LABEL: "true"}},
        "spec": {"trustRoot": {"issuerRef": {"name": ORGANISATION}}},
    }))
    .unwrap();
}

fn apply_tenant(name: &str, plan: &str, ingress: &Value) {
    apply(&json!({
        "apiVersion": pavilion_crds::API_VERSION, "kind": "Tenant",
        "metadata": {"name": name, "labels": {LABEL: "true"}},
        "spec": {
            "regions": [REGION], "plan": plan, "ingress": ingress, "deletionPolicy": "Delete",
        },
    }))
    .unwrap();
}

/// Status, reason and message of a tenant's condition; empty while there is none.
async fn condition(stage: &Stage, tenant: &str, type_: &str) -> String {
    let found = api(&stage.admin, "Tenant", None).get(tenant).await.unwrap();
    let status = &found.data["status"];
    let found = pavilion_e2e_charts::condition(status, type_);
    let message = found.and_then(|found| found["message"].as_str());
    message.map_or_else(String::new, |message| {
        format!("{}: {message}", verdict(status, type_))
    })
}

/// Waits until a condition begins so and says this.
async fn until(stage: &Stage, tenant: &str, type_: &str, expected: &str, says: &str) {
    eventually(&format!("{type_} is {expected} {says}"), async || {
        let found = condition(stage, tenant, type_).await;
        found.starts_with(expected) && found.contains(says)
    })
    .await;
}

/// What the edge is told of a tenant.
async fn route(stage: &Stage, tenant: &str) -> Value {
    let secrets: Api<Secret> = Api::namespaced(stage.admin.clone(), NAMESPACE);
    let found = secrets.get(&format!("tenant-{tenant}")).await.unwrap();
    serde_json::from_slice(&found.data.unwrap()["route.json"].0).unwrap()
}

/// What relying parties are told to trust.
async fn published(stage: &Stage, tenant: &str) -> String {
    let maps = api(
        &stage.admin,
        "ConfigMap",
        Some(&format!("pavilion-{tenant}")),
    );
    let found = maps.get("pavilion").await.unwrap();
    found.data["data"]["ca.crt"].as_str().unwrap().to_owned()
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    let read = CertificateDer::pem_slice_iter(pem.as_bytes());
    read.collect::<Result<_, _>>().unwrap()
}

/// Whether a client that trusts these takes a chain for a host.
fn is_believed(anchors: &str, chain: &str, host: &str) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(anchors));
    let chain = certificates(chain);
    let (leaf, above) = chain.split_first().unwrap();
    let verifier = WebPkiServerVerifier::builder(Arc::new(roots))
        .build()
        .unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = UnixTime::since_unix_epoch(now.unwrap());
    let host = ServerName::try_from(host.to_owned()).unwrap();
    let outcome = verifier.verify_server_cert(leaf, above, &host, &[], now);
    outcome.is_ok()
}

/// Takes the keys of a tenant that a run before this one left.
async fn forget(tenant: &str) {
    let rescuer = user(MALLORY, &[BREAK_GLASS]).await;
    let secrets = api(&rescuer, "Secret", Some(NAMESPACE));
    for name in [format!("tenant-{tenant}"), format!("root-{tenant}")] {
        if secrets.get_opt(&name).await.unwrap().is_some() {
            let params = DeleteParams::default();
            secrets.delete(&name, &params).await.unwrap();
        }
    }
}

/// Takes every trace of a tenant, as when somebody deletes its namespace first.
async fn destroy(tenant: &str) {
    let rescuer = user(MALLORY, &[BREAK_GLASS]).await;
    let (namespaces, tenants) = (
        api(&rescuer, "Namespace", None),
        api(&rescuer, "Tenant", None),
    );
    let namespace = format!("pavilion-{tenant}");
    let annotation =
        json!({"metadata": {"annotations": {"pavilion.dev/confirm-deletion": namespace}}});
    merge(&namespaces, &namespace, &annotation).await.unwrap();
    let params = DeleteParams::default();
    tenants.delete(tenant, &params).await.unwrap();
    namespaces.delete(&namespace, &params).await.unwrap();
    eventually("the tenant is gone", async || {
        tenants.get_opt(tenant).await.unwrap().is_none()
    })
    .await;
}

/// A tenant that the organisation vouches for.
const VOUCHED: &str = "vouched";
const HOST: &str = "vouched.example";
/// What cert-manager is asked for of it, and the Secret in which it comes.
const ORDER: &str = "root-vouched";

fn orders(client: &Client) -> Api<DynamicObject> {
    api(client, "Certificate", Some(NAMESPACE))
}

async fn shown(stage: &Stage, tenant: &str) -> String {
    let route = route(stage, tenant).await;
    route["certificate"]["chain"].as_str().unwrap().to_owned()
}

/// Relying parties are led to the organisation; edge and programs trust the tenant's own authority alone.
async fn leads_to_the_organisation(stage: &Stage, organisation: &str) {
    let chain = shown(stage, VOUCHED).await;
    assert_eq!(certificates(&chain).len(), 2);
    assert!(is_believed(organisation, &chain, HOST));
    let published = published(stage, VOUCHED).await;
    assert_eq!(certificates(&published), certificates(organisation));
    let own = secret(NAMESPACE, ORDER, "tls.crt").unwrap();
    let route = route(stage, VOUCHED).await;
    let trusted = route["edge"]["ca"].as_str().unwrap();
    assert_eq!(certificates(trusted), certificates(&own));
    let programs = secret("pavilion-vouched", "pavilion", "tls.crt").unwrap();
    assert!(is_believed(&own, &programs, "vouched.pavilion.internal"));
}

/// The order is the operator's like all else that it makes.
async fn is_guarded(stage: &Stage) {
    let edit = json!({"spec": {"isCA": false}});
    let mallory = user(MALLORY, &[]).await;
    let edited = merge(&orders(&mallory), ORDER, &edit).await;
    assert!(refusal("an edit", edited).contains("pavilion-managed-objects"));
    let rescuer = user(MALLORY, &[BREAK_GLASS]).await;
    merge(&orders(&rescuer), ORDER, &edit).await.unwrap();
    eventually("it is put right, and cert-manager is done", async || {
        let found = orders(&stage.admin).get(ORDER).await.unwrap();
        let conditions = found.data["status"]["conditions"].as_array().unwrap();
        let is = |type_: &str| {
            let mut found = conditions.iter().filter(|one| one["type"] == type_);
            found.any(|one| one["status"] == "True")
        };
        found.data["spec"]["isCA"] == true && is("Ready") && !is("Issuing")
    })
    .await;
    until(stage, VOUCHED, "TrustRootReady", "True Ready", ORGANISATION).await;
}

/// A renewed authority has the same key: what it signed before is shown on, with the new certificate above it.
async fn is_renewed_in_place(stage: &Stage, cert_manager: &CertManager) {
    let (before, edge) = (shown(stage, VOUCHED).await, route(stage, VOUCHED).await);
    cert_manager.renew(NAMESPACE, ORDER).unwrap();
    eventually("the renewed one is shown", async || {
        let now = certificates(&shown(stage, VOUCHED).await);
        let before = certificates(&before);
        now[0] == before[0] && now[1] != before[1]
    })
    .await;
    let now = route(stage, VOUCHED).await;
    assert_eq!(now["edge"]["chain"], edge["edge"]["chain"]);
}

/// Neither the order nor what came of it is there.
async fn is_nothing_asked(stage: &Stage) -> bool {
    let secrets = api(&stage.admin, "Secret", Some(NAMESPACE));
    let order = orders(&stage.admin).get_opt(ORDER).await.unwrap();
    order.is_none() && secrets.get_opt(ORDER).await.unwrap().is_none()
}

/// The issuer is taken away from a live tenant.
async fn gets_a_root_of_its_own(stage: &Stage, organisation: &str) {
    apply_tenant(VOUCHED, "standard", &json!({"hosts": [HOST]}));
    eventually("a root of its own takes its place", async || {
        let published = published(stage, VOUCHED).await;
        certificates(&published).len() == 1
            && certificates(&published) != certificates(organisation)
            && is_believed(&published, &shown(stage, VOUCHED).await, HOST)
            && condition(stage, VOUCHED, "TrustRootReady").await.is_empty()
    })
    .await;
    let gone = "what cert-manager gave is gone";
    eventually(gone, async || is_nothing_asked(stage).await).await;
}

#[tokio::test]
async fn a_tenants_authority_comes_from_the_issuer_that_its_plan_names_and_goes_with_the_tenant() {
    let stage = Stage::set().await;
    CertManager::remove().unwrap();
    forget(VOUCHED).await;
    let operator = Operator::leading(&stage.admin, "authority").await;
    apply_plan();
    apply_tenant(VOUCHED, PLAN, &json!({"hosts": [HOST]}));
    let (root, pending) = ("TrustRootReady", "False TrustRootPending");
    until(&stage, VOUCHED, root, pending, "not installed").await;
    until(&stage, VOUCHED, "Ready", pending, "not installed").await;
    let sets = api(&stage.admin, "StatefulSet", Some("pavilion-vouched"));
    assert!(sets.get_opt("data-plane").await.unwrap().is_none());

    let cert_manager = CertManager::start().unwrap();
    let words = "cert-manager says DoesNotExist";
    until(&stage, VOUCHED, root, pending, words).await;
    let organisation = cert_manager.organisation().unwrap();
    until(&stage, VOUCHED, root, "True Ready", ORGANISATION).await;
    assert!(sets.get_opt("data-plane").await.unwrap().is_some());
    leads_to_the_organisation(&stage, &organisation).await;
    is_guarded(&stage).await;
    is_renewed_in_place(&stage, &cert_manager).await;
    gets_a_root_of_its_own(&stage, &organisation).await;
    apply_tenant(VOUCHED, PLAN, &json!({"hosts": [HOST]}));
    until(&stage, VOUCHED, root, "True Ready", ORGANISATION).await;
    leads_to_the_organisation(&stage, &organisation).await;
    // While its namespace is being deleted under it, a look at it may fail.
    let failures = operator.count("round_failures_total").await;
    assert_eq!(failures, 0, "{}", operator.said());

    destroy(VOUCHED).await;
    assert!(is_nothing_asked(&stage).await);
    let secrets = api(&stage.admin, "Secret", Some(NAMESPACE));
    assert!(secrets.get_opt("tenant-vouched").await.unwrap().is_none());
    let plans = api(&stage.admin, "Plan", None);
    plans.delete(PLAN, &DeleteParams::default()).await.unwrap();
}

#[tokio::test]
async fn the_certificate_of_a_tenants_hosts_is_taken_from_its_secret_and_one_of_no_use_leaves_the_one_before()
 {
    let (tenant, namespace, host) = ("hosts", "pavilion-hosts", "hosts.example");
    let stage = Stage::set().await;
    let cert_manager = CertManager::start().unwrap();
    let organisation = cert_manager.organisation().unwrap();
    let _operator = Operator::leading(&stage.admin, "hosts").await;
    let ingress = json!({"hosts": [host], "tls": {"secretName": "pavilion-tls"}});
    apply_tenant(tenant, "standard", &ingress);
    let invalid = "False CertificateInvalid";
    until(&stage, tenant, "CertificateValid", invalid, "no Secret").await;
    let shown = async || shown(&stage, tenant).await;
    let own = published(&stage, tenant).await;
    assert!(
        is_believed(&own, &shown().await, host),
        "its own serves meanwhile"
    );

    let spec = json!({
        "secretName": "pavilion-tls", "dnsNames": [host],
        "issuerRef": {"name": ORGANISATION, "kind": "ClusterIssuer"},
    });
    cert_manager.certificate(namespace, "hosts", &spec).unwrap();
    until(&stage, tenant, "CertificateValid", "True", "").await;
    let first = shown().await;
    assert!(is_believed(&organisation, &first, host));
    cert_manager.renew(namespace, "hosts").unwrap();
    eventually("the renewed one is shown", async || shown().await != first).await;
    let renewed = shown().await;
    assert!(is_believed(&organisation, &renewed, host));

    // By hand, when nobody renews it any more.
    let orders = api(&stage.admin, "Certificate", Some(namespace));
    orders
        .delete("hosts", &DeleteParams::default())
        .await
        .unwrap();
    let secrets = api(&stage.admin, "Secret", Some(namespace));
    let edit = json!({"stringData": {"tls.key": "not a key"}});
    merge(&secrets, "pavilion-tls", &edit).await.unwrap();
    until(&stage, tenant, "CertificateValid", invalid, "tls.key").await;
    until(&stage, tenant, "Ready", invalid, "tls.key").await;
    assert_eq!(shown().await, renewed);
    let names = [host, "other.example"];
    let more = json!({"hosts": names, "tls": {"secretName": "pavilion-tls"}});
    apply_tenant(tenant, "standard", &more);
    eventually(
        "its own serves the hosts that the one before does not name",
        async || {
            let shown = shown().await;
            names.iter().all(|host| is_believed(&own, &shown, host))
        },
    )
    .await;
    apply_tenant(tenant, "standard", &json!({"hosts": names}));
    until(&stage, tenant, "CertificateValid", "True", "").await;
    destroy(tenant).await;
}

//! Routes, from the objects they are made of to a router.
#![allow(clippy::print_stdout)]

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use k8s_openapi::{
    ByteString,
    api::core::v1::{Pod, Secret},
};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use pavilion_bundle::{Closed, HostName, Named, RouteTable};
use pavilion_json::Digest;
use pavilion_operator::trust_root::{Side, TrustRoot};
use pavilion_process::{
    mutual_tls::{self, Credentials, Protocol, client_config},
    stream::Stream,
};
use pavilion_rpc::{
    network,
    routes::{FollowRequest, Part, Seen, part::Part as Kind, routes_client::RoutesClient},
};
use rustix::process::Signal;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use tonic::Streaming;
use zeroize::Zeroizing;

use crate::stage::{Operator, PATIENCE, Stage, eventually, host};

const OPERATOR: &str = "operator.pavilion.internal";
const IDENTITY: &str = "pavilion-router-identity";

/// A router, as far as the operator sees it.
struct Router {
    parts: Streaming<Part>,
    files: HashSet<Digest>,
    bytes: Vec<u8>,
    table: Option<Named<RouteTable>>,
    seen: Seen,
}

impl Router {
    async fn follow(stage: &Stage, operator: &Operator) -> Self {
        let config = config(stage, IDENTITY).await;
        let address = listening(operator).await;
        let (channel, _) = network::connect(&address, &name(), &config).await.unwrap();
        let mut client = RoutesClient::new(channel);
        let answer = client.follow(FollowRequest::default()).await.unwrap();
        Self {
            parts: answer.into_inner(),
            files: HashSet::new(),
            bytes: Vec::new(),
            table: None,
            seen: Seen::default(),
        }
    }

    /// Takes states until one is like this.
    async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let taking = async {
            while self.table.is_none() || !is_so(self) {
                let part = self.parts.message().await.unwrap().unwrap().part.unwrap();
                self.take(part);
            }
        };
        let taken = tokio::time::timeout(PATIENCE, taking).await;
        assert!(taken.is_ok(), "never: {what}");
    }

    fn take(&mut self, part: Kind) {
        match part {
            Kind::Files(files) => {
                let digests = files.contents.iter().map(|content| Digest::of(content));
                self.files.extend(digests);
            }
            Kind::Table(piece) => self.bytes.extend_from_slice(&piece),
            Kind::State(state) => {
                if !self.bytes.is_empty() {
                    let table = Named::read(&std::mem::take(&mut self.bytes)).unwrap();
                    self.table = Some(table);
                }
                let digest = self.table.as_ref().unwrap().digest();
                assert_eq!(state.table, &digest.as_bytes()[..]);
                self.seen = state.seen.unwrap();
            }
        }
    }

    fn table(&self) -> &RouteTable {
        self.table.as_ref().unwrap().document()
    }

    /// The hosts whose requests are passed on.
    fn hosts(&self) -> Vec<&str> {
        let routes = self.table().routes.iter();
        let open = routes.filter(|route| route.closed.is_none());
        open.map(|route| route.host.as_str()).collect()
    }

    /// Why the first host is closed.
    fn closed(&self) -> Option<Closed> {
        self.table().routes.first().and_then(|route| route.closed)
    }
}

fn name() -> ServerName<'static> {
    ServerName::try_from(OPERATOR).unwrap()
}

/// Where a replica tells its routes.
async fn listening(operator: &Operator) -> String {
    let mut address = String::new();
    eventually("the replica takes routers", async || {
        let status = operator.get("status").await;
        let status: Value = serde_json::from_str(&status).unwrap_or_default();
        let said = status["detail"]["listen"].as_str().unwrap_or_default();
        said.clone_into(&mut address);
        !address.is_empty()
    })
    .await;
    address
}

fn secrets(stage: &Stage) -> Api<Secret> {
    Api::namespaced(stage.client.clone(), &stage.namespace)
}

/// What a Secret of the operator's namespace holds under a name.
async fn text(stage: &Stage, secret: &str, name: &str) -> String {
    let mut text = String::new();
    eventually(secret, async || {
        let found = secrets(stage).get_opt(secret).await.unwrap();
        let bytes = found.and_then(|secret| secret.data?.remove(name));
        let bytes = bytes.map(|ByteString(bytes)| String::from_utf8(bytes).unwrap());
        text = bytes.unwrap_or_default();
        !text.is_empty()
    })
    .await;
    text
}

/// How whoever has that Secret connects.
async fn config(stage: &Stage, secret: &str) -> Arc<ClientConfig> {
    let ca = text(stage, secret, "ca.crt").await;
    let certificate = text(stage, secret, "tls.crt").await;
    let key = text(stage, secret, "tls.key").await;
    let given = Credentials::given(ca.as_bytes(), certificate.as_bytes(), key.as_bytes());
    client_config(&given.unwrap().speaking(Protocol::Http2)).unwrap()
}

/// A tenant's Secret; returns its resource version.
async fn keyring(stage: &Stage, tenant: &str, change: impl FnOnce(&mut Value)) -> u64 {
    let now = Timestamp::now();
    let root = TrustRoot::make(tenant, now).unwrap();
    let leaf = |side, name: &str| {
        let names: [HostName; 1] = [name.parse().unwrap()];
        root.sign(side, &names, now).unwrap()
    };
    let shown = leaf(Side::Server, &host(tenant));
    let edge = leaf(Side::Client, "router.pavilion.internal");
    let mut route = json!({
        "tenant": tenant, "hosts": [host(tenant)], "requestClientCertificate": false,
        "maxBodyBytes": 262_144, "suspended": false,
        "serverName": format!("{tenant}.pavilion.internal"),
        "certificate": {"chain": shown.chain, "key": *shown.key},
        "edge": {"ca": root.certificate(), "chain": edge.chain, "key": *edge.key},
    });
    change(&mut route);
    let secret = format!("tenant-{tenant}");
    let object = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": secret, "labels": {
            "app.kubernetes.io/managed-by": "pavilion-operator",
            "pavilion.dev/tenant": tenant, "pavilion.dev/role": "keyring"}},
        "stringData": {"route.json": route.to_string(), "keyring.json": "a root key"},
    });
    let params = PatchParams::apply("test").force();
    let api = secrets(stage);
    let applied = api.patch(&secret, &params, &Patch::Apply(&object)).await;
    version(applied.unwrap().metadata.resource_version)
}

fn version(text: Option<String>) -> u64 {
    text.unwrap().parse().unwrap()
}

fn pods(stage: &Stage, tenant: &str) -> Api<Pod> {
    Api::namespaced(stage.client.clone(), &format!("pavilion-{tenant}"))
}

/// A tenant's pod that no node ever gets.
async fn pod(stage: &Stage, tenant: &str) {
    stage
        .namespace_with(&format!("pavilion-{tenant}"), json!({}))
        .await;
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "data-plane-0", "labels": {
            "app.kubernetes.io/name": "pavilion", "app.kubernetes.io/component": "data-plane",
            "app.kubernetes.io/managed-by": "pavilion-operator", "pavilion.dev/tenant": tenant}},
        "spec": {"schedulerName": "nobody", "automountServiceAccountToken": false,
            "containers": [{"name": "verifier", "image": "pavilion.local/verifier:0"}]},
    }))
    .unwrap();
    let api = pods(stage, tenant);
    // Not before its namespace has an account for pods.
    eventually("the pod is there", async || {
        api.create(&PostParams::default(), &pod).await.is_ok()
    })
    .await;
}

/// Says of a tenant's pod what a kubelet would; returns its resource version.
async fn report(stage: &Stage, tenant: &str, ready: &str) -> u64 {
    let (now, before) = (Timestamp::now(), Timestamp::now() - Duration::from_mins(1));
    let status = json!({"status": {
        "phase": "Running", "podIP": "10.1.2.3", "podIPs": [{"ip": "10.1.2.3"}],
        "conditions": [
            {"type": "Initialized", "status": "True", "lastTransitionTime": before.to_string()},
            {"type": "Ready", "status": ready, "lastTransitionTime": now.to_string()}],
    }});
    let api = pods(stage, tenant);
    let patch = Patch::Merge(&status);
    let params = PatchParams::default();
    let patched = api.patch_status("data-plane-0", &params, &patch).await;
    version(patched.unwrap().metadata.resource_version)
}

#[tokio::test]
async fn a_secret_and_a_pod_come_to_a_route_that_every_replica_tells_alike() {
    let stage = Stage::set().await;
    let (one, two) = (stage.operator("one").await, stage.operator("two").await);
    let tenant = stage.tenant("acme");
    let secret = keyring(&stage, &tenant, |_| {}).await;
    pod(&stage, &tenant).await;
    let mut first = Router::follow(&stage, &one).await;
    let mut second = Router::follow(&stage, &two).await;
    let their_host = host(&tenant);
    first
        .until("the Secret is seen", |router| router.seen.secrets >= secret)
        .await;
    assert_eq!(
        first.closed(),
        Some(Closed::Starting),
        "the pod was never ready"
    );
    assert_eq!(first.files.len(), 2, "what the edge shows, and no more");

    let begun = Instant::now();
    let ready = report(&stage, &tenant, "True").await;
    for router in [&mut first, &mut second] {
        router
            .until("the route", |router| router.hosts() == [&their_host])
            .await;
        assert!(router.seen.secrets >= secret && router.seen.pods >= ready);
        // Of all tenants' pods the newest: one of another test may have changed since.
        assert!(router.table().version >= ready);
        assert_eq!(router.files.len(), 5);
        println!("from ready to told: {:?}", begun.elapsed());
    }
    assert_eq!(first.table().routes, second.table().routes);
    let tls = first.table().routes[0].upstreams[0].tls.clone().unwrap();
    assert_eq!(tls.address.to_string(), "10.1.2.3:8443");
    assert_eq!(
        tls.server_name.to_string(),
        format!("{tenant}.pavilion.internal")
    );

    // Unready again, it stays routed; a change of the Secret alone is a new table.
    report(&stage, &tenant, "False").await;
    let changed = keyring(&stage, &tenant, |route| route["maxBodyBytes"] = json!(7)).await;
    for router in [&mut first, &mut second] {
        router
            .until("the change", |router| router.seen.secrets >= changed)
            .await;
        assert!(router.table().version >= changed);
        assert_eq!(router.table().routes[0].max_body_bytes, 7);
        assert_eq!(router.hosts(), [&their_host]);
    }
    assert_eq!(first.table().routes, second.table().routes);
    let resting = [
        ("tenant_suspended", Closed::Suspended),
        ("tenant_hibernated", Closed::Hibernated),
    ];
    for (code, closed) in resting {
        keyring(&stage, &tenant, |route| route["closed"] = json!(code)).await;
        first
            .until(code, |router| router.closed() == Some(closed))
            .await;
        assert!(first.table().routes[0].upstreams.is_empty());
    }
    keyring(&stage, &tenant, |_| {}).await;
    first
        .until("the route again", |router| !router.hosts().is_empty())
        .await;
    let now = DeleteParams::default().grace_period(0);
    pods(&stage, &tenant)
        .delete("data-plane-0", &now)
        .await
        .unwrap();
    for router in [&mut first, &mut second] {
        router
            .until("no pod, no answer", |router| {
                router.closed() == Some(Closed::Starting)
            })
            .await;
    }
}

#[tokio::test]
async fn a_secret_that_no_route_can_be_made_of_takes_nothing_from_others() {
    let stage = Stage::set().await;
    let operator = stage.operator("one").await;
    let (good, bad) = (stage.tenant("acme"), stage.tenant("beta"));
    for tenant in [&good, &bad] {
        keyring(&stage, tenant, |_| {}).await;
        pod(&stage, tenant).await;
        report(&stage, tenant, "True").await;
    }
    let mut router = Router::follow(&stage, &operator).await;
    router
        .until("both", |router| router.hosts().len() == 2)
        .await;
    keyring(&stage, &bad, |route| {
        route["certificate"]["key"] = json!("nothing");
    })
    .await;
    router
        .until("the good one", |router| router.hosts() == [&host(&good)])
        .await;
    assert_eq!(operator.count("routes_unusable_secrets").await, 1);
}

#[tokio::test]
async fn routers_alone_are_let_in_and_a_new_certificate_needs_no_restart() {
    let stage = Stage::set().await;
    let operator = stage.operator("one").await;
    let address = listening(&operator).await;
    // Of the same root, but not a client.
    let stranger = config(&stage, "pavilion-operator-identity").await;
    let (channel, _) = network::connect(&address, &name(), &stranger)
        .await
        .unwrap();
    let refused = RoutesClient::new(channel)
        .follow(FollowRequest::default())
        .await;
    assert!(refused.is_err());

    let certificate = text(&stage, "pavilion-control-root", "ca.crt").await;
    let key = text(&stage, "pavilion-control-root", "ca.key").await;
    let root = TrustRoot::from_pem("pavilion control", certificate, Zeroizing::new(key));
    let names: [HostName; 1] = [OPERATOR.parse().unwrap()];
    let leaf = root.sign(Side::Server, &names, Timestamp::now()).unwrap();
    let renewed = json!({"stringData": {"tls.crt": leaf.chain, "tls.key": *leaf.key}});
    let shown = async || {
        let config = config(&stage, IDENTITY).await;
        let place = address.parse().unwrap();
        match mutual_tls::connect(place, name(), config).await.unwrap() {
            Stream::Tls(stream) => stream.get_ref().1.peer_certificates().unwrap()[0].to_vec(),
            Stream::Unix(_) => panic!("another kind of connection"),
        }
    };
    let before = shown().await;
    let (params, patch) = (PatchParams::default(), Patch::Merge(&renewed));
    let api = secrets(&stage);
    api.patch("pavilion-operator-identity", &params, &patch)
        .await
        .unwrap();
    eventually("the new certificate is shown", async || {
        shown().await != before
    })
    .await;
    Router::follow(&stage, &operator)
        .await
        .until("a state", |_| true)
        .await;
}

#[tokio::test]
async fn the_next_replica_that_writes_keeps_the_root_and_the_stream_goes_on() {
    let stage = Stage::set().await;
    let first = stage.operator_with_short_lease("one").await;
    eventually("the first replica writes", async || first.leads().await).await;
    let root = text(&stage, "pavilion-control-root", "ca.crt").await;
    let second = stage.operator("two").await;
    let mut router = Router::follow(&stage, &second).await;
    router.until("a state", |_| true).await;
    first.signal(Signal::KILL);
    eventually("the second replica writes", async || second.leads().await).await;
    let tenant = stage.tenant("acme");
    keyring(&stage, &tenant, |_| {}).await;
    pod(&stage, &tenant).await;
    report(&stage, &tenant, "True").await;
    router
        .until("the route", |router| router.hosts() == [&host(&tenant)])
        .await;
    assert_eq!(text(&stage, "pavilion-control-root", "ca.crt").await, root);
    assert_eq!(text(&stage, IDENTITY, "ca.crt").await, root);
}

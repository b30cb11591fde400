//! Whom the pods of a tenant reach, and who reaches them, where network policy is enforced: from the first moment of
//! a pod on. Probes with the labels of the data plane stand for it: a policy knows pods by their labels.

use k8s_openapi::api::core::v1::{Node, Pod, Service};
use kube::{
    Api, Client,
    api::{ListParams, PostParams},
};
use pavilion_e2e_charts::NAMESPACE;
use pavilion_e2e_cluster::Seen;
use serde_json::{Value, json};

use crate::{
    callers::{BREAK_GLASS, user},
    objects::api,
    operator::{Operator, eventually},
    probes::{probe, reached, seen, start, tried},
    stage::{LABEL, MALLORY, Stage},
};

/// The namespace of somebody who has nothing to do with Pavilion, like a server in the internet.
const ELSEWHERE: &str = "chart-test-internet";
/// Where clouds keep the credentials of a node.
const METADATA: &str = "169.254.169.254:80";
/// Where a tenant's verifier listens.
const PORT: u16 = 8443;

/// Everybody in the cluster.
struct World {
    /// Whom no policy of ours holds: only so a probe gets into a tenant's namespace.
    rescuer: Client,
    namespace: String,
    neighbour: String,
}

/// Somebody that tries: from where, with which labels.
struct Caller {
    name: &'static str,
    from: String,
    labels: Value,
    ways: Vec<Way>,
}

/// One attempt: to whom, and whether that may be.
struct Way {
    to: &'static str,
    address: String,
    allowed: bool,
}

fn data_plane(tenant: &str) -> Value {
    json!({
        "app.kubernetes.io/name": "pavilion", "app.kubernetes.io/component": "data-plane",
        "app.kubernetes.io/managed-by": "pavilion-operator", "pavilion.dev/tenant": tenant, LABEL: "true",
    })
}

fn of_ours(component: &str) -> Value {
    json!({"app.kubernetes.io/name": "pavilion", "app.kubernetes.io/component": component, LABEL: "true"})
}

fn stranger() -> Value {
    json!({"app": "stranger", LABEL: "true"})
}

impl World {
    async fn make(stage: &Stage, operator: &Operator) -> Self {
        let namespace = stage.tenant(operator, "traffic").await;
        let neighbour = stage.tenant(operator, "traffic-neighbour").await;
        let object = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": ELSEWHERE, "labels": {LABEL: "true"}},
        });
        stage.apply("Namespace", None, ELSEWHERE, object).await;
        let world = Self {
            rescuer: user(MALLORY, &[BREAK_GLASS]).await,
            namespace,
            neighbour,
        };
        world.open_to_names(stage).await;
        stage.until_pods_can_be_made(ELSEWHERE).await;
        world
    }

    /// With a trust anchor, lists are fetched, and names resolved for that.
    async fn open_to_names(&self, stage: &Stage) {
        let key = json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "1",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        });
        let object = json!({
            "apiVersion": pavilion_crds::API_VERSION, "kind": "TrustAnchor", "metadata": {"name": "issuers"},
            "spec": {
                "credentialTypes": ["urn:eudi:pid:1"],
                "issuers": [{"issuer": "https://issuer.example", "jwks": {"keys": [key]}}],
            },
        });
        stage
            .apply("TrustAnchor", Some(&self.namespace), "issuers", object)
            .await;
        let policies = api(&stage.admin, "NetworkPolicy", Some(&self.namespace));
        eventually("names may be resolved", async || {
            policies.get_opt("to-status-lists").await.unwrap().is_some()
        })
        .await;
    }

    fn pods(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.rescuer.clone(), namespace)
    }

    /// A probe that greets; its address.
    async fn server(&self, namespace: &str, labels: &Value, port: u16) -> String {
        let listen = format!(":{port}");
        let pod = probe("server", labels, &["serve", &listen]);
        let pod = start(&self.pods(namespace), &pod, "Running").await;
        format!("{}{listen}", pod.status.unwrap().pod_ip.unwrap())
    }

    /// Something that listens where the metadata of a cloud would be.
    async fn metadata(&self) {
        let mut pod = probe("metadata", &stranger(), &["serve", METADATA]);
        let spec = pod.spec.as_mut().unwrap();
        spec.host_network = Some(true);
        spec.security_context = None;
        spec.containers[0].security_context =
            serde_json::from_value(json!({"runAsUser": 0})).unwrap();
        start(&self.pods(ELSEWHERE), &pod, "Running").await;
    }

    async fn service(&self, namespace: &str, name: &str) -> Service {
        let services: Api<Service> = Api::namespaced(self.rescuer.clone(), namespace);
        services.get(name).await.unwrap()
    }

    async fn node(&self) -> String {
        let nodes: Api<Node> = Api::all(self.rescuer.clone());
        let node = nodes
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .remove(0);
        let addresses = node.status.unwrap().addresses.unwrap();
        let mut addresses = addresses.into_iter();
        let inside = addresses.find(|address| address.type_ == "InternalIP");
        inside.unwrap().address
    }

    async fn tries(&self, caller: &Caller) -> Vec<Seen> {
        let ways = caller.ways.iter();
        let ways: Vec<(String, bool)> =
            ways.map(|way| (way.address.clone(), way.allowed)).collect();
        let (pods, who) = (self.pods(&caller.from), (caller.name, &caller.labels));
        tried(&pods, who, "3s", &ways, |seen| seen.connected).await
    }

    /// All ways from the tenant's pods, and who may come to them.
    async fn callers(&self) -> Vec<Caller> {
        let neighbour = self
            .server(&self.neighbour, &data_plane("traffic-neighbour"), PORT)
            .await;
        let own = self
            .server(&self.namespace, &data_plane("traffic"), PORT)
            .await;
        let internet = self.server(ELSEWHERE, &stranger(), 443).await;
        self.metadata().await;
        let address = |service: Service| service.spec.unwrap().cluster_ip.unwrap();
        let api_server = address(self.service("default", "kubernetes").await);
        let names = address(self.service("kube-system", "kube-dns").await);
        let node = self.node().await;
        let outside = [
            ("another tenant", neighbour.clone()),
            ("the internet", internet.clone()),
            ("the API server", format!("{api_server}:443")),
            ("the kubelet", format!("{node}:10250")),
            ("the metadata of a cloud", METADATA.to_owned()),
        ];
        let way = |to, address: &str, allowed| Way {
            to,
            address: address.to_owned(),
            allowed,
        };
        let caller = |name, from: &str, labels, ways| Caller {
            name,
            from: from.to_owned(),
            labels,
            ways,
        };
        let mut from_tenant: Vec<Way> = outside
            .iter()
            .map(|(to, address)| way(to, address, false))
            .collect();
        from_tenant.push(way("its own pod", &own, false));
        from_tenant.push(way("names", &format!("{names}:53"), true));
        // That all of it is there to be reached shows somebody whom no policy holds.
        let mut from_stranger: Vec<Way> = outside
            .iter()
            .map(|(to, address)| way(to, address, *to != "another tenant"))
            .collect();
        from_stranger.push(way("the tenant", &own, false));
        let from_router = vec![
            way("the tenant", &own, true),
            way("another tenant", &neighbour, true),
        ];
        vec![
            caller(
                "caller",
                &self.namespace,
                data_plane("traffic"),
                from_tenant,
            ),
            caller("caller", ELSEWHERE, stranger(), from_stranger),
            caller(
                "caller",
                &self.neighbour,
                data_plane("traffic-neighbour"),
                vec![way("the tenant", &own, false)],
            ),
            caller("caller-router", NAMESPACE, of_ours("router"), from_router),
            caller(
                "caller-operator",
                NAMESPACE,
                of_ours("operator"),
                vec![way("the tenant", &own, false)],
            ),
        ]
    }

    /// Whether anybody but the router is greeted while a pod of the tenant's comes up.
    async fn while_it_starts(&self) -> Vec<(&'static str, Seen, bool)> {
        let services: Api<Service> = Api::namespaced(self.rescuer.clone(), &self.namespace);
        let mut labels = data_plane("traffic");
        labels["moment"] = "first".into();
        let object = json!({
            "metadata": {"name": "late"},
            "spec": {
                "selector": {"moment": "first"}, "publishNotReadyAddresses": true,
                "ports": [{"port": PORT}],
            },
        });
        let object = serde_json::from_value(object).unwrap();
        let made = services
            .create(&PostParams::default(), &object)
            .await
            .unwrap();
        let address = format!("{}:{PORT}", made.spec.unwrap().cluster_ip.unwrap());
        let watchers = [
            ("stranger", ELSEWHERE, stranger(), false),
            (
                "neighbour",
                self.neighbour.as_str(),
                data_plane("traffic-neighbour"),
                false,
            ),
            ("router", NAMESPACE, of_ours("router"), true),
        ];
        // They try before there is anybody to answer, so that no moment is missed, and for as long as a pod may take to
        // start on a busy machine.
        for (name, namespace, labels, _) in &watchers {
            let pod = probe(&format!("early-{name}"), labels, &["watch", "1m", &address]);
            let pods = self.pods(namespace);
            pods.create(&PostParams::default(), &pod).await.unwrap();
        }
        for (name, namespace, ..) in &watchers {
            reached(&self.pods(namespace), &format!("early-{name}"), "Running").await;
        }
        let listen = format!(":{PORT}");
        let late = probe("late", &labels, &["serve", &listen]);
        start(&self.pods(&self.namespace), &late, "Running").await;
        let mut all = Vec::new();
        for (name, namespace, _, allowed) in watchers {
            let seen = seen(&self.pods(namespace), &format!("early-{name}")).await;
            all.push((name, seen[0], allowed));
        }
        all
    }
}

async fn clear(stage: &Stage) {
    let probes = ListParams::default().labels(LABEL);
    let own: Api<Pod> = Api::namespaced(stage.admin.clone(), NAMESPACE);
    let params = kube::api::DeleteParams::default();
    own.delete_collection(&params, &probes).await.unwrap();
    eventually("the probes are gone", async || {
        own.list(&probes).await.unwrap().items.is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_tenants_pods_reach_nobody_from_their_first_moment_on_but_whom_they_must() {
    let stage = Stage::set().await;
    clear(&stage).await;
    let operator = Operator::leading(&stage.admin, "traffic").await;
    let world = World::make(&stage, &operator).await;
    for caller in world.callers().await {
        let seen = world.tries(&caller).await;
        for (way, seen) in caller.ways.iter().zip(seen) {
            let what = format!(
                "{} in {} to {} at {}: {seen:?}",
                caller.name, caller.from, way.to, way.address
            );
            println!(
                "{what}, which is {}allowed",
                if way.allowed { "" } else { "not " }
            );
            assert_eq!(seen.connected > 0, way.allowed, "{what}");
            assert!(seen.attempts > 50, "{what}");
        }
    }
    for (name, seen, allowed) in world.while_it_starts().await {
        println!("{name} to a pod of the tenant that starts: {seen:?}");
        assert_eq!(seen.greeted > 0, allowed, "{name}: {seen:?}");
        assert!(seen.attempts > 1_200, "{name}: {seen:?}");
    }
    clear(&stage).await;
}

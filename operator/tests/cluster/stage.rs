//! An operator under test, and the API server as its user sees it.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use k8s_openapi::{
    api::core::v1::Namespace,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    core::{ApiResource, DynamicObject, GroupVersionKind, ObjectMeta},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use crate::between::Between;

/// How long anything may take that is waited for.
pub const PATIENCE: Duration = Duration::from_mins(2);
/// How long nothing is written once all is as it stays. A busy node takes seconds from one state of a pod to the next.
const QUIET: Duration = Duration::from_secs(10);

/// How long the lease of an operator under test is good: the API server of a busy machine may be slow again and again in
/// that time.
const LEASE: &str = "15s";
/// The same where another replica is to take over while the first says nothing. As short as it is without this argument,
/// for that is the time that is promised.
const SHORT_LEASE: &str = "4s";

/// The region the operators under test are told they are in.
pub const REGION: &str = "here";

/// On every object that a test applies.
const LABEL: &str = "pavilion.dev/operator-test";

/// On every object that an operator made.
const MANAGED: &str = "app.kubernetes.io/managed-by=pavilion-operator";

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// What a test has to itself.
pub struct Stage {
    pub client: Client,
    /// The operator's namespace.
    pub namespace: String,
    /// In the names of this test's tenants.
    pub mark: String,
    _turn: MutexGuard<'static, ()>,
}

impl Stage {
    /// Waits for the others, installs the CRDs, and makes the operator's namespace.
    pub async fn set() -> Self {
        let turn = ONE_AT_A_TIME.lock().await;
        // Another test may have done so.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::try_default()
            .await
            .expect("KUBECONFIG names no API server; `e2e-cluster up` prints one that does");
        let mark = ulid::Ulid::generate().to_string().to_lowercase()[16..].to_owned();
        let stage = Self {
            namespace: format!("operator-{mark}"),
            client,
            mark,
            _turn: turn,
        };
        stage.install().await;
        stage.clear().await;
        stage
    }

    async fn install(&self) {
        let definitions: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        let params = PatchParams::apply("test").force();
        for definition in pavilion_crds::all() {
            let name = definition.name_any();
            let patch = Patch::Apply(&definition);
            definitions.patch(&name, &params, &patch).await.unwrap();
            eventually("the definition is established", async || {
                let found = definitions.get(&name).await.unwrap();
                let conditions = found.status.and_then(|status| status.conditions);
                let mut conditions = conditions.into_iter().flatten();
                conditions
                    .any(|condition| condition.type_ == "Established" && condition.status == "True")
            })
            .await;
        }
        self.apply_region(json!({"jurisdiction": "DE"})).await;
        self.apply("Plan", None, "standard", json!({})).await;
        let namespace = self.namespace.clone();
        self.namespace_with(&namespace, json!({})).await;
    }

    /// Tenants of tests before this one, also of those that failed, would be looked after as well.
    async fn clear(&self) {
        let tenants = self.api("Tenant", None);
        let ours = ListParams::default().labels(LABEL);
        // No operator runs that would let them go.
        let unmarked = json!({"metadata": {"finalizers": null}});
        for tenant in tenants.list(&ours).await.unwrap() {
            let patch = Patch::Merge(&unmarked);
            tenants
                .patch(&tenant.name_any(), &PatchParams::default(), &patch)
                .await
                .unwrap();
        }
        tenants
            .delete_collection(&DeleteParams::default(), &ours)
            .await
            .unwrap();
        eventually("the tenants of other tests are gone", async || {
            tenants.list(&ours).await.unwrap().items.is_empty()
        })
        .await;
        self.stop_pods().await;
    }

    /// What is left of tenants whose operator is away would fill the node, little by little.
    async fn stop_pods(&self) {
        let managed = ListParams::default().labels(MANAGED);
        let sets = self.api("StatefulSet", None).list(&managed).await.unwrap();
        for set in sets {
            let sets = self.api("StatefulSet", set.namespace().as_deref());
            // It may be gone by now, with its namespace.
            let _ = sets.delete(&set.name_any(), &DeleteParams::default()).await;
        }
    }

    /// A namespace that somebody else makes.
    pub async fn namespace_with(&self, name: &str, labels: Value) {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let namespace = Namespace {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                labels: serde_json::from_value(labels).unwrap(),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        api.create(&PostParams::default(), &namespace)
            .await
            .unwrap();
    }

    /// The name of a tenant of this test.
    pub fn tenant(&self, name: &str) -> String {
        format!("{name}-{}", self.mark)
    }

    /// Applies a Tenant of this region and waits until it is confined; returns its name.
    pub async fn confined(&self, name: &str) -> String {
        let tenant = self.tenant(name);
        self.apply_tenant(&tenant, REGION, &host(&tenant)).await;
        self.until(&tenant, "IsolationApplied", "True IsolationApplied")
            .await;
        tenant
    }

    /// Says what the region is that the operators under test are in.
    pub async fn apply_region(&self, spec: Value) {
        self.apply("Region", None, REGION, spec).await;
    }

    /// Applies a Tenant as its owner would.
    pub async fn apply_tenant(&self, tenant: &str, region: &str, host: &str) {
        let spec =
            json!({"regions": [region], "ingress": {"hosts": [host]}, "deletionPolicy": "Retain"});
        self.apply("Tenant", None, tenant, spec).await;
    }

    /// Applies an object of ours as its owner would.
    pub async fn apply(&self, kind: &str, namespace: Option<&str>, name: &str, spec: Value) {
        let api = self.api(kind, namespace);
        let object = json!({
            "apiVersion": pavilion_crds::API_VERSION, "kind": kind,
            "metadata": {"name": name, "labels": {LABEL: "true"}}, "spec": spec,
        });
        let params = PatchParams::apply("owner").force();
        api.patch(name, &params, &Patch::Apply(&object))
            .await
            .unwrap();
    }

    /// Objects of a kind, ours or the cluster's.
    pub fn api(&self, kind: &str, namespace: Option<&str>) -> Api<DynamicObject> {
        let resource = resource(kind);
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }

    /// Status and reason of a condition, like `False HostClaimed`; empty while there is none.
    pub async fn condition(
        &self,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
        type_: &str,
    ) -> String {
        let object = self.api(kind, namespace).get(name).await.unwrap();
        let conditions = object.data["status"]["conditions"].as_array().cloned();
        let condition = conditions
            .into_iter()
            .flatten()
            .find(|condition| condition["type"] == type_);
        condition.map_or_else(String::new, |condition| {
            format!(
                "{} {}",
                condition["status"].as_str().unwrap(),
                condition["reason"].as_str().unwrap()
            )
        })
    }

    /// Waits until a tenant's condition is this.
    pub async fn until(&self, tenant: &str, type_: &str, expected: &str) {
        eventually(&format!("{tenant}: {type_} is {expected}"), async || {
            self.condition("Tenant", None, tenant, type_).await == expected
        })
        .await;
    }

    /// Waits until the region has this many tenants, which it is told a moment after they are.
    pub async fn until_counted(&self, tenants: u64) {
        let regions = self.api("Region", None);
        eventually("the region counts its tenants", async || {
            let region = regions.get(REGION).await.unwrap();
            region.data["status"]["tenants"] == tenants
        })
        .await;
    }

    /// Starts a replica of the operator. One of the same name as one before has its lease, as a container that is started
    /// again.
    pub async fn operator(&self, identity: &str) -> Operator {
        self.operator_in(REGION, identity).await
    }

    /// Starts one that is told to be in another region.
    pub async fn operator_in(&self, region: &str, identity: &str) -> Operator {
        self.ready(region, identity, &["--lease", LEASE]).await
    }

    /// Starts one whose lease another replica takes over as soon as it is over.
    pub async fn operator_with_short_lease(&self, identity: &str) -> Operator {
        self.ready(REGION, identity, &["--lease", SHORT_LEASE])
            .await
    }

    /// Starts one that is told more about the cluster, by further arguments.
    pub async fn operator_told(&self, identity: &str, more: &[&str]) -> Operator {
        let more = [&["--lease", LEASE], more].concat();
        self.ready(REGION, identity, &more).await
    }

    async fn ready(&self, region: &str, identity: &str, more: &[&str]) -> Operator {
        let operator = Operator::launch(&self.namespace, identity, region, more);
        operator.until_ready().await;
        operator
    }

    /// Starts one whose way to the API server is another, and does not wait for it.
    pub fn operator_by(&self, way: &Between, identity: &str) -> Operator {
        let kubeconfig = way.kubeconfig().display().to_string();
        let more = ["--kubeconfig", &kubeconfig, "--lease", LEASE];
        Operator::launch(&self.namespace, identity, REGION, &more)
    }
}

fn resource(kind: &str) -> ApiResource {
    let (group, version) = match kind {
        "Region" | "Plan" | "Tenant" | "Policy" | "TrustAnchor" | "RelyingParty" => {
            ("pavilion.dev", "v1alpha1")
        }
        "CustomResourceDefinition" => ("apiextensions.k8s.io", "v1"),
        "RuntimeClass" => ("node.k8s.io", "v1"),
        "PriorityClass" => ("scheduling.k8s.io", "v1"),
        "NetworkPolicy" => ("networking.k8s.io", "v1"),
        "StatefulSet" => ("apps", "v1"),
        "Namespace" | "Pod" | "ResourceQuota" | "LimitRange" | "ServiceAccount" | "Secret"
        | "ConfigMap" => ("", "v1"),
        other => panic!("no path for {other}"),
    };
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

/// A host that no other tenant has.
pub fn host(tenant: &str) -> String {
    format!("{tenant}.example")
}

/// The spec of a trust anchor with one issuer.
pub fn trust_anchor() -> Value {
    let key = json!({
        "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "1",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    json!({
        "credentialTypes": ["urn:eudi:pid:1"],
        "issuers": [{"issuer": "https://issuer.example", "jwks": {"keys": [key]}}],
    })
}

/// A replica that runs; it is killed when dropped.
pub struct Operator {
    child: Child,
    folder: TempDir,
}

impl Operator {
    fn launch(namespace: &str, identity: &str, region: &str, more: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let health = health(&folder);
        let child = Command::new(env!("CARGO_BIN_EXE_pavilion-operator"))
            .args([
                "run",
                "--verifier-image",
                "pavilion.local/verifier:test",
                "--signer-image",
                "pavilion.local/signer:test",
                "--auditor-image",
                "pavilion.local/auditor:test",
                "--probe-image",
                "pavilion.local/probe:test",
                // There are none. Asked for again and again, the pods would never come to rest.
                "--image-pull-policy",
                "Never",
                "--region",
                region,
                "--namespace",
                namespace,
                "--identity",
                identity,
            ])
            .args([
                "--health",
                &format!("unix:{}", health.display()),
                "--log-format",
                "text",
                "--routes-listen",
                "127.0.0.1:0",
            ])
            .args(more)
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    /// Waits until it has heard of everything.
    pub async fn until_ready(&self) {
        eventually("the replica is ready", async || {
            self.get("readyz").await.contains("watches: ok")
        })
        .await;
    }

    /// A page of its health endpoint; empty while there is none.
    pub async fn get(&self, page: &str) -> String {
        let client = reqwest::Client::builder().unix_socket(health(&self.folder));
        let request = client
            .build()
            .unwrap()
            .get(format!("http://operator/{page}"));
        match request.send().await {
            Ok(answer) => answer.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// The sum of a counter over all its labels.
    pub async fn count(&self, name: &str) -> u64 {
        let metrics = self.get("metrics").await;
        let lines = metrics.lines().filter(|line| {
            let rest = line
                .strip_prefix("pavilion_")
                .and_then(|line| line.strip_prefix(name));
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
        });
        lines
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum()
    }

    /// Waits until it has written nothing for a while: the pods of new tenants have come to where they stay, which
    /// their statuses told step by step.
    pub async fn rest(&self) {
        let mut last = (self.writes().await, Instant::now());
        eventually("it comes to rest", async || {
            let writes = self.writes().await;
            if writes != last.0 {
                last = (writes, Instant::now());
            }
            last.1.elapsed() > QUIET
        })
        .await;
    }

    /// How often it wrote anything.
    async fn writes(&self) -> u64 {
        self.object_writes().await + self.status_writes().await
    }

    /// How often it wrote an object of a tenant.
    pub async fn object_writes(&self) -> u64 {
        let mut writes = 0;
        for what in ["made", "changed", "deleted"] {
            writes += self.count(&format!("objects_{what}_total")).await;
        }
        writes
    }

    /// How often it wrote a status, for which a pod that came to another state is reason enough.
    pub async fn status_writes(&self) -> u64 {
        self.count("status_writes_total").await
    }

    /// Whether it is the one that writes.
    pub async fn leads(&self) -> bool {
        self.count("leader").await == 1
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Its exit code, once it has ended.
    pub async fn code(&mut self) -> Option<i32> {
        eventually("the replica ends", async || {
            self.child.try_wait().unwrap().is_some()
        })
        .await;
        self.child.wait().unwrap().code()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where a replica tells how it is.
fn health(folder: &TempDir) -> PathBuf {
    folder.path().join("health.sock")
}

/// Waits until something holds; fails by name when it never does.
pub async fn eventually(what: &str, holds: impl AsyncFnMut() -> bool) {
    eventually_within(PATIENCE, what, holds).await;
}

/// The same for what may take another time.
pub async fn eventually_within(
    patience: Duration,
    what: &str,
    mut holds: impl AsyncFnMut() -> bool,
) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < patience, "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Deletes an object and waits until it is gone.
pub async fn delete(api: &Api<DynamicObject>, name: &str) {
    api.delete(name, &DeleteParams::default()).await.unwrap();
}

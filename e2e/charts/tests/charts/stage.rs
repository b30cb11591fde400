//! A cluster with the charts of this checkout in it, and nothing of an installation before.

use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
    core::DynamicObject,
};
use pavilion_e2e_charts::{CRDS_RELEASE, Helm, NAMESPACE, RELEASE, chart, verdict};
use serde_json::json;
use tokio::sync::{Mutex, MutexGuard};

use crate::{
    callers::{self, BREAK_GLASS, user},
    objects::api,
    operator::{Operator, eventually},
};

/// The region that the chart is told.
pub const REGION: &str = "here";

/// On everything that a test makes in the cluster.
pub const LABEL: &str = "pavilion.dev/chart-test";

/// What the operator made.
const MANAGED: &str = "app.kubernetes.io/managed-by=pavilion-operator";

/// Somebody who may do anything that roles can allow.
pub const MALLORY: &str = "chart-test-mallory";

/// Whether this process has installed the charts. Whoever holds it has the cluster.
static INSTALLED: Mutex<bool> = Mutex::const_new(false);

/// What a test has to itself.
pub struct Stage {
    /// The administrator.
    pub admin: Client,
    /// Who installed it.
    pub helm: Helm,
    installed: MutexGuard<'static, bool>,
}

/// Whom neither roles nor policies hold.
async fn rescuer() -> Client {
    user("rescuer", &["system:masters", BREAK_GLASS]).await
}

impl Stage {
    /// An installation, the one of the test before where there was one. Images are not needed: nothing is
    /// started in the cluster.
    pub async fn set() -> Self {
        let [_, helm] = Helm::both().unwrap();
        let stage = Self::empty(helm).await;
        if *stage.installed {
            stage.delete_tenants().await;
            stage.until_refused_by_policies().await;
            return stage;
        }
        stage.begin().await
    }

    /// An installation of its own, by one Helm.
    pub async fn anew(helm: Helm) -> Self {
        Self::empty(helm).await.begin().await
    }

    async fn empty(helm: Helm) -> Self {
        Self {
            installed: INSTALLED.lock().await,
            admin: callers::administrator().await,
            helm,
        }
    }

    async fn begin(mut self) -> Self {
        // Until all of this is done there is none.
        *self.installed = false;
        self.uninstall();
        self.clear().await;
        self.install(&["--take-ownership"]);
        self.give_rights_to_mallory().await;
        self.until_refused_by_policies().await;
        *self.installed = true;
        self
    }

    /// Says that the next test is to install anew.
    pub fn spoil(&mut self) {
        *self.installed = false;
    }

    /// Installs both charts.
    pub fn install(&self, of_definitions: &[&str]) {
        let crds = chart("pavilion-crds").display().to_string();
        let mut line = vec!["install", CRDS_RELEASE, &crds, "--namespace", NAMESPACE];
        line.extend(["--create-namespace", "--wait"]);
        line.extend(of_definitions);
        self.helm.succeed(&line).unwrap();
        self.pavilion("install", &[]);
    }

    /// Installs or upgrades operator and edge.
    pub fn pavilion(&self, verb: &str, settings: &[&str]) -> String {
        let pavilion = chart("pavilion").display().to_string();
        let region = format!("region.name={REGION}");
        let mut line = vec![verb, RELEASE, &pavilion, "--namespace", NAMESPACE];
        let fixed = [
            region.as_str(),
            "region.jurisdiction=DE",
            "operator.replicas=0",
            "router.replicas=0",
            "neighbour.replicas=0",
        ];
        let settings = fixed.iter().chain(settings);
        line.extend(settings.flat_map(|setting| ["--set", setting]));
        self.helm.succeed(&line).unwrap()
    }

    /// Uninstalls both charts, if they are there.
    pub fn uninstall(&self) {
        for release in [RELEASE, CRDS_RELEASE] {
            let line = ["uninstall", release, "--namespace", NAMESPACE];
            let line = line.iter().chain(&["--ignore-not-found", "--wait"]);
            let line: Vec<&str> = line.copied().collect();
            self.helm.succeed(&line).unwrap();
        }
    }

    /// Protected ones too, and none waits for an operator that does not run.
    async fn delete_tenants(&self) {
        let ours = ListParams::default().labels(LABEL);
        let tenants = api(&rescuer().await, "Tenant", None);
        let unmarked = json!({"metadata": {"finalizers": null}});
        for tenant in tenants.list(&ours).await.unwrap() {
            let (name, params) = (tenant.name_any(), PatchParams::default());
            let patch = Patch::Merge(&unmarked);
            tenants.patch(&name, &params, &patch).await.unwrap();
        }
        let params = DeleteParams::default();
        tenants.delete_collection(&params, &ours).await.unwrap();
        self.stop_pods().await;
    }

    /// What is left of tenants whose operator is away would fill the node, little by little.
    async fn stop_pods(&self) {
        let rescuer = rescuer().await;
        let managed = ListParams::default().labels(MANAGED);
        for set in api(&rescuer, "StatefulSet", None)
            .list(&managed)
            .await
            .unwrap()
        {
            let (name, namespace) = (set.name_any(), set.namespace().unwrap());
            let sets = api(&rescuer, "StatefulSet", Some(&namespace));
            // It may be gone by now, with its namespace.
            let _ = sets.delete(&name, &DeleteParams::default()).await;
        }
    }

    /// Deletes what a run before this one made.
    async fn clear(&self) {
        let ours = ListParams::default().labels(LABEL);
        let definitions = api(&self.admin, "CustomResourceDefinition", None);
        let tenants = definitions.get_opt("tenants.pavilion.dev").await.unwrap();
        if tenants.is_some() {
            self.delete_tenants().await;
        }
        self.delete_wide(&definitions).await;
        // The policies of the installation before may still be in force.
        let rescuer = rescuer().await;
        let namespaces = api(&rescuer, "Namespace", None);
        for namespace in namespaces.list(&ours).await.unwrap() {
            let (name, params) = (namespace.name_any(), DeleteParams::default());
            namespaces.delete(&name, &params).await.unwrap();
            // Nothing runs in them that would need its time to stop.
            let params = params.grace_period(0);
            let pods = api(&rescuer, "Pod", Some(&name));
            let all = ListParams::default();
            pods.delete_collection(&params, &all).await.unwrap();
        }
        eventually("the namespaces of other tests are gone", async || {
            namespaces.list(&ours).await.unwrap().items.is_empty()
        })
        .await;
    }

    /// Regions and Plans that others made: Helm would not take them for its own.
    async fn delete_wide(&self, definitions: &Api<DynamicObject>) {
        let (all, params) = (ListParams::default(), DeleteParams::default());
        for (kind, definition) in [
            ("Region", "regions.pavilion.dev"),
            ("Plan", "plans.pavilion.dev"),
        ] {
            if definitions.get_opt(definition).await.unwrap().is_some() {
                let api = api(&self.admin, kind, None);
                api.delete_collection(&params, &all).await.unwrap();
            }
        }
    }

    async fn give_rights_to_mallory(&self) {
        let object = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": MALLORY},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": MALLORY}],
        });
        self.apply("ClusterRoleBinding", None, MALLORY, object)
            .await;
    }

    /// The API server takes a moment to know a new policy.
    async fn until_refused_by_policies(&self) {
        let namespaces = api(&self.admin, "Namespace", None);
        let name = "pavilion-not-to-be";
        let labels = json!({"app.kubernetes.io/managed-by": "pavilion-operator"});
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        let params = PatchParams {
            dry_run: true,
            ..PatchParams::apply("chart-test")
        };
        eventually("the policies are in force", async || {
            let patch = Patch::Apply(&object);
            namespaces.patch(name, &params, &patch).await.is_err()
        })
        .await;
    }

    /// Applies an object as the administrator.
    pub async fn apply(
        &self,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
        object: serde_json::Value,
    ) -> DynamicObject {
        let params = PatchParams::apply("chart-test").force();
        let api = api(&self.admin, kind, namespace);
        api.patch(name, &params, &Patch::Apply(&object))
            .await
            .unwrap()
    }

    /// Waits until the cluster has done its own part for a namespace: before that it refuses every pod, whoever makes it.
    pub async fn until_pods_can_be_made(&self, namespace: &str) {
        let accounts = api(&self.admin, "ServiceAccount", Some(namespace));
        let quotas = api(&self.admin, "ResourceQuota", Some(namespace));
        eventually("pods can be made", async || {
            let quotas = quotas.list(&ListParams::default()).await.unwrap();
            let counted = quotas
                .iter()
                .all(|quota| quota.data["status"]["hard"] == quota.data["spec"]["hard"]);
            counted && accounts.get_opt("default").await.unwrap().is_some()
        })
        .await;
    }

    /// Makes a Tenant and waits until the operator confined it; the name of its namespace, in which pods can be made.
    pub async fn tenant(&self, operator: &Operator, name: &str) -> String {
        let object = json!({
            "apiVersion": pavilion_crds::API_VERSION, "kind": "Tenant",
            "metadata": {"name": name, "labels": {LABEL: "true"}},
            "spec": {"regions": [REGION], "ingress": {"hosts": [format!("{name}.example")]}},
        });
        self.apply("Tenant", None, name, object).await;
        eventually("the tenant is confined", async || {
            let tenant = api(&self.admin, "Tenant", None).get(name).await.unwrap();
            verdict(&tenant.data["status"], "IsolationApplied").starts_with("True ")
        })
        .await;
        assert_eq!(
            operator.count("round_failures_total").await,
            0,
            "{}",
            operator.said()
        );
        let namespace = format!("pavilion-{name}");
        // To be found by the next test. A label of others in a tenant's namespace is nobody's business.
        let label = json!({"metadata": {"labels": {LABEL: "true"}}});
        let namespaces = api(&self.admin, "Namespace", None);
        let params = PatchParams::default();
        let patch = Patch::Merge(&label);
        namespaces.patch(&namespace, &params, &patch).await.unwrap();
        self.until_pods_can_be_made(&namespace).await;
        namespace
    }
}

//! Tenants of a test, with the statuses that an operator would give them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use jiff::{Timestamp, ToSpan};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::{Run, finished};

/// A test's own tenants and its own namespace for the operator's Lease.
pub struct Stage {
    client: Client,
    /// In every name of this test.
    pub mark: String,
    made: Vec<String>,
    dir: TempDir,
}

impl Stage {
    /// Installs the CRDs and makes the namespace where the operator would be.
    pub async fn set() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::try_default()
            .await
            .expect("KUBECONFIG names no API server; `e2e-cluster up` prints one that does");
        let mark = ulid::Ulid::generate().to_string().to_lowercase()[16..].to_owned();
        let stage = Self {
            client,
            mark,
            made: Vec::new(),
            dir: tempfile::tempdir().unwrap(),
        };
        let definitions: Api<CustomResourceDefinition> = Api::all(stage.client.clone());
        for definition in pavilion_crds::all() {
            apply(&definitions, &definition.name_any(), &definition).await;
        }
        stage.established(&definitions).await;
        stage.namespace(&stage.operator_namespace()).await;
        stage
    }

    async fn established(&self, definitions: &Api<CustomResourceDefinition>) {
        let begun = Instant::now();
        for definition in pavilion_crds::all() {
            loop {
                let found = definitions.get(&definition.name_any()).await.unwrap();
                let conditions = found.status.and_then(|status| status.conditions);
                let mut conditions = conditions.into_iter().flatten();
                if conditions.any(|c| c.type_ == "Established" && c.status == "True") {
                    break;
                }
                assert!(
                    begun.elapsed() < Duration::from_secs(30),
                    "never established"
                );
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    async fn namespace(&self, name: &str) {
        let api: Api<Namespace> = Api::all(self.client.clone());
        // Where the charts' admission policies are at work, nothing else lets it go again.
        let metadata =
            json!({"name": name, "annotations": {"pavilion.dev/confirm-deletion": name}});
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
        apply(&api, name, &object).await;
    }

    /// The namespace of this test's operator.
    pub fn operator_namespace(&self) -> String {
        format!("cli-{}", self.mark)
    }

    /// A tenant's name in this test.
    pub fn tenant(&self, name: &str) -> String {
        format!("{name}-{}", self.mark)
    }

    /// A Tenant with this status, and its namespace.
    pub async fn with_tenant(&mut self, name: &str, status: Value) -> String {
        let tenant = self.tenant(name);
        self.made.push(tenant.clone());
        self.namespace(&format!("pavilion-{tenant}")).await;
        let spec =
            json!({"regions": ["here"], "ingress": {"hosts": [format!("{tenant}.example")]}});
        self.object("Tenant", None, &tenant, spec, status).await;
        tenant
    }

    /// A Policy with this status.
    pub async fn with_policy(&self, tenant: &str, name: &str, status: Value) {
        let spec = json!({
            "purposes": ["sale"], "rule": {"presented": "pid"},
            "evidence": [{"id": "pid", "format": "dc+sd-jwt", "types": ["urn:eudi:pid:1"], "trust": ["x"]}],
        });
        let namespace = format!("pavilion-{tenant}");
        self.object("Policy", Some(&namespace), name, spec, status)
            .await;
    }

    async fn object(
        &self,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
        spec: Value,
        status: Value,
    ) {
        let kind_of_ours = GroupVersionKind::gvk(pavilion_crds::GROUP, "v1alpha1", kind);
        let resource = ApiResource::from_gvk(&kind_of_ours);
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        let object = |member: &str, value: Value| {
            json!({"apiVersion": pavilion_crds::API_VERSION, "kind": kind,
                "metadata": {"name": name}, member: value})
        };
        apply(&api, name, &object("spec", spec)).await;
        let params = PatchParams::apply("test-status").force();
        let patch = object("status", status);
        api.patch_status(name, &params, &Patch::Apply(&patch))
            .await
            .unwrap();
    }

    /// A replica that leads, for an hour at least.
    pub async fn with_leader(&self, identity: &str) {
        let now = Timestamp::now();
        let time = |time: Timestamp| format!("{time:.6}");
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "pavilion-operator"},
            "spec": {"holderIdentity": identity, "leaseDurationSeconds": 3600, "leaseTransitions": 1,
                "acquireTime": time(now - 2.hours()), "renewTime": time(now)},
        });
        let api: Api<Lease> = Api::namespaced(self.client.clone(), &self.operator_namespace());
        apply(&api, "pavilion-operator", &lease).await;
    }

    /// Runs the plugin with this test's operator namespace.
    pub fn run(&self, args: &[&str]) -> Run {
        self.run_with(args, None)
    }

    /// The same as somebody else.
    pub fn run_as(&self, user: &str, args: &[&str]) -> Run {
        self.run_with(args, Some(self.kubeconfig_of(user)))
    }

    fn run_with(&self, args: &[&str], kubeconfig: Option<PathBuf>) -> Run {
        let mut command = Command::cargo_bin("kubectl-pavilion").unwrap();
        command.env("TZ", "UTC").args(args);
        command.args(["--operator-namespace", &self.operator_namespace()]);
        if let Some(path) = kubeconfig {
            command.env("KUBECONFIG", path);
        }
        finished(&mut command)
    }

    /// The same cluster, with a user that is impersonated.
    fn kubeconfig_of(&self, user: &str) -> PathBuf {
        let mut kubeconfig = kube::config::Kubeconfig::read().unwrap();
        for auth in &mut kubeconfig.auth_infos {
            let info = auth.auth_info.as_mut().unwrap();
            info.impersonate = Some(user.to_owned());
        }
        let path = self.dir.path().join(user);
        std::fs::write(&path, serde_saphyr::to_string(&kubeconfig).unwrap()).unwrap();
        path
    }

    /// Takes away what the test made.
    pub async fn clear(self) {
        let tenants: Api<DynamicObject> = Api::all_with(
            self.client.clone(),
            &ApiResource::erase::<pavilion_crds::Tenant>(&()),
        );
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let gone = DeleteParams::default();
        for tenant in &self.made {
            tenants.delete(tenant, &gone).await.unwrap();
            namespaces
                .delete(&format!("pavilion-{tenant}"), &gone)
                .await
                .unwrap();
        }
        namespaces
            .delete(&self.operator_namespace(), &gone)
            .await
            .unwrap();
    }
}

async fn apply<K>(api: &Api<K>, name: &str, object: &(impl serde::Serialize + std::fmt::Debug))
where
    K: Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let params = PatchParams::apply("test").force();
    api.patch(name, &params, &Patch::Apply(object))
        .await
        .unwrap();
}

/// A condition since a minute past two on a day gone by.
pub fn condition(type_: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": type_, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": "2026-01-15T14:02:00Z", "observedGeneration": 1})
}

/// The status of a tenant with these conditions.
pub fn tenant_status(conditions: &[Value]) -> Value {
    json!({"observedGeneration": 1, "conditions": conditions, "region": "here", "policies": "1/2",
        "bundle": "77ab02e", "served": {"version": 4, "digest": "sha-256:77ab02e0"},
        "dataPlane": [{"name": "signer", "ready": true, "restarts": 0}]})
}

//! The tenant under test and its neighbour, and those who act in them.

use kube::{Api, Client, api::PostParams, core::DynamicObject};
use serde_json::{Value, json};

use crate::{
    callers::{BREAK_GLASS, user},
    objects::api,
    operator::Operator,
    stage::{MALLORY, Stage},
};

const ADMIN: &str = "chart-test-benchmark-admin";

/// Two tenants, and who looks after the first.
pub struct Tenant {
    /// Of the tenant under test.
    pub namespace: String,
    /// Of its neighbour.
    pub other: String,
    /// Who looks after the tenant.
    pub admin: Client,
    /// Whom no policy of ours holds, to see what the cluster itself says.
    pub rescuer: Client,
}

impl Tenant {
    /// Makes both.
    pub async fn make(stage: &Stage, operator: &Operator) -> Self {
        let namespace = stage.tenant(operator, "benchmark").await;
        let other = stage.tenant(operator, "neighbour").await;
        for role in ["admin", "pavilion-owner"] {
            let name = format!("{ADMIN}-{role}");
            let object = binding(&name, role, ADMIN);
            stage
                .apply("RoleBinding", Some(&namespace), &name, object)
                .await;
        }
        Self {
            namespace,
            other,
            admin: user(ADMIN, &["system:authenticated"]).await,
            rescuer: user(MALLORY, &[BREAK_GLASS, "system:authenticated"]).await,
        }
    }

    /// Objects in the tenant's namespace, as its admin reaches them.
    pub fn api(&self, kind: &str) -> Api<DynamicObject> {
        api(&self.admin, kind, Some(&self.namespace))
    }

    /// Tries to make an object, without making it; what was said, in a word or two.
    pub async fn tries(&self, kind: &str, object: Value) -> String {
        word(make(&self.api(kind), object).await)
    }
}

/// A role of the cluster, given to a user in one namespace.
pub fn binding(name: &str, role: &str, to: &str) -> Value {
    let group = "rbac.authorization.k8s.io";
    json!({
        "apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": to}],
    })
}

/// Makes an object as far as the API server goes without keeping it.
pub async fn make(api: &Api<DynamicObject>, object: Value) -> Result<DynamicObject, kube::Error> {
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let object = serde_json::from_value(object).unwrap();
    api.create(&params, &object).await
}

/// An outcome in a word; a refusal is one only when it is the API server that forbids it.
pub fn word<T>(outcome: Result<T, kube::Error>) -> String {
    match outcome {
        Ok(_) => "allowed".to_owned(),
        Err(kube::Error::Api(status)) if status.code == 403 => "refused".to_owned(),
        Err(error) => error.to_string(),
    }
}

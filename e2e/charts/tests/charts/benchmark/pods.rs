//! Pods that would reach beyond themselves. A tenant's admin starts none at all; that each is refused for what it
//! asks as well is tried by somebody whom no policy of ours holds.

use serde_json::{Value, json};

use super::{
    Row,
    tenant::{Tenant, make, word},
};
use crate::objects::api;

/// Whose refusal is meant: Pod Security, which names the level that it enforces.
const BY_POD_SECURITY: &str = "violates PodSecurity \"restricted:v";
const REFUSED: &str = "refused, and by Pod Security";

fn pod(edit: impl FnOnce(&mut Value)) -> Value {
    let pod = crate::objects::pod("benchmark", json!({}));
    let mut pod = serde_json::to_value(&pod).unwrap();
    edit(&mut pod["spec"]);
    pod
}

/// Tries some pods in both ways; each must be refused in both.
async fn refused(tenant: &Tenant, pods: Vec<Value>) -> Row {
    let whole = make(&pods_of_rescuer(tenant), pod(|_| {})).await;
    if let Err(error) = whole {
        return Row::new(REFUSED, format!("also one that asks for nothing: {error}"));
    }
    for pod in pods {
        let seen = tenant.tries("Pod", pod.clone()).await;
        if seen != "refused" {
            return Row::new(REFUSED, seen);
        }
        let said = match make(&pods_of_rescuer(tenant), pod).await {
            Ok(_) => "allowed to whoever breaks the glass".to_owned(),
            Err(error) => error.to_string(),
        };
        if !said.contains(BY_POD_SECURITY) {
            return Row::new(REFUSED, said);
        }
    }
    Row::new(REFUSED, REFUSED)
}

fn pods_of_rescuer(tenant: &Tenant) -> kube::Api<kube::core::DynamicObject> {
    api(&tenant.rescuer, "Pod", Some(&tenant.namespace))
}

/// One field of the only container.
fn container(field: &'static str, value: Value) -> Value {
    pod(|spec| spec["containers"][0]["securityContext"][field] = value)
}

pub async fn capabilities(tenant: &Tenant) -> Row {
    let more = json!({"drop": ["ALL"], "add": ["SYS_TIME"]});
    refused(tenant, vec![container("capabilities", more)]).await
}

pub async fn gaining_privileges(tenant: &Tenant) -> Row {
    let may = container("allowPrivilegeEscalation", true.into());
    let unsaid = container("allowPrivilegeEscalation", Value::Null);
    refused(tenant, vec![may, unsaid]).await
}

pub async fn privileged(tenant: &Tenant) -> Row {
    let pod = pod(|spec| {
        let context = &mut spec["containers"][0]["securityContext"];
        context["privileged"] = true.into();
        context["allowPrivilegeEscalation"] = true.into();
    });
    refused(tenant, vec![pod]).await
}

fn with_folder(propagation: Option<&str>) -> Value {
    pod(|spec| {
        spec["volumes"] = json!([{"name": "node", "hostPath": {"path": "/"}}]);
        let mount = json!({"name": "node", "mountPath": "/node", "mountPropagation": propagation});
        spec["containers"][0]["volumeMounts"] = json!([mount]);
        if propagation.is_some() {
            let context = &mut spec["containers"][0]["securityContext"];
            context["privileged"] = true.into();
            context["allowPrivilegeEscalation"] = true.into();
        }
    })
}

pub async fn bind_mount(tenant: &Tenant) -> Row {
    refused(tenant, vec![with_folder(Some("Bidirectional"))]).await
}

pub async fn host_path(tenant: &Tenant) -> Row {
    refused(tenant, vec![with_folder(None)]).await
}

pub async fn host_ipc(tenant: &Tenant) -> Row {
    refused(tenant, vec![pod(|spec| spec["hostIPC"] = true.into())]).await
}

pub async fn host_pid(tenant: &Tenant) -> Row {
    refused(tenant, vec![pod(|spec| spec["hostPID"] = true.into())]).await
}

pub async fn host_network(tenant: &Tenant) -> Row {
    let network = pod(|spec| spec["hostNetwork"] = true.into());
    let port = json!([{"containerPort": 8080, "hostPort": 8080}]);
    let port = pod(|spec| spec["containers"][0]["ports"] = port);
    refused(tenant, vec![network, port]).await
}

pub async fn root(tenant: &Tenant) -> Row {
    let user = pod(|spec| spec["securityContext"]["runAsUser"] = 0.into());
    let unsaid = pod(|spec| spec["securityContext"]["runAsNonRoot"] = Value::Null);
    refused(tenant, vec![user, unsaid]).await
}

/// The benchmark wants `imagePullPolicy: Always`, so that a tenant cannot start a private image of another's that
/// the node has.
pub async fn image_of_the_node(tenant: &Tenant) -> Row {
    let pod = pod(|spec| spec["containers"][0]["imagePullPolicy"] = "IfNotPresent".into());
    let pod = word(make(&tenant.api("Pod"), pod).await);
    Row::new("refused", pod).with(
        "a pull policy is not required: who looks after a tenant starts no pod, so names no image; \
         nothing_runs_in_the_namespace_of_a_tenant_but_what_the_operator_put_there",
    )
}

//! Whether operator and edge are installed and run, and who leads.

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, ListParams};

use super::Line;
use crate::cluster::{Cluster, Leader, Trouble, USUAL_NAMESPACE};

/// What the charts label their Deployments with.
const LABEL: &str = "app.kubernetes.io/name=pavilion";
const COMPONENT: &str = "app.kubernetes.io/component";
const VERSION: &str = "app.kubernetes.io/version";
const INSTALL: &str = "helm install pavilion charts/pavilion --namespace pavilion-system --create-namespace --set region.name=NAME,region.jurisdiction=DE";

/// A line each for the operator and the router, and the operator's arguments where they could be read.
pub async fn deployments(
    cluster: &Cluster,
    namespace: Option<&str>,
    leader: &Leader,
) -> (Vec<Line>, Option<Vec<String>>) {
    let found = match list(cluster, namespace).await {
        Ok(found) => found,
        Err(trouble) => return (vec![Line::unseen("Deployments", &trouble)], None),
    };
    let arguments = of(&found, "operator").next().map(arguments);
    let lines = vec![operator(&found, leader), component(&found, "router")];
    (lines, arguments)
}

async fn list(cluster: &Cluster, namespace: Option<&str>) -> Result<Vec<Deployment>, Trouble> {
    let labelled = ListParams::default().labels(LABEL);
    let within = |namespace: &str| Api::<Deployment>::namespaced(cluster.client(), namespace);
    if let Some(namespace) = namespace {
        return Ok(cluster.ask(within(namespace).list(&labelled)).await?.items);
    }
    let everywhere: Api<Deployment> = Api::all(cluster.client());
    match cluster.ask(everywhere.list(&labelled)).await {
        Ok(found) => Ok(found.items),
        // Those that are where they usually are count; that none are there says nothing of elsewhere.
        Err(Trouble::Forbidden(why)) => {
            let usual = cluster.ask(within(USUAL_NAMESPACE).list(&labelled)).await;
            let usual = usual.map(|found| found.items).unwrap_or_default();
            if usual.is_empty() {
                Err(Trouble::Forbidden(why))
            } else {
                Ok(usual)
            }
        }
        Err(trouble) => Err(trouble),
    }
}

fn of<'a>(found: &'a [Deployment], component: &'a str) -> impl Iterator<Item = &'a Deployment> {
    found
        .iter()
        .filter(move |deployment| label(deployment, COMPONENT) == Some(component))
}

fn label<'a>(deployment: &'a Deployment, name: &str) -> Option<&'a str> {
    let labels = deployment.metadata.labels.as_ref()?;
    labels.get(name).map(String::as_str)
}

fn arguments(deployment: &Deployment) -> Vec<String> {
    let spec = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.template.spec.as_ref());
    let containers = spec.into_iter().flat_map(|spec| &spec.containers);
    containers
        .filter_map(|container| container.args.clone())
        .flatten()
        .collect()
}

/// One that leads without a Deployment runs elsewhere, and that may do.
fn operator(found: &[Deployment], leader: &Leader) -> Line {
    match leader {
        Leader::Held { identity, .. } if of(found, "operator").next().is_none() => Line::warning(
            "operator",
            format!("{identity} leads, and there is no Deployment of it"),
            "install it by its chart, unless it runs outside the cluster on purpose",
        ),
        _ => component(found, "operator"),
    }
}

fn component(found: &[Deployment], name: &str) -> Line {
    let mut deployments = of(found, name);
    let Some(deployment) = deployments.next() else {
        return Line::failed(name, "is not installed", INSTALL);
    };
    if let Some(other) = deployments.next() {
        let found = format!(
            "is installed twice: {} and {}",
            place(deployment),
            place(other)
        );
        return Line::failed(
            name,
            found,
            "there is one Pavilion in a cluster: uninstall one of them",
        );
    }
    let wanted = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or(1);
    let status = deployment.status.as_ref();
    let available = status
        .and_then(|status| status.available_replicas)
        .unwrap_or(0);
    let version =
        label(deployment, VERSION).map_or_else(String::new, |version| format!(" {version}"));
    let found = format!(
        "{}{version}, {available} of {wanted} replicas available",
        place(deployment)
    );
    let namespace = deployment.metadata.namespace.as_deref().unwrap_or_default();
    let look = format!("kubectl -n {namespace} describe pods -l {LABEL},{COMPONENT}={name}");
    if available == 0 {
        Line::failed(name, found, look)
    } else if available < wanted {
        Line::warning(name, found, look)
    } else {
        Line::ok(name, found)
    }
}

fn place(deployment: &Deployment) -> String {
    let metadata = &deployment.metadata;
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    format!("{}/{}", text(&metadata.namespace), text(&metadata.name))
}

/// Who leads, since when.
pub fn leader_line(leader: &Leader) -> Line {
    let check = "leader";
    match leader {
        Leader::Held {
            namespace,
            identity,
            since,
        } => {
            let since = since.map_or_else(String::new, |since| format!(" since {since:.0}"));
            Line::ok(check, format!("{identity} in {namespace}{since}"))
        }
        Leader::Nobody(None) => Line::failed(
            check,
            "no operator has ever led here: there is no Lease pavilion-operator",
            "see the line of the operator; with --operator-namespace if it is in a namespace of another name",
        ),
        Leader::Nobody(Some(last)) => Line::failed(
            check,
            format!("nobody: {last} led last, and renews its lease no more"),
            "see the line of the operator, and the logs of its pods",
        ),
        Leader::Unseen(trouble) => Line::unseen(check, trouble),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::super::report::Outcome;
    use super::*;

    fn deployment(namespace: &str, available: i32) -> Deployment {
        serde_json::from_value(json!({
            "metadata": {"name": "pavilion-operator", "namespace": namespace,
                "labels": {COMPONENT: "operator", VERSION: "0.1.0"}},
            "spec": {"replicas": 2, "selector": {}, "template": {"spec": {"containers": [
                {"name": "operator", "args": ["run", "--storage-class=fast"]}]}}},
            "status": {"availableReplicas": available},
        }))
        .unwrap()
    }

    #[test]
    fn replicas_that_lack_are_told_from_none_at_all() {
        let outcome = |available| component(&[deployment("p", available)], "operator").outcome;
        assert_eq!(outcome(2), Outcome::Ok);
        assert_eq!(outcome(1), Outcome::Warning);
        assert_eq!(outcome(0), Outcome::Failed);
        let line = component(&[deployment("p", 2)], "operator");
        assert_eq!(
            line.found,
            "p/pavilion-operator 0.1.0, 2 of 2 replicas available"
        );
        assert_eq!(
            arguments(&deployment("p", 2)),
            ["run", "--storage-class=fast"]
        );
    }

    #[test]
    fn one_that_is_missing_or_there_twice_is_named() {
        let nobody = Leader::Nobody(None);
        assert_eq!(operator(&[], &nobody).found, "is not installed");
        let twice = operator(&[deployment("a", 2), deployment("b", 2)], &nobody);
        assert!(
            twice
                .found
                .contains("a/pavilion-operator and b/pavilion-operator"),
            "{twice:?}"
        );
        let outside = Leader::Held {
            namespace: "p".to_owned(),
            identity: "laptop".to_owned(),
            since: None,
        };
        assert_eq!(operator(&[], &outside).outcome, Outcome::Warning);
    }
}

//! Whether the custom resources are installed, and are those that this plugin knows.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionVersion,
};
use kube::api::Api;
use pavilion_crds::{GROUP, Kind};
use serde_json::Value;

use super::Line;
use super::schema::{Difference, named};
use crate::cluster::{Cluster, Trouble};

const INSTALL: &str = "helm install pavilion-crds charts/pavilion-crds, or pavilion-operator crds | kubectl apply --server-side -f -";
const UPDATE: &str = "helm upgrade pavilion-crds charts/pavilion-crds, or take the plugin of the release that is installed";
const NEWER_PLUGIN: &str = "take the plugin of the release that is installed";

/// A line for each kind.
pub async fn lines(cluster: &Cluster) -> Vec<Line> {
    let api: Api<CustomResourceDefinition> = Api::all(cluster.client());
    let mut lines = Vec::new();
    for kind in Kind::ALL {
        let name = format!("{}.{GROUP}", kind.plural());
        lines.push(match cluster.ask(api.get(&name)).await {
            Ok(installed) => judge(kind, &installed),
            Err(Trouble::NoObject | Trouble::NoKind) => {
                Line::failed(check(kind), "is not installed", INSTALL)
            }
            Err(trouble) => served(cluster, kind, &trouble).await,
        });
    }
    lines
}

fn check(kind: Kind) -> String {
    format!("kind {}", kind.name())
}

/// What anybody may see, for those who may not read definitions: whether the kind is served.
async fn served(cluster: &Cluster, kind: Kind, trouble: &Trouble) -> Line {
    let client = cluster.client();
    let group = client.list_api_group_resources(pavilion_crds::API_VERSION);
    let served = match cluster.ask(group).await {
        Ok(list) => list
            .resources
            .iter()
            .any(|served| served.name == kind.plural()),
        Err(Trouble::NoKind | Trouble::NoObject) => false,
        Err(_) => return Line::unseen(check(kind), trouble),
    };
    if !served {
        return Line::failed(check(kind), "is not served", INSTALL);
    }
    let why = match trouble {
        Trouble::Forbidden(_) => "you may not read its definition".to_owned(),
        other => other.words(),
    };
    Line::warning(
        check(kind),
        format!(
            "{} is served; its schema cannot be compared: {why}",
            pavilion_crds::API_VERSION
        ),
        "let somebody check who may read custom resource definitions",
    )
}

/// What is installed beside what is known.
fn judge(kind: Kind, installed: &CustomResourceDefinition) -> Line {
    let check = check(kind);
    let (_, version) = pavilion_crds::API_VERSION
        .split_once('/')
        .unwrap_or_default();
    let versions = &installed.spec.versions;
    let Some(found) = versions
        .iter()
        .find(|found| found.name == version && found.served)
    else {
        let served: Vec<&str> = versions
            .iter()
            .filter(|version| version.served)
            .map(|version| version.name.as_str())
            .collect();
        let found = format!(
            "serves {}, and this plugin knows {version}",
            served.join(", ")
        );
        return Line::failed(check, found, NEWER_PLUGIN);
    };
    let keeps_status = found
        .subresources
        .as_ref()
        .is_some_and(|kept| kept.status.is_some());
    if !keeps_status {
        return Line::failed(
            check,
            format!("{version} is served without its status"),
            UPDATE,
        );
    }
    if !is_established(installed) {
        return Line::failed(
            check,
            "is installed and not served yet",
            "kubectl describe crd shows what keeps the API server from it",
        );
    }
    let known = kind.definition();
    let known = known
        .spec
        .versions
        .iter()
        .find(|known| known.name == version);
    compare(
        check,
        version,
        &known.map(schema).unwrap_or_default(),
        &schema(found),
    )
}

fn compare(check: String, version: &str, known: &Value, installed: &Value) -> Line {
    let difference = Difference::between(known, installed);
    let Difference {
        lacks,
        adds,
        changes,
    } = &difference;
    match (lacks.is_empty(), adds.is_empty(), changes.is_empty()) {
        (true, true, true) => Line::ok(check, format!("{version}, as this plugin knows it")),
        (false, true, _) => Line::failed(
            check,
            format!(
                "{version} is older than this plugin: it lacks {}",
                named(lacks)
            ),
            UPDATE,
        ),
        (true, false, _) => Line::warning(
            check,
            format!(
                "{version} is newer than this plugin: it also has {}",
                named(adds)
            ),
            NEWER_PLUGIN,
        ),
        (false, false, _) => Line::failed(
            check,
            format!(
                "{version} is of another release: it lacks {} and also has {}",
                named(lacks),
                named(adds)
            ),
            UPDATE,
        ),
        (true, true, false) => Line::warning(
            check,
            format!(
                "{version} has other rules than this plugin knows for {}",
                named(changes)
            ),
            UPDATE,
        ),
    }
}

fn is_established(installed: &CustomResourceDefinition) -> bool {
    let status = installed.status.as_ref();
    let mut conditions = status
        .and_then(|status| status.conditions.as_ref())
        .into_iter()
        .flatten();
    conditions.any(|condition| condition.type_ == "Established" && condition.status == "True")
}

fn schema(version: &CustomResourceDefinitionVersion) -> Value {
    let schema = version
        .schema
        .as_ref()
        .and_then(|schema| schema.open_api_v3_schema.as_ref());
    let value = schema.and_then(|schema| serde_json::to_value(schema).ok());
    value.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::super::report::Outcome;
    use super::*;

    fn tenants(change: impl FnOnce(&mut Value)) -> Line {
        let mut value = serde_json::to_value(Kind::Tenant.definition()).unwrap();
        value["status"] = json!({"conditions": [{"type": "Established", "status": "True"}],
            "acceptedNames": {"kind": "Tenant", "plural": "tenants"}, "storedVersions": ["v1alpha1"]});
        change(&mut value);
        judge(Kind::Tenant, &serde_json::from_value(value).unwrap())
    }

    fn spec(value: &mut Value) -> &mut Value {
        &mut value["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    }

    #[test]
    fn the_definition_that_the_plugin_carries_is_the_one_that_it_knows() {
        let line = tenants(|_| {});
        assert_eq!(line.outcome, Outcome::Ok, "{line:?}");
    }

    #[test]
    fn an_older_one_lacks_a_field_and_a_newer_one_has_more() {
        let older = tenants(|value| {
            spec(value)["properties"]
                .as_object_mut()
                .unwrap()
                .remove("suspend");
        });
        assert_eq!(older.outcome, Outcome::Failed);
        assert!(
            older.found.contains("older") && older.found.contains("spec.suspend"),
            "{older:?}"
        );
        let newer = tenants(|value| spec(value)["properties"]["later"] = json!({"type": "string"}));
        assert_eq!(newer.outcome, Outcome::Warning);
        assert!(
            newer.found.contains("newer") && newer.found.contains("spec.later"),
            "{newer:?}"
        );
        let other =
            tenants(|value| spec(value)["properties"]["ingress"]["maxProperties"] = json!(1));
        assert!(other.found.contains("other rules"), "{other:?}");
    }

    #[test]
    fn another_version_and_one_that_is_not_served_yet_are_no_good() {
        let later = tenants(|value| value["spec"]["versions"][0]["name"] = json!("v1"));
        assert_eq!(later.found, "serves v1, and this plugin knows v1alpha1");
        let waiting = tenants(|value| value["status"]["conditions"] = json!([]));
        assert_eq!(waiting.outcome, Outcome::Failed);
        let bare = tenants(|value| {
            value["spec"]["versions"][0]["subresources"] = json!({});
        });
        assert_eq!(bare.found, "v1alpha1 is served without its status");
    }
}

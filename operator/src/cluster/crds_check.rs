//! Whether the cluster's custom resource definitions know everything that this operator does.
//!
//! An API server drops fields that its definition does not know. Under older definitions a part of what
//! owners write, or of what they are told, would vanish without a word, so the operator does not begin.
//! Newer ones are fine. Definitions that are not there yet are waited for.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client, ResourceExt};
use pavilion_catalogue::host;
use pavilion_process::{Check, Exit};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::apply::REQUEST_TIME_OUT;

/// Between two looks at what is not there yet.
const PAUSE: Duration = Duration::from_secs(1);

/// Completes when every definition is there and knows enough; `check` says meanwhile what is missing.
///
/// # Errors
/// [`Exit::ConfigRefused`] when one of them is older.
pub async fn fit(client: &Client, check: &Check) -> Result<(), Exit> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for ours in pavilion_crds::all() {
        let name = ours.name_any();
        let installed = installed(&api, &name, check).await;
        if let Some(lack) = lack(&value(&installed), &value(&ours)) {
            let (code, hint) = (host::CRDS_OLDER.code, host::CRDS_OLDER.hint);
            return Err(Exit::ConfigRefused(format!(
                "the definition {name} does not know {lack} [{code}]. {hint}"
            )));
        }
    }
    Ok(())
}

/// The definition, as soon as the API server has it.
async fn installed(
    api: &Api<CustomResourceDefinition>,
    name: &str,
    check: &Check,
) -> CustomResourceDefinition {
    loop {
        match timeout(REQUEST_TIME_OUT, api.get_opt(name)).await {
            Ok(Ok(Some(found))) => return found,
            Ok(Ok(None)) => check.set_failed(format!(
                "{name} is not installed: install the chart pavilion-crds"
            )),
            Ok(Err(error)) => check.set_failed(format!("{name} cannot be looked at: {error}")),
            Err(_) => check.set_failed(format!("{name}: the API server does not answer")),
        }
        sleep(PAUSE).await;
    }
}

fn value(definition: &CustomResourceDefinition) -> Value {
    // The types of the API all have a JSON form.
    serde_json::to_value(definition).unwrap_or_default()
}

/// The first thing of our definition that the installed one does not know.
fn lack(installed: &Value, ours: &Value) -> Option<String> {
    let versions = ours["spec"]["versions"].as_array();
    let mut lacks = versions.into_iter().flatten().filter_map(|version| {
        let name = version["name"].as_str().unwrap_or_default();
        let Some(served) = served(installed, name) else {
            return Some(format!("the version {name}"));
        };
        if version["subresources"]["status"].is_object()
            && !served["subresources"]["status"].is_object()
        {
            return Some(format!("the status of {name}"));
        }
        let schema = "/schema/openAPIV3Schema";
        lack_of_schema(served.pointer(schema)?, version.pointer(schema)?, "")
    });
    lacks.next()
}

fn served<'a>(definition: &'a Value, name: &str) -> Option<&'a Value> {
    let mut versions = definition["spec"]["versions"]
        .as_array()
        .into_iter()
        .flatten();
    versions.find(|version| version["name"] == name && version["served"] == true)
}

/// The first field, type or value below `path` that the installed schema does not know.
fn lack_of_schema(installed: &Value, ours: &Value, path: &str) -> Option<String> {
    if installed["x-kubernetes-preserve-unknown-fields"] == true {
        return None;
    }
    if ours["type"].is_string() && installed["type"] != ours["type"] {
        return Some(format!("{path} as {}", ours["type"]));
    }
    let fields = ours["properties"].as_object().into_iter().flatten();
    let mut lacks = fields.filter_map(|(name, field)| {
        let path = format!("{path}.{name}");
        match installed["properties"].get(name) {
            Some(known) => lack_of_schema(known, field, &path),
            None => Some(path),
        }
    });
    lacks.next().or_else(|| {
        lack_of_values(installed, ours, path).or_else(|| {
            ours["items"]
                .is_object()
                .then(|| lack_of_schema(&installed["items"], &ours["items"], &format!("{path}[]")))
                .flatten()
        })
    })
}

fn lack_of_values(installed: &Value, ours: &Value, path: &str) -> Option<String> {
    let known = installed["enum"].as_array()?;
    let mut values = ours["enum"].as_array()?.iter();
    let lacking = values.find(|value| !known.contains(value))?;
    Some(format!("the value {lacking} of {path}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use pavilion_crds::Kind;
    use serde_json::json;

    use super::*;

    const SPEC: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";

    fn tenant() -> Value {
        value(&Kind::Tenant.definition())
    }

    #[test]
    fn definitions_of_this_release_and_newer_ones_know_enough() {
        for definition in pavilion_crds::all() {
            assert_eq!(lack(&value(&definition), &value(&definition)), None);
        }
        let mut newer = tenant();
        let fields = newer.pointer_mut(SPEC).unwrap().as_object_mut().unwrap();
        fields.insert("later".to_owned(), json!({"type": "string"}));
        assert_eq!(lack(&newer, &tenant()), None);
    }

    #[test]
    fn a_field_a_value_a_type_or_a_version_that_is_missing_is_named() {
        let without = |change: fn(&mut Value)| {
            let mut older = tenant();
            change(&mut older);
            lack(&older, &tenant()).unwrap()
        };
        let lack = without(|older| {
            let hosts = older.pointer_mut(SPEC).unwrap();
            hosts["ingress"]["properties"]
                .as_object_mut()
                .unwrap()
                .remove("hosts");
        });
        assert_eq!(lack, ".spec.ingress.hosts");
        let lack = without(|older| {
            let spec = older.pointer_mut(SPEC).unwrap();
            spec["regions"]["items"]["type"] = json!("integer");
        });
        assert_eq!(lack, ".spec.regions[] as \"string\"");
        let lack = without(|older| older["spec"]["versions"][0]["served"] = json!(false));
        assert_eq!(lack, "the version v1alpha1");
        let lack = without(|older| {
            let version = &mut older["spec"]["versions"][0];
            version.as_object_mut().unwrap().remove("subresources");
        });
        assert_eq!(lack, "the status of v1alpha1");
    }

    #[test]
    fn a_value_that_an_older_schema_forbids_is_named() {
        let schema = |values: Value| json!({"type": "string", "enum": values});
        let (older, newer) = (schema(json!(["a"])), schema(json!(["a", "b"])));
        let lack = lack_of_values(&older, &newer, ".spec.mode");
        assert_eq!(lack.unwrap(), "the value \"b\" of .spec.mode");
        assert_eq!(lack_of_values(&newer, &older, ".spec.mode"), None);
    }

    #[test]
    fn what_keeps_everything_knows_everything() {
        let all = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let ours = json!({"type": "object", "properties": {"a": {"type": "string"}}});
        assert_eq!(lack_of_schema(&all, &ours, ""), None);
    }
}

//! Whether tenants' volumes will come from somewhere.

use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{Api, ListParams};

use super::Line;
use crate::cluster::Cluster;

const CHECK: &str = "storage";
const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
/// The operator's own choice of a class.
const ARGUMENT: &str = "--storage-class";

/// The class that the operator names, or the cluster's default.
pub async fn line(cluster: &Cluster, operator_arguments: Option<&[String]>) -> Line {
    let api: Api<StorageClass> = Api::all(cluster.client());
    match cluster.ask(api.list(&ListParams::default())).await {
        Ok(found) => judge(&found.items, operator_arguments.and_then(named)),
        Err(trouble) => Line::unseen(CHECK, &trouble),
    }
}

/// The class in `--storage-class=NAME` or `--storage-class NAME`.
fn named(arguments: &[String]) -> Option<&str> {
    arguments.iter().enumerate().find_map(|(index, argument)| {
        let rest = argument.strip_prefix(ARGUMENT)?;
        match rest.strip_prefix('=') {
            Some(name) => Some(name),
            None if rest.is_empty() => arguments.get(index + 1).map(String::as_str),
            None => None,
        }
    })
}

fn judge(classes: &[StorageClass], named: Option<&str>) -> Line {
    let name = |class: &StorageClass| class.metadata.name.clone().unwrap_or_default();
    if let Some(named) = named {
        return if classes.iter().any(|class| name(class) == named) {
            Line::ok(
                CHECK,
                format!("StorageClass {named}, which the operator names"),
            )
        } else {
            Line::failed(
                CHECK,
                format!("the operator names StorageClass {named}, and there is none"),
                "make it, or set storageClass of the chart to one that kubectl get storageclass lists",
            )
        };
    }
    let defaults: Vec<String> = classes
        .iter()
        .filter(|class| is_default(class))
        .map(name)
        .collect();
    if defaults.is_empty() {
        return Line::warning(
            CHECK,
            format!("none of {} StorageClasses is the default", classes.len()),
            "tenants' volumes wait until one is: set storageClass of the chart, mark one as default, or provide volumes by hand",
        );
    }
    Line::ok(
        CHECK,
        format!("default StorageClass {}", defaults.join(", ")),
    )
}

fn is_default(class: &StorageClass) -> bool {
    let annotations = class.metadata.annotations.as_ref();
    annotations
        .and_then(|annotations| annotations.get(DEFAULT))
        .is_some_and(|value| value == "true")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::super::report::Outcome;
    use super::*;

    fn class(name: &str, default: &str) -> StorageClass {
        serde_json::from_value(json!({"provisioner": "x",
            "metadata": {"name": name, "annotations": {DEFAULT: default}}}))
        .unwrap()
    }

    #[test]
    fn the_operators_own_class_counts_and_else_the_default() {
        let classes = [class("slow", "false"), class("fast", "true")];
        assert_eq!(judge(&classes, None).outcome, Outcome::Ok);
        assert_eq!(judge(&classes[..1], None).outcome, Outcome::Warning);
        assert_eq!(judge(&classes, Some("slow")).outcome, Outcome::Ok);
        assert_eq!(judge(&classes, Some("gone")).outcome, Outcome::Failed);
    }

    #[test]
    fn the_operators_choice_is_read_in_both_spellings() {
        let arguments = |words: &[&str]| {
            words
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(named(&arguments(&["run", "--storage-class=a"])), Some("a"));
        assert_eq!(
            named(&arguments(&["--storage-class", "b", "--x"])),
            Some("b")
        );
        assert_eq!(named(&arguments(&["--storage-class-of=c"])), None);
        assert_eq!(named(&arguments(&["run"])), None);
    }
}

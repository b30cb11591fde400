//! The YAML a cluster gets is what the types say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{env, fs, path::PathBuf};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::cel::compile_schema;
use pavilion_crds::{Kind, all, yaml};
use serde_json::Value;

fn definitions() -> Vec<(Kind, Value)> {
    Kind::ALL
        .into_iter()
        .map(|kind| (kind, serde_json::to_value(kind.definition()).unwrap()))
        .collect()
}

/// The committed files and what the types say: plain for `kubectl apply`, and as templates of the chart,
/// which leaves them in the cluster when it is uninstalled.
fn files() -> Vec<(PathBuf, CustomResourceDefinition)> {
    let crate_ = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folders = [
        crate_.join("yaml"),
        crate_.join("../charts/pavilion-crds/templates"),
    ];
    let [plain, chart] = folders;
    let mut files = Vec::new();
    for definition in all() {
        let name = format!("{}.yaml", definition.spec.names.plural);
        let mut kept = definition.clone();
        let keep = ("helm.sh/resource-policy".to_owned(), "keep".to_owned());
        kept.metadata
            .annotations
            .get_or_insert_default()
            .extend([keep]);
        files.push((plain.join(&name), definition));
        files.push((chart.join(&name), kept));
    }
    files
}

#[test]
fn the_committed_yaml_is_up_to_date() {
    let files = files();
    for (file, definition) in &files {
        let expected = yaml(definition).unwrap();
        assert!(!expected.contains("{{"), "Helm would take it for its own");
        if env::var_os("UPDATE").is_some() {
            fs::write(file, &expected).unwrap();
        }
        let found = fs::read_to_string(file).unwrap_or_default();
        // Compared as values: the order of members depends on which crates are built along.
        let value = |text: &str| serde_saphyr::from_str::<Value>(text).unwrap_or_default();
        assert!(
            value(&found) == value(&expected),
            "{} is out of date: UPDATE=1 cargo test -p pavilion-crds",
            file.display()
        );
    }
    for folder in files.iter().filter_map(|(file, _)| file.parent()) {
        let yaml = fs::read_dir(folder).unwrap().filter(|entry| {
            let path = entry.as_ref().unwrap().path();
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        });
        assert_eq!(yaml.count(), Kind::ALL.len(), "{}", folder.display());
    }
}

#[test]
fn the_yaml_reads_back_as_the_same_definition() {
    for definition in all() {
        let back: Value = serde_saphyr::from_str(&yaml(&definition).unwrap()).unwrap();
        assert_eq!(back, serde_json::to_value(&definition).unwrap());
    }
}

#[test]
fn names_scopes_and_categories_are_the_documented_ones() {
    let found: Vec<(String, String, String)> = all()
        .into_iter()
        .map(|definition| {
            let names = definition.spec.names;
            assert_eq!(definition.spec.group, pavilion_crds::GROUP);
            assert_eq!(names.categories.unwrap(), ["pavilion"]);
            (
                names.kind,
                names.short_names.unwrap().join(","),
                definition.spec.scope,
            )
        })
        .collect();
    let expected = [
        ("Region", "pregion", "Cluster"),
        ("Plan", "pplan", "Cluster"),
        ("Tenant", "ptenant", "Cluster"),
        ("TrustAnchor", "ptrust", "Namespaced"),
        ("RelyingParty", "prp", "Namespaced"),
        ("Policy", "ppol", "Namespaced"),
    ];
    assert_eq!(
        found,
        expected.map(|(a, b, c)| (a.into(), b.into(), c.into()))
    );
}

/// Calls `visit` with every schema and its path.
fn walk(schema: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        walk(inner, &format!("{path}.{name}"), visit);
    }
    if schema["items"].is_object() {
        walk(&schema["items"], &format!("{path}[]"), visit);
    }
}

fn walk_all(mut visit: impl FnMut(&str, &Value)) {
    for (kind, definition) in definitions() {
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        for part in ["spec", "status"] {
            let path = format!("{}.{part}", kind.name());
            walk(&schema["properties"][part], &path, &mut visit);
        }
    }
}

#[test]
fn lists_and_strings_are_bounded() {
    walk_all(|path, schema| match schema["type"].as_str() {
        Some("array") => assert!(schema["maxItems"].is_u64(), "{path} needs maxItems"),
        Some("string") => assert!(
            schema["maxLength"].is_u64() || schema["enum"].is_array(),
            "{path} needs maxLength or enum"
        ),
        _ => {}
    });
}

#[test]
fn every_field_says_what_it_is() {
    walk_all(|path, schema| {
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            assert!(
                inner["description"].is_string(),
                "{path}.{name} needs a description"
            );
        }
    });
}

#[test]
fn schemas_are_structural_and_use_no_uint_formats() {
    walk_all(|path, schema| {
        let fields = schema.as_object().unwrap();
        for banned in [
            "$ref",
            "anyOf",
            "oneOf",
            "allOf",
            "additionalProperties",
            "uniqueItems",
        ] {
            assert!(!fields.contains_key(banned), "{path} has {banned}");
        }
        let format = schema["format"].as_str().unwrap_or_default();
        assert!(
            !format.starts_with("uint"),
            "{path} has the format {format}"
        );
        let free = schema["x-kubernetes-preserve-unknown-fields"] == true;
        let int_or_string = schema["x-kubernetes-int-or-string"] == true;
        assert!(
            schema["type"].is_string() || free || int_or_string,
            "{path} has no type"
        );
    });
}

#[test]
fn conditions_merge_by_type() {
    for (kind, definition) in definitions() {
        let conditions = definition
            .pointer(
                "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/conditions",
            )
            .unwrap();
        assert_eq!(conditions["x-kubernetes-list-type"], "map", "{kind:?}");
        assert_eq!(
            conditions["x-kubernetes-list-map-keys"],
            serde_json::json!(["type"]),
            "{kind:?}"
        );
    }
}

#[test]
fn every_rule_compiles_and_says_why_it_refuses() {
    walk_all(|path, schema| {
        let compiled = compile_schema(schema);
        assert!(
            !compiled.has_errors(),
            "{path}: {:?}",
            compiled.compilation_errors()
        );
        for rule in schema["x-kubernetes-validations"]
            .as_array()
            .into_iter()
            .flatten()
        {
            assert!(
                rule["message"].is_string(),
                "{path}: {} needs a message",
                rule["rule"]
            );
        }
    });
}

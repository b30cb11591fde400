//! The objects that a chart renders to.

use anyhow::{Context, Result};
use serde_json::Value;

/// The objects of a stream of YAML documents, in the order of kind and name.
///
/// # Errors
/// What is no YAML.
pub fn objects(text: &str) -> Result<Vec<Value>> {
    // `no` and `on` are words, as they are to the API server.
    let options = serde_saphyr::options! {strict_booleans: true};
    let documents = serde_saphyr::from_multiple_with_options(text, options);
    let documents: Vec<Value> = documents.context("not YAML")?;
    let mut objects: Vec<Value> = documents
        .into_iter()
        .filter(|document| !document.is_null())
        .collect();
    objects.sort_by_key(name);
    Ok(objects)
}

/// Kind, namespace and name of an object, as text.
pub fn name(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    format!(
        "{} {}/{}",
        text(&object["kind"]),
        text(&metadata["namespace"]),
        text(&metadata["name"])
    )
}

/// The object of a kind and name, if there is one.
pub fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> Option<&'a Value> {
    objects
        .iter()
        .find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
}

/// The pod templates among some objects, each with the name of what it is part of.
pub fn pod_templates(objects: &[Value]) -> Vec<(String, &Value)> {
    let with = objects
        .iter()
        .filter_map(|object| Some((name(object), object.pointer("/spec/template")?)));
    with.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn empty_documents_are_no_objects_and_the_order_is_that_of_names() {
        let text = "---\nkind: B\nmetadata: {name: b}\n---\n# nothing\n---\nkind: A\nmetadata: {name: a, namespace: n}\n";
        let objects = objects(text).unwrap();
        let names: Vec<String> = objects.iter().map(name).collect();
        assert_eq!(names, ["A n/a", "B /b"]);
        assert!(find(&objects, "B", "b").is_some());
        assert!(find(&objects, "B", "a").is_none());
    }
}

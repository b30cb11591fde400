//! YAML to JSON values, with the line of every field, within the bounds of
//! [`pavilion_crds::manifest_options`].

use std::{collections::BTreeMap, fmt};

use pavilion_catalogue::manifest;
use pavilion_crds::manifest_options;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

use crate::refusal::Refusal;

/// One document.
#[derive(Debug)]
pub(super) struct Tree {
    /// Its value.
    pub value: Value,
    /// The line of each field, by its path.
    pub lines: BTreeMap<String, u64>,
}

/// A file that is not YAML as we take it.
#[derive(Debug)]
pub(super) struct YamlError {
    line: Option<u64>,
    message: String,
}

impl YamlError {
    pub(super) fn into_refusal(self, file: &str) -> Refusal {
        Refusal {
            line: self.line,
            ..Refusal::of_file(file, &manifest::SYNTAX_INVALID, self.message)
        }
    }
}

/// The documents of a file; empty ones are left out.
pub(super) fn parse(text: &str) -> Result<Vec<Tree>, YamlError> {
    let nodes: Vec<Node> = serde_saphyr::from_multiple_with_options(text, manifest_options())
        .map_err(|error| YamlError {
            line: error
                .location()
                .map(|place| place.line())
                .filter(|line| *line > 0),
            message: plain(&error),
        })?;
    Ok(nodes.into_iter().map(Tree::from).collect())
}

/// The first line of the error; the place is shown apart.
fn plain(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let line = text.lines().next().unwrap_or_default();
    let line = line.split(" at line ").next().unwrap_or_default();
    line.chars().take(300).collect()
}

struct Node {
    content: Content,
    line: u64,
}

enum Content {
    Scalar(Value),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl From<Node> for Tree {
    fn from(node: Node) -> Self {
        let mut lines = BTreeMap::new();
        let value = flatten(node, "", &mut lines);
        Self { value, lines }
    }
}

fn flatten(node: Node, path: &str, lines: &mut BTreeMap<String, u64>) -> Value {
    lines.insert(path.to_owned(), node.line);
    match node.content {
        Content::Scalar(value) => value,
        Content::List(items) => {
            let item = |(index, item)| flatten(item, &format!("{path}[{index}]"), lines);
            Value::Array(items.into_iter().enumerate().map(item).collect())
        }
        Content::Object(fields) => {
            let dot = if path.is_empty() { "" } else { "." };
            let mut object = Map::new();
            for (name, field) in fields {
                let value = flatten(field, &format!("{path}{dot}{name}"), lines);
                object.insert(name, value);
            }
            Value::Object(object)
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Self {
            line: spanned.referenced.line(),
            content: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Content, E> {
        Number::from_f64(value)
            .map(|number| Content::Scalar(number.into()))
            .ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        Content::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Content, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Content::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Content, A::Error> {
        let mut object: Vec<(String, Node)> = Vec::new();
        while let Some((name, value)) = fields.next_entry::<String, Node>()? {
            if name.len() > 4096 {
                return Err(A::Error::custom("a field's name is too long"));
            }
            object.push((name, value));
        }
        Ok(Content::Object(object))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use pavilion_crds::{MANIFEST_MAX_DEPTH as MAX_DEPTH, MANIFEST_MAX_NODES as MAX_NODES};

    use super::*;

    #[test]
    fn every_field_knows_its_line() {
        let text = "kind: Tenant\nspec:\n  ingress:\n    hosts:\n    - a\n    - b\n  # comment\n  suspend: true\n";
        let tree = parse(text).unwrap().remove(0);
        assert_eq!(
            tree.value,
            json!({"kind": "Tenant", "spec": {"ingress": {"hosts": ["a", "b"]}, "suspend": true}})
        );
        assert_eq!(tree.lines["kind"], 1);
        assert_eq!(tree.lines["spec.ingress.hosts[1]"], 6);
        assert_eq!(tree.lines["spec.suspend"], 8);
    }

    #[test]
    fn scalars_are_what_they_look_like() {
        let text = "[NO, yes, true, 7, -7, 1.5, 2026-01-31, '7', null, 18446744073709551615]";
        assert_eq!(
            parse(text).unwrap().remove(0).value,
            json!([
                "NO",
                "yes",
                true,
                7,
                -7,
                1.5,
                "2026-01-31",
                "7",
                null,
                u64::MAX
            ])
        );
    }

    #[test]
    fn documents_are_separate_and_empty_ones_do_not_count() {
        let trees = parse("---\na: 1\n---\n---\n# nothing\n---\nb: 2\n").unwrap();
        assert_eq!(trees.len(), 2);
        assert_eq!(trees[1].value, json!({"b": 2}));
        assert_eq!(trees[1].lines["b"], 7);
    }

    fn refused(text: &str) -> YamlError {
        parse(text).unwrap_err()
    }

    #[test]
    fn broken_yaml_is_refused_with_its_line() {
        assert_eq!(
            refused("a: 1\nb: [1, 2\nc: 3\n").line.map(|line| line >= 2),
            Some(true)
        );
        let twice = refused("a: 1\nb: 2\na: 3\n");
        assert_eq!(twice.line, Some(3));
        assert!(twice.message.contains("duplicate"), "{}", twice.message);
        assert!(refused("a: {<<: {b: 1}}\n").message.contains("merge"));
        assert!(refused("a: .nan\n").line.is_some());
    }

    #[test]
    fn depth_size_and_aliases_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        for (depth, refusals) in [(MAX_DEPTH - 1, 1), (100, 1)] {
            let deep = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
            std::fs::write(folder.path().join("a.yaml"), deep).unwrap();
            let set = crate::manifests::dereference(folder.path());
            assert_eq!(set.refusals.len(), refusals);
            assert_eq!(set.refusals[0].code == "SyntaxInvalid", depth > MAX_DEPTH);
        }
        let many = format!("[{}]", "1,".repeat(MAX_NODES + 1));
        refused(&many);
        let mut bomb = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n".to_owned();
        for n in 1..8 {
            let reference = format!("*a{},", n - 1).repeat(10);
            bomb = format!("{bomb}a{n}: &a{n} [{reference}]\n");
        }
        refused(&bomb);
    }

    #[test]
    fn an_alias_stands_for_its_anchor() {
        let tree = parse("a: &x {b: 1}\nc: *x\n").unwrap().remove(0);
        assert_eq!(tree.value, json!({"a": {"b": 1}, "c": {"b": 1}}));
        assert_eq!(tree.lines["c"], 2);
    }
}

//! The part of CycloneDX 1.5 that says what an image is made of. It holds no time and no random number.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use aws_lc_rs::digest::{SHA256, digest};
use packageurl::PackageUrl;
use serde::Serialize;
use uuid::Builder;

/// A document.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    bom_format: &'static str,
    spec_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial_number: Option<String>,
    version: u32,
    metadata: Metadata,
    components: Vec<Component>,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Serialize)]
struct Metadata {
    tools: Tools,
    component: Component,
}

#[derive(Debug, Serialize)]
struct Tools {
    components: Vec<Component>,
}

/// A thing with a name and a version.
#[derive(Clone, Debug, Serialize)]
pub struct Component {
    #[serde(rename = "type")]
    kind: &'static str,
    /// What other parts of the document call it.
    #[serde(rename = "bom-ref")]
    pub reference: String,
    name: String,
    version: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<License>,
    #[serde(rename = "purl", skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct License {
    expression: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    #[serde(rename = "ref")]
    reference: String,
    depends_on: BTreeSet<String>,
}

impl Component {
    /// One of a kind that CycloneDX knows.
    pub fn new(kind: &'static str, name: &str, version: &str) -> Self {
        Self {
            kind,
            reference: format!("{name}@{version}"),
            name: name.to_owned(),
            version: version.to_owned(),
            licenses: Vec::new(),
            address: None,
        }
    }

    /// With a package URL, which is then also its reference.
    pub fn with_address(mut self, address: &PackageUrl<'_>) -> Self {
        self.reference = address.to_string();
        self.address = Some(address.to_string());
        self
    }

    /// With an SPDX expression. Old crates write `/` for `OR`.
    pub fn with_license(mut self, license: Option<&str>) -> Self {
        let expression = license.map(|license| license.replace('/', " OR "));
        self.licenses = expression
            .into_iter()
            .map(|expression| License { expression })
            .collect();
        self
    }
}

impl Document {
    /// An empty one about something.
    pub fn about(component: Component) -> Self {
        let tool = Component::new(
            "application",
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
        );
        Self {
            bom_format: "CycloneDX",
            spec_version: "1.5",
            serial_number: None,
            version: 1,
            metadata: Metadata {
                tools: Tools {
                    components: vec![tool],
                },
                component,
            },
            components: Vec::new(),
            dependencies: Vec::new(),
        }
    }

    /// Adds a component and what it uses.
    pub fn add(&mut self, component: Component, uses: BTreeSet<String>) {
        self.uses(component.reference.clone(), uses);
        self.components.push(component);
    }

    /// Says what the thing that the document is about is made of directly.
    pub fn made_of(&mut self, parts: BTreeSet<String>) {
        self.uses(self.metadata.component.reference.clone(), parts);
    }

    fn uses(&mut self, reference: String, depends_on: BTreeSet<String>) {
        self.dependencies.push(Dependency {
            reference,
            depends_on,
        });
    }

    /// The document in JSON, numbered by what is in it: the same content has the same number.
    pub fn json(mut self) -> Result<Vec<u8>> {
        let content = serde_json::to_vec(&self)?;
        self.serial_number = Some(serial_number(digest(&SHA256, &content).as_ref())?);
        let mut json = serde_json::to_vec_pretty(&self)?;
        json.push(b'\n');
        Ok(json)
    }
}

/// A UUID of version 8 (RFC 9562), which says nothing about how its bits came about.
fn serial_number(digest: &[u8]) -> Result<String> {
    let bits = digest.first_chunk().context("a digest is too short")?;
    Ok(Builder::from_custom_bytes(*bits)
        .into_uuid()
        .urn()
        .to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn json(version: &str) -> Vec<u8> {
        let mut document = Document::about(Component::new("container", "image", version));
        let part = Component::new("library", "part", "1.0.0").with_license(Some("MIT/Apache-2.0"));
        document.made_of(BTreeSet::from([part.reference.clone()]));
        document.add(part, BTreeSet::new());
        document.json().unwrap()
    }

    #[test]
    fn the_same_content_is_the_same_document() {
        assert_eq!(json("1"), json("1"));
        let text = String::from_utf8(json("1")).unwrap();
        assert!(text.contains("MIT OR Apache-2.0"), "{text}");
        let number = |json: Vec<u8>| {
            String::from_utf8(json)
                .unwrap()
                .lines()
                .nth(3)
                .unwrap()
                .to_owned()
        };
        assert!(number(json("1")).contains("serialNumber"));
        assert_ne!(number(json("1")), number(json("2")));
    }

    #[test]
    fn a_serial_number_is_a_uuid() {
        let number = serial_number(&[0xff; 32]).unwrap();
        assert_eq!(number, "urn:uuid:ffffffff-ffff-8fff-bfff-ffffffffffff");
    }
}

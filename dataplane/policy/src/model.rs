//! The policy as its author writes it: a manifest's `spec`.

use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

use crate::check::CompileError;
use crate::claim_ref::ClaimRef;
use crate::obligations::Obligations;
use crate::rule::Rule;

/// What may be asked: with which evidence, by which rule, and what the answer may carry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// What is asked, for people; not part of the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The purposes it may be asked for.
    pub purposes: Vec<String>,
    /// The credentials that are looked at.
    pub evidence: Vec<Evidence>,
    /// The rule over the evidence.
    pub rule: Rule,
    /// The claims the answer may carry; none by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disclose: Vec<ClaimRef>,
    /// What its answers are limited to.
    #[serde(default, skip_serializing_if = "Obligations::is_empty")]
    pub obligations: Obligations,
    /// Whether evidence may come with the question; `Allowed` by default.
    #[serde(default, skip_serializing_if = "EvidenceWithRequest::is_default")]
    pub evidence_with_request: EvidenceWithRequest,
}

/// Whether evidence may come with the question, under a nonce that the relying party chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EvidenceWithRequest {
    /// It is answered at once.
    #[default]
    Allowed,
    /// The verification is started first, and its evidence answers the nonce handed out then.
    Refused,
}

impl EvidenceWithRequest {
    // What is not said stays unsaid, so that it does not change the digest of a revision.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// One credential that is looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Evidence {
    /// Its name in the rule.
    pub id: String,
    /// Whether a verification may go on without it; `false` by default.
    #[serde(default)]
    pub optional: bool,
    /// The credential format.
    pub format: Format,
    /// The credential types (`vct`) that count.
    pub types: Vec<String>,
    /// The trust anchors whose issuers count.
    pub trust: Vec<String>,
    /// The claims that are asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Claim>,
    /// Whether the holder must prove possession of the credential's key; `true` by default.
    #[serde(default = "yes")]
    pub holder_binding: bool,
}

/// One claim of a credential.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Claim {
    /// Its name in the rule, after the evidence and a dot.
    pub id: String,
    /// Where it stands in the credential (`OpenID4VP` 1.0 section 7, claims path pointer).
    pub path: Vec<PathElement>,
}

/// A credential format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// SD-JWT VC.
    #[serde(rename = "dc+sd-jwt")]
    SdJwtVc,
}

/// One step of a claims path pointer: a text, a number or `null`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathElement {
    /// The member of that name.
    Name(String),
    /// The element at that index, from 0, among those that are disclosed: a wallet can withhold
    /// elements before one, which then moves up (SD-JWT, RFC 9901 section 7.1).
    Index(u32),
    /// Every element of an array; the claim then has many values.
    Every,
}

impl Policy {
    /// Reads a manifest's `spec`.
    ///
    /// # Errors
    /// The first thing whose shape is wrong, with its path in the manifest.
    pub fn from_spec(spec: serde_json::Value) -> Result<Self, CompileError> {
        serde_path_to_error::deserialize(spec).map_err(|error| {
            let inner = error.path().to_string();
            let path = match inner.as_str() {
                "." => "spec".to_owned(),
                inner => format!("spec.{inner}"),
            };
            CompileError::invalid(path, error.into_inner().to_string())
        })
    }

    /// The evidence of that id.
    pub fn evidence(&self, id: &str) -> Option<&Evidence> {
        self.evidence.iter().find(|evidence| evidence.id == id)
    }

    /// The claim a reference names.
    pub fn claim(&self, reference: &ClaimRef) -> Option<&Claim> {
        let evidence = self.evidence(reference.evidence())?;
        let mut claims = evidence.claims.iter();
        claims.find(|claim| claim.id == reference.claim())
    }

    /// Whether the reference names a claim that has many values.
    pub(crate) fn is_many(&self, reference: &ClaimRef) -> bool {
        self.claim(reference).is_some_and(Claim::is_many)
    }
}

impl Claim {
    /// Whether the path selects every element of an array, so that the claim has many values.
    pub fn is_many(&self) -> bool {
        self.path.contains(&PathElement::Every)
    }

    /// Whether the path counts elements of an array, so that the holder has a say in which one it
    /// selects.
    pub(crate) fn is_counted(&self) -> bool {
        let mut steps = self.path.iter();
        steps.any(|step| matches!(step, PathElement::Index(_)))
    }
}

impl Serialize for PathElement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Name(name) => serializer.serialize_str(name),
            Self::Index(index) => serializer.serialize_u32(*index),
            Self::Every => serializer.serialize_unit(),
        }
    }
}

impl<'de> Deserialize<'de> for PathElement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PathElementVisitor)
    }
}

struct PathElementVisitor;

impl Visitor<'_> for PathElementVisitor {
    type Value = PathElement;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name, an index from 0, or null for every element")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<PathElement, E> {
        Ok(PathElement::Name(name.to_owned()))
    }

    fn visit_u64<E: serde::de::Error>(self, index: u64) -> Result<PathElement, E> {
        u32::try_from(index)
            .map(PathElement::Index)
            .map_err(|_| E::invalid_value(Unexpected::Unsigned(index), &self))
    }

    fn visit_i64<E: serde::de::Error>(self, index: i64) -> Result<PathElement, E> {
        u32::try_from(index)
            .map(PathElement::Index)
            .map_err(|_| E::invalid_value(Unexpected::Signed(index), &self))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<PathElement, E> {
        Ok(PathElement::Every)
    }
}

fn yes() -> bool {
    true
}

//! Policy: the question, the evidence, the rule, and what leaves.

use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{conditions::Condition, duration::GoDuration};

/// What may be asked: with which evidence, by which rule, and what the answer may carry.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "pavilion.dev",
    version = "v1alpha1",
    kind = "Policy",
    plural = "policies",
    shortname = "ppol",
    category = "pavilion",
    namespaced,
    status = "PolicyStatus",
    derive = "PartialEq",
    doc = "What may be asked: with which evidence, by which rule, and what the answer may carry.",
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Accepted')].status"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(
        name = "Revision",
        type_ = "integer",
        json_path = ".status.revision.number"
    ),
    printcolumn(
        name = "Title",
        type_ = "string",
        json_path = ".spec.title",
        priority = "1"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct PolicySpec {
    /// What is asked, for people. Not part of the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub title: Option<String>,
    /// The purposes it may be asked for, 1 to 32.
    #[schemars(
        length(min = 1, max = 32),
        inner(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub purposes: Vec<String>,
    /// The credentials that are looked at, 1 to 16; the wallet query is made from them.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["id".to_owned()]))]
    pub evidence: Vec<Evidence>,
    /// The rule: `all`, `any`, `not`, `atLeast` over comparisons, as the policy guide describes. Its
    /// grammar nests, which a Kubernetes schema cannot say; the operator checks it and names the
    /// field.
    #[schemars(schema_with = "free_object")]
    pub rule: Value,
    /// The claims the answer may carry, as `evidence.claim`, at most 64. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        inner(length(min = 3, max = 127)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub disclose: Vec<String>,
    /// Limits of the answer; the stricter of these and the relying party's wins.
    #[serde(default, skip_serializing_if = "Obligations::is_empty")]
    pub obligations: Obligations,
    /// Whether evidence may come with the question, under a nonce that the relying party chose and
    /// the wallet signed within five minutes: `Allowed` answers at once; `Refused` makes the relying
    /// party start the verification first, so that the nonce is the verifier's to hand out. A nonce
    /// counts once in a tenant either way. Default `Allowed`.
    #[serde(default)]
    pub evidence_with_request: EvidenceWithRequest,
}

/// Whether evidence may come with the question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EvidenceWithRequest {
    /// It is answered at once.
    #[default]
    Allowed,
    /// The verification is started first.
    Refused,
}

/// One credential that is looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Its name in the rule.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z][A-Za-z0-9_-]*$"))]
    pub id: String,
    /// Whether a verification may go on without it. Default `false`.
    #[serde(default)]
    pub optional: bool,
    /// The credential format.
    pub format: Format,
    /// The credential types (`vct`) that count, 1 to 16.
    #[schemars(
        length(min = 1, max = 16),
        inner(length(min = 1, max = 512)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub types: Vec<String>,
    /// The TrustAnchors of this namespace whose issuers count, 1 to 16.
    #[schemars(
        length(min = 1, max = 16),
        inner(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub trust: Vec<String>,
    /// The claims that are asked for, at most 64. Default: none.
    #[serde(default)]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["id".to_owned()]))]
    pub claims: Vec<Claim>,
    /// Whether the holder must prove possession of the credential's key. Default `true`.
    #[serde(default = "yes")]
    pub holder_binding: bool,
}

/// One claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Its name in the rule, after the evidence and a dot.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z][A-Za-z0-9_-]*$"))]
    pub id: String,
    /// Where it stands in the credential: names, indexes, or null for every element; 1 to 16. An index
    /// counts, from 0, the elements that are disclosed.
    #[schemars(length(min = 1, max = 16), schema_with = "claim_path")]
    pub path: Vec<Value>,
}

/// A credential format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    /// SD-JWT VC.
    #[serde(rename = "dc+sd-jwt")]
    SdJwtVc,
}

/// Limits of an answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Obligations {
    /// The longest time from `iat` to `exp`, 10s to 168h. Default: the tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(
        validation = Rule::new("duration(self) >= duration('10s') && duration(self) <= duration('168h')")
            .message("must be between 10s and 168h")
    )]
    pub answer_time_to_live: Option<GoDuration>,
    /// The longest time the finished verification can be read back, 10s to 24h. Default: the
    /// tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(
        validation = Rule::new("duration(self) >= duration('10s') && duration(self) <= duration('24h')")
            .message("must be between 10s and 24h")
    )]
    pub keep_result: Option<GoDuration>,
    /// The only claims that may leave, as `evidence.claim`, at most 64. Default: what `disclose`
    /// says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 64),
        inner(length(min = 3, max = 127)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub disclose: Option<Vec<String>>,
}

impl Obligations {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatus {
    /// The generation this status was computed from.
    #[schemars(range(min = 0))]
    pub observed_generation: i64,
    /// `Accepted`, `Ready`.
    #[serde(default)]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_owned()]))]
    pub conditions: Vec<Condition>,
    /// The revision that serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<RevisionStatus>,
}

/// A revision of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevisionStatus {
    /// Counts up with each change of content.
    #[schemars(range(min = 1))]
    pub number: i64,
    /// `sha-256:<hex>` of the canonical policy, its schema and the engine's version.
    #[schemars(length(max = 80))]
    pub digest: String,
}

fn yes() -> bool {
    true
}

fn free_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

fn claim_path(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 16,
        "items": {"x-kubernetes-int-or-string": true, "nullable": true},
    })
}

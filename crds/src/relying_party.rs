//! RelyingParty: who may ask, proven how.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::{
    conditions::Condition,
    keys::{CertificateAuthorities, JsonWebKeys},
    policy::Obligations,
};

/// Who may ask, how it proves who it is, and what it is registered for.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "pavilion.dev",
    version = "v1alpha1",
    kind = "RelyingParty",
    plural = "relyingparties",
    shortname = "prp",
    category = "pavilion",
    namespaced,
    status = "RelyingPartyStatus",
    derive = "PartialEq",
    doc = "Who may ask, how it proves who it is, and what it is registered for.",
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
        name = "Policies",
        type_ = "string",
        json_path = ".spec.policies",
        priority = "1"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct RelyingPartySpec {
    /// How it proves who it is; at least one way.
    pub authentication: Authentication,
    /// The audience (`aud`) of its answers. Default: the object's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub audience: Option<String>,
    /// The purposes it is registered for, 1 to 32.
    #[schemars(
        length(min = 1, max = 32),
        inner(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub purposes: Vec<String>,
    /// The policies of this namespace it may ask, 1 to 256.
    #[schemars(
        length(min = 1, max = 256),
        inner(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub policies: Vec<String>,
    /// Limits of its answers, beside what each policy says; the stricter wins.
    #[serde(default, skip_serializing_if = "Obligations::is_empty")]
    pub obligations: Obligations,
}

/// How a relying party proves who it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.privateKeyJwt) || has(self.mutualTls)")
        .message("give privateKeyJwt or mutualTls: a relying party that proves nothing cannot ask")
)]
pub struct Authentication {
    /// A signed assertion (RFC 7523).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key_jwt: Option<PrivateKeyJwt>,
    /// A client certificate (RFC 8705).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutual_tls: Option<MutualTls>,
}

/// The public keys assertions verify under.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.jwks) != has(self.jwksFile)")
        .message("give the keys either as jwks or as jwksFile")
)]
pub struct PrivateKeyJwt {
    /// The public keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<JsonWebKeys>,
    /// A file with the public keys as a JWKS; a relative path starts at the manifest's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub jwks_file: Option<String>,
}

/// The client certificates that count.
pub type MutualTls = CertificateAuthorities;

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RelyingPartyStatus {
    /// The generation this status was computed from.
    #[schemars(range(min = 0))]
    pub observed_generation: i64,
    /// `Accepted`, `Ready`.
    #[serde(default)]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_owned()]))]
    pub conditions: Vec<Condition>,
}

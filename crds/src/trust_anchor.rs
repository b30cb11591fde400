//! TrustAnchor: whom we believe, and for what.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    conditions::Condition,
    duration::GoDuration,
    keys::{CertificateAuthorities, JsonWebKeys},
};

/// Which issuers are believed for which types of credential.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "pavilion.dev",
    version = "v1alpha1",
    kind = "TrustAnchor",
    plural = "trustanchors",
    shortname = "ptrust",
    category = "pavilion",
    namespaced,
    status = "TrustAnchorStatus",
    derive = "PartialEq",
    doc = "Which issuers are believed for which types of credential.",
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
        name = "Types",
        type_ = "string",
        json_path = ".spec.credentialTypes",
        priority = "1"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct TrustAnchorSpec {
    /// The credential types (`vct`) these issuers are believed for, 1 to 32.
    #[schemars(
        length(min = 1, max = 32),
        inner(length(min = 1, max = 512)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub credential_types: Vec<String>,
    /// The issuers, 1 to 64.
    #[schemars(length(min = 1, max = 64))]
    pub issuers: Vec<TrustedIssuer>,
    /// Signature algorithms accepted from them, on credentials and status lists; it does not bound
    /// what holders sign with. Default `[ES256, ES384, EdDSA]`.
    #[serde(default = "default_algorithms")]
    #[schemars(length(min = 1, max = 4), extend("x-kubernetes-list-type" = "set"))]
    pub algorithms: Vec<Algorithm>,
    /// The level of assurance their credentials count for; without it a rule about assurance is not
    /// met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assurance: Option<Assurance>,
    /// How revocation is checked.
    #[serde(default)]
    pub status: StatusRules,
}

/// One issuer and how its signature is checked: by keys, by certificates, or by a `did:jwk` that is
/// its own key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.jwks) ? 1 : 0) + (has(self.jwksFile) ? 1 : 0) + (has(self.x509) ? 1 : 0) + (has(self.issuer) && self.issuer.startsWith('did:jwk:') ? 1 : 0) == 1")
        .message("give exactly one of jwks, jwksFile and x509, or a did:jwk as issuer"),
    validation = Rule::new("has(self.issuer) || has(self.x509)")
        .message("issuer is needed: keys speak for one exact iss")
)]
pub struct TrustedIssuer {
    /// The exact `iss` of its credentials. May be left out with `x509`, where the certificate names
    /// the issuer. A `did:jwk:…` carries its own key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub issuer: Option<String>,
    /// Its public keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<JsonWebKeys>,
    /// A file with its public keys as a JWKS; a relative path starts at the manifest's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub jwks_file: Option<String>,
    /// The authorities its certificate chain (`x5c`) ends in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x509: Option<CertificateAuthorities>,
}

/// How revocation is checked (Token Status List).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(has(self.caBundle) && has(self.caBundleFile))")
        .message("give either caBundle or caBundleFile")
)]
pub struct StatusRules {
    /// Whether a credential must name a status list. Default `true`.
    #[serde(default = "StatusRules::required")]
    pub required: bool,
    /// The greatest age of a list that still counts, since its `iat` and since it was fetched, 1m to
    /// 168h; a list's own `ttl` and `exp` can only shorten it. It should be longer than the time
    /// between two lists of the issuers. Default `1h`.
    #[x_kube(
        validation = Rule::new("duration(self) >= duration('1m') && duration(self) <= duration('168h')")
            .message("must be between 1m and 168h")
    )]
    #[serde(default = "StatusRules::max_age")]
    pub max_age: GoDuration,
    /// What a check says when the list cannot be had: `Indeterminate` or `Fail`. Default
    /// `Indeterminate`; it is never `pass`.
    #[serde(default = "StatusRules::on_unreachable")]
    pub on_unreachable: OnUnreachable,
    /// Whether a list may be fetched from a private or loopback address. Default `false`.
    #[serde(default)]
    pub allow_private_addresses: bool,
    /// PEM certificates trusted, instead of the public ones, when lists are fetched; at most 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65_536))]
    pub ca_bundle: Option<String>,
    /// The same from a file; a relative path starts at the manifest's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub ca_bundle_file: Option<String>,
}

impl StatusRules {
    fn required() -> bool {
        true
    }

    fn max_age() -> GoDuration {
        GoDuration::hours(1)
    }

    fn on_unreachable() -> OnUnreachable {
        OnUnreachable::Indeterminate
    }
}

impl Default for StatusRules {
    fn default() -> Self {
        Self {
            required: Self::required(),
            max_age: Self::max_age(),
            on_unreachable: Self::on_unreachable(),
            allow_private_addresses: false,
            ca_bundle: None,
            ca_bundle_file: None,
        }
    }
}

/// What a status check says when the list cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnUnreachable {
    /// The answer is `indeterminate`.
    Indeterminate,
    /// The answer is `fail`.
    Fail,
}

/// A signature algorithm (JOSE name).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// ECDSA P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA P-384 with SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// ECDSA P-521 with SHA-512.
    #[serde(rename = "ES512")]
    Es512,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// A level of assurance (eIDAS).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Assurance {
    /// Low.
    Low,
    /// Substantial.
    Substantial,
    /// High.
    High,
}

fn default_algorithms() -> Vec<Algorithm> {
    vec![Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa]
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrustAnchorStatus {
    /// The generation this status was computed from.
    #[schemars(range(min = 0))]
    pub observed_generation: i64,
    /// `Accepted`, `Ready`.
    #[serde(default)]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_owned()]))]
    pub conditions: Vec<Condition>,
}

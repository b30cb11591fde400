//! Whom we believe, for what, and under which status rules.
//!
//! [`TrustAnchor`] is the document: it is part of the tenant's bundle and holds no prepared key.
//! [`PreparedAnchors`] is what verifying works with; it is built once for each bundle and refuses
//! an anchor that could never be used as written, naming the field.

mod chain;
pub(crate) mod did_jwk;
mod issuer_keys;
mod names;
mod prepared;

use pavilion_jose::{Algorithm, Jwks};
use serde::{Deserialize, Serialize};

pub use chain::Authorities;
pub(crate) use issuer_keys::{Claimed, Found, NotFound};
pub(crate) use prepared::PreparedAnchor;
pub use prepared::{AnchorError, PreparedAnchors};

/// Which issuers are believed for which credential types.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustAnchor {
    /// The `vct` values the issuers below are believed for.
    pub credential_types: Vec<String>,
    /// The issuers, tried in this order.
    pub issuers: Vec<TrustedIssuer>,
    /// How the status of their credentials is checked.
    #[serde(default)]
    pub status: StatusRules,
    /// Signature algorithms accepted from the issuers, on their credentials and status lists. What
    /// holders sign with is not bounded by it. Default: `ES256`, `ES384`, `EdDSA`.
    #[serde(default = "default_algorithms")]
    pub algorithms: Vec<Algorithm>,
    /// The level of assurance a credential of these issuers carries, if any is claimed for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assurance: Option<Assurance>,
}

/// The algorithms an anchor accepts when it names none.
pub fn default_algorithms() -> Vec<Algorithm> {
    vec![Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa]
}

/// One issuer, or a family of issuers under one certificate authority.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustedIssuer {
    /// The exact `iss` of its credentials. Needed for `jwks` and `didJwk`; with `x509` it may be
    /// left out, then the issuer is known by the names in its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Where its keys come from.
    pub keys: IssuerKeys,
}

/// Where an issuer's keys come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IssuerKeys {
    /// These keys, found by `kid`.
    Jwks(Jwks),
    /// The key of a certificate in the credential's `x5c` header.
    X509(X509Keys),
    /// The key written in the `did:jwk` that is the issuer.
    DidJwk,
}

/// Certificates that count for an issuer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct X509Keys {
    /// PEM certificates of the authorities a chain must end in.
    pub ca_bundle: String,
    /// DNS names, one of which the leaf must carry as a subject alternative name. `*.` at the
    /// front stands for exactly one label.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub san_dns: Vec<String>,
    /// URIs, one of which the leaf must carry as a subject alternative name, compared exactly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub san_uri: Vec<String>,
}

/// How the status of a credential is checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusRules {
    /// A credential that names no status list is refused. Default: true.
    #[serde(default = "yes")]
    pub required: bool,
    /// The greatest age of a status list an answer may rest on, in seconds since its `iat` and
    /// since it was fetched. The list's own `ttl` and `exp` can only shorten it. Default: 3,600.
    #[serde(default = "one_hour")]
    pub max_age_seconds: u64,
    /// What a status that cannot be found out means. Default: indeterminate.
    #[serde(default)]
    pub on_unreachable: OnUnreachable,
    /// Status lists may stand on private, loopback or link-local addresses, and may be fetched
    /// over plain HTTP from this host itself. Default: false.
    #[serde(default)]
    pub allow_private_addresses: bool,
    /// PEM certificates of the authorities that the hosts of status lists are trusted by, instead
    /// of those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<String>,
}

impl Default for StatusRules {
    fn default() -> Self {
        Self {
            required: yes(),
            max_age_seconds: one_hour(),
            on_unreachable: OnUnreachable::default(),
            allow_private_addresses: false,
            ca_bundle: None,
        }
    }
}

/// What a status that cannot be found out means. It never means that the credential passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnUnreachable {
    /// We do not know.
    #[default]
    Indeterminate,
    /// The credential is refused.
    Fail,
}

/// Levels of assurance (Regulation (EU) 910/2014, Article 8), in rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Assurance {
    /// Limited confidence in the claimed identity.
    Low,
    /// Substantial confidence.
    Substantial,
    /// Higher confidence than substantial.
    High,
}

fn yes() -> bool {
    true
}

fn one_hour() -> u64 {
    3_600
}

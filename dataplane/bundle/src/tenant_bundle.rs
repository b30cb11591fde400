//! What one tenant's data plane serves.

use std::collections::BTreeMap;

use pavilion_jose::Jwks;
use pavilion_json::Digest;
use pavilion_policy::{Obligations, Policy};
use pavilion_proofs::TrustAnchor;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::document::LoadError;
use crate::names::{HostName, ObjectName, TenantName};

/// Everything one tenant's data plane needs to answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TenantBundle {
    /// Counts up with each change of content; a data plane refuses to go back.
    pub version: u64,
    /// The tenant.
    pub tenant: TenantName,
    /// The region this data plane runs in; named in every answer.
    pub region: String,
    /// The issuer of answers and tokens: `https://` and the first host, with the port if it is not 443.
    pub issuer: Url,
    /// The hosts the tenant is reached at.
    pub hosts: Vec<HostName>,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// The tenant's transparency log.
    pub audit: Audit,
    /// Who may ask, by name.
    pub relying_parties: BTreeMap<ObjectName, RelyingParty>,
    /// What may be asked, by name.
    pub policies: BTreeMap<ObjectName, PolicyRevision>,
    /// Whom we believe, by name.
    pub trust_anchors: BTreeMap<ObjectName, TrustAnchor>,
}

/// Lifetimes, all in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lifetimes {
    /// From the request until evidence must have come.
    pub verification_seconds: u64,
    /// How long a finished verification can be read back.
    pub keep_result_seconds: u64,
    /// From `iat` to `exp` of an answer.
    pub answer_seconds: u64,
    /// From issue to expiry of an access token.
    pub token_seconds: u64,
    /// Allowed difference between clocks when times in credentials and assertions are judged; at
    /// most [`Self::MAX_CLOCK_LEEWAY_SECONDS`].
    pub clock_leeway_seconds: u64,
}

impl Lifetimes {
    /// The greatest leeway. What must not count twice is remembered for as long as it could count
    /// under this one, because the next bundle may bring it.
    pub const MAX_CLOCK_LEEWAY_SECONDS: u64 = 300;
}

/// The tenant's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Audit {
    /// The origin line of the log's checkpoints: opaque, names no tenant (C2SP tlog-checkpoint).
    pub origin: String,
}

/// One relying party.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RelyingParty {
    /// Changes when the object is deleted and made anew, so that old tokens die with it.
    pub uid: String,
    /// The audience of its answers.
    pub audience: String,
    /// How it proves who it is.
    pub authentication: Authentication,
    /// The purposes it is registered for.
    pub purposes: Vec<String>,
    /// The policies it may ask.
    pub policies: Vec<ObjectName>,
    /// What its answers are limited to, beside what each policy says.
    #[serde(default)]
    pub obligations: Obligations,
}

/// How a relying party proves who it is. At least one is present.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Authentication {
    /// `private_key_jwt` (RFC 7523): the public keys its assertions verify under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key_jwt: Option<Jwks>,
    /// Client certificate (RFC 8705).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutual_tls: Option<MutualTls>,
}

/// A client certificate that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MutualTls {
    /// PEM certificates of the authorities the chain must end in.
    pub ca_bundle: String,
    /// DNS names, one of which the certificate must carry as a subject alternative name.
    pub san_dns: Vec<String>,
}

/// One immutable revision of a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyRevision {
    /// Counts up with each change of content.
    pub revision: u64,
    /// Digest of the canonical policy, its schema and the engine's version.
    pub digest: Digest,
    /// The policy.
    pub policy: Policy,
}

/// References lead somewhere, lifetimes are sane, and every policy's digest is its own.
pub(crate) fn validate(bundle: &TenantBundle) -> Result<(), LoadError> {
    if bundle.hosts.is_empty() {
        return Err(LoadError::invalid("hosts", "must name at least one host"));
    }
    validate_lifetimes(&bundle.lifetimes)?;
    for (name, party) in &bundle.relying_parties {
        validate_relying_party(bundle, name, party)?;
    }
    for (name, revision) in &bundle.policies {
        validate_policy(bundle, name, revision)?;
    }
    Ok(())
}

fn validate_lifetimes(lifetimes: &Lifetimes) -> Result<(), LoadError> {
    let Lifetimes {
        verification_seconds,
        keep_result_seconds,
        answer_seconds,
        token_seconds,
        clock_leeway_seconds,
    } = lifetimes;
    if *clock_leeway_seconds > Lifetimes::MAX_CLOCK_LEEWAY_SECONDS {
        return Err(LoadError::invalid(
            "lifetimes.clockLeewaySeconds",
            format!("must be at most {}", Lifetimes::MAX_CLOCK_LEEWAY_SECONDS),
        ));
    }
    let positive = [
        ("verificationSeconds", verification_seconds),
        ("keepResultSeconds", keep_result_seconds),
        ("answerSeconds", answer_seconds),
        ("tokenSeconds", token_seconds),
    ];
    match positive.iter().find(|(_, seconds)| **seconds == 0) {
        Some((field, _)) => Err(LoadError::invalid(
            format!("lifetimes.{field}"),
            "must be at least 1",
        )),
        None => Ok(()),
    }
}

fn validate_relying_party(
    bundle: &TenantBundle,
    name: &ObjectName,
    party: &RelyingParty,
) -> Result<(), LoadError> {
    let at = |field: &str| format!("relyingParties.{name}.{field}");
    if party.authentication.private_key_jwt.is_none() && party.authentication.mutual_tls.is_none() {
        return Err(LoadError::invalid(
            at("authentication"),
            "must name a key set or a client certificate",
        ));
    }
    match party
        .policies
        .iter()
        .find(|policy| !bundle.policies.contains_key(*policy))
    {
        Some(unknown) => Err(LoadError::invalid(
            at("policies"),
            format!("{unknown} is not in this bundle"),
        )),
        None => Ok(()),
    }
}

fn validate_policy(
    bundle: &TenantBundle,
    name: &ObjectName,
    revision: &PolicyRevision,
) -> Result<(), LoadError> {
    let at = |field: &str| format!("policies.{name}.{field}");
    if pavilion_policy::revision_digest(&revision.policy) != revision.digest {
        return Err(LoadError::invalid(
            at("digest"),
            "is not the digest of this policy under this engine",
        ));
    }
    let anchors = revision
        .policy
        .evidence
        .iter()
        .flat_map(|evidence| &evidence.trust);
    match anchors
        .into_iter()
        .find(|anchor| !bundle.trust_anchors.contains_key(anchor.as_str()))
    {
        Some(unknown) => Err(LoadError::invalid(
            at("policy.evidence"),
            format!("{unknown} is not a trust anchor of this bundle"),
        )),
        None => Ok(()),
    }
}

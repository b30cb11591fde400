//! The tenant as its bundle says it, prepared once so that no request parses a key or a certificate.

mod client_authorities;
pub mod load;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use pavilion_bundle::{Lifetimes, Named, PolicyRevision, TenantBundle};
use pavilion_jose::{Jwk, Jwks};
use pavilion_json::Digest;
use pavilion_policy::{Engine, RpRules};
use pavilion_proofs::PreparedAnchors;

pub use client_authorities::{ClientAuthorities, ClientCertificateError};

/// The greatest age of a key-binding JWT that comes with the question, in seconds. It is a constant
/// because a nonce is remembered by it: if it could grow, what was forgotten would count again.
pub(crate) const PRESENTED_WITHIN: u64 = 300;

/// The greatest leeway that any bundle can bring, in seconds.
#[allow(clippy::cast_possible_wrap, reason = "300 seconds")]
pub(crate) const MAX_LEEWAY: i64 = Lifetimes::MAX_CLOCK_LEEWAY_SECONDS as i64;

/// How long after the last moment a nonce can be answered in, a presentation with it could still be
/// taken for fresh under whatever bundle comes, in seconds: it may be dated a leeway ahead of its
/// answer, and be taken until it is [`PRESENTED_WITHIN`] and a leeway old.
#[allow(clippy::cast_possible_wrap, reason = "300 seconds")]
pub(crate) const NONCE_MEMORY: i64 = PRESENTED_WITHIN as i64 + 2 * MAX_LEEWAY + 1;

/// A tenant that is served.
pub struct Tenant {
    /// The bundle's version.
    pub version: u64,
    /// The bundle's digest.
    pub digest: Digest,
    /// Who answers: an `https` URL without a slash at its end. Also the audience that presentations
    /// must name.
    pub issuer: String,
    /// Where tokens are had.
    pub token_endpoint: String,
    /// The region this verifier runs in.
    pub region: String,
    /// The origin line of the tenant's log.
    pub log_origin: String,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// The policies, compiled.
    pub engine: Engine,
    /// The policies as they are written, by name.
    pub policies: BTreeMap<String, PolicyRevision>,
    /// The trust anchors, prepared.
    pub anchors: PreparedAnchors,
    /// Who may ask, by name.
    pub relying_parties: BTreeMap<String, Arc<RelyingParty>>,
}

/// A relying party, prepared.
pub struct RelyingParty {
    /// Its name: its `client_id`.
    pub name: String,
    /// Changes when it is deleted and made anew.
    pub uid: String,
    /// The audience of its answers.
    pub audience: String,
    /// The keys its assertions verify under.
    pub keys: Option<Jwks>,
    /// The RFC 7638 thumbprints of those.
    pub key_thumbprints: BTreeSet<String>,
    /// The authorities its certificate must come from, and the names it must carry.
    pub certificates: Option<ClientAuthorities>,
}

impl Tenant {
    /// Prepares a bundle.
    ///
    /// # Errors
    /// A sentence that says what cannot be used.
    pub fn prepare(bundle: Named<TenantBundle>) -> Result<Self, String> {
        let digest = bundle.digest();
        let bundle = bundle.into_document();
        let issuer = issuer(&bundle)?;
        let engine = engine(&bundle)?;
        let anchors = by_name(bundle.trust_anchors);
        let anchors = PreparedAnchors::new(&anchors).map_err(|error| error.to_string())?;
        let relying_parties = bundle
            .relying_parties
            .into_iter()
            .map(|(name, party)| {
                let name = String::from(name);
                RelyingParty::prepare(&name, party).map(|party| (name, Arc::new(party)))
            })
            .collect::<Result<_, String>>()?;
        Ok(Self {
            version: bundle.version,
            digest,
            token_endpoint: format!("{issuer}/oauth/token"),
            issuer,
            region: bundle.region,
            log_origin: bundle.audit.origin,
            lifetimes: bundle.lifetimes,
            engine,
            policies: by_name(bundle.policies),
            anchors,
            relying_parties,
        })
    }

    /// The allowed difference between clocks.
    pub fn leeway(&self) -> Duration {
        Duration::from_secs(self.lifetimes.clock_leeway_seconds)
    }
}

impl RelyingParty {
    fn prepare(name: &str, party: pavilion_bundle::RelyingParty) -> Result<Self, String> {
        let certificates = party
            .authentication
            .mutual_tls
            .map(|mutual_tls| ClientAuthorities::prepare(&mutual_tls))
            .transpose()
            .map_err(|why| {
                format!("relyingParties.{name}.authentication.mutualTls.caBundle: {why}")
            })?;
        let keys = party.authentication.private_key_jwt;
        let key_thumbprints = keys
            .iter()
            .flat_map(|keys| keys.find(None))
            .map(Jwk::thumbprint)
            .collect();
        Ok(Self {
            name: name.to_owned(),
            uid: party.uid,
            audience: party.audience,
            keys,
            key_thumbprints,
            certificates,
        })
    }
}

/// Seconds of a lifetime, as times are counted.
pub(crate) fn seconds(lifetime: u64) -> i64 {
    i64::try_from(lifetime).unwrap_or(i64::MAX)
}

fn issuer(bundle: &TenantBundle) -> Result<String, String> {
    if bundle.issuer.scheme() != "https" {
        return Err("issuer: must be an https URL".to_owned());
    }
    Ok(bundle.issuer.as_str().trim_end_matches('/').to_owned())
}

fn engine(bundle: &TenantBundle) -> Result<Engine, String> {
    let policies: BTreeMap<_, _> = bundle
        .policies
        .iter()
        .map(|(name, revision)| (name.as_str(), &revision.policy))
        .collect();
    let parties: BTreeMap<_, _> = bundle
        .relying_parties
        .iter()
        .map(|(name, party)| (name.as_str(), rules(party)))
        .collect();
    Engine::build(
        policies.iter().map(|(name, policy)| (*name, *policy)),
        parties.iter().map(|(name, rules)| (*name, rules)),
    )
    .map_err(|error| error.to_string())
}

fn rules(party: &pavilion_bundle::RelyingParty) -> RpRules {
    let names = party.policies.iter().cloned().map(String::from);
    RpRules {
        purposes: party.purposes.clone(),
        policies: names.collect(),
        obligations: party.obligations.clone(),
    }
}

fn by_name<N: Into<String>, T>(map: BTreeMap<N, T>) -> BTreeMap<String, T> {
    map.into_iter()
        .map(|(name, value)| (name.into(), value))
        .collect()
}

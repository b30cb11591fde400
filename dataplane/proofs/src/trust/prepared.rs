//! Trust anchors made ready for verifying: keys parsed, authorities read, rules checked, once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use pavilion_jose::{Algorithm, Jwks, PublicKey};
use pavilion_json::Digest;

use super::chain::Authorities;
use super::names::{is_dns_pattern, is_ruled};
use super::{Assurance, IssuerKeys, StatusRules, TrustAnchor, TrustedIssuer, X509Keys};
use crate::trust::did_jwk;

/// A trust anchor that cannot be used as written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("trust anchor {anchor}: {path}: {message}")]
pub struct AnchorError {
    /// The name of the anchor.
    pub anchor: String,
    /// The field, as `issuers[0].keys.jwks`.
    pub path: String,
    /// What is wrong with it, as a sentence.
    pub message: String,
}

/// The trust anchors of one bundle, made ready.
#[derive(Clone, Default)]
pub struct PreparedAnchors {
    anchors: BTreeMap<String, Arc<PreparedAnchor>>,
}

pub(crate) struct PreparedAnchor {
    pub(crate) name: String,
    pub(crate) types: BTreeSet<String>,
    pub(crate) issuers: Vec<PreparedIssuer>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) assurance: Option<Assurance>,
    pub(crate) status: StatusRules,
    /// Changes whenever anything of the anchor does; what was found out under one text of the
    /// anchor never counts under another.
    pub(crate) fingerprint: Digest,
}

pub(crate) struct PreparedIssuer {
    pub(crate) issuer: Option<String>,
    pub(crate) keys: PreparedKeys,
}

pub(crate) enum PreparedKeys {
    Listed(Vec<ListedKey>),
    X509 {
        authorities: Authorities,
        names: X509Keys,
    },
    DidJwk(ListedKey),
}

pub(crate) struct ListedKey {
    pub(crate) kid: Option<String>,
    pub(crate) key: PublicKey,
}

impl PreparedAnchors {
    /// Prepares every anchor; the first that cannot be used as written is named.
    pub fn new<N: AsRef<str>>(anchors: &BTreeMap<N, TrustAnchor>) -> Result<Self, AnchorError> {
        let prepare = |(name, anchor): (&N, &TrustAnchor)| {
            let name = name.as_ref().to_owned();
            match PreparedAnchor::new(&name, anchor) {
                Ok(prepared) => Ok((name, Arc::new(prepared))),
                Err((path, message)) => Err(AnchorError {
                    anchor: name,
                    path,
                    message,
                }),
            }
        };
        let anchors = anchors.iter().map(prepare).collect::<Result<_, _>>()?;
        Ok(Self { anchors })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<PreparedAnchor>> {
        self.anchors.get(name)
    }
}

impl fmt::Debug for PreparedAnchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.anchors.keys()).finish()
    }
}

/// A field and what is wrong with it.
type Fault = (String, String);

fn fault<T>(path: impl Into<String>, message: impl Into<String>) -> Result<T, Fault> {
    Err((path.into(), message.into()))
}

impl PreparedAnchor {
    fn new(name: &str, anchor: &TrustAnchor) -> Result<Self, Fault> {
        let types = &anchor.credential_types;
        if types.is_empty() || types.iter().any(String::is_empty) {
            return fault(
                "credentialTypes",
                "Name at least one credential type, and none that is empty.",
            );
        }
        if anchor.issuers.is_empty() {
            return fault("issuers", "Name at least one issuer.");
        }
        if anchor.algorithms.is_empty() {
            return fault("algorithms", "Name at least one algorithm.");
        }
        check_status(&anchor.status)?;
        let prepare = |(index, issuer)| {
            PreparedIssuer::new(issuer, &anchor.algorithms)
                .map_err(|(path, message)| (format!("issuers[{index}].{path}"), message))
        };
        let canonical = pavilion_json::canonical(&(name, anchor))
            .map_err(|error| (String::new(), error.to_string()))?;
        Ok(Self {
            name: name.to_owned(),
            types: types.iter().cloned().collect(),
            issuers: anchor
                .issuers
                .iter()
                .enumerate()
                .map(prepare)
                .collect::<Result<_, _>>()?,
            algorithms: anchor.algorithms.clone(),
            assurance: anchor.assurance,
            status: anchor.status.clone(),
            fingerprint: Digest::of(&canonical),
        })
    }
}

fn check_status(rules: &StatusRules) -> Result<(), Fault> {
    if rules.max_age_seconds == 0 {
        return fault(
            "status.maxAge",
            "The age of a status list must be at least a second.",
        );
    }
    match rules.ca_bundle.as_deref().map(Authorities::from_pem) {
        Some(Err(why)) => fault(
            "status.caBundle",
            format!("The CA bundle is unusable: {why}."),
        ),
        _ => Ok(()),
    }
}

impl PreparedIssuer {
    fn new(issuer: &TrustedIssuer, algorithms: &[Algorithm]) -> Result<Self, Fault> {
        let keys = match (&issuer.keys, issuer.issuer.as_deref()) {
            (IssuerKeys::Jwks(jwks), Some(_)) => PreparedKeys::Listed(listed(jwks, algorithms)?),
            (IssuerKeys::X509(names), pinned) => x509(names, pinned)?,
            (IssuerKeys::DidJwk, Some(did)) => PreparedKeys::DidJwk(did_key(did, algorithms)?),
            (IssuerKeys::Jwks(_) | IssuerKeys::DidJwk, None) => {
                return fault(
                    "issuer",
                    "Name the issuer exactly as in the iss of its credentials.",
                );
            }
        };
        Ok(Self {
            issuer: issuer.issuer.clone(),
            keys,
        })
    }
}

fn listed(jwks: &Jwks, algorithms: &[Algorithm]) -> Result<Vec<ListedKey>, Fault> {
    let mut keys: Vec<ListedKey> = Vec::with_capacity(jwks.keys.len());
    for (index, jwk) in jwks.keys.iter().enumerate() {
        if !jwk.is_for_signatures() {
            continue;
        }
        let kid = jwk.kid().map(str::to_owned);
        if kid.is_some() && keys.iter().any(|key| key.kid == kid) {
            let path = format!("keys.jwks.keys[{index}]");
            return fault(path, "Another key of the set has the same kid.");
        }
        keys.push(ListedKey {
            kid,
            key: jwk.key().clone(),
        });
    }
    if keys
        .iter()
        .any(|key| algorithms.contains(&key.key.algorithm()))
    {
        Ok(keys)
    } else {
        fault("keys.jwks", "No key of the set fits an allowed algorithm.")
    }
}

fn x509(names: &X509Keys, pinned: Option<&str>) -> Result<PreparedKeys, Fault> {
    let authorities = Authorities::from_pem(&names.ca_bundle).map_err(|why| {
        (
            "keys.x509.caBundle".to_owned(),
            format!("The CA bundle is unusable: {why}."),
        )
    })?;
    if let Some(bad) = names.san_dns.iter().position(|name| !is_dns_pattern(name)) {
        return fault(
            format!("keys.x509.sanDns[{bad}]"),
            "It is neither a DNS name nor *. and a DNS name of two labels or more.",
        );
    }
    if !is_ruled(names) && pinned.is_none() {
        return fault(
            "keys.x509",
            "Name the issuer, sanDns or sanUri; otherwise everybody with a certificate of the authority would be believed.",
        );
    }
    Ok(PreparedKeys::X509 {
        authorities,
        names: names.clone(),
    })
}

fn did_key(did: &str, algorithms: &[Algorithm]) -> Result<ListedKey, Fault> {
    let jwk = did_jwk::decode(did).map_err(|why| ("issuer".to_owned(), why))?;
    if !algorithms.contains(&jwk.algorithm()) {
        return fault(
            "issuer",
            "The key of the did:jwk fits no allowed algorithm.",
        );
    }
    Ok(ListedKey {
        kid: Some(format!("{did}#0")),
        key: jwk.key().clone(),
    })
}

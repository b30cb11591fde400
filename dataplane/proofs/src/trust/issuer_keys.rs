//! Which key a token of an issuer must verify under.

use jiff::Timestamp;
use pavilion_catalogue::{Entry, presentation};
use pavilion_jose::{Algorithm, PublicKey};

use super::X509Keys;
use super::chain::Authorities;
use super::names::{Names, is_ruled};
use super::prepared::{ListedKey, PreparedAnchor, PreparedIssuer, PreparedKeys};
use crate::ProofError;

/// What a token says about who signed it; nothing of it is verified yet.
#[derive(Clone, Copy)]
pub(crate) struct Claimed<'a> {
    pub(crate) issuer: Option<&'a str>,
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<&'a str>,
    pub(crate) x5c: Option<&'a [Vec<u8>]>,
}

/// A key that a trusted issuer is known by.
pub(crate) struct Found<'a> {
    /// The issuer: the pinned or stated `iss`, else the name in its certificate.
    pub(crate) issuer: String,
    pub(crate) key: FoundKey<'a>,
}

pub(crate) enum FoundKey<'a> {
    Listed(&'a PublicKey),
    OfLeaf(PublicKey),
}

impl FoundKey<'_> {
    pub(crate) fn key(&self) -> &PublicKey {
        match self {
            Self::Listed(key) => key,
            Self::OfLeaf(key) => key,
        }
    }
}

/// Why no key was found. In the order of how much was known: of several reasons the greatest is
/// the one to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NotFound {
    NotTrusted,
    ChainUntrusted(&'static str),
    KeyUnknown(&'static str),
    AlgorithmNotAllowed,
}

impl NotFound {
    pub(crate) fn error(self) -> ProofError {
        let (code, detail): (&'static Entry, &str) = match self {
            Self::NotTrusted => (
                &presentation::ISSUER_NOT_TRUSTED,
                "None of the policy's trust anchors names this issuer for this credential type.",
            ),
            Self::ChainUntrusted(why) => (&presentation::CERTIFICATE_CHAIN_UNTRUSTED, why),
            Self::KeyUnknown(why) => (&presentation::ISSUER_KEY_UNKNOWN, why),
            Self::AlgorithmNotAllowed => (
                &presentation::ALGORITHM_NOT_ALLOWED,
                "The trust anchor does not allow the algorithm that the issuer signed with.",
            ),
        };
        ProofError::new(code, detail)
    }
}

impl PreparedAnchor {
    /// The key that the issuer at `index` must have signed with.
    pub(crate) fn key_of(
        &self,
        index: usize,
        claimed: Claimed<'_>,
        now: Timestamp,
    ) -> Result<Found<'_>, NotFound> {
        let issuer = self.issuers.get(index).ok_or(NotFound::NotTrusted)?;
        let found = issuer.key(claimed, now)?;
        if self.algorithms.contains(&claimed.algorithm) {
            Ok(found)
        } else {
            Err(NotFound::AlgorithmNotAllowed)
        }
    }
}

impl PreparedIssuer {
    fn key(&self, claimed: Claimed<'_>, now: Timestamp) -> Result<Found<'_>, NotFound> {
        if self.issuer.is_some() && self.issuer.as_deref() != claimed.issuer {
            return Err(NotFound::NotTrusted);
        }
        match &self.keys {
            PreparedKeys::Listed(keys) => Ok(Found {
                issuer: self.issuer.clone().unwrap_or_default(),
                key: FoundKey::Listed(listed_key(keys, claimed)?),
            }),
            PreparedKeys::DidJwk(listed) => Ok(Found {
                issuer: self.issuer.clone().unwrap_or_default(),
                key: FoundKey::Listed(did_key(listed, claimed)?),
            }),
            PreparedKeys::X509 { authorities, names } => {
                self.leaf_key(authorities, names, claimed, now)
            }
        }
    }

    fn leaf_key(
        &self,
        authorities: &Authorities,
        names: &X509Keys,
        claimed: Claimed<'_>,
        now: Timestamp,
    ) -> Result<Found<'_>, NotFound> {
        let Some(x5c) = claimed.x5c else {
            return Err(if self.issuer.is_some() {
                NotFound::KeyUnknown(
                    "The issuer is known by its certificate and the x5c header is missing.",
                )
            } else {
                NotFound::NotTrusted
            });
        };
        let leaf = authorities
            .leaf(x5c, now)
            .map_err(NotFound::ChainUntrusted)?;
        let issuer = self.name_of(leaf.names, names, claimed.issuer)?;
        Ok(Found {
            issuer,
            key: FoundKey::OfLeaf(leaf.key),
        })
    }

    /// The leaf must carry a name that the anchor allows, and that name must speak for a stated
    /// `iss` unless the anchor itself ties that `iss` to its names.
    fn name_of(
        &self,
        leaf: Names,
        rules: &X509Keys,
        stated: Option<&str>,
    ) -> Result<String, NotFound> {
        let names = leaf.allowed(rules);
        let first = names.first().ok_or(NotFound::ChainUntrusted(
            "The leaf certificate carries no name that the trust anchor allows.",
        ))?;
        let tied = self.issuer.is_some() && is_ruled(rules);
        match stated {
            None => Ok(first),
            Some(stated) if tied || names.speak_for(stated) => Ok(stated.to_owned()),
            Some(_) => Err(NotFound::ChainUntrusted(
                "The leaf certificate does not carry the issuer's name.",
            )),
        }
    }
}

/// By `kid`; without one the algorithm alone must leave exactly one key.
fn listed_key<'a>(keys: &'a [ListedKey], claimed: Claimed<'_>) -> Result<&'a PublicKey, NotFound> {
    let fits = |key: &&ListedKey| key.key.algorithm() == claimed.algorithm;
    let Some(kid) = claimed.kid else {
        let mut fitting = keys.iter().filter(fits);
        return match (fitting.next(), fitting.next()) {
            (Some(only), None) => Ok(&only.key),
            (Some(_), Some(_)) => Err(NotFound::KeyUnknown(
                "The header names no kid and several of the issuer's keys fit the algorithm.",
            )),
            (None, _) => Err(NotFound::KeyUnknown(
                "None of the issuer's keys fits the algorithm.",
            )),
        };
    };
    let named = keys.iter().find(|key| key.kid.as_deref() == Some(kid));
    let named = named.ok_or(NotFound::KeyUnknown(
        "None of the issuer's keys has the kid of the header.",
    ))?;
    fits(&named)
        .then_some(&named.key)
        .ok_or(NotFound::KeyUnknown(
            "The key with that kid is for another algorithm.",
        ))
}

fn did_key<'a>(listed: &'a ListedKey, claimed: Claimed<'_>) -> Result<&'a PublicKey, NotFound> {
    let is_own = |kid: &str| kid == "#0" || Some(kid) == listed.kid.as_deref();
    if !claimed.kid.is_none_or(is_own) {
        return Err(NotFound::KeyUnknown(
            "A did:jwk has one key, and the kid names another.",
        ));
    }
    if listed.key.algorithm() != claimed.algorithm {
        return Err(NotFound::KeyUnknown(
            "The key of the did:jwk is for another algorithm.",
        ));
    }
    Ok(&listed.key)
}

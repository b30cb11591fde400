//! From the signed payload and the disclosures to the processed payload (RFC 9901 section 7.1).

use std::collections::{HashMap, HashSet};

use pavilion_catalogue::presentation;
use serde_json::{Map, Value};

use super::disclosure::{Content, Disclosure};
use super::hash::HashAlgorithm;
use crate::ProofError;

/// Holds the digests of disclosed members of an object.
pub(crate) const SD: &str = "_sd";
/// Names the hash function; top level only.
pub(crate) const SD_ALG: &str = "_sd_alg";
/// Holds the digest of a disclosed element of an array.
pub(crate) const ELEMENT: &str = "...";

/// The deepest nesting of a processed payload, disclosures within disclosures included.
const MAX_DEPTH: usize = 32;

/// What must stand in the signed JWT itself, sub-claims included (draft-ietf-oauth-sd-jwt-vc,
/// "Registered JWT Claims"). `sub` and `iat` may be disclosed selectively.
pub(crate) const NEVER_DISCLOSED: [&str; 8] = [
    "iss",
    "nbf",
    "exp",
    "cnf",
    "vct",
    "vct#integrity",
    "aka_vcts",
    "status",
];

/// Puts every disclosure in its place and removes what only served disclosing. Each digest may
/// stand once in the whole payload; each disclosure must be used exactly once.
pub(crate) fn process(
    mut payload: Map<String, Value>,
    disclosures: Vec<Disclosure<'_>>,
    hash: HashAlgorithm,
) -> Result<Map<String, Value>, ProofError> {
    payload.remove(SD_ALG);
    let mut work = Work::over(disclosures, hash)?;
    let processed = work.object(payload, Place::TOP)?;
    if work.unused.is_empty() {
        Ok(processed)
    } else {
        Err(ProofError::new(
            &presentation::DISCLOSURE_DIGEST_UNMATCHED,
            "A disclosure's digest stands nowhere in the credential.",
        ))
    }
}

/// Where in the payload the work is.
#[derive(Clone, Copy)]
struct Place {
    depth: usize,
    /// Inside a claim that must not be disclosed selectively.
    sealed: bool,
}

impl Place {
    const TOP: Self = Self {
        depth: 0,
        sealed: false,
    };

    fn below(self, name: &str) -> Result<Self, ProofError> {
        let sealed = self.sealed || (self.depth == 0 && NEVER_DISCLOSED.contains(&name));
        self.deeper(sealed)
    }

    fn deeper(self, sealed: bool) -> Result<Self, ProofError> {
        if self.depth == MAX_DEPTH {
            return Err(ProofError::new(
                &presentation::TOO_LARGE,
                format!("The credential is nested deeper than {MAX_DEPTH} levels."),
            ));
        }
        Ok(Self {
            depth: self.depth + 1,
            sealed,
        })
    }
}

struct Work {
    unused: HashMap<String, Content>,
    seen: HashSet<String>,
}

impl Work {
    fn over(disclosures: Vec<Disclosure<'_>>, hash: HashAlgorithm) -> Result<Self, ProofError> {
        let mut unused = HashMap::with_capacity(disclosures.len());
        for disclosure in disclosures {
            let digest = hash.digest(disclosure.encoded);
            if unused.insert(digest, disclosure.content).is_some() {
                return Err(duplicate("The same disclosure was sent twice."));
            }
        }
        Ok(Self {
            unused,
            seen: HashSet::new(),
        })
    }

    fn value(&mut self, value: Value, place: Place) -> Result<Value, ProofError> {
        match value {
            Value::Object(object) => self.object(object, place).map(Value::Object),
            Value::Array(items) => self.array(items, place).map(Value::Array),
            scalar => Ok(scalar),
        }
    }

    fn object(
        &mut self,
        mut object: Map<String, Value>,
        place: Place,
    ) -> Result<Map<String, Value>, ProofError> {
        let digests = object.remove(SD);
        if object.contains_key(ELEMENT) || object.contains_key(SD_ALG) {
            return Err(reserved(
                "A member uses a name that is reserved for disclosing.",
            ));
        }
        let mut processed = Map::new();
        for (name, value) in object {
            let value = self.value(value, place.below(&name)?)?;
            processed.insert(name, value);
        }
        if let Some(digests) = digests {
            self.members(&mut processed, digests, place)?;
        }
        Ok(processed)
    }

    /// Inserts the disclosed members whose digests stand in `_sd`.
    fn members(
        &mut self,
        object: &mut Map<String, Value>,
        digests: Value,
        place: Place,
    ) -> Result<(), ProofError> {
        let Value::Array(digests) = digests else {
            return Err(invalid("_sd is not an array."));
        };
        for digest in digests {
            let Value::String(digest) = digest else {
                return Err(invalid("_sd holds something that is not a digest."));
            };
            let Some(content) = self.take(digest, place)? else {
                continue;
            };
            let Content::Member { name, value } = content else {
                return Err(invalid(
                    "An array element was disclosed as a member of an object.",
                ));
            };
            check_name(&name, place)?;
            if object.contains_key(&name) {
                return Err(duplicate(
                    "A disclosed claim stands in the credential already.",
                ));
            }
            let value = self.value(value, place.below(&name)?)?;
            object.insert(name, value);
        }
        Ok(())
    }

    fn array(&mut self, items: Vec<Value>, place: Place) -> Result<Vec<Value>, ProofError> {
        let place = place.deeper(place.sealed)?;
        let mut processed = Vec::with_capacity(items.len());
        for item in items {
            match element_digest(item)? {
                Element::Plain(value) => processed.push(self.value(value, place)?),
                Element::Digest(digest) => match self.take(digest, place)? {
                    None => {}
                    Some(Content::Element { value }) => processed.push(self.value(value, place)?),
                    Some(Content::Member { .. }) => {
                        return Err(invalid(
                            "A member of an object was disclosed as an array element.",
                        ));
                    }
                },
            }
        }
        Ok(processed)
    }

    /// The disclosure of a digest; `None` for a decoy and for what the holder keeps back.
    fn take(&mut self, digest: String, place: Place) -> Result<Option<Content>, ProofError> {
        if place.sealed {
            return Err(reserved(
                "A claim that must stand in the signed JWT is selectively disclosed in part.",
            ));
        }
        let content = self.unused.remove(&digest);
        if self.seen.insert(digest) {
            Ok(content)
        } else {
            Err(duplicate("A digest stands twice in the credential."))
        }
    }
}

enum Element {
    Plain(Value),
    Digest(String),
}

/// Tells a placeholder `{"...": digest}` from a plain element.
fn element_digest(item: Value) -> Result<Element, ProofError> {
    let Value::Object(mut object) = item else {
        return Ok(Element::Plain(item));
    };
    if object.len() != 1 || !object.contains_key(ELEMENT) {
        return Ok(Element::Plain(Value::Object(object)));
    }
    match object.remove(ELEMENT) {
        Some(Value::String(digest)) => Ok(Element::Digest(digest)),
        _ => Err(invalid("An array element's digest is not text.")),
    }
}

fn check_name(name: &str, place: Place) -> Result<(), ProofError> {
    if [SD, SD_ALG, ELEMENT].contains(&name) {
        return Err(reserved(
            "A disclosed claim has a name that is reserved for disclosing.",
        ));
    }
    if place.depth == 0 && NEVER_DISCLOSED.contains(&name) {
        return Err(reserved(
            "A claim that must stand in the signed JWT is selectively disclosed.",
        ));
    }
    Ok(())
}

fn reserved(detail: &str) -> ProofError {
    ProofError::new(&presentation::DISCLOSURE_RESERVED_NAME, detail)
}

fn duplicate(detail: &str) -> ProofError {
    ProofError::new(&presentation::DISCLOSURE_DUPLICATE, detail)
}

fn invalid(detail: &str) -> ProofError {
    ProofError::new(&presentation::CREDENTIAL_INVALID, detail)
}

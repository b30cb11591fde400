//! Which disclosures a presentation needs.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::{ClaimPath, WalletError};
use crate::sd_jwt::payload::{ELEMENT, SD, SD_ALG};
use crate::sd_jwt::{HashAlgorithm, Presentation};

/// The disclosures of `credential` that reveal the claims at `paths`, all that is below them, and
/// what they stand in; in the order of the credential.
pub(super) fn select<'a>(
    credential: &Presentation<'a>,
    payload: &Value,
    paths: &[ClaimPath],
) -> Result<Vec<&'a str>, WalletError> {
    let hash = HashAlgorithm::of_claim(payload.get(SD_ALG))?;
    let disclosures = credential.disclosures();
    let by_digest = disclosures
        .iter()
        .enumerate()
        .map(|(index, disclosure)| (hash.digest(disclosure.encoded), index))
        .collect();
    let mut walk = Walk {
        credential,
        by_digest,
        paths,
        met: BTreeSet::new(),
        selected: BTreeSet::new(),
    };
    walk.value(payload, &ClaimPath::default());
    if let Some(missing) = paths.iter().find(|path| !walk.met.contains(path)) {
        return Err(WalletError::NoSuchClaim(missing.clone()));
    }
    let chosen = |index: &usize| disclosures.get(*index).map(|disclosure| disclosure.encoded);
    Ok(walk.selected.iter().filter_map(chosen).collect())
}

struct Walk<'w, 'a> {
    credential: &'w Presentation<'a>,
    by_digest: HashMap<String, usize>,
    paths: &'w [ClaimPath],
    met: BTreeSet<&'w ClaimPath>,
    selected: BTreeSet<usize>,
}

impl Walk<'_, '_> {
    fn value(&mut self, value: &Value, path: &ClaimPath) {
        self.met
            .extend(self.paths.iter().filter(|wanted| *wanted == path));
        match value {
            Value::Object(object) => {
                for (name, member) in object.iter().filter(|(name, _)| *name != SD) {
                    self.value(member, &path.below(name));
                }
                let digests = object.get(SD).and_then(Value::as_array);
                for digest in digests.into_iter().flatten() {
                    self.digest(digest, |name| path.below(name.unwrap_or_default()));
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let path = path.below(index.to_string());
                    match item.get(ELEMENT) {
                        Some(digest) => self.digest(digest, |_| path.clone()),
                        None => self.value(item, &path),
                    }
                }
            }
            _ => {}
        }
    }

    /// Follows a digest to its disclosure, if there is one and a wanted path goes through it.
    fn digest(&mut self, digest: &Value, path: impl FnOnce(Option<&str>) -> ClaimPath) {
        let index = digest
            .as_str()
            .and_then(|digest| self.by_digest.get(digest))
            .copied();
        let credential = self.credential;
        let Some((index, disclosure)) =
            index.and_then(|index| Some((index, credential.disclosures().get(index)?)))
        else {
            return;
        };
        let path = path(disclosure.name());
        if self.paths.iter().any(|wanted| wanted.meets(&path)) && self.selected.insert(index) {
            self.value(disclosure.value(), &path);
        }
    }
}

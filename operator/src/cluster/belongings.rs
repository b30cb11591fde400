//! The objects of one tenant, as many as there is room for: every replica keeps them all in memory.
//!
//! Of what is beyond that only names are kept. Nothing new of such a tenant takes effect, and what was accepted before
//! stays. Once there is room again, what is beyond is read.

use std::{collections::BTreeMap, sync::Arc};

use kube::core::DynamicObject;
use pavilion_crds::Kind;

use super::watching::version;
use crate::object_key::ObjectKey;

/// The most objects of a tenant.
pub const MOST_OBJECTS: usize = 2_048;
/// The most bytes of JSON that their specs come to: several times what a bundle may have.
pub const MOST_BYTES: usize = 4 * 1024 * 1024;
/// How many are read at once when there is room again.
const READ_AT_ONCE: usize = 64;

/// Objects by what they are called.
pub type Kept = BTreeMap<ObjectKey, Arc<DynamicObject>>;

/// Itself, and what lies in its namespace.
#[derive(Debug, Default)]
pub struct Belongings {
    kept: Kept,
    /// Of the specs of `kept`.
    sizes: BTreeMap<ObjectKey, usize>,
    bytes: usize,
    /// There was no room for these, with the bytes of their specs.
    beyond: BTreeMap<ObjectKey, usize>,
}

/// What became of an object.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// Something newer is known.
    Older,
    /// It is kept, in the place of one before.
    Kept(Option<Arc<DynamicObject>>),
    /// There is no room for it; whether that is news.
    Beyond(bool),
}

impl Belongings {
    /// Those that there is room for.
    pub const fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Whether there is nothing of the tenant.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.beyond.is_empty()
    }

    /// What all of them are called.
    pub fn keys(&self) -> impl Iterator<Item = &ObjectKey> {
        self.kept.keys().chain(self.beyond.keys())
    }

    /// How many there is no room for.
    pub fn beyond(&self) -> usize {
        self.beyond.len()
    }

    /// Those that there is room for by now.
    pub fn unread(&self) -> Vec<ObjectKey> {
        let (mut count, mut bytes) = (self.kept.len(), self.bytes);
        let fitting = self.beyond.iter().filter(|(_, size)| {
            let fits = fits(count, bytes, **size);
            if fits {
                count += 1;
                bytes += **size;
            }
            fits
        });
        let keys = fitting.map(|(key, _)| key.clone());
        keys.take(READ_AT_ONCE).collect()
    }

    /// Keeps an object whose spec has `size` bytes, if there is room. For the Tenant itself there always is.
    pub fn keep(&mut self, key: ObjectKey, object: Arc<DynamicObject>, size: usize) -> Outcome {
        let known = self.kept.get(&key);
        let is_older =
            known.is_some_and(|known| version(&known.metadata) > version(&object.metadata));
        if is_older {
            return Outcome::Older;
        }
        let before = self.take(&key);
        if key.kind != Kind::Tenant && !fits(self.kept.len(), self.bytes, size) {
            let was_beyond = self.beyond.insert(key, size).is_some();
            return Outcome::Beyond(!was_beyond);
        }
        self.beyond.remove(&key);
        self.bytes += size;
        self.sizes.insert(key.clone(), size);
        self.kept.insert(key, object);
        Outcome::Kept(before)
    }

    /// Forgets an object; it, if it was kept.
    pub fn remove(&mut self, key: &ObjectKey) -> Option<Arc<DynamicObject>> {
        self.beyond.remove(key);
        self.take(key)
    }

    fn take(&mut self, key: &ObjectKey) -> Option<Arc<DynamicObject>> {
        self.bytes -= self.sizes.remove(key).unwrap_or(0);
        self.kept.remove(key)
    }
}

const fn fits(count: usize, bytes: usize, size: usize) -> bool {
    count < MOST_OBJECTS && bytes + size <= MOST_BYTES
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn policy(name: &str, version: u64) -> (ObjectKey, Arc<DynamicObject>) {
        let object = json!({
            "metadata": {"name": name, "namespace": "pavilion-acme", "resourceVersion": version.to_string()},
        });
        let key = format!("Policy pavilion-acme/{name}").parse().unwrap();
        (key, Arc::new(serde_json::from_value(object).unwrap()))
    }

    fn keep(all: &mut Belongings, name: &str, version: u64, size: usize) -> Outcome {
        let (key, object) = policy(name, version);
        all.keep(key, object, size)
    }

    #[test]
    fn what_there_is_no_room_for_is_read_once_there_is() {
        let mut all = Belongings::default();
        assert_eq!(keep(&mut all, "large", 1, MOST_BYTES), Outcome::Kept(None));
        assert_eq!(keep(&mut all, "more", 2, 2), Outcome::Beyond(true));
        assert_eq!(keep(&mut all, "more", 3, 1), Outcome::Beyond(false));
        assert_eq!((all.beyond(), all.unread()), (1, vec![]));
        let (large, before) = policy("large", 1);
        assert_eq!(
            keep(&mut all, "large", 4, MOST_BYTES - 1),
            Outcome::Kept(Some(before))
        );
        assert_eq!(keep(&mut all, "large", 1, 1), Outcome::Older);
        let (more, _) = policy("more", 3);
        assert_eq!(all.unread(), std::slice::from_ref(&more));
        assert_eq!(keep(&mut all, "more", 3, 1), Outcome::Kept(None));
        assert_eq!((all.beyond(), all.kept().len()), (0, 2));
        assert!(all.remove(&large).is_some() && all.remove(&more).is_some());
        assert!(all.is_empty());
        assert_eq!(all.bytes, 0);
    }

    #[test]
    fn one_that_grows_out_of_the_room_is_not_kept_as_it_was() {
        let mut all = Belongings::default();
        keep(&mut all, "one", 1, 1);
        keep(&mut all, "other", 2, 1);
        assert_eq!(keep(&mut all, "one", 3, MOST_BYTES), Outcome::Beyond(true));
        assert_eq!(all.kept().len(), 1);
        assert_eq!(all.keys().count(), 2);
    }

    #[test]
    fn many_small_ones_are_too_many() {
        let mut all = Belongings::default();
        for number in 0..MOST_OBJECTS {
            keep(&mut all, &number.to_string(), 1, 1);
        }
        for number in 0..2 * READ_AT_ONCE {
            keep(&mut all, &format!("more-{number}"), 1, 1);
        }
        assert_eq!(all.beyond(), 2 * READ_AT_ONCE);
        for number in 0..MOST_OBJECTS {
            all.remove(&policy(&number.to_string(), 1).0);
        }
        assert_eq!(all.unread().len(), READ_AT_ONCE);
    }
}

//! What must outlive the operator: identities, generations, revisions and versions.
//!
//! In a cluster the API server keeps identities and generations, and the rest stands in an object of the
//! tenant's namespace; on one host all of it is one small file. Numbers of
//! versions and revisions only ever count up, also when an object is deleted and made anew.

use std::collections::BTreeMap;

use pavilion_json::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ulid::Ulid;

use crate::{manifests::Object, object_key::ObjectKey};

/// All records of one state directory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Records {
    /// By object.
    #[serde(default)]
    pub objects: BTreeMap<ObjectKey, ObjectRecord>,
    /// By tenant.
    #[serde(default)]
    pub tenants: BTreeMap<String, TenantRecord>,
    /// Of the route table.
    #[serde(default)]
    pub routes: Version,
}

/// What is kept of one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectRecord {
    /// Another one after the object was deleted and made anew.
    pub uid: String,
    /// Counts changes of the spec.
    pub generation: u64,
    /// Of the spec as it was last seen.
    pub seen: Digest,
    /// The object as it was last accepted; `None` before that and after its deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Accepted>,
    /// The newest revision, of a Policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// Whether it was deleted.
    #[serde(default)]
    pub deleted: bool,
}

/// An object in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Accepted {
    /// Its generation.
    pub generation: u64,
    /// The whole object, for rules about changes; `None` where an API server applies those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Value>,
}

/// A revision of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Revision {
    /// Counts changes of the content.
    pub number: u64,
    /// Of the canonical policy, its schema and the engine's version.
    pub digest: Digest,
}

/// What is kept of one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TenantRecord {
    /// The origin line of its log.
    pub log_origin: String,
    /// Of its bundle.
    pub bundle: Version,
    /// Of its own server certificate and key, as they were accepted last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Digest>,
}

/// A number that counts changes of content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Version {
    /// The number; 0 before there was any content.
    pub number: u64,
    /// Of the content without its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Digest>,
}

impl Version {
    /// The number for this content: the same for the same, the next for other.
    pub fn number_for(&mut self, content: Digest) -> u64 {
        if self.content != Some(content) {
            self.number += 1;
            self.content = Some(content);
        }
        self.number
    }
}

impl TenantRecord {
    fn new() -> Self {
        Self {
            log_origin: format!("pavilion.dev/log/{}", fresh_id()),
            bundle: Version::default(),
            certificate: None,
        }
    }
}

impl Records {
    /// Takes note of an object that was read, accepted or not.
    pub fn see(&mut self, object: &Object) {
        let digest = spec_digest(object.spec());
        match self.objects.get_mut(&object.key) {
            None => {
                self.objects
                    .insert(object.key.clone(), ObjectRecord::new(digest));
            }
            Some(record) if record.deleted => {
                record.uid = fresh_id();
                record.deleted = false;
                record.generation += 1;
                record.seen = digest;
            }
            Some(record) if record.seen != digest => {
                record.generation += 1;
                record.seen = digest;
            }
            Some(_) => {}
        }
    }

    /// Takes note of an object whose identity and generation an API server keeps.
    pub fn known(&mut self, key: &ObjectKey, uid: &str, generation: u64) {
        let record = self.objects.entry(key.clone());
        let record = record.or_insert_with(|| ObjectRecord::new(Digest::of(b"")));
        if record.uid != uid {
            uid.clone_into(&mut record.uid);
            record.accepted = None;
        }
        record.generation = generation;
        record.deleted = false;
    }

    /// Keeps of what is in force no more than which generation it is.
    pub fn forget_contents(&mut self) {
        for record in self.objects.values_mut() {
            if let Some(accepted) = &mut record.accepted {
                accepted.object = None;
            }
        }
    }

    /// Takes note that these objects, and no others, are in force.
    pub fn accept<'a>(&mut self, objects: impl IntoIterator<Item = (&'a ObjectKey, &'a Value)>) {
        let objects: BTreeMap<_, _> = objects.into_iter().collect();
        for (key, record) in &mut self.objects {
            let Some(object) = objects.get(key) else {
                record.deleted = true;
                record.accepted = None;
                continue;
            };
            record.accepted = Some(Accepted {
                generation: record.generation,
                object: Some((*object).clone()),
            });
        }
        // As in a cluster, an object that is made anew begins at generation 1 under another uid. Only
        // revisions are named in answers and must go on.
        self.objects
            .retain(|_, record| !record.deleted || record.revision.is_some());
    }

    /// Counts on from the numbers of others, where those are higher: they may have been given out. Whether any is.
    pub fn go_on_from(&mut self, others: &Self) -> bool {
        let mut any = false;
        for (name, other) in &others.tenants {
            match self.tenants.get_mut(name) {
                Some(own) if own.bundle.number < other.bundle.number => own.bundle = other.bundle,
                Some(_) => continue,
                None => {
                    self.tenants.insert(name.clone(), other.clone());
                }
            }
            any = true;
        }
        for (key, other) in &others.objects {
            let Some(newest) = &other.revision else {
                continue;
            };
            let own = self.objects.entry(key.clone());
            let own = own.or_insert_with(|| ObjectRecord {
                accepted: None,
                revision: None,
                ..other.clone()
            });
            let number = own.revision.as_ref().map(|own| own.number);
            if number < Some(newest.number) {
                own.revision = Some(newest.clone());
                any = true;
            }
        }
        any
    }

    /// The object in force under this key.
    pub fn accepted(&self, key: &ObjectKey) -> Option<&Value> {
        let record = self.objects.get(key)?;
        record.accepted.as_ref()?.object.as_ref()
    }

    /// The record of a tenant, made when there is none.
    pub fn tenant(&mut self, name: &str) -> &mut TenantRecord {
        self.tenants
            .entry(name.to_owned())
            .or_insert_with(TenantRecord::new)
    }

    /// The revision number of a policy's content.
    pub fn revision(&mut self, key: &ObjectKey, digest: Digest) -> u64 {
        let Some(record) = self.objects.get_mut(key) else {
            return 1;
        };
        let before = record.revision.as_ref();
        let number = match before {
            Some(revision) if revision.digest == digest => revision.number,
            Some(revision) => revision.number + 1,
            None => 1,
        };
        record.revision = Some(Revision { number, digest });
        number
    }
}

impl ObjectRecord {
    fn new(seen: Digest) -> Self {
        Self {
            uid: fresh_id(),
            generation: 1,
            seen,
            accepted: None,
            revision: None,
            deleted: false,
        }
    }

    /// Whether what was last seen is in force.
    pub fn is_in_force(&self) -> bool {
        let accepted = self.accepted.as_ref();
        accepted.is_some_and(|accepted| accepted.generation == self.generation)
    }
}

fn spec_digest(spec: &Value) -> Digest {
    // A spec that has no canonical form (a float out of range) is refused by its schema; until then
    // any stable name will do.
    pavilion_json::canonical(spec).map_or_else(
        |_| Digest::of(spec.to_string().as_bytes()),
        |bytes| Digest::of(&bytes),
    )
}

fn fresh_id() -> String {
    Ulid::generate().to_string().to_lowercase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::manifests::Source;

    fn object(spec: &Value) -> Object {
        Object {
            key: "Policy pavilion-acme/over18".parse().unwrap(),
            value: json!({"spec": spec}),
            source: Source::default(),
        }
    }

    fn see(records: &mut Records, spec: &Value) -> (String, u64) {
        let object = object(spec);
        records.see(&object);
        let record = &records.objects[&object.key];
        (record.uid.clone(), record.generation)
    }

    fn accept(records: &mut Records, spec: &Value) {
        let object = object(spec);
        records.accept([(&object.key, &object.value)]);
    }

    #[test]
    fn the_generation_counts_changes_of_the_spec_only() {
        let mut records = Records::default();
        let (uid, first) = see(&mut records, &json!({"a": 1, "b": 2}));
        assert_eq!(first, 1);
        assert_eq!(
            see(&mut records, &json!({"b": 2, "a": 1})),
            (uid.clone(), 1)
        );
        assert_eq!(see(&mut records, &json!({"a": 2})), (uid, 2));
    }

    #[test]
    fn an_object_made_anew_is_another_one_and_keeps_counting() {
        let mut records = Records::default();
        let (uid, _) = see(&mut records, &json!({}));
        accept(&mut records, &json!({}));
        let key = object(&json!({})).key;
        assert_eq!(records.revision(&key, Digest::of(b"one")), 1);
        assert_eq!(records.revision(&key, Digest::of(b"one")), 1);
        records.accept([]);
        assert_eq!(records.accepted(&key), None);
        let (other, generation) = see(&mut records, &json!({}));
        assert_ne!(uid, other);
        assert_eq!(generation, 2);
        assert_eq!(records.revision(&key, Digest::of(b"two")), 2);
    }

    #[test]
    fn what_is_gone_and_was_never_named_in_an_answer_is_forgotten() {
        let mut records = Records::default();
        for n in 0..3 {
            let key = format!("RelyingParty pavilion-acme/r{n}").parse().unwrap();
            let object = Object {
                key,
                ..object(&json!({}))
            };
            records.see(&object);
            records.accept([(&object.key, &object.value)]);
            assert_eq!(records.objects.len(), 1);
        }
    }

    #[test]
    fn what_was_seen_is_in_force_only_once_accepted() {
        let mut records = Records::default();
        let key = object(&json!({})).key;
        see(&mut records, &json!({"a": 1}));
        assert!(!records.objects[&key].is_in_force());
        accept(&mut records, &json!({"a": 1}));
        assert!(records.objects[&key].is_in_force());
        see(&mut records, &json!({"a": 2}));
        assert!(!records.objects[&key].is_in_force());
        assert_eq!(records.accepted(&key), Some(&json!({"spec": {"a": 1}})));
    }

    #[test]
    fn a_version_counts_content_and_never_goes_back() {
        let mut version = Version::default();
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let numbers: Vec<u64> = [one, one, two, one]
            .map(|content| version.number_for(content))
            .into();
        assert_eq!(numbers, [1, 1, 2, 3]);
    }

    #[test]
    fn numbers_that_may_have_been_given_out_are_not_given_to_anything_else() {
        let (one, two, three) = (Digest::of(b"1"), Digest::of(b"2"), Digest::of(b"3"));
        let mut written = Records::default();
        see(&mut written, &json!({"a": 1}));
        accept(&mut written, &json!({"a": 1}));
        let key = object(&json!({})).key;
        written.revision(&key, one);
        written.tenant("acme").bundle.number_for(one);

        let mut lost = written.clone();
        lost.revision(&key, two);
        lost.tenant("acme").bundle.number_for(two);
        accept(&mut lost, &json!({"a": 2}));
        assert!(written.go_on_from(&lost));
        assert!(!written.go_on_from(&lost));
        assert_eq!(
            written.accepted(&key),
            Some(&json!({"spec": {"a": 1}})),
            "what was lost is not in force"
        );
        let mut again = written.clone();
        assert_eq!(again.revision(&key, two), 2, "the same has its number");
        assert_eq!(again.tenant("acme").bundle.number_for(two), 2);
        assert_eq!(written.revision(&key, three), 3);
        assert_eq!(written.tenant("acme").bundle.number_for(three), 3);

        let mut none = Records::default();
        assert!(none.go_on_from(&lost));
        assert_eq!(
            none.tenant("acme").log_origin,
            lost.tenant("acme").log_origin
        );
        assert_eq!(none.accepted(&key), None);
        assert_eq!(none.revision(&key, three), 3);
    }

    #[test]
    fn a_tenants_log_keeps_its_origin_and_the_origin_names_nobody() {
        let mut records = Records::default();
        let origin = records.tenant("acme").log_origin.clone();
        assert_eq!(records.tenant("acme").log_origin, origin);
        assert_ne!(records.tenant("beta").log_origin, origin);
        assert!(!origin.contains("acme"));
        let text = serde_json::to_string(&records).unwrap();
        assert_eq!(serde_json::from_str::<Records>(&text).unwrap(), records);
    }
}

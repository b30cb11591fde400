//! What is there of the objects made for tenants, as the watches see it.
//!
//! Of each object only a digest of what is ours in it is kept, so that a cluster with many tenants is
//! remembered in little memory, and an edit by somebody else shows as another digest. Whole objects
//! are watched, not their metadata alone: the metadata of a `ConfigMap` or a `ServiceAccount` does not
//! tell that their content changed.

mod known;
mod pending;

use std::{
    collections::HashSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use pavilion_bundle::TenantName;
use pavilion_json::Digest;

use known::Known;
use pending::Pending;

use super::{
    gone::Gone,
    kinds::OwnedKind,
    owned::{Owned, OwnedKey, TENANT_LABEL, digest},
    owned_fields::applied_by,
    parts::Part,
    told::Told,
    triggers::Triggers,
    watching::{News, Place, version},
    whose::whose,
};

/// The field manager of everything applied for a tenant.
pub const FIELD_MANAGER: &str = "pavilion-tenant";

/// What is there.
#[derive(Debug)]
pub struct Live {
    /// The operator's namespace.
    beside: String,
    seen: Mutex<Known>,
    gone: Mutex<Gone>,
    pending: Mutex<Pending>,
    /// Whether this replica writes: only then does it know a change of its own from one of others.
    leads: AtomicBool,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Of the object.
    pub uid: String,
    /// Whose it is.
    pub tenant: TenantName,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Up to which change it is known.
    pub version: u64,
    /// Of what is ours in it.
    ours: Option<Digest>,
    /// Of what was applied to bring this about, where the two differ: the API server may write a value
    /// in another form than it was given.
    stands_for: Option<Digest>,
    /// What it was to be when it was right, if somebody else changed it since.
    was: Option<Digest>,
    /// Whether it goes because we deleted it.
    let_go: bool,
}

impl Live {
    /// Nothing is known yet, of an operator in the namespace `beside`.
    pub fn new(beside: &str) -> Self {
        Self {
            beside: beside.to_owned(),
            seen: Mutex::default(),
            gone: Mutex::default(),
            pending: Mutex::default(),
            leads: AtomicBool::default(),
        }
    }

    /// From now on this replica writes.
    pub fn lead(&self) {
        self.leads.store(true, Ordering::Release);
    }

    /// Whether the object was as it is to be, and is not because somebody else changed or deleted it.
    pub fn drifted(&self, owned: &Owned) -> bool {
        let wanted = owned.digest();
        let seen = self.lock();
        let before = match seen.get(&owned.key) {
            Some(found) => found.was,
            None => self.gone().before(&owned.key),
        };
        before.is_some() && before == wanted
    }

    /// Takes note that we are about to delete an object.
    pub fn let_go(&self, key: &OwnedKey) {
        if let Some(seen) = self.lock().get_mut(key) {
            seen.let_go = true;
        }
    }

    /// An object that we deleted is not there any more.
    pub fn went(&self, key: &OwnedKey, uid: &str) {
        let mut all = self.lock();
        if all.get(key).is_some_and(|known| known.uid == uid) {
            all.remove(key);
        }
    }

    /// Forgets what went of a tenant that is gone.
    pub fn forget_tenant(&self, tenant: &TenantName) {
        self.gone().forget(tenant);
    }

    /// Whether the object is there as it is to be.
    pub fn is_as(&self, owned: &Owned) -> bool {
        let wanted = owned.digest();
        let seen = self.lock();
        let found = seen.get(&owned.key).filter(|found| !found.deleting);
        found.is_some_and(|found| {
            wanted.is_some() && (found.ours == wanted || found.stands_for == wanted)
        })
    }

    /// Whether anything of a tenant is there.
    pub fn knows(&self, tenant: &TenantName) -> bool {
        self.lock().of(tenant).next().is_some()
    }

    /// Whether the object is there at all.
    pub fn has(&self, key: &OwnedKey) -> bool {
        self.lock().get(key).is_some()
    }

    /// What is known of an object.
    pub fn seen(&self, key: &OwnedKey) -> Option<Seen> {
        self.lock().get(key).cloned()
    }

    /// The objects in a tenant's namespace that are not among `wanted`, last made first. The namespace
    /// itself is never one: with it everything of the tenant would go.
    pub fn orphans(&self, tenant: &TenantName, wanted: &[Owned]) -> Vec<(OwnedKey, Seen)> {
        let wanted: HashSet<&OwnedKey> = wanted.iter().map(|owned| &owned.key).collect();
        let seen = self.lock();
        let mut orphans: Vec<_> = seen
            .of(tenant)
            .filter(|(key, found)| {
                !found.deleting && key.namespace.is_some() && !wanted.contains(key)
            })
            .map(|(key, found)| (key.clone(), found.clone()))
            .collect();
        orphans.sort_by(|(one, _), (other, _)| other.cmp(one));
        orphans
    }

    /// Takes note of what an apply of `owned` came to, before the watch tells.
    pub fn applied(&self, owned: &Owned, answer: &Told) {
        let Some(key) = key_of(owned.key.kind, answer) else {
            return;
        };
        let Some(mut seen) = self.look(&key, answer) else {
            return;
        };
        let wanted = owned.digest();
        if seen.ours != wanted {
            seen.stands_for = wanted;
        }
        let mut all = self.lock();
        match all.get_mut(&key) {
            // Somebody changed it since, and the watch was quicker to tell than the answer.
            Some(newer) if newer.version > seen.version => newer.was = wanted,
            _ => {
                self.gone().found(&key);
                all.insert(key, seen);
            }
        }
    }

    /// An object is about to be written. What is told of it is heard once the answer is there, which is when what this
    /// returns is dropped: mostly it is just what was written.
    pub fn writing(&self, key: &OwnedKey) -> Writing<'_> {
        self.pending().begin(key);
        Writing {
            live: self,
            key: key.clone(),
        }
    }

    /// Takes note of what the watch of a part tells.
    pub fn hear(&self, part: &Part, news: News<Told>, triggers: &Triggers) {
        let object = match &news {
            News::Seen(object) | News::Gone(object) => object,
            News::Listed(places) => return self.keep_only(part, places, triggers),
        };
        let Some(key) = key_of(part.kind, object) else {
            return;
        };
        let news = self.pending().hold_back(&key, news, triggers);
        if let Some(news) = news {
            self.take(&key, &news, triggers);
        }
    }

    /// Takes note of what is told of an object.
    fn take(&self, key: &OwnedKey, news: &News<Told>, triggers: &Triggers) {
        match news {
            News::Seen(object) if self.is_news(key, object) => {
                if let Some(seen) = self.look(key, object) {
                    self.tell(triggers, key.clone(), seen);
                }
            }
            News::Gone(object) => {
                if let Some(seen) = self.look(key, object) {
                    self.forget(key, &seen, triggers);
                }
            }
            News::Seen(_) | News::Listed(_) => {}
        }
    }

    /// Tells of a change only: what we applied ourselves comes back through the watch.
    fn tell(&self, triggers: &Triggers, key: OwnedKey, seen: Seen) {
        let tenant = seen.tenant.clone();
        if self.see(key, seen) {
            triggers.tenant(&tenant);
        }
    }

    /// News that is older than what is known is no news, also over an object that was deleted and made anew. Most is of
    /// what we wrote ourselves.
    fn is_news(&self, key: &OwnedKey, object: &Told) -> bool {
        let known = self.lock().get(key).map(|known| known.version);
        known.is_none_or(|known| known < version(&object.metadata))
    }

    /// Whether something of ours is other than before.
    fn see(&self, key: OwnedKey, mut seen: Seen) -> bool {
        let mut all = self.lock();
        let before = all.get(&key);
        if let Some(before) = before {
            if before.version >= seen.version {
                return false;
            }
            if before.ours == seen.ours && before.uid == seen.uid {
                seen.stands_for = seen.stands_for.or(before.stands_for);
                seen.was = before.was;
            } else if self.leads.load(Ordering::Acquire) {
                seen.was = before.right();
            }
            seen.let_go = before.let_go && before.uid == seen.uid;
        }
        let changed = before.is_none_or(|before| {
            before.ours != seen.ours || before.uid != seen.uid || before.deleting != seen.deleting
        });
        all.insert(key, seen);
        changed
    }

    fn forget(&self, key: &OwnedKey, seen: &Seen, triggers: &Triggers) {
        let mut all = self.lock();
        if all.get(key).is_some_and(|known| known.uid == seen.uid)
            && let Some(known) = all.remove(key)
        {
            self.lost(key, &known);
            triggers.tenant(&seen.tenant);
        }
    }

    /// Remembers what went without our doing.
    fn lost(&self, key: &OwnedKey, known: &Seen) {
        if self.leads.load(Ordering::Acquire) && !known.let_go {
            self.gone().note(key, &known.tenant, known.right());
        }
    }

    /// What is not in a whole list is gone, and its going may have been missed.
    fn keep_only(&self, part: &Part, places: &HashSet<Place>, triggers: &Triggers) {
        let mut known = self.lock();
        let missed: Vec<OwnedKey> = known
            .keys()
            .filter(|key| part.has(key))
            .filter(|key| !places.contains(&(key.namespace.clone(), key.name.clone())))
            .cloned()
            .collect();
        for key in missed {
            if let Some(seen) = known.remove(&key) {
                self.lost(&key, &seen);
                triggers.tenant(&seen.tenant);
            }
        }
    }

    /// What is kept of an object; `None` for one that is no tenant's, whatever its labels say.
    fn look(&self, key: &OwnedKey, object: &Told) -> Option<Seen> {
        let metadata = &object.metadata;
        let tenant = whose(key, &self.beside)?;
        let ours = applied_by(object, FIELD_MANAGER).and_then(|ours| digest(&ours));
        let labels = metadata.labels.as_ref();
        let named = labels.and_then(|labels| labels.get(TENANT_LABEL));
        // Its name alone anybody may have given it.
        if key.kind == OwnedKind::Namespace
            && ours.is_none()
            && named.is_none_or(|named| named != tenant.as_str())
        {
            return None;
        }
        Some(Seen {
            uid: metadata.uid.clone().unwrap_or_default(),
            tenant,
            deleting: metadata.deletion_timestamp.is_some(),
            version: version(metadata),
            ours,
            stands_for: None,
            was: None,
            let_go: false,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Every change is made whole by one holder, and none of them panics in between.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never while [`Self::lock`] is held.
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Always after [`Self::lock`], where both are held.
    fn gone(&self) -> MutexGuard<'_, Gone> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An object that is being written.
#[derive(Debug)]
pub struct Writing<'a> {
    live: &'a Live,
    key: OwnedKey,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let told = self.live.pending().end(&self.key);
        if let Some((news, triggers)) = told {
            self.live.take(&self.key, &news, &triggers);
        }
    }
}

impl Seen {
    /// What was applied when it was last right.
    fn right(&self) -> Option<Digest> {
        self.was.or(self.stands_for).or(self.ours)
    }
}

fn key_of(kind: OwnedKind, object: &Told) -> Option<OwnedKey> {
    let metadata = &object.metadata;
    Some(OwnedKey {
        kind,
        namespace: metadata.namespace.clone(),
        name: metadata.name.clone()?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::cluster::{told::tests::told, triggers::triggers};
    use serde_json::{Value, json};

    /// A quota as a watch tells it: ours is all of it that `fields` names.
    fn quota(version: u64, uid: &str, pods: &str, fields: &Value) -> Told {
        let entry = json!({"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": fields});
        let object = json!({
            "apiVersion": "v1", "kind": "ResourceQuota",
            "metadata": {
                "name": "pavilion", "namespace": "pavilion-acme", "uid": uid,
                "resourceVersion": version.to_string(), "labels": {TENANT_LABEL: "acme"},
                "managedFields": [entry],
            },
            "spec": {"hard": {"pods": pods}},
        });
        told(&object)
    }

    fn all() -> Value {
        json!({
            "f:metadata": {"f:labels": {"f:pavilion.dev/tenant": {}}},
            "f:spec": {"f:hard": {"f:pods": {}}},
        })
    }

    fn wanted(pods: &str) -> Owned {
        let object = json!({
            "metadata": {"name": "pavilion", "labels": {TENANT_LABEL: "acme"}},
            "spec": {"hard": {"pods": pods}},
        });
        Owned::namespaced(OwnedKind::ResourceQuota, &"acme".parse().unwrap(), &object)
    }

    fn part() -> Part {
        let parts = Part::all("pavilion-system").into_iter();
        let mut quotas = parts.filter(|part| part.kind == OwnedKind::ResourceQuota);
        quotas.next().unwrap()
    }

    /// One that applied the quota, with the place where watches tell.
    fn leading() -> (Live, Triggers) {
        let live = Live::new("pavilion-system");
        live.lead();
        live.applied(&wanted("8"), &quota(10, "one", "8", &all()));
        (live, triggers().0)
    }

    #[test]
    fn what_somebody_else_changed_or_deleted_has_drifted() {
        let (live, triggers) = leading();
        assert!(live.is_as(&wanted("8")) && !live.drifted(&wanted("8")));
        let without = json!({"f:metadata": {"f:labels": {"f:pavilion.dev/tenant": {}}}});
        let edited = quota(11, "one", "1000", &without);
        live.hear(&part(), News::Seen(edited), &triggers);
        assert!(!live.is_as(&wanted("8")) && live.drifted(&wanted("8")));
        live.applied(&wanted("8"), &quota(12, "one", "8", &all()));
        assert!(!live.drifted(&wanted("8")));
        let gone = quota(13, "one", "8", &all());
        live.hear(&part(), News::Gone(gone), &triggers);
        assert!(live.drifted(&wanted("8")));
    }

    #[test]
    fn an_object_on_which_somebody_wrote_another_tenants_name_is_still_its_own_tenants() {
        let (live, (triggers, mut told)) = (Live::new("pavilion-system"), triggers());
        live.lead();
        live.applied(&wanted("8"), &quota(10, "one", "8", &all()));
        let others = json!({"f:spec": {"f:hard": {"f:pods": {}}}});
        let mut edited = quota(11, "one", "8", &others);
        let labels = edited.metadata.labels.as_mut().unwrap();
        labels.insert(TENANT_LABEL.to_owned(), "beta".to_owned());
        live.hear(&part(), News::Seen(edited), &triggers);
        assert_eq!(told.try_recv().unwrap(), "acme");
        assert!(live.drifted(&wanted("8")));
        assert!(!live.knows(&"beta".parse().unwrap()));
    }

    #[test]
    fn a_namespace_is_a_tenants_once_its_owner_or_we_said_so() {
        let (live, triggers) = (Live::new("pavilion-system"), triggers().0);
        let acme = "acme".parse().unwrap();
        let namespaces = Part::all("pavilion-system").into_iter();
        let mut namespaces = namespaces.filter(|part| part.kind == OwnedKind::Namespace);
        let part = namespaces.next().unwrap();
        let namespace = |version: u64, labels: Value| {
            let metadata = json!({"name": "pavilion-acme", "uid": "one", "resourceVersion": version.to_string(), "labels": labels});
            News::Seen(told(&json!({"metadata": metadata})))
        };
        live.hear(&part, namespace(1, json!({"a": "1"})), &triggers);
        live.hear(
            &part,
            namespace(2, json!({TENANT_LABEL: "beta"})),
            &triggers,
        );
        assert!(!live.knows(&acme));
        live.hear(
            &part,
            namespace(3, json!({TENANT_LABEL: "acme"})),
            &triggers,
        );
        assert!(live.knows(&acme));
    }

    #[test]
    fn a_change_of_our_own_is_no_drift_whoever_tells_of_it_first() {
        let (live, triggers) = leading();
        let ours = quota(11, "one", "16", &all());
        live.hear(&part(), News::Seen(ours.clone()), &triggers);
        assert!(!live.drifted(&wanted("16")));
        live.applied(&wanted("16"), &ours);
        assert!(live.is_as(&wanted("16")) && !live.drifted(&wanted("16")));
        live.let_go(&wanted("16").key);
        live.hear(&part(), News::Gone(ours), &triggers);
        assert!(!live.drifted(&wanted("16")));
    }

    #[test]
    fn a_tenant_is_not_looked_at_for_what_was_just_written_and_is_for_what_came_over_it() {
        let (live, (triggers, mut told)) = (Live::new("pavilion-system"), triggers());
        live.lead();
        let owned = wanted("8");
        for (version, pods, expected) in [(10, "8", false), (21, "1000", true)] {
            let writing = live.writing(&owned.key);
            let heard = quota(version, "one", pods, &all());
            live.hear(&part(), News::Seen(heard), &triggers);
            let answer = version.min(20);
            live.applied(&owned, &quota(answer, "one", "8", &all()));
            drop(writing);
            assert_eq!(told.try_recv().is_ok(), expected);
            assert_eq!(live.is_as(&owned), !expected);
        }
        assert!(live.drifted(&owned));
    }

    #[test]
    fn what_is_told_while_a_write_has_no_answer_is_heard_in_the_end() {
        let (live, (triggers, mut told)) = (Live::new("pavilion-system"), triggers());
        let owned = wanted("8");
        let writing = live.writing(&owned.key);
        live.hear(
            &part(),
            News::Seen(quota(10, "one", "8", &all())),
            &triggers,
        );
        assert!(!live.has(&owned.key));
        drop(writing);
        assert!(live.is_as(&owned) && told.try_recv().is_ok());
    }

    #[test]
    fn what_the_api_server_writes_in_another_form_is_right_although_the_watch_told_first() {
        let (live, triggers) = leading();
        let answer = quota(11, "one", "1k", &all());
        live.hear(&part(), News::Seen(answer.clone()), &triggers);
        live.applied(&wanted("1000"), &answer);
        assert!(live.is_as(&wanted("1000")));
    }

    #[test]
    fn what_a_standby_sees_is_the_work_of_the_one_that_writes() {
        let (live, triggers) = (Live::new("pavilion-system"), triggers().0);
        live.hear(
            &part(),
            News::Seen(quota(10, "one", "8", &all())),
            &triggers,
        );
        live.hear(
            &part(),
            News::Seen(quota(11, "one", "16", &all())),
            &triggers,
        );
        assert!(!live.drifted(&wanted("8")));
        live.hear(
            &part(),
            News::Gone(quota(12, "one", "16", &all())),
            &triggers,
        );
        assert!(!live.drifted(&wanted("16")));
    }
}

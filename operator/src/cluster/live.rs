//! What is there of the objects made for tenants, as the watches see it.
//!
//! Of each object only a digest of what is ours in it is kept, so that a cluster with many tenants is
//! remembered in little memory, and an edit by somebody else shows as another digest. Whole objects
//! are watched, not their metadata alone: the metadata of a `ConfigMap` or a `ServiceAccount` does not
//! tell that their content changed.

mod known;
mod pending;
#[cfg(test)]
mod tests;

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
        // Held on to: what is told next of the object is newer, and is to be taken after this.
        let mut pending = self.live.pending();
        if let Some((news, triggers)) = pending.end(&self.key) {
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

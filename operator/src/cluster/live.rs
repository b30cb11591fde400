//! What is there of the objects made for tenants, as the watches see it.
//!
//! Of each object only a digest of what is ours in it is kept, so that a cluster with many tenants is
//! remembered in little memory, and an edit by somebody else shows as another digest. Whole objects
//! are watched, not their metadata alone: the metadata of a `ConfigMap` or a `ServiceAccount` does not
//! tell that their content changed.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use kube::core::DynamicObject;
use pavilion_bundle::TenantName;
use pavilion_json::Digest;
use serde_json::Value;

use super::{
    kinds::OwnedKind,
    owned::{Owned, OwnedKey, TENANT_LABEL, digest},
    owned_fields::applied_by,
    parts::Part,
    triggers::Triggers,
    watching::{News, Place},
};

/// The field manager of everything applied for a tenant.
pub const FIELD_MANAGER: &str = "pavilion-tenant";

/// What is there.
#[derive(Debug, Default)]
pub struct Live {
    seen: Mutex<HashMap<OwnedKey, Seen>>,
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
}

impl Live {
    /// Whether the object is there as it is to be.
    pub fn is_as(&self, owned: &Owned) -> bool {
        let wanted = owned.digest();
        let seen = self.lock();
        let found = seen.get(&owned.key).filter(|found| !found.deleting);
        found.is_some_and(|found| {
            wanted.is_some() && (found.ours == wanted || found.stands_for == wanted)
        })
    }

    /// Whether the object is there at all.
    pub fn has(&self, key: &OwnedKey) -> bool {
        self.lock().contains_key(key)
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
            .iter()
            .filter(|(key, found)| {
                &found.tenant == tenant
                    && !found.deleting
                    && key.namespace.is_some()
                    && !wanted.contains(key)
            })
            .map(|(key, found)| (key.clone(), found.clone()))
            .collect();
        orphans.sort_by(|(one, _), (other, _)| other.cmp(one));
        orphans
    }

    /// Takes note of what an apply of `owned` came to, before the watch tells.
    pub fn applied(&self, owned: &Owned, answer: &DynamicObject) {
        let Some((key, mut seen)) = look(owned.key.kind, answer) else {
            return;
        };
        let wanted = owned.digest();
        if seen.ours != wanted {
            seen.stands_for = wanted;
        }
        self.see(key, seen);
    }

    /// Takes note of what the watch of a part tells.
    pub fn hear(&self, part: &Part, news: News, triggers: &Triggers) {
        let kind = part.kind;
        match news {
            News::Seen(object) => {
                if let Some((key, seen)) = look(kind, &object) {
                    self.tell(triggers, key, seen);
                }
            }
            News::Gone(object) => {
                if let Some((key, seen)) = look(kind, &object) {
                    self.forget(&key, &seen, triggers);
                }
            }
            News::Listed(places) => self.keep_only(part, &places, triggers),
        }
    }

    /// Tells of a change only: what we applied ourselves comes back through the watch.
    fn tell(&self, triggers: &Triggers, key: OwnedKey, seen: Seen) {
        let tenant = seen.tenant.clone();
        if self.see(key, seen) {
            triggers.tenant(&tenant);
        }
    }

    /// Whether something of ours is other than before. News that is older than what is known is no
    /// news: resource versions of one kind are ordered (Kubernetes 1.35, KEP-5504), also over an object that
    /// was deleted and made anew.
    fn see(&self, key: OwnedKey, mut seen: Seen) -> bool {
        let mut all = self.lock();
        let before = all.get(&key);
        if let Some(before) = before {
            if before.version >= seen.version {
                return false;
            }
            if before.ours == seen.ours && before.uid == seen.uid {
                seen.stands_for = seen.stands_for.or(before.stands_for);
            }
        }
        let changed = before.is_none_or(|before| {
            before.ours != seen.ours || before.uid != seen.uid || before.deleting != seen.deleting
        });
        all.insert(key, seen);
        changed
    }

    fn forget(&self, key: &OwnedKey, seen: &Seen, triggers: &Triggers) {
        let mut all = self.lock();
        if all.get(key).is_some_and(|known| known.uid == seen.uid) {
            all.remove(key);
            triggers.tenant(&seen.tenant);
        }
    }

    /// What is not in a whole list is gone, and its going may have been missed.
    fn keep_only(&self, part: &Part, places: &HashSet<Place>, triggers: &Triggers) {
        self.lock().retain(|key, seen| {
            let place = (key.namespace.clone(), key.name.clone());
            let kept = !part.has(key) || places.contains(&place);
            if !kept {
                triggers.tenant(&seen.tenant);
            }
            kept
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OwnedKey, Seen>> {
        // Every change is one call on the map, so a panic elsewhere leaves nothing half made.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is kept of an object; `None` for one that names no tenant.
fn look(kind: OwnedKind, object: &DynamicObject) -> Option<(OwnedKey, Seen)> {
    let metadata = &object.metadata;
    let tenant = metadata.labels.as_ref()?.get(TENANT_LABEL)?.parse().ok()?;
    let key = OwnedKey {
        kind,
        namespace: metadata.namespace.clone(),
        name: metadata.name.clone()?,
    };
    let whole = serde_json::to_value(object).unwrap_or(Value::Null);
    let version = metadata.resource_version.as_ref();
    let seen = Seen {
        uid: metadata.uid.clone().unwrap_or_default(),
        tenant,
        deleting: metadata.deletion_timestamp.is_some(),
        version: version.and_then(|text| text.parse().ok()).unwrap_or(0),
        ours: applied_by(&whole, FIELD_MANAGER).and_then(|ours| digest(&ours)),
        stands_for: None,
    };
    Some((key, seen))
}

//! What is there, by name and once more by tenant: a look at one tenant does not go through those of all others.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use pavilion_bundle::TenantName;

use super::Seen;
use crate::cluster::owned::OwnedKey;

/// All of it.
#[derive(Debug, Default)]
pub struct Known {
    all: HashMap<Arc<OwnedKey>, Seen>,
    by_tenant: HashMap<TenantName, HashSet<Arc<OwnedKey>>>,
}

impl Known {
    /// One object.
    pub fn get(&self, key: &OwnedKey) -> Option<&Seen> {
        self.all.get(key)
    }

    /// One object, to be changed; whose it is stays as it is.
    pub fn get_mut(&mut self, key: &OwnedKey) -> Option<&mut Seen> {
        self.all.get_mut(key)
    }

    /// What there is of one tenant.
    pub fn of<'a>(&'a self, tenant: &TenantName) -> impl Iterator<Item = (&'a OwnedKey, &'a Seen)> {
        let keys = self.by_tenant.get(tenant).into_iter().flatten();
        keys.filter_map(|key| Some((&**key, self.all.get(key)?)))
    }

    /// What there is of all.
    pub fn keys(&self) -> impl Iterator<Item = &OwnedKey> {
        self.all.keys().map(|key| &**key)
    }

    /// One object is there, new or changed.
    pub fn insert(&mut self, key: OwnedKey, seen: Seen) {
        let key = Arc::new(key);
        let tenant = seen.tenant.clone();
        let before = self.all.insert(Arc::clone(&key), seen);
        // Somebody may have written another tenant's name on it.
        if let Some(before) = before.filter(|before| before.tenant != tenant) {
            self.leave(&before.tenant, &key);
        }
        self.by_tenant.entry(tenant).or_default().insert(key);
    }

    /// One object is gone.
    pub fn remove(&mut self, key: &OwnedKey) -> Option<Seen> {
        let before = self.all.remove(key)?;
        self.leave(&before.tenant, key);
        Some(before)
    }

    fn leave(&mut self, tenant: &TenantName, key: &OwnedKey) {
        if let Some(keys) = self.by_tenant.get_mut(tenant) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_tenant.remove(tenant);
            }
        }
    }
}

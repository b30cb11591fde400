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

    /// One object, to be changed; whose it is follows from what it is called.
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
        let keys = self.by_tenant.entry(seen.tenant.clone()).or_default();
        keys.insert(Arc::clone(&key));
        self.all.insert(key, seen);
    }

    /// One object is gone.
    pub fn remove(&mut self, key: &OwnedKey) -> Option<Seen> {
        let before = self.all.remove(key)?;
        if let Some(keys) = self.by_tenant.get_mut(&before.tenant) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_tenant.remove(&before.tenant);
            }
        }
        Some(before)
    }
}

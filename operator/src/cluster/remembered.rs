//! What the operator knows of each tenant that it looked at, so that it need not ask the API server again.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use kube::{Client, core::DynamicObject};
use pavilion_bundle::TenantName;

use super::{
    finalizer::is_held,
    keyring::Keyring,
    memory::{Memory, MemoryError},
    reconcile::{Context, RoundError},
};

/// Of one tenant.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// What is in force, and its numbers.
    pub memory: Memory,
    /// Its keys.
    pub keys: KnownKeys,
}

/// What is known of a tenant's keys without asking the API server.
#[derive(Clone, Debug, Default)]
pub enum KnownKeys {
    /// That there are none, nor anything else of the tenant, as of a moment ago.
    New,
    /// Nothing.
    #[default]
    Unread,
    /// They were written.
    Written(Box<Keyring>),
}

/// Of all.
#[derive(Debug, Default)]
pub struct Remembrance(Mutex<HashMap<TenantName, Remembered>>);

impl Remembrance {
    /// What is remembered of a tenant; what an operator before this one wrote, when it was not looked at yet.
    ///
    /// # Errors
    /// The API server, or what no release wrote.
    pub async fn of(
        &self,
        client: &Client,
        tenant: &TenantName,
    ) -> Result<Remembered, MemoryError> {
        let known = self.lock().get(tenant).cloned();
        match known {
            Some(remembered) => Ok(remembered),
            None => Ok(Remembered {
                memory: Memory::load(client, tenant).await?,
                keys: KnownKeys::Unread,
            }),
        }
    }

    fn knows(&self, tenant: &TenantName) -> bool {
        self.lock().contains_key(tenant)
    }

    /// Takes note of what was written.
    pub fn keep(&self, tenant: &TenantName, memory: Memory, keyring: Option<Keyring>) {
        let keys = keyring.map_or(KnownKeys::Unread, |keyring| {
            KnownKeys::Written(Box::new(keyring))
        });
        self.lock()
            .insert(tenant.clone(), Remembered { memory, keys });
    }

    /// Forgets a tenant that is gone.
    pub fn forget(&self, tenant: &TenantName) {
        self.lock().remove(tenant);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantName, Remembered>> {
        // Values are replaced whole, so a panic elsewhere leaves nothing half made.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Context {
    /// What is remembered of a tenant. Of one that is new, as most are that no operator looked at, one question tells that
    /// there is nothing to be read.
    ///
    /// # Errors
    /// The API server, or what no release wrote.
    pub async fn remembered(
        &self,
        object: &DynamicObject,
        tenant: &TenantName,
    ) -> Result<Remembered, RoundError> {
        // An operator that made anything for it marked it before.
        let looks_new =
            !self.remembrance.knows(tenant) && !is_held(object) && !self.has_keys(tenant);
        if looks_new && self.applier.lacks_all_of(tenant).await? {
            return Ok(Remembered {
                memory: Memory::default(),
                keys: KnownKeys::New,
            });
        }
        Ok(self.remembrance.of(&self.client, tenant).await?)
    }
}

//! What the operator knows of each tenant that it looked at, so that it need not ask the API server again.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use kube::Client;
use pavilion_bundle::TenantName;

use super::{
    keyring::Keyring,
    memory::{Memory, MemoryError},
};

/// Of one tenant.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// What is in force, and its numbers.
    pub memory: Memory,
    /// Its keys, once they were written.
    pub keyring: Option<Keyring>,
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
                keyring: None,
            }),
        }
    }

    /// Takes note of what was written.
    pub fn keep(&self, tenant: &TenantName, remembered: Remembered) {
        self.lock().insert(tenant.clone(), remembered);
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

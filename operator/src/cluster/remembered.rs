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
    /// They were written, and others may have been since.
    Doubted(Box<Keyring>),
}

/// Of all.
#[derive(Debug, Default)]
pub struct Remembrance(Mutex<HashMap<TenantName, Entry>>);

#[derive(Debug)]
struct Entry {
    /// Of the Tenant. One of the same name that was made anew may be somebody else's.
    uid: String,
    remembered: Remembered,
    /// Something may have been written since.
    doubted: bool,
}

impl Remembrance {
    /// What is remembered of a tenant; what was written before, when it was not looked at yet or a look at it failed.
    ///
    /// # Errors
    /// The API server, or what no release wrote.
    pub async fn of(
        &self,
        client: &Client,
        object: &DynamicObject,
        tenant: &TenantName,
    ) -> Result<Remembered, MemoryError> {
        let before = match self.known(object, tenant) {
            Some((remembered, false)) => return Ok(remembered),
            Some((remembered, true)) => remembered,
            None => Remembered::default(),
        };
        let written = match Memory::load(client, tenant).await {
            Err(error @ MemoryError::Unreadable(..)) if before.memory.in_force.is_some() => {
                tracing::warn!(%error, "{tenant}: what somebody made of it is put right");
                None
            }
            written => written?,
        };
        // What somebody deleted or set back meanwhile is to be as it was.
        let written = written.filter(|written| written.version() >= before.memory.version());
        let mut memory = written.unwrap_or_else(|| before.memory.clone());
        // A version must never be given out twice, also of what did not arrive and may still do.
        memory.records.go_on_from(&before.memory.records);
        let found = Remembered {
            memory,
            keys: before.keys,
        };
        self.insert(object, tenant, found.clone(), true);
        Ok(found.doubted())
    }

    fn knows(&self, object: &DynamicObject, tenant: &TenantName) -> bool {
        self.known(object, tenant).is_some()
    }

    /// What is remembered, and whether it is doubted.
    fn known(&self, object: &DynamicObject, tenant: &TenantName) -> Option<(Remembered, bool)> {
        let all = self.lock();
        let known = all.get(tenant).filter(|known| known.uid == uid(object))?;
        Some((known.remembered.clone(), known.doubted))
    }

    /// Takes note of the numbers that are about to be given out: from now on somebody may know them, whatever becomes of the
    /// look. What they stand for is not in force before it is written.
    pub fn give_out(&self, object: &DynamicObject, tenant: &TenantName, memory: &Memory) {
        let (mut before, _) = self.known(object, tenant).unwrap_or_default();
        if before.memory.records.go_on_from(&memory.records) {
            self.insert(object, tenant, before, true);
        }
    }

    /// Takes note of what was written, by a look that may fail yet. Somebody may delete it before it is read again.
    pub fn written(&self, object: &DynamicObject, tenant: &TenantName, memory: &Memory) {
        let (before, _) = self.known(object, tenant).unwrap_or_default();
        let (memory, keys) = (memory.clone(), before.keys);
        self.insert(object, tenant, Remembered { memory, keys }, true);
    }

    /// Takes note of what was written by a look that did all that it was to do.
    pub fn keep(
        &self,
        object: &DynamicObject,
        tenant: &TenantName,
        memory: Memory,
        keyring: Option<Keyring>,
    ) {
        let keys = keyring.map_or(KnownKeys::Unread, |keyring| {
            KnownKeys::Written(Box::new(keyring))
        });
        self.insert(object, tenant, Remembered { memory, keys }, false);
    }

    fn insert(
        &self,
        object: &DynamicObject,
        tenant: &TenantName,
        remembered: Remembered,
        doubted: bool,
    ) {
        let entry = Entry {
            uid: uid(object).to_owned(),
            remembered,
            doubted,
        };
        self.lock().insert(tenant.clone(), entry);
    }

    /// A look at a tenant failed, perhaps after some of it was written: which, the API server knows.
    pub fn doubt(&self, tenant: &TenantName) {
        if let Some(known) = self.lock().get_mut(tenant) {
            known.doubted = true;
        }
    }

    /// Forgets a tenant that is gone.
    pub fn forget(&self, tenant: &TenantName) {
        self.lock().remove(tenant);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantName, Entry>> {
        // Values are replaced whole, so a panic elsewhere leaves nothing half made.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    fn doubted(self) -> Self {
        let keys = match self.keys {
            KnownKeys::Written(keyring) => KnownKeys::Doubted(keyring),
            other => other,
        };
        Self { keys, ..self }
    }
}

fn uid(object: &DynamicObject) -> &str {
    object.metadata.uid.as_deref().unwrap_or_default()
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
            !self.remembrance.knows(object, tenant) && !is_held(object) && !self.has_keys(tenant);
        if looks_new && self.applier.lacks_all_of(tenant).await? {
            return Ok(Remembered {
                memory: Memory::default(),
                keys: KnownKeys::New,
            });
        }
        Ok(self.remembrance.of(&self.client, object, tenant).await?)
    }

    /// Forgets a tenant that is gone. Whoever comes under its name has nothing of it but what is found in the cluster.
    pub fn forget(&self, tenant: &TenantName) {
        self.remembrance.forget(tenant);
        self.applier.forget(tenant);
        self.routers.forget(tenant);
        self.closing.forget(tenant);
        self.probing.forget(tenant);
        self.retries.forget(tenant.as_str());
        self.patience.forget(tenant.as_str());
    }
}

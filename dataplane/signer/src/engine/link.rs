//! What all threads share about the connection to the token: whether it is up, and since when.
//!
//! Workers hold the read lock while they are in a call of the module; whoever restarts the module
//! holds the write lock, so that no call is under way then. Each restart begins a new generation:
//! sessions and handles of an older one are forgotten, never used and never closed, because the
//! module may have given their numbers to others.
//!
//! Each of them says for how long the call may take ([`super::calls`]).

use std::ops::{Deref, DerefMut};
use std::sync::{
    Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use std::time::{Duration, Instant};

use cryptoki::context::Pkcs11;
use cryptoki::slot::Slot;
use pavilion_process::Fault;
use tokio::sync::watch;

use super::calls::{Call, Calls};

/// How long calls of the module may take before the process is given up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// A signature, and what is looked up for it.
    pub signature: Duration,
    /// A change of keys, or opening the connection anew.
    pub change: Duration,
}

/// The connection at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Live {
    /// False from the first failure to the end of the recovery.
    pub up: bool,
    /// Counts restarts of the module.
    pub generation: u64,
    /// Where the token is in this generation.
    pub slot: Slot,
}

/// The connection that all threads share.
#[derive(Debug)]
pub(super) struct Link {
    pub context: Pkcs11,
    pub calls: Calls,
    pub limits: Limits,
    /// Why this process cannot go on.
    pub fault: Fault,
    live: RwLock<Live>,
    gate: Mutex<()>,
    changed: Condvar,
    /// Since when it is down; apart from `live`, because asking must not wait for a restart.
    down_since: Mutex<Option<Instant>>,
    readiness: watch::Sender<Option<String>>,
}

impl Link {
    /// A connection that is up.
    pub(super) fn new(context: Pkcs11, slot: Slot, limits: Limits) -> Self {
        let live = Live {
            up: true,
            generation: 0,
            slot,
        };
        Self {
            context,
            calls: Calls::default(),
            limits,
            fault: Fault::default(),
            live: RwLock::new(live),
            gate: Mutex::default(),
            changed: Condvar::new(),
            down_since: Mutex::default(),
            readiness: watch::Sender::new(None),
        }
    }

    /// Keeps the module from being restarted while the guard lives, which is for one signature.
    pub(super) fn enter(&self) -> InCall<'_, RwLockReadGuard<'_, Live>> {
        self.enter_for(self.limits.signature)
    }

    /// The same for a change of keys.
    pub(super) fn enter_to_change(&self) -> InCall<'_, RwLockReadGuard<'_, Live>> {
        self.enter_for(self.limits.change)
    }

    fn enter_for(&self, limit: Duration) -> InCall<'_, RwLockReadGuard<'_, Live>> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        InCall {
            live,
            _call: self.calls.begin(limit),
        }
    }

    /// Waits until no thread is in a call of the module, and keeps all out.
    pub(super) fn exclusive(&self) -> InCall<'_, RwLockWriteGuard<'_, Live>> {
        let live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        InCall {
            live,
            _call: self.calls.begin(self.limits.change),
        }
    }

    /// The connection as it is now; nothing keeps it so.
    pub(super) fn now(&self) -> Live {
        *self.live.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that the connection is down, and why.
    pub(super) fn down(&self, reason: String) {
        self.readiness.send_replace(Some(reason));
        lock(&self.down_since).get_or_insert_with(Instant::now);
        self.exclusive().up = false;
    }

    /// Says that the connection is up again, and lets waiting workers go on.
    pub(super) fn up(&self) {
        *lock(&self.down_since) = None;
        self.readiness.send_replace(None);
        let _gate = lock(&self.gate);
        self.changed.notify_all();
    }

    /// For how long the connection has been down.
    pub(super) fn down_for(&self) -> Option<Duration> {
        lock(&self.down_since).map(|since| since.elapsed())
    }

    /// Waits until the connection is up in a generation after `generation`, or until `deadline`.
    pub(super) fn wait_past(&self, generation: u64, deadline: Instant) -> bool {
        let mut gate = lock(&self.gate);
        loop {
            let live = self.now();
            if live.up && live.generation > generation {
                return true;
            }
            let Some(left) = deadline
                .checked_duration_since(Instant::now())
                .filter(|left| !left.is_zero())
            else {
                return false;
            };
            gate = self
                .changed
                .wait_timeout(gate, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Why the connection is down; `None` when it is up.
    pub(super) fn readiness(&self) -> watch::Receiver<Option<String>> {
        self.readiness.subscribe()
    }

    /// Why the connection is down at this moment.
    pub(super) fn reason(&self) -> Option<String> {
        self.readiness.borrow().clone()
    }
}

/// The connection as a thread sees it that is in a call of the module.
pub(super) struct InCall<'a, G> {
    live: G,
    _call: Call<'a>,
}

impl<G: Deref<Target = Live>> Deref for InCall<'_, G> {
    type Target = Live;

    fn deref(&self) -> &Live {
        &self.live
    }
}

impl<G: DerefMut<Target = Live>> DerefMut for InCall<'_, G> {
    fn deref_mut(&mut self) -> &mut Live {
        &mut self.live
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

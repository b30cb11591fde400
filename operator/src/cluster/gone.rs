//! Objects that went without our doing, as long as it matters: they are made again at once, or not at all.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use pavilion_bundle::TenantName;
use pavilion_json::Digest;

use super::owned::OwnedKey;

/// How long it is remembered that one went. Its namespace may end for a while before it can be made again.
const KEPT: Duration = Duration::from_mins(10);

/// Those that went.
#[derive(Debug, Default)]
pub struct Gone(HashMap<OwnedKey, Trace>);

/// Of one.
#[derive(Debug)]
struct Trace {
    tenant: TenantName,
    right: Option<Digest>,
    since: Instant,
}

impl Gone {
    /// Takes note of one, and of what was applied when it was last right.
    pub fn note(&mut self, key: &OwnedKey, tenant: &TenantName, right: Option<Digest>) {
        self.0.retain(|_, trace| trace.since.elapsed() < KEPT);
        let trace = Trace {
            tenant: tenant.clone(),
            right,
            since: Instant::now(),
        };
        self.0.insert(key.clone(), trace);
    }

    /// What was applied of it when it was last right.
    pub fn before(&self, key: &OwnedKey) -> Option<Digest> {
        self.0.get(key).and_then(|trace| trace.right)
    }

    /// It is there again.
    pub fn found(&mut self, key: &OwnedKey) {
        self.0.remove(key);
    }

    /// Its tenant is gone too.
    pub fn forget(&mut self, tenant: &TenantName) {
        self.0.retain(|_, trace| trace.tenant != *tenant);
    }
}

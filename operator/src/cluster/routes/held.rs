//! Whose a host is by what is in force, and whose it is not although it is in force of them too.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use pavilion_bundle::{HostName, TenantName};
use tokio::sync::watch;

use crate::cluster::triggers::Triggers;

/// A host, and a tenant that does not have it.
pub type Refused = (HostName, TenantName);

/// Who has which host.
#[derive(Debug)]
pub struct Held {
    state: Mutex<State>,
    known: watch::Sender<bool>,
    triggers: Triggers,
}

#[derive(Debug, Default)]
struct State {
    holders: BTreeMap<HostName, TenantName>,
    /// In force of them, and another's.
    refused: BTreeSet<Refused>,
    /// Not in force of them, because it is another's.
    waiting: BTreeSet<Refused>,
}

impl Held {
    /// Nothing is known yet. Tenants that lose or may get a host are looked at by `triggers`.
    pub fn new(triggers: Triggers) -> Self {
        Self {
            state: Mutex::default(),
            known: watch::Sender::new(false),
            triggers,
        }
    }

    /// Takes note of what the newest routes came to.
    pub fn hear(&self, holders: BTreeMap<HostName, TenantName>, refused: BTreeSet<Refused>) {
        let mut state = self.lock();
        for (_, tenant) in state.refused.symmetric_difference(&refused) {
            self.triggers.tenant(tenant);
        }
        let State {
            holders: before,
            waiting,
            ..
        } = &mut *state;
        waiting.retain(|(host, tenant)| {
            let stays = before.get(host) == holders.get(host);
            if !stays {
                self.triggers.tenant(tenant);
            }
            stays
        });
        state.holders = holders;
        state.refused = refused;
        self.known.send_replace(true);
    }

    /// Completes once something has been heard.
    pub async fn known(&self) {
        // It ends with the sender, which this has.
        let _ = self.known.subscribe().wait_for(|known| *known).await;
    }

    /// Who has this host. A tenant that wants it and does not have it is looked at when that changes.
    pub fn holder(&self, host: &HostName, wanted_by: &TenantName) -> Option<TenantName> {
        let mut state = self.lock();
        let holder = state.holders.get(host).cloned()?;
        if holder != *wanted_by {
            state.waiting.insert((host.clone(), wanted_by.clone()));
        }
        Some(holder)
    }

    /// Those of these hosts that a tenant has, or will have.
    pub fn of<'a>(&self, tenant: &TenantName, hosts: &'a [HostName]) -> Vec<&'a HostName> {
        let state = self.lock();
        let is_held = |host: &&HostName| {
            let refused = (HostName::clone(host), tenant.clone());
            !state.refused.contains(&refused)
        };
        hosts.iter().filter(is_held).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics between two changes.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures::StreamExt;

    use super::*;
    use crate::cluster::triggers::triggers;

    fn names() -> ([HostName; 2], TenantName, TenantName) {
        let hosts = ["a.example", "b.example"].map(|host| host.parse().unwrap());
        (hosts, "acme".parse().unwrap(), "beta".parse().unwrap())
    }

    #[tokio::test]
    async fn a_host_is_not_had_by_who_is_refused_it_and_both_ways_it_is_looked_at_again() {
        let (triggers, triggered) = triggers();
        let held = Held::new(triggers);
        let (hosts, acme, beta) = names();
        let refused = BTreeSet::from([(hosts[0].clone(), beta.clone())]);
        held.hear(BTreeMap::new(), refused.clone());
        held.hear(BTreeMap::new(), refused);
        assert_eq!(held.of(&acme, &hosts), [&hosts[0], &hosts[1]]);
        assert_eq!(held.of(&beta, &hosts), [&hosts[1]]);
        held.hear(BTreeMap::new(), BTreeSet::new());
        assert_eq!(held.of(&beta, &hosts).len(), 2);
        drop(held);
        assert_eq!(triggered.collect::<Vec<_>>().await, ["beta", "beta"]);
    }

    #[tokio::test]
    async fn who_wants_a_host_of_another_is_looked_at_once_that_has_it_no_more() {
        let (triggers, triggered) = triggers();
        let held = Held::new(triggers);
        let ([host, other], acme, beta) = names();
        let holds = |pairs: &[(&HostName, &TenantName)]| {
            let pairs = pairs.iter();
            let holders = pairs.map(|(host, tenant)| ((*host).clone(), (*tenant).clone()));
            held.hear(holders.collect(), BTreeSet::new());
        };
        holds(&[(&host, &acme)]);
        held.known().await;
        assert_eq!(held.holder(&host, &acme), Some(acme.clone()));
        assert_eq!(held.holder(&host, &beta), Some(acme.clone()));
        assert_eq!(held.holder(&other, &beta), None);
        holds(&[(&host, &acme), (&other, &acme)]);
        holds(&[(&other, &acme)]);
        assert_eq!(held.holder(&host, &beta), None);
        holds(&[]);
        drop(held);
        assert_eq!(triggered.collect::<Vec<_>>().await, ["beta"]);
    }
}

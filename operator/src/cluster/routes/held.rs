//! Hosts that are two tenants' by what is in force of them, and whose they are not.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use pavilion_bundle::{HostName, TenantName};

use crate::cluster::triggers::Triggers;

/// A host, and a tenant that does not have it.
pub type Refused = (HostName, TenantName);

/// What of their hosts tenants have.
#[derive(Debug)]
pub struct Held {
    refused: Mutex<BTreeSet<Refused>>,
    triggers: Triggers,
}

impl Held {
    /// Everybody has theirs. Tenants that lose or get one are looked at by `triggers`.
    pub fn new(triggers: Triggers) -> Self {
        Self {
            refused: Mutex::default(),
            triggers,
        }
    }

    /// Takes note of what the newest routes came to.
    pub fn hear(&self, refused: BTreeSet<Refused>) {
        let mut before = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, tenant) in before.symmetric_difference(&refused) {
            self.triggers.tenant(tenant);
        }
        *before = refused;
    }

    /// Those of these hosts that a tenant has.
    pub fn of<'a>(&self, tenant: &TenantName, hosts: &'a [HostName]) -> Vec<&'a HostName> {
        // Every change is one assignment, so a panic elsewhere leaves nothing half made.
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let is_held = |host: &&HostName| !refused.contains(&((*host).clone(), tenant.clone()));
        hosts.iter().filter(is_held).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures::StreamExt;

    use super::*;
    use crate::cluster::triggers::triggers;

    #[tokio::test]
    async fn a_host_is_not_had_by_who_is_refused_it_and_both_ways_it_is_looked_at_again() {
        let (triggers, triggered) = triggers();
        let held = Held::new(triggers);
        let (acme, beta): (TenantName, TenantName) =
            ("acme".parse().unwrap(), "beta".parse().unwrap());
        let hosts: [HostName; 2] = ["a.example".parse().unwrap(), "b.example".parse().unwrap()];
        let refused = BTreeSet::from([(hosts[0].clone(), beta.clone())]);
        held.hear(refused.clone());
        held.hear(refused);
        assert_eq!(held.of(&acme, &hosts), [&hosts[0], &hosts[1]]);
        assert_eq!(held.of(&beta, &hosts), [&hosts[1]]);
        held.hear(BTreeSet::new());
        assert_eq!(held.of(&beta, &hosts).len(), 2);
        drop(held);
        assert_eq!(triggered.collect::<Vec<_>>().await, ["beta", "beta"]);
    }
}

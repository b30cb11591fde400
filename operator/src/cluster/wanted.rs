//! Build: everything a tenant needs, in the order in which it is applied.

use jiff::Timestamp;
use pavilion_bundle::{Closed, HostName, TenantName};

use super::{
    isolation,
    keyring::{Keyring, KeyringError, Routing},
    memory::{Memory, MemoryError},
    owned::Owned,
    pod,
    reconcile::{Context, RoundError},
};
use crate::desired::DesiredTenant;

/// What a tenant needs, and what it is made with.
pub struct Wanted {
    /// In order.
    pub objects: Vec<Owned>,
    /// The tenant's keys.
    pub keyring: Keyring,
    /// When its first certificate is due, and when that of its hosts ends.
    pub times: Option<(Timestamp, Timestamp)>,
}

/// How much of a tenant is to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// All that its objects ask for.
    AsAsked,
    /// The same; only its programs run on, although they are to stop, until no requests reach them any more.
    Closing,
    /// It is being deleted: no new requests reach it. Its programs run, also those of a tenant that hibernated,
    /// for the last checkpoint of its log is theirs to tell.
    Withdrawn,
    /// Nothing of it runs.
    Stopped,
    /// Nothing of it runs, and its hosts are anybody's.
    Released,
}

impl Phase {
    /// Why the edge answers in the tenant's place, if it does.
    fn closed(self, desired: &DesiredTenant) -> Option<Closed> {
        match self {
            Self::AsAsked | Self::Closing => desired.closed(),
            Self::Withdrawn | Self::Stopped | Self::Released => Some(Closed::Terminating),
        }
    }

    /// Whether its programs run.
    fn runs(self, desired: &DesiredTenant) -> bool {
        match self {
            Self::AsAsked => !desired.hibernate,
            Self::Closing | Self::Withdrawn => true,
            Self::Stopped | Self::Released => false,
        }
    }

    /// The hosts that are the tenant's.
    fn hosts(self, desired: &DesiredTenant) -> &[HostName] {
        match self {
            Self::Released => &[],
            _ => desired.hosts(),
        }
    }
}

impl Wanted {
    /// What a tenant needs; `None` for one of which nothing was ever accepted. That is not the same as needing
    /// nothing: what is there of it stays.
    ///
    /// # Errors
    /// Keys that cannot be read or made.
    pub async fn build(
        context: &Context,
        tenant: &TenantName,
        memory: &Memory,
        keyring: Option<Keyring>,
        phase: Phase,
        now: Timestamp,
    ) -> Result<Option<Self>, RoundError> {
        let Some(in_force) = &memory.in_force else {
            return Ok(None);
        };
        let (desired, settings) = (&in_force.desired, &context.settings);
        let sizing = &in_force.sizing;
        let keyring = keys(context, tenant, desired, keyring, now).await?;
        let mut objects = isolation::build(tenant, desired, sizing, settings);
        // The keys first: what was made with them is of no use once they are lost.
        let route = Routing {
            hosts: phase.hosts(desired),
            wants_client_certificates: desired.wants_client_certificates(),
            closed: phase.closed(desired),
        };
        objects.push(keyring.object(tenant, &route, &settings.namespace));
        objects.push(keyring.for_pod(tenant));
        let data = memory.data()?;
        let authority = keyring.authority();
        let config = pod::config_map(tenant, desired, settings, data, authority);
        objects.push(config.map_err(MemoryError::Form)?);
        let set = pod::stateful_set(tenant, desired, sizing, settings, phase.runs(desired));
        objects.push(set.map_err(MemoryError::Form)?);
        // Last: it leads to what is there by then.
        let hosts = context.held.of(tenant, phase.hosts(desired));
        objects.extend(context.front.route(tenant, &hosts));
        Ok(Some(Self {
            times: keyring.times(tenant, desired.hosts()),
            objects,
            keyring,
        }))
    }
}

/// The tenant's keys: those that are known, those that were written before, or new ones.
async fn keys(
    context: &Context,
    tenant: &TenantName,
    desired: &DesiredTenant,
    known: Option<Keyring>,
    now: Timestamp,
) -> Result<Keyring, KeyringError> {
    let (client, namespace) = (&context.client, &context.settings.namespace);
    let kept = match known {
        Some(keyring) => Some(keyring),
        None => Keyring::load(client, namespace, tenant).await?,
    };
    if let Some(mut keyring) = kept {
        keyring.renew(tenant, desired.hosts(), now)?;
        return Ok(keyring);
    }
    let pins = Keyring::pins_of_pod(client, tenant).await?;
    Keyring::make(tenant, desired.hosts(), pins, now)
}

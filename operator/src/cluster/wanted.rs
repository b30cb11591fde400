//! Build: everything a tenant needs, in the order in which it is applied.

use jiff::Timestamp;
use pavilion_bundle::{Closed, HostName, TenantName};

use super::{
    cert_manager, isolation,
    keyring::Routing,
    keys::{Asked, Keys},
    kinds::OwnedKind,
    memory::{InForce, Memory, MemoryError},
    owned::Owned,
    pod,
    reconcile::{Context, RoundError},
    remembered::KnownKeys,
    settings::Settings,
};
use crate::desired::DesiredTenant;

/// What a tenant needs, and what it is made with.
pub struct Wanted {
    /// In order.
    pub objects: Vec<Owned>,
    /// The tenant's keys, and what there is to say of them.
    pub keys: Keys,
    /// When its first certificate is due, and when that of its hosts ends.
    pub times: Option<(Timestamp, Timestamp)>,
    /// Whether nothing of the tenant was there a moment ago.
    pub is_new: bool,
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
        known: KnownKeys,
        phase: Phase,
        now: Timestamp,
    ) -> Result<Option<Self>, RoundError> {
        let Some(in_force) = &memory.in_force else {
            return Ok(None);
        };
        let (desired, settings) = (&in_force.desired, &context.settings);
        let sizing = &in_force.sizing;
        let routing = Routing {
            hosts: phase.hosts(desired),
            wants_client_certificates: desired.wants_client_certificates(),
            closed: phase.closed(desired),
        };
        let asked = Asked {
            context,
            tenant,
            in_force,
            routing: &routing,
            now,
        };
        let is_new = matches!(known, KnownKeys::New);
        let keys = asked.keys(known).await?;
        let mut objects = isolation::build(tenant, desired, sizing, settings);
        if let Some(keyring) = &keys.keyring {
            // The keys first: what was made with them is of no use once they are lost.
            objects.push(keyring.object(tenant, &routing, &settings.namespace));
            objects.push(keyring.for_pod(tenant));
            let data = memory.data()?;
            let authority = keyring.authority();
            let config = pod::config_map(tenant, desired, settings, data, &authority);
            objects.push(config.map_err(MemoryError::Form)?);
            let set = pod::stateful_set(tenant, desired, sizing, settings, phase.runs(desired));
            objects.push(set.map_err(MemoryError::Form)?);
            // Last of what is the tenant's: it leads to what is there by then.
            let hosts = context.held.of(tenant, routing.hosts);
            objects.extend(context.front.route(tenant, &hosts));
        }
        objects.extend(authority(tenant, in_force, settings));
        let keyring = keys.keyring.as_ref();
        Ok(Some(Self {
            times: keyring.and_then(|keyring| keyring.times(tenant, desired.hosts())),
            objects,
            keys,
            is_new,
        }))
    }

    /// Whether cert-manager is asked for the tenant's authority.
    pub fn asks_for_authority(&self) -> bool {
        let mut objects = self.objects.iter();
        objects.any(|owned| owned.key.kind == OwnedKind::Certificate)
    }

    /// Whether nothing else is to be there of the tenant. Of one that waits for its root there may be more, from before its
    /// keys were lost.
    pub fn is_whole(&self) -> bool {
        self.keys.keyring.is_some()
    }
}

/// The order for the tenant's authority. Last, so that nothing else waits where cert-manager refuses it.
fn authority(tenant: &TenantName, in_force: &InForce, settings: &Settings) -> Option<Owned> {
    let root = in_force.sizing.plan.trust_root.as_ref()?;
    let namespace = &settings.namespace;
    Some(cert_manager::certificate(
        tenant,
        &root.issuer_ref,
        namespace,
    ))
}

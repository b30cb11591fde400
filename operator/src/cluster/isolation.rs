//! What confines a tenant, made before anything of it runs: its namespace, how much may be in it, who
//! talks to whom, and as whom pods run.

mod accounts;
mod namespace;
mod network;
mod plan;

pub use accounts::DATA_PLANE as ACCOUNT;
pub use network::{
    API_PORT, COMPONENT, DATA_PLANE, HEALTH_PORTS, LOG_PORT, NEIGHBOUR_DOOR, PROBE_HEALTH_PORT,
    PROBE_PORT, fetches,
};
use pavilion_bundle::TenantName;

use super::{owned::Owned, settings::Settings, sizing::Sizing};
use crate::desired::DesiredTenant;

/// Everything that confines a tenant, in the order in which it is applied.
pub fn build(
    tenant: &TenantName,
    desired: &DesiredTenant,
    sizing: &Sizing,
    settings: &Settings,
) -> Vec<Owned> {
    let mut owned = vec![
        namespace::build(tenant),
        plan::quota(tenant, sizing),
        plan::limits(tenant, sizing),
    ];
    owned.extend(network::build(tenant, desired, settings));
    owned.push(accounts::build(tenant));
    owned
}

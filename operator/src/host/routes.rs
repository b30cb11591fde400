//! The route table: the hosts of all tenants, and what becomes of their requests.

use std::collections::BTreeMap;

use pavilion_bundle::{Certificate, Closed, Document, Route, RouteTable, TenantName, Upstream};
use pavilion_json::{Digest, JsonError};

use super::configs::MAX_BODY_BYTES;
use crate::{desired::DesiredTenant, records::Records};

/// A tenant whose hosts the edge has.
pub(super) struct Routed<'a> {
    pub desired: &'a DesiredTenant,
    /// The fingerprint of its certificate.
    pub certificate: Digest,
    /// Why the edge answers in its place, if it does.
    pub closed: Option<Closed>,
}

/// The table and its bytes, with the number that its content has in `records`. A renewed
/// certificate is new content, although its file has the same name.
pub(super) fn table(
    tenants: &BTreeMap<&TenantName, Routed<'_>>,
    records: &mut Records,
) -> Result<(Vec<u8>, Digest), JsonError> {
    let mut table = RouteTable {
        version: 0,
        routes: tenants
            .iter()
            .flat_map(|(name, tenant)| routes(name, tenant))
            .collect(),
    };
    table.routes.sort_by(|one, other| one.host.cmp(&other.host));
    let mut content = pavilion_json::canonical(&table)?;
    for tenant in tenants.values() {
        content.extend_from_slice(tenant.certificate.as_bytes());
    }
    table.version = records.routes.number_for(Digest::of(&content));
    table.seal()
}

fn routes(name: &TenantName, tenant: &Routed<'_>) -> Vec<Route> {
    let upstream = |prefix: &str, socket: &str| {
        Upstream::on_socket(prefix, format!("tenants/{name}/run/{socket}.sock"))
    };
    let upstreams = match tenant.closed {
        None => vec![upstream("/", "api"), upstream("/log/", "log")],
        Some(_) => Vec::new(),
    };
    let route = |host: &pavilion_bundle::HostName| Route {
        host: host.clone(),
        tenant: name.clone(),
        certificate: Certificate {
            chain_file: format!("tenants/{name}/tls/chain.pem"),
            key_file: format!("tenants/{name}/tls/key.pem"),
        },
        request_client_certificate: tenant.desired.wants_client_certificates(),
        closed: tenant.closed,
        upstreams: upstreams.clone(),
        max_body_bytes: MAX_BODY_BYTES,
    };
    tenant.desired.hosts().iter().map(route).collect()
}

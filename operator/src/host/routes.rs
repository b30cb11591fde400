//! The route table: hosts of the tenants that can answer.

use std::collections::BTreeMap;

use pavilion_bundle::{Certificate, Document, Route, RouteTable, TenantName, Upstream};
use pavilion_json::{Digest, JsonError};

use super::configs::MAX_BODY_BYTES;
use crate::{desired::DesiredTenant, records::Records};

/// A tenant that can answer, and the fingerprint of its certificate.
pub(super) type Answering<'a> = BTreeMap<&'a TenantName, (&'a DesiredTenant, Digest)>;

/// The table and its bytes, with the number that its content has in `records`. A renewed
/// certificate is new content, although its file has the same name.
pub(super) fn table(
    answering: &Answering<'_>,
    records: &mut Records,
) -> Result<(Vec<u8>, Digest), JsonError> {
    let mut table = RouteTable {
        version: 0,
        routes: answering
            .iter()
            .flat_map(|(name, (tenant, _))| routes(name, tenant))
            .collect(),
    };
    table.routes.sort_by(|one, other| one.host.cmp(&other.host));
    let mut content = pavilion_json::canonical(&table)?;
    for (_, fingerprint) in answering.values() {
        content.extend_from_slice(fingerprint.as_bytes());
    }
    table.version = records.routes.number_for(Digest::of(&content));
    table.seal()
}

fn routes(name: &TenantName, tenant: &DesiredTenant) -> Vec<Route> {
    let upstream = |prefix: &str, socket: &str| {
        Upstream::on_socket(prefix, format!("tenants/{name}/run/{socket}.sock"))
    };
    let route = |host: &pavilion_bundle::HostName| Route {
        host: host.clone(),
        tenant: name.clone(),
        certificate: Certificate {
            chain_file: format!("tenants/{name}/tls/chain.pem"),
            key_file: format!("tenants/{name}/tls/key.pem"),
        },
        request_client_certificate: tenant.wants_client_certificates(),
        upstreams: vec![upstream("/", "api"), upstream("/log/", "log")],
        max_body_bytes: MAX_BODY_BYTES,
    };
    tenant.hosts().iter().map(route).collect()
}

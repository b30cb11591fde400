//! Build: the route of one tenant.

use std::net::IpAddr;

use pavilion_bundle::{HostName, TenantName};
use serde_json::json;

use super::version::GROUP;
use crate::{
    arguments::GatewayName,
    cluster::{
        keyring::name_of,
        kinds::OwnedKind,
        owned::{Owned, metadata},
    },
};

/// The Service of the routers, as the chart names it.
const ROUTERS: &str = "pavilion-router";

/// What leads the hosts of a tenant from a Gateway to the routers at `port`; `None` where there is no host to lead. It
/// lies beside their Service, so that nobody has to grant a reference. A host that is an address is no server name
/// (RFC 6066 section 3), and nothing can be led by it.
///
/// What the API server would fill in is said, so that what is applied is what is there.
pub fn build(
    tenant: &TenantName,
    hosts: &[&HostName],
    gateway: &GatewayName,
    (namespace, port): (&str, u16),
) -> Option<Owned> {
    let names = hosts.iter().map(|host| host.as_str());
    let names: Vec<&str> = names
        .filter(|name| name.parse::<IpAddr>().is_err())
        .collect();
    if names.is_empty() {
        return None;
    }
    let mut parent = json!({
        "group": GROUP, "kind": "Gateway", "namespace": gateway.namespace, "name": gateway.name,
    });
    if let Some(section) = &gateway.section {
        parent["sectionName"] = json!(section);
    }
    let routers =
        json!({"group": "", "kind": "Service", "name": ROUTERS, "port": port, "weight": 1});
    let route = json!({
        "metadata": metadata(tenant, &name_of(tenant)),
        "spec": {
            "parentRefs": [parent],
            "hostnames": names,
            "rules": [{"backendRefs": [routers]}],
        },
    });
    Some(Owned::beside_the_operator(
        OwnedKind::TlsRoute,
        namespace,
        &route,
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn route(hosts: &[&str], gateway: &str) -> Option<Owned> {
        let hosts: Vec<HostName> = hosts.iter().map(|host| host.parse().unwrap()).collect();
        let hosts: Vec<&HostName> = hosts.iter().collect();
        let tenant = "acme".parse().unwrap();
        let place = ("pavilion-system", 8443);
        build(&tenant, &hosts, &gateway.parse().unwrap(), place)
    }

    #[test]
    fn a_route_leads_the_tenants_hosts_from_the_gateway_to_the_routers_beside_it() {
        let route = route(&["a.example", "b.example"], "edge/public").unwrap();
        assert_eq!(
            route.key.to_string(),
            "TLSRoute pavilion-system/tenant-acme"
        );
        let spec = json!({
            "parentRefs": [{
                "group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "edge", "name": "public",
            }],
            "hostnames": ["a.example", "b.example"],
            "rules": [{"backendRefs": [{
                "group": "", "kind": "Service", "name": "pavilion-router", "port": 8443, "weight": 1,
            }]}],
        });
        assert_eq!(route.content()["spec"], spec);
        let labels = &route.content()["metadata"]["labels"];
        assert_eq!(labels["pavilion.dev/tenant"], "acme");
    }

    #[test]
    fn one_listener_of_the_gateway_is_named_where_one_was_chosen() {
        let route = route(&["a.example"], "edge/public/tls").unwrap();
        assert_eq!(
            route.content()["spec"]["parentRefs"][0]["sectionName"],
            "tls"
        );
    }

    #[test]
    fn a_host_that_is_an_address_is_led_nowhere() {
        let mixed = route(&["10.1.2.3", "a.example"], "edge/public").unwrap();
        assert_eq!(mixed.content()["spec"]["hostnames"], json!(["a.example"]));
        assert_eq!(route(&["10.1.2.3"], "edge/public"), None);
        assert_eq!(route(&[], "edge/public"), None);
    }
}

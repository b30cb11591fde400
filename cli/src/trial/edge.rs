//! Where the edge is.

use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::core::v1::Service;
use kube::api::Api;

use crate::cluster::Cluster;
use crate::exit::{Exit, Failure};

/// What the chart calls the Service of the routers, and its port.
const SERVICE: &str = "pavilion-router";
const PORT: &str = "https";

/// The address of the routers' Service inside the cluster.
pub async fn address(cluster: &Cluster, namespace: &str) -> Result<SocketAddr, Failure> {
    let services: Api<Service> = Api::namespaced(cluster.client(), namespace);
    let found = cluster.ask(services.get(SERVICE)).await;
    let service = found.map_err(|trouble| cluster.failure(&trouble))?;
    of(&service).ok_or_else(|| {
        let message = format!("the Service {namespace}/{SERVICE} has no address");
        Failure::new(Exit::Away, message).note("hint", "name the edge with --connect ADDRESS:PORT")
    })
}

fn of(service: &Service) -> Option<SocketAddr> {
    let spec = service.spec.as_ref()?;
    let address: IpAddr = spec.cluster_ip.as_deref()?.parse().ok()?;
    let ports = spec.ports.iter().flatten();
    let mut named = ports.filter(|port| port.name.as_deref() == Some(PORT));
    let port = u16::try_from(named.next()?.port).ok()?;
    Some((address, port).into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn the_address_is_that_of_the_port_for_relying_parties() {
        let service = |address: &str| {
            let ports = json!([{"name": "other", "port": 1}, {"name": "https", "port": 8443}]);
            serde_json::from_value(json!({"spec": {"clusterIP": address, "ports": ports}})).unwrap()
        };
        let address = |text| of(&service(text)).map(|address| address.to_string());
        assert_eq!(address("10.1.2.3").as_deref(), Some("10.1.2.3:8443"));
        assert_eq!(address("fd00::1").as_deref(), Some("[fd00::1]:8443"));
        assert_eq!(address("None"), None);
    }
}

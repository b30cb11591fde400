//! What lies around every tenant: where the API server and the name server are, and what else an installation wants
//! closed.

use std::{
    env,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use kube::Client;
use tokio::time::{sleep, timeout};

/// How long the API server may take to say where it is.
const PATIENCE: Duration = Duration::from_secs(10);
/// Before it is asked again.
const PAUSE: Duration = Duration::from_secs(1);
const HTTPS: u16 = 443;
const DNS: u16 = 53;

/// The surroundings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Where the API server is: as a service of the cluster, and as it calls itself.
    pub api_server: Vec<SocketAddr>,
    /// Where the cluster's name servers are. The kubelet tells every pod the same ones.
    pub names: Vec<SocketAddr>,
    /// What else is to be closed to tenants.
    pub closed: Vec<SocketAddr>,
}

impl Surroundings {
    /// Looks around, until the API server has said where it is: a tenant that was not kept from an address that nobody
    /// knew of would pass for isolated.
    pub async fn find(client: &Client, closed: &[SocketAddr]) -> Self {
        let mut api_server = loop {
            match as_it_calls_itself(client).await {
                Ok(addresses) => break addresses,
                Err(why) => tracing::warn!(why, "the API server does not say where it is"),
            }
            sleep(PAUSE).await;
        };
        api_server.extend(as_a_service());
        api_server.sort_unstable();
        api_server.dedup();
        let resolver = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        let found = Self {
            api_server,
            names: name_servers(&resolver),
            closed: closed.to_vec(),
        };
        tracing::info!(?found, "what tenants are kept from");
        found
    }
}

/// By the variables that the kubelet sets in every pod.
fn as_a_service() -> Option<SocketAddr> {
    let host: IpAddr = env::var("KUBERNETES_SERVICE_HOST").ok()?.parse().ok()?;
    let port = env::var("KUBERNETES_SERVICE_PORT").ok()?.parse().ok()?;
    Some(SocketAddr::new(host, port))
}

/// The addresses that it offers to clients (`/api`, which every account may read). A name among them is left out:
/// tenants may resolve none.
async fn as_it_calls_itself(client: &Client) -> Result<Vec<SocketAddr>, String> {
    let versions = match timeout(PATIENCE, client.list_core_api_versions()).await {
        Ok(versions) => versions.map_err(|error| error.to_string())?,
        Err(_) => return Err("it did not answer in time".to_owned()),
    };
    let offered = versions.server_address_by_client_cidrs.iter();
    Ok(offered
        .filter_map(|offered| address(&offered.server_address))
        .collect())
}

/// An address, with the port of HTTPS where it has none.
fn address(text: &str) -> Option<SocketAddr> {
    let whole = text.parse().ok();
    whole.or_else(|| Some(SocketAddr::new(text.parse().ok()?, HTTPS)))
}

/// Those of a resolv.conf(5) that are not on this machine.
fn name_servers(resolver: &str) -> Vec<SocketAddr> {
    let servers = resolver.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let is_server = words.next() == Some("nameserver");
        words.next().filter(|_| is_server)?.parse::<IpAddr>().ok()
    });
    servers
        .filter(|server| !server.is_loopback())
        .map(|server| SocketAddr::new(server, DNS))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_those_that_a_pod_is_told() {
        let text = "search pavilion-system.svc.cluster.local\nnameserver 10.96.0.10\nnameserver 127.0.0.53\noptions ndots:5\n";
        assert_eq!(
            name_servers(text),
            [SocketAddr::from(([10, 96, 0, 10], 53))]
        );
    }

    #[test]
    fn an_api_server_that_calls_itself_by_a_name_is_no_address() {
        let expected = SocketAddr::from(([172, 31, 7, 21], 6443));
        assert_eq!(address("172.31.7.21:6443"), Some(expected));
        assert_eq!(
            address("172.31.7.21").map(|address| address.port()),
            Some(443)
        );
        assert_eq!(address("api.example:6443"), None);
    }
}

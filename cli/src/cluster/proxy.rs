//! Through which proxy, by the rules of kubectl: the kubeconfig's own, else that of the environment, unless
//! NO_PROXY names the API server or it is on this machine.

use std::env;
use std::net::IpAddr;

use ipnet::IpNet;
use kube::config::Kubeconfig;

/// The proxy for the API server at `host`, where there is one.
pub fn proxy(kubeconfig: &Kubeconfig, context: Option<&str>, host: &str) -> Option<String> {
    of_cluster(kubeconfig, context).or_else(|| {
        let proxy = variable("HTTPS_PROXY")?;
        let passes = is_local(host) || variable("NO_PROXY").is_some_and(|list| names(&list, host));
        (!passes).then_some(proxy)
    })
}

fn variable(name: &str) -> Option<String> {
    let value = env::var(name).or_else(|_| env::var(name.to_lowercase()));
    value.ok().filter(|value| !value.is_empty())
}

fn of_cluster(kubeconfig: &Kubeconfig, context: Option<&str>) -> Option<String> {
    let name = context.or(kubeconfig.current_context.as_deref())?;
    let mut contexts = kubeconfig.contexts.iter();
    let context = contexts.find(|context| context.name == name)?;
    let cluster = &context.context.as_ref()?.cluster;
    let mut clusters = kubeconfig.clusters.iter();
    let cluster = clusters.find(|known| known.name == *cluster)?;
    let proxy = cluster.cluster.as_ref()?.proxy_url.clone();
    proxy.filter(|proxy| !proxy.is_empty())
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}

fn is_local(host: &str) -> bool {
    host == "localhost" || address(host).is_some_and(|address| address.is_loopback())
}

/// Whether a list as in NO_PROXY has a host: by its name, a domain above it, its address or a network.
fn names(list: &str, host: &str) -> bool {
    let host = host.to_lowercase();
    list.split(',').map(str::trim).any(|entry| {
        let domain = entry
            .trim_start_matches('*')
            .trim_start_matches('.')
            .to_lowercase();
        let network = entry.parse::<IpNet>().ok();
        let within = network
            .zip(address(&host))
            .is_some_and(|(network, address)| network.contains(&address));
        let below = !domain.is_empty() && (host == domain || host.ends_with(&format!(".{domain}")));
        entry == "*" || within || below
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_host_is_passed_by_name_domain_address_or_network() {
        for list in [
            "*",
            "c.example",
            "example",
            ".example",
            "*.example",
            "a, C.EXAMPLE",
        ] {
            assert!(names(list, "c.example"), "{list}");
        }
        for list in ["", ",", "other.example", "ample", "c.example.org"] {
            assert!(!names(list, "c.example"), "{list}");
        }
        assert!(names("10.0.0.0/8", "10.1.2.3") && names("10.1.2.3", "10.1.2.3"));
        assert!(names("fd00::/8", "[fd00::1]") && !names("10.0.0.0/8", "11.1.2.3"));
    }

    #[test]
    fn the_kubeconfigs_own_proxy_comes_first() {
        let kubeconfig = Kubeconfig::from_yaml(
            "current-context: a\n\
             contexts: [{name: a, context: {cluster: c}}]\n\
             clusters: [{name: c, cluster: {server: 'https://c', proxy-url: 'http://p:3128'}}]\n",
        )
        .unwrap();
        assert_eq!(
            proxy(&kubeconfig, None, "c").as_deref(),
            Some("http://p:3128")
        );
        assert_eq!(proxy(&kubeconfig, Some("b"), "localhost"), None);
    }
}

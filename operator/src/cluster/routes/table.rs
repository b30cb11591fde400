//! The routes that follow from what is known. Pure: the same material is the same table.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{IpAddr, SocketAddr},
};

use bytes::Bytes;
use pavilion_bundle::{Certificate, Closed, HostName, Route, TenantName, TlsTarget, Upstream};
use pavilion_json::Digest;

use super::{entry::Entry, file::File, held::Refused, known::Material};
use crate::cluster::isolation::{API_PORT, LOG_PORT};

/// Where a tenant's verifier and auditor answer, and for which paths.
const UPSTREAMS: [(&str, u16); 2] = [("/", API_PORT), ("/log/", LOG_PORT)];

/// What a router gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Built {
    /// In the order of their hosts.
    pub routes: Vec<Route>,
    /// The files they name, by their digests.
    pub files: HashMap<Digest, Bytes>,
    /// Hosts that two Secrets claim, with the tenant that does not get it.
    pub refused: BTreeSet<Refused>,
}

impl Built {
    /// Who has which host.
    pub fn holders(&self) -> BTreeMap<HostName, TenantName> {
        let routes = self.routes.iter();
        routes
            .map(|route| (route.host.clone(), route.tenant.clone()))
            .collect()
    }
}

/// Builds it: the hosts of every tenant, closed where its owner wants that and while it has no pod that has been ready and stays.
/// A tenant gets no host that another has, so that two claim one only if they were given it within moments: then the one
/// whose Secret was made first has it; by name where both are as old.
pub fn build(material: &Material) -> Built {
    let mut entries: Vec<&Entry> = material.entries.iter().collect();
    entries.sort_by_key(|entry| (entry.since, &entry.tenant));
    let mut claims: BTreeMap<&HostName, &Entry> = BTreeMap::new();
    let mut built = Built::default();
    for entry in entries {
        for host in &entry.hosts {
            if claims.contains_key(host) {
                built.refused.insert((host.clone(), entry.tenant.clone()));
            } else {
                claims.insert(host, entry);
            }
        }
    }
    for (host, entry) in claims {
        let address = material.addresses.get(&entry.tenant);
        let to = match (entry.closed, address) {
            (Some(closed), _) => Err(closed),
            (None, None) => Err(Closed::Starting),
            (None, Some(ip)) => Ok(*ip),
        };
        built.routes.push(route(host, entry, to));
        let files = entry.shown.iter();
        // Nothing is sent to a tenant that is closed.
        let edge = entry.edge.iter().filter(|_| to.is_ok());
        let files = files.chain(edge);
        let files = files.map(|file| (file.digest, file.content.clone()));
        built.files.extend(files);
    }
    built
}

fn route(host: &HostName, entry: &Entry, to: Result<IpAddr, Closed>) -> Route {
    let [chain, key] = entry.shown.each_ref().map(File::name);
    let upstream = |ip, (prefix, port)| {
        let [ca, certificate, key] = entry.edge.each_ref().map(File::name);
        let target = TlsTarget {
            address: SocketAddr::new(ip, port),
            server_name: entry.server_name.clone(),
            ca_file: ca,
            certificate_file: certificate,
            key_file: key,
        };
        Upstream::over_tls(prefix, target)
    };
    let upstreams = to.map(|ip| UPSTREAMS.map(|way| upstream(ip, way)).into());
    Route {
        host: host.clone(),
        tenant: entry.tenant.clone(),
        certificate: Certificate {
            chain_file: chain,
            key_file: key,
        },
        request_client_certificate: entry.request_client_certificate,
        closed: to.err(),
        upstreams: upstreams.unwrap_or_default(),
        max_body_bytes: entry.max_body_bytes,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use pavilion_bundle::{Document, RouteTable};
    use serde_json::json;

    use super::*;
    use crate::cluster::routes::entry::tests::{route, secret};

    fn entry(tenant: &str, hosts: &[&str], made: i64) -> Entry {
        Entry::read(&mut secret(tenant, &route(tenant, hosts), 1, made)).unwrap()
    }

    fn material(entries: Vec<Entry>, reachable: &[&str]) -> Material {
        let ip: IpAddr = "10.1.2.3".parse().unwrap();
        let addresses = reachable.iter().map(|name| (name.parse().unwrap(), ip));
        Material {
            entries,
            addresses: addresses.collect(),
            ..Material::default()
        }
    }

    fn hosts(built: &Built) -> Vec<(&str, &str)> {
        let pairs = built.routes.iter();
        pairs
            .map(|route| (route.host.as_str(), route.tenant.as_str()))
            .collect()
    }

    #[test]
    fn hosts_are_routed_in_their_order_and_closed_while_their_tenant_cannot_be_reached() {
        let entries = vec![
            entry("beta", &["z.example", "b.example"], 1),
            entry("acme", &["m.example"], 2),
            entry("gone", &["g.example"], 3),
        ];
        let built = build(&material(entries, &["acme", "beta"]));
        let expected = [
            ("b.example", "beta"),
            ("g.example", "gone"),
            ("m.example", "acme"),
            ("z.example", "beta"),
        ];
        assert_eq!(hosts(&built), expected);
        let gone = &built.routes[1];
        assert_eq!(
            (gone.closed, gone.upstreams.len()),
            (Some(Closed::Starting), 0)
        );
        assert_eq!(built.files.len(), 12, "no key for what is not reached");
        let table = RouteTable {
            version: 1,
            routes: built.routes.clone(),
        };
        table.validate().unwrap();
        let upstreams = &built.routes[0].upstreams;
        let address = |index: usize| upstreams[index].tls.as_ref().unwrap().address.to_string();
        assert_eq!(
            (address(0), address(1)),
            ("10.1.2.3:8443".into(), "10.1.2.3:8444".into())
        );
        for (digest, content) in &built.files {
            assert_eq!(*digest, Digest::of(content));
        }
    }

    #[test]
    fn the_first_claimant_has_a_host_in_whatever_order_they_are_seen() {
        let first = entry("zeta", &["a.example"], 1);
        let second = entry("acme", &["a.example", "b.example"], 2);
        let one = build(&material(
            vec![first.clone(), second.clone()],
            &["acme", "zeta"],
        ));
        assert_eq!(hosts(&one), [("a.example", "zeta"), ("b.example", "acme")]);
        assert_eq!(
            one.refused,
            BTreeSet::from([("a.example".parse().unwrap(), "acme".parse().unwrap())])
        );
        assert_eq!(
            build(&material(vec![second, first], &["acme", "zeta"])),
            one
        );
    }

    #[test]
    fn a_suspended_tenant_keeps_its_host_from_others_and_is_closed_with_or_without_a_pod() {
        let mut document = route("acme", &["a.example"]);
        document["closed"] = json!("tenant_suspended");
        let suspended = Entry::read(&mut secret("acme", &document, 1, 1)).unwrap();
        let other = entry("beta", &["a.example"], 2);
        let with = build(&material(
            vec![suspended.clone(), other.clone()],
            &["acme", "beta"],
        ));
        assert_eq!(hosts(&with), [("a.example", "acme")]);
        assert_eq!(with.routes[0].closed, Some(Closed::Suspended));
        assert_eq!(with.refused.len(), 1);
        let table = RouteTable {
            version: 1,
            routes: with.routes.clone(),
        };
        table.validate().unwrap();
        assert_eq!(build(&material(vec![suspended, other], &["beta"])), with);
    }
}

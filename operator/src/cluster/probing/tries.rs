//! What is tried for a tenant.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use pavilion_bundle::TenantName;
use pavilion_catalogue::{Entry, manifest};
use pavilion_probe::Question;

use super::Surroundings;
use crate::{
    cluster::isolation::{API_PORT, HEALTH_PORTS, LOG_PORT, NEIGHBOUR_DOOR, PROBE_PORT},
    host::Program,
};

/// Where clouds tell a machine who it is and what it may do; the second one that of AWS.
const METADATA: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 80),
    SocketAddr::new(
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
        80,
    ),
];

/// Where a kubelet answers, unless somebody chose another port.
const KUBELET: u16 = 10_250;

/// What a tenant's pod is kept from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The API server.
    ApiServer,
    /// A pod that lets everybody in.
    Neighbour,
    /// The metadata service of a cloud.
    Metadata,
    /// The kubelet of its node.
    Node,
    /// The cluster's name server.
    Names,
    /// What an installation wants closed.
    Further,
}

/// Everything that is tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tries {
    /// Where the tenant's pod must not get to.
    pub closed: Vec<(Place, SocketAddr)>,
    /// Where it gets to.
    pub open: Vec<(Place, SocketAddr)>,
    /// The tenant's own doors, behind which somebody is known to listen. The neighbour must not get to them.
    pub doors: Vec<SocketAddr>,
}

/// What is known of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// The address of its pod.
    pub pod: IpAddr,
    /// The address of its node.
    pub node: Option<IpAddr>,
    /// The programs that said a moment ago that they are ready.
    pub ready: Vec<Program>,
    /// Whether it may resolve names.
    pub names_allowed: bool,
}

impl Place {
    /// What it is called in a message.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::ApiServer => "the API server",
            Self::Neighbour => "its neighbour",
            Self::Metadata => "the metadata service",
            Self::Node => "its node's kubelet",
            Self::Names => "the name server",
            Self::Further => "an address that is to be closed",
        }
    }

    /// The reason when it is reached.
    pub(super) const fn entry(self) -> &'static Entry {
        match self {
            Self::ApiServer => &manifest::API_SERVER_REACHABLE,
            Self::Neighbour => &manifest::NEIGHBOUR_REACHABLE,
            Self::Metadata => &manifest::METADATA_REACHABLE,
            Self::Node => &manifest::NODE_REACHABLE,
            Self::Names => &manifest::NAME_SERVER_REACHABLE,
            Self::Further => &manifest::CLOSED_ADDRESS_REACHABLE,
        }
    }
}

impl Tries {
    /// All of them.
    pub(super) fn of(
        surroundings: &Surroundings,
        neighbour: Option<IpAddr>,
        facts: &Facts,
    ) -> Self {
        let mut tries = Self::default();
        let mut close = |place, addresses: &[SocketAddr]| {
            tries.closed.extend(addresses.iter().map(|at| (place, *at)));
        };
        let at =
            |address: Option<IpAddr>, port| address.map(|address| SocketAddr::new(address, port));
        let neighbour = at(neighbour, NEIGHBOUR_DOOR);
        let six = facts.pod.is_ipv6();
        close(Place::ApiServer, &surroundings.api_server);
        close(Place::Neighbour, neighbour.as_slice());
        close(Place::Metadata, &METADATA[..if six { 2 } else { 1 }]);
        close(Place::Node, at(facts.node, KUBELET).as_slice());
        close(Place::Further, &surroundings.closed);
        let names = surroundings.names.iter().map(|at| (Place::Names, *at));
        if facts.names_allowed {
            tries.open.extend(names);
        } else {
            tries.closed.extend(names);
        }
        let doors = facts.ready.iter().flat_map(|program| ports(*program));
        // The probe's own too: it is asked there.
        let doors = doors.copied().chain([PROBE_PORT]);
        tries.doors = doors.map(|port| SocketAddr::new(facts.pod, port)).collect();
        tries.doors.sort_unstable();
        tries
    }

    /// What the probe in the tenant's pod is asked.
    pub(super) fn of_pod(&self, tenant: &TenantName) -> Vec<Question> {
        vec![Question {
            name: tenant.to_string(),
            closed: addresses(&self.closed, |_| true),
            open: addresses(&self.open, |_| true),
        }]
    }

    /// What the neighbour is asked. What is the same for many tenants has one name for all of them, so that it is tried
    /// once.
    pub(super) fn of_neighbour(&self, tenant: &TenantName, facts: &Facts) -> Vec<Question> {
        let open = |name: String, which: fn(Place) -> bool| {
            let closed = addresses(&self.closed, which);
            let open = addresses(&self.open, which);
            Question {
                name,
                closed: Vec::new(),
                open: [closed, open].concat(),
            }
        };
        let mut questions = vec![
            Question {
                name: format!("tenant {tenant}"),
                closed: self.doors.clone(),
                open: Vec::new(),
            },
            open("cluster".to_owned(), |place| place != Place::Node),
        ];
        if let Some(node) = facts.node {
            questions.push(open(format!("node {node}"), |place| place == Place::Node));
        }
        questions
    }
}

fn addresses(of: &[(Place, SocketAddr)], which: impl Fn(Place) -> bool) -> Vec<SocketAddr> {
    let wanted = of.iter().filter(|(place, _)| which(*place));
    wanted.map(|(_, address)| *address).collect()
}

/// Where a program listens once it is ready.
fn ports(program: Program) -> &'static [u16] {
    match program {
        Program::Verifier => &[API_PORT, HEALTH_PORTS[0]],
        Program::Signer => &[HEALTH_PORTS[1]],
        Program::Auditor => &[LOG_PORT, HEALTH_PORTS[2]],
        Program::Router => &[],
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    pub(crate) fn facts() -> Facts {
        Facts {
            pod: "10.1.0.7".parse().unwrap(),
            node: "172.31.7.21".parse().ok(),
            ready: Program::OF_TENANT.to_vec(),
            names_allowed: false,
        }
    }

    pub(crate) fn surroundings() -> Surroundings {
        Surroundings {
            api_server: vec!["10.101.0.1:443".parse().unwrap()],
            names: vec!["10.101.0.10:53".parse().unwrap()],
            closed: vec!["10.9.9.9:5432".parse().unwrap()],
        }
    }

    fn tries(facts: &Facts) -> Tries {
        Tries::of(&surroundings(), "10.1.0.9".parse().ok(), facts)
    }

    #[test]
    fn every_door_that_is_open_to_somebody_is_closed_to_the_neighbour() {
        let ports: Vec<u16> = tries(&facts()).doors.iter().map(SocketAddr::port).collect();
        for port in [8443, 8444, 9101, 9102, 9103, 9104] {
            assert!(ports.contains(&port), "{port}");
        }
    }

    #[test]
    fn a_door_behind_which_nobody_is_known_to_listen_is_not_tried() {
        let starting = Facts {
            ready: vec![Program::Signer],
            ..facts()
        };
        let doors = tries(&starting).doors;
        assert!(
            doors.iter().all(|door| door.port() != API_PORT),
            "{doors:?}"
        );
    }

    #[test]
    fn names_are_closed_to_a_tenant_that_fetches_nothing_and_open_to_one_that_does() {
        let names =
            |found: &[(Place, SocketAddr)]| found.iter().any(|(place, _)| *place == Place::Names);
        let closed = tries(&facts());
        assert!(names(&closed.closed) && !names(&closed.open));
        let fetches = Facts {
            names_allowed: true,
            ..facts()
        };
        let open = tries(&fetches);
        assert!(names(&open.open) && !names(&open.closed));
    }

    #[test]
    fn the_neighbour_tries_everything_that_the_pod_must_not_reach() {
        let (facts, tenant) = (facts(), "acme".parse().unwrap());
        let tries = tries(&facts);
        let asked = tries.of_neighbour(&tenant, &facts);
        let shown: Vec<SocketAddr> = asked.iter().flat_map(|one| one.open.clone()).collect();
        for (place, address) in &tries.closed {
            assert!(shown.contains(address), "{place:?}");
        }
        let names: Vec<&str> = asked.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["tenant acme", "cluster", "node 172.31.7.21"]);
    }
}

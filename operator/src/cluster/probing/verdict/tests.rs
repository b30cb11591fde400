//! The verdict over what two probes may tell.
#![allow(clippy::unwrap_used, clippy::panic)]

use pavilion_probe::Own;

use super::*;
use crate::cluster::probing::tries::tests::{facts, surroundings};

const EVERY: u64 = 300;
const API_SERVER: &str = "10.101.0.1:443";
const NEIGHBOUR: &str = "10.1.0.9:8080";
const METADATA: &str = "169.254.169.254:80";
const NAMES: &str = "10.101.0.10:53";
const DOOR: &str = "10.1.0.7:8443";

/// What is tried, and what both probes tell; at first of a tenant that is isolated, on a machine without metadata.
struct World {
    tries: Tries,
    inside: Told,
    neighbour: Told,
}

impl World {
    fn isolated() -> Self {
        let tries = Tries::of(&surroundings(), "10.1.0.9".parse().ok(), &facts());
        let went = |expected, outcome, address: &SocketAddr| Tried {
            address: *address,
            expected,
            outcome,
            because: "so it was".to_owned(),
            age_seconds: 1,
        };
        let closed = |address| went(Expected::Closed, Outcome::Refused, address);
        let places = tries.closed.iter().map(|(_, address)| address);
        let shown = places.clone().map(|address| {
            let absent = address.to_string() == METADATA;
            let outcome = if absent {
                Outcome::Refused
            } else {
                Outcome::Reached
            };
            went(Expected::Open, outcome, address)
        });
        let own = Own {
            kind: OwnKind::Privilege,
            what: "privileges".to_owned(),
            outcome: Outcome::Refused,
            because: "an ordinary user".to_owned(),
            age_seconds: 1,
        };
        let told = |tried: Vec<Tried>, own| Told {
            every_seconds: EVERY,
            tried,
            own,
        };
        Self {
            inside: told(places.clone().map(closed).collect(), vec![own]),
            neighbour: told(
                tries.doors.iter().map(closed).chain(shown).collect(),
                vec![],
            ),
            tries,
        }
    }

    fn seen(&self) -> Seen<'_> {
        Seen {
            tries: &self.tries,
            complete: true,
            neighbour_runs: true,
            inside: Some(&self.inside),
            neighbour: Some(&self.neighbour),
        }
    }

    fn judge(&self) -> Isolation {
        judge(&self.seen())
    }
}

/// The try of an address.
fn at<'a>(told: &'a mut Told, address: &str) -> &'a mut Tried {
    let mut all = told.tried.iter_mut();
    all.find(|tried| tried.address.to_string() == address)
        .unwrap()
}

fn broken(isolation: Isolation) -> (&'static str, String) {
    match isolation {
        Isolation::Broken(entry, message) => (entry.code, message),
        other => panic!("{other:?}"),
    }
}

fn unknown(isolation: Isolation) -> (&'static str, String) {
    match isolation {
        Isolation::Unknown(entry, message) => (entry.code, message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_tenant_is_isolated_when_everything_was_refused_that_others_reach() {
    let Isolation::Verified(message) = World::isolated().judge() else {
        panic!("not verified");
    };
    let (refused, absent) = message.split_once("; not reached").unwrap();
    assert!(
        refused.contains(API_SERVER) && refused.contains("8443"),
        "{message}"
    );
    assert!(
        absent.contains(METADATA) && !absent.contains(API_SERVER),
        "{message}"
    );
}

#[test]
fn what_was_reached_is_a_hole_and_names_itself() {
    for (address, code) in [
        (API_SERVER, "ApiServerReachable"),
        (NEIGHBOUR, "NeighbourReachable"),
        (METADATA, "MetadataReachable"),
        ("172.31.7.21:10250", "NodeReachable"),
        (NAMES, "NameServerReachable"),
        ("10.9.9.9:5432", "ClosedAddressReachable"),
    ] {
        let mut world = World::isolated();
        at(&mut world.inside, address).outcome = Outcome::Reached;
        let (found, message) = broken(world.judge());
        assert_eq!(found, code);
        assert!(message.contains(address), "{message}");
    }
    let mut world = World::isolated();
    at(&mut world.neighbour, DOOR).outcome = Outcome::Reached;
    let (found, message) = broken(world.judge());
    assert_eq!(found, "TenantReachable");
    assert!(message.ends_with("10.1.0.7, ports 8443"), "{message}");
}

#[test]
fn what_the_probe_can_open_or_is_allowed_is_a_hole() {
    for (kind, code) in [
        (OwnKind::File, "FilesExposed"),
        (OwnKind::Privilege, "PrivilegesKept"),
    ] {
        let mut world = World::isolated();
        world.inside.own[0].kind = kind;
        world.inside.own[0].outcome = Outcome::Reached;
        assert_eq!(broken(world.judge()).0, code);
    }
}

#[test]
fn a_hole_is_told_although_much_else_is_not_known() {
    let mut world = World::isolated();
    at(&mut world.inside, API_SERVER).outcome = Outcome::Reached;
    at(&mut world.inside, NEIGHBOUR).outcome = Outcome::Reached;
    let seen = Seen {
        complete: false,
        neighbour_runs: false,
        neighbour: None,
        ..world.seen()
    };
    let (code, message) = broken(judge(&seen));
    assert_eq!(code, "ApiServerReachable");
    assert!(message.contains(NEIGHBOUR), "all of them: {message}");
}

#[test]
fn a_probe_that_does_not_answer_makes_it_unknown() {
    let world = World::isolated();
    for seen in [
        Seen {
            inside: None,
            ..world.seen()
        },
        Seen {
            neighbour: None,
            ..world.seen()
        },
        Seen {
            neighbour_runs: false,
            neighbour: None,
            ..world.seen()
        },
    ] {
        assert_eq!(unknown(judge(&seen)).0, "ProbeSilent");
    }
}

#[test]
fn an_outcome_that_is_three_rounds_old_counts_no_more_not_even_as_a_hole() {
    let mut world = World::isolated();
    at(&mut world.inside, API_SERVER).age_seconds = 3 * EVERY;
    assert!(matches!(world.judge(), Isolation::Verified(_)));
    at(&mut world.inside, API_SERVER).age_seconds = 3 * EVERY + 1;
    assert_eq!(unknown(world.judge()).0, "ProbeSilent");
    at(&mut world.inside, API_SERVER).outcome = Outcome::Reached;
    assert_eq!(unknown(world.judge()).0, "ProbeSilent");
    let mut world = World::isolated();
    world.inside.own[0].age_seconds = 3 * EVERY + 1;
    assert_eq!(unknown(world.judge()).0, "ProbeSilent");
}

#[test]
fn until_everything_was_tried_nobody_can_tell() {
    for address in [API_SERVER, METADATA, NAMES] {
        let mut world = World::isolated();
        world
            .inside
            .tried
            .retain(|tried| tried.address.to_string() != address);
        let isolation = world.judge();
        assert!(isolation.is_pending(), "{isolation:?}");
    }
    let mut world = World::isolated();
    world
        .neighbour
        .tried
        .retain(|tried| tried.address.to_string() != DOOR);
    assert!(world.judge().is_pending());
    let mut world = World::isolated();
    world.inside.own.clear();
    assert!(world.judge().is_pending());
    let world = World::isolated();
    let starting = Seen {
        complete: false,
        ..world.seen()
    };
    assert!(judge(&starting).is_pending());
    assert!(Isolation::not_all_runs().is_pending());
}

#[test]
fn a_refusal_counts_only_where_somebody_else_gets_through() {
    for address in [API_SERVER, NEIGHBOUR] {
        let mut world = World::isolated();
        at(&mut world.neighbour, address).outcome = Outcome::Refused;
        let (code, message) = unknown(world.judge());
        assert_eq!(code, "IsolationUnproven", "{message}");
    }
    // Nobody told where the API server is, or the name server.
    for missing in [Place::ApiServer, Place::Names] {
        let mut world = World::isolated();
        world.tries.closed.retain(|(place, _)| *place != missing);
        assert_eq!(unknown(world.judge()).0, "IsolationUnproven");
    }
}

#[test]
fn a_pod_that_reaches_nothing_at_all_shows_nothing() {
    let mut world = World::isolated();
    let names: SocketAddr = NAMES.parse().unwrap();
    world
        .tries
        .closed
        .retain(|(place, _)| *place != Place::Names);
    world.tries.open.push((Place::Names, names));
    let tried = at(&mut world.inside, NAMES);
    tried.expected = Expected::Open;
    assert_eq!(unknown(world.judge()).0, "IsolationUnproven");
    at(&mut world.inside, NAMES).outcome = Outcome::Reached;
    assert!(matches!(world.judge(), Isolation::Verified(_)));
}

#[test]
fn what_could_not_be_tried_is_no_refusal() {
    let mut world = World::isolated();
    at(&mut world.inside, METADATA).outcome = Outcome::Failed;
    assert_eq!(unknown(world.judge()).0, "IsolationUnproven");
}

#[test]
fn the_same_is_told_in_the_same_words_however_long_ago_it_was_tried() {
    let (mut world, before) = (World::isolated(), World::isolated().judge());
    for tried in world
        .inside
        .tried
        .iter_mut()
        .chain(&mut world.neighbour.tried)
    {
        tried.age_seconds += 200;
    }
    assert_eq!(world.judge(), before);
}

//! What the tries come to.
//!
//! A hole is a hole, whatever else is not known. A refusal counts when somebody shows that there was something to be
//! refused: the neighbour reached the same address, or the program behind a door answered a moment ago. What was not
//! tried, not lately, or without such a showing is unknown.

use std::net::SocketAddr;

use pavilion_catalogue::{Entry, manifest};
use pavilion_probe::{Expected, Outcome, OwnKind, Told, Tried};

use super::tries::{Place, Tries};

/// After how many rounds without a new try an outcome counts no more.
const ROUNDS: u64 = 3;
const NOT_ALL_RUNS: &str = "not every program of the tenant is ready, so not every door is tried";
/// How many holes a message names.
const NAMED_HOLES: usize = 8;

/// Whether a tenant is isolated, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// All that must be refused was refused.
    Verified(String),
    /// Something was not, by the reason for the first.
    Broken(&'static Entry, String),
    /// Nobody can tell.
    Unknown(&'static Entry, String),
}

/// What is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    /// What was to be tried.
    pub tries: &'a Tries,
    /// Whether every program of the tenant is there, so that every door was tried.
    pub complete: bool,
    /// Whether there is a neighbour.
    pub neighbour_runs: bool,
    /// What the probe in the tenant's pod tells.
    pub inside: Option<&'a Told>,
    /// What the neighbour tells.
    pub neighbour: Option<&'a Told>,
}

impl Isolation {
    /// Not everything of the tenant is there. The same is said from before its pod is made until all of it is ready.
    pub(super) fn not_all_runs() -> Self {
        Self::Unknown(&manifest::PROGRESSING, NOT_ALL_RUNS.to_owned())
    }

    /// One word for it, a label of metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Verified(_) => "verified",
            Self::Broken(..) => "broken",
            Self::Unknown(..) => "unknown",
        }
    }

    /// Whether the probes are still at it.
    pub fn is_pending(&self) -> bool {
        matches!(self, Self::Unknown(entry, _) if entry.code == manifest::PROGRESSING.code)
    }
}

/// The verdict.
pub(super) fn judge(seen: &Seen<'_>) -> Isolation {
    let mut holes = holes(seen).into_iter();
    if let Some((entry, first)) = holes.next() {
        let rest = holes.map(|(_, hole)| hole);
        return Isolation::Broken(entry, listed(std::iter::once(first).chain(rest)));
    }
    match unknown(seen) {
        Some((entry, why)) => Isolation::Unknown(entry, why),
        None => Isolation::Verified(shown(seen)),
    }
}

type Finding = (&'static Entry, String);

/// Whatever was reached lately that must not be, the worst first.
fn holes(seen: &Seen<'_>) -> Vec<Finding> {
    let mut holes = Vec::new();
    for (place, address) in &seen.tries.closed {
        if reached(seen.inside, Expected::Closed, *address) {
            let what = format!("its pod reaches {} at {address}", place.name());
            holes.push((place.entry(), what));
        }
    }
    let doors = seen.tries.doors.iter();
    let open = doors.filter(|door| reached(seen.neighbour, Expected::Closed, **door));
    let open: Vec<&SocketAddr> = open.collect();
    if let Some(first) = open.first() {
        let (pod, ports) = (first.ip(), ports(&open));
        let what = format!("a pod of another namespace reaches it at {pod}, ports {ports}");
        holes.push((&manifest::TENANT_REACHABLE, what));
    }
    let own = seen.inside.into_iter().flat_map(|told| {
        let fresh = told
            .own
            .iter()
            .filter(|own| is_fresh(told, own.age_seconds));
        fresh.filter(|own| own.outcome == Outcome::Reached)
    });
    for own in own {
        let entry = match own.kind {
            OwnKind::File => &manifest::FILES_EXPOSED,
            OwnKind::Privilege => &manifest::PRIVILEGES_KEPT,
        };
        holes.push((
            entry,
            format!("its probe, at {}: {}", own.what, own.because),
        ));
    }
    holes
}

/// The first thing that keeps anybody from telling.
fn unknown(seen: &Seen<'_>) -> Option<Finding> {
    let progressing = |why: &str| Some((&manifest::PROGRESSING, why.to_owned()));
    let silent = |why: &str| Some((&manifest::PROBE_SILENT, why.to_owned()));
    if !seen.complete {
        return progressing(NOT_ALL_RUNS);
    }
    let Some(inside) = seen.inside else {
        return silent("the probe in the tenant's pod does not answer");
    };
    if !seen.neighbour_runs {
        return silent("there is no neighbour to try from: its Deployment has no running pod");
    }
    let Some(neighbour) = seen.neighbour else {
        return silent("the neighbour does not answer");
    };
    if inside.own.is_empty() {
        return progressing("the probe in the tenant's pod has not looked at itself yet");
    }
    for own in &inside.own {
        let (age, outcome) = (own.age_seconds, own.outcome);
        let worthless = worthless(inside, &own.what, age, outcome, &own.because);
        if worthless.is_some() {
            return worthless;
        }
    }
    for (told, expected, name, address) in wanted(seen, inside, neighbour) {
        let Some(last) = find(told, expected, address) else {
            return progressing("not everything has been tried yet");
        };
        let what = format!("{name} at {address}");
        let worthless = worthless(told, &what, last.age_seconds, last.outcome, &last.because);
        if worthless.is_some() {
            return worthless;
        }
    }
    unproven(seen, inside).map(|why| (&manifest::ISOLATION_UNPROVEN, why))
}

/// Why a try says nothing, if it does not.
fn worthless(
    told: &Told,
    what: &str,
    age_seconds: u64,
    outcome: Outcome,
    because: &str,
) -> Option<Finding> {
    if !is_fresh(told, age_seconds) {
        let why = format!("{what} was not tried for {ROUNDS} rounds");
        return Some((&manifest::PROBE_SILENT, why));
    }
    if outcome == Outcome::Failed {
        let why = format!("{what} could not be tried: {because}");
        return Some((&manifest::ISOLATION_UNPROVEN, why));
    }
    None
}

/// Everything that must have been tried: by whom, expected how, and where.
fn wanted<'a>(
    seen: &'a Seen<'_>,
    inside: &'a Told,
    neighbour: &'a Told,
) -> impl Iterator<Item = (&'a Told, Expected, &'static str, SocketAddr)> {
    let closed = seen.tries.closed.iter();
    let closed = closed.map(move |(place, at)| (inside, Expected::Closed, place.name(), *at));
    let open = seen.tries.open.iter();
    let open = open.map(move |(place, at)| (inside, Expected::Open, place.name(), *at));
    let doors = seen.tries.doors.iter();
    let doors = doors.map(move |at| (neighbour, Expected::Closed, "a door of the tenant", *at));
    let shown = seen.tries.closed.iter();
    let shown = shown.map(move |(place, at)| (neighbour, Expected::Open, place.name(), *at));
    closed.chain(open).chain(doors).chain(shown)
}

/// What takes the worth from the refusals.
fn unproven(seen: &Seen<'_>, inside: &Told) -> Option<String> {
    let mut tried = seen.tries.open.iter().chain(&seen.tries.closed);
    if !tried.any(|(place, _)| *place == Place::Names) {
        return Some(
            "nobody knows where the name server is: the operator's own pod names none".to_owned(),
        );
    }
    for (place, address) in &seen.tries.open {
        if !reached(Some(inside), Expected::Open, *address) {
            let name = place.name();
            return Some(format!(
                "its pod does not reach {name} at {address} either, which it may: that it reaches nothing else shows nothing"
            ));
        }
    }
    for place in [Place::ApiServer, Place::Neighbour] {
        let mut addresses = seen
            .tries
            .closed
            .iter()
            .filter(|(other, _)| *other == place);
        if !addresses.any(|(_, address)| reached(seen.neighbour, Expected::Open, *address)) {
            let name = place.name();
            return Some(format!(
                "nobody reaches {name}, not even from where nothing is closed: that the tenant does not shows nothing"
            ));
        }
    }
    None
}

/// What was shown, in words that stay the same while it stays so.
fn shown(seen: &Seen<'_>) -> String {
    let (refused, absent): (Vec<_>, Vec<_>) = seen
        .tries
        .closed
        .iter()
        .partition(|(_, address)| reached(seen.neighbour, Expected::Open, *address));
    let names = |of: &[&(Place, SocketAddr)]| {
        let names = of
            .iter()
            .map(|(place, address)| format!("{} at {address}", place.name()));
        names.collect::<Vec<_>>().join(", ")
    };
    let mut message = format!(
        "refused to its pod: {}; refused to a pod of another namespace: its ports {}",
        names(&refused),
        ports(&seen.tries.doors.iter().collect::<Vec<_>>()),
    );
    if !absent.is_empty() {
        let rest = format!(
            "; not reached by its pod, and by nobody else: {}",
            names(&absent)
        );
        message.push_str(&rest);
    }
    message
}

fn ports(doors: &[&SocketAddr]) -> String {
    let ports = doors.iter().map(|door| door.port().to_string());
    ports.collect::<Vec<_>>().join(", ")
}

fn listed(holes: impl Iterator<Item = String>) -> String {
    let mut holes: Vec<String> = holes.collect();
    let more = holes.len().saturating_sub(NAMED_HOLES);
    holes.truncate(NAMED_HOLES);
    if more > 0 {
        holes.push(format!("and {more} more"));
    }
    holes.join("; ")
}

fn find(told: &Told, expected: Expected, address: SocketAddr) -> Option<&Tried> {
    let is_it = |tried: &&Tried| tried.expected == expected && tried.address == address;
    told.tried.iter().find(is_it)
}

/// Whether an address was reached, lately.
fn reached(told: Option<&Told>, expected: Expected, address: SocketAddr) -> bool {
    let tried = told.and_then(|told| Some((told, find(told, expected, address)?)));
    tried.is_some_and(|(told, tried)| {
        tried.outcome == Outcome::Reached && is_fresh(told, tried.age_seconds)
    })
}

fn is_fresh(told: &Told, age_seconds: u64) -> bool {
    age_seconds <= told.every_seconds.saturating_mul(ROUNDS)
}

#[cfg(test)]
mod tests;

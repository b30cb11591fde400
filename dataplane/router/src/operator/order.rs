//! Which table follows which.
//!
//! One operator sends its states in their order. From one operator to the next there is no order that can
//! be told for sure: each sees changes of two kinds in two watches, and numbers its tables by what it has
//! seen. So after a change of operators a table with a lower number than the one in force waits a
//! while: whoever is behind catches up in that time. An operator that insists is believed, so that a
//! cluster whose numbers began anew, from a backup, gets through.

use std::collections::HashSet;
use std::time::Duration;

use pavilion_bundle::{Named, RouteTable};
use pavilion_json::Digest;
use tokio::time::Instant;

use super::naming;

/// How long an operator must insist on an older table.
const INSIST: Duration = Duration::from_secs(10);

/// What is in force, and what may come next.
#[derive(Debug, Default)]
pub(super) struct Order {
    in_force: Option<Named<RouteTable>>,
    /// Whether the table in force came from the operator that is followed now.
    trusted: bool,
    waiting: Option<Candidate>,
}

/// A table that is not in force, or not yet.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) digest: Digest,
    pub(super) table: Result<Named<RouteTable>, String>,
    pub(super) bytes: Vec<u8>,
    since: Instant,
}

impl Candidate {
    pub(super) fn new(
        digest: Digest,
        table: Result<Named<RouteTable>, String>,
        bytes: Vec<u8>,
    ) -> Self {
        let since = Instant::now();
        Self {
            digest,
            table,
            bytes,
            since,
        }
    }
}

impl Order {
    /// The digest of the table in force.
    pub(super) fn digest(&self) -> Option<Digest> {
        self.in_force.as_ref().map(Named::digest)
    }

    /// This table is in force now.
    pub(super) fn in_force(&mut self, table: Named<RouteTable>) {
        self.in_force = Some(table);
        self.waiting = None;
    }

    /// Another operator is followed from now on.
    pub(super) fn another_operator(&mut self) {
        self.trusted = false;
        self.waiting = None;
    }

    /// The operator that is followed has sent what is in force: whatever it sends now is newer.
    pub(super) fn trust(&mut self) {
        self.trusted = true;
    }

    /// Whether a table is to wait before it is put in force.
    pub(super) fn must_wait(&self, candidate: &Candidate, now: Instant) -> bool {
        let (Some(in_force), Ok(table)) = (&self.in_force, &candidate.table) else {
            return false;
        };
        let (known, new) = (in_force.document(), table.document());
        !self.trusted
            && new.version < known.version
            && new.routes != known.routes
            && now.duration_since(candidate.since) < INSIST
    }

    /// Remembers a table that is not in force.
    pub(super) fn keep(&mut self, candidate: Candidate) {
        self.waiting = Some(candidate);
    }

    /// Takes back the table that was kept, if it is this one.
    pub(super) fn candidate(&mut self, digest: Digest) -> Option<Candidate> {
        self.waiting.take_if(|waiting| waiting.digest == digest)
    }

    /// Forgets the table that was kept. Says whether there was one.
    pub(super) fn forget_candidate(&mut self) -> bool {
        self.waiting.take().is_some()
    }

    /// The files that are needed for what is in force and for what may come next.
    pub(super) fn files(&self) -> HashSet<Digest> {
        let waiting = self.waiting.as_ref();
        let waiting = waiting.and_then(|waiting| waiting.table.as_ref().ok());
        let tables = self.in_force.iter().chain(waiting);
        tables
            .flat_map(|table| naming::files(table.document()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use pavilion_bundle::{Certificate, Document, Route, Upstream};

    use super::*;

    fn table(version: u64, host: &str) -> Candidate {
        let route = Route {
            host: host.parse().unwrap(),
            tenant: "acme".parse().unwrap(),
            certificate: Certificate {
                chain_file: "chain".into(),
                key_file: "key".into(),
            },
            request_client_certificate: false,
            closed: None,
            upstreams: vec![Upstream::on_socket("/", "s")],
            max_body_bytes: 1,
        };
        let routes = vec![route];
        let (bytes, digest) = RouteTable { version, routes }.seal().unwrap();
        let table = Named::read(&bytes).map_err(|error| error.to_string());
        Candidate::new(digest, table, bytes)
    }

    fn order(version: u64) -> Order {
        let mut order = Order::default();
        order.in_force(table(version, "a.example").table.unwrap());
        order
    }

    fn waits(order: &Order, candidate: &Candidate, after: u64) -> bool {
        order.must_wait(candidate, candidate.since + Duration::from_secs(after))
    }

    #[test]
    fn an_operator_that_is_behind_the_last_one_must_catch_up_or_insist() {
        let order = order(10);
        assert!(waits(&order, &table(9, "b.example"), 1));
        assert!(!waits(&order, &table(9, "b.example"), 10));
        assert!(!waits(&order, &table(10, "b.example"), 0));
        assert!(!waits(&order, &table(9, "a.example"), 0), "nothing is lost");
        assert!(!waits(&Order::default(), &table(9, "b.example"), 0));
    }

    #[test]
    fn the_operator_whose_table_is_in_force_knows_what_comes_next() {
        let mut order = order(10);
        order.trust();
        assert!(!waits(&order, &table(9, "b.example"), 0));
        order.another_operator();
        assert!(waits(&order, &table(9, "b.example"), 0));
    }

    #[test]
    fn a_table_that_waits_is_found_again_by_its_digest() {
        let mut order = order(10);
        let behind = table(9, "b.example");
        let digest = behind.digest;
        order.keep(behind);
        assert!(order.candidate(Digest::of(b"another")).is_none());
        assert!(order.candidate(digest).is_some());
        assert!(order.candidate(digest).is_none());
    }
}

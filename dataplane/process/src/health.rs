//! What a program says about itself: checks, the document it serves, the one it refused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::run::Identity;

/// The state behind `/livez`, `/readyz` and `/status`. Clones share it.
#[derive(Clone, Debug)]
pub struct Health {
    state: Arc<Mutex<State>>,
}

/// One thing that must be well for the program to be ready. Clones share it.
#[derive(Clone, Debug)]
pub struct Check {
    health: Health,
    name: &'static str,
}

/// What `/status` shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The program.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The commit it was built from.
    pub commit: &'static str,
    /// True when every check is well.
    pub ready: bool,
    /// One line per check, by name.
    pub checks: Vec<CheckStatus>,
    /// The document in force.
    pub served: Option<Served>,
    /// The newest document, if it was refused.
    pub refused: Option<Refused>,
    /// Whatever else the program tells its operator.
    pub detail: Map<String, Value>,
}

/// One line of [`Status`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckStatus {
    /// What is checked.
    pub name: &'static str,
    /// Whether it is well.
    pub ok: bool,
    /// Why not, or what is amiss although it is well; else empty.
    pub reason: String,
}

/// The document in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Served {
    /// Its counter.
    pub version: u64,
    /// `sha-256:<hex>` of its bytes.
    pub digest: String,
}

/// A document that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// `sha-256:<hex>` of its bytes; `null` when it could not be read at all.
    pub digest: Option<String>,
    /// Why, in words a person can act on.
    pub reason: String,
}

#[derive(Debug)]
struct State {
    identity: Identity,
    checks: BTreeMap<&'static str, Outcome>,
    served: Option<Served>,
    refused: Option<Refused>,
    detail: Map<String, Value>,
}

/// How a check is: well, perhaps with a reservation, or not, and why.
type Outcome = Result<Option<String>, String>;

impl State {
    fn is_ready(&self) -> bool {
        !self.checks.is_empty() && self.checks.values().all(Result::is_ok)
    }
}

impl Health {
    /// The health of a program that has registered no check yet.
    pub fn new(identity: Identity) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                identity,
                checks: BTreeMap::new(),
                served: None,
                refused: None,
                detail: Map::new(),
            })),
        }
    }

    /// Adds a check. It is not well until [`Check::set_ok`]. Register every check before the first of
    /// them is set, so that the program is not taken for ready in between.
    pub fn register_check(&self, name: &'static str) -> Check {
        let check = Check {
            health: self.clone(),
            name,
        };
        check.set_failed("starting");
        check
    }

    /// A document is in force; an earlier refusal is forgotten.
    // By value or by reference: callers have a small `Copy` digest.
    #[allow(clippy::needless_pass_by_value)]
    pub fn set_served(&self, version: u64, digest: impl ToString) {
        let mut state = self.lock();
        state.refused = None;
        state.served = Some(Served {
            version,
            digest: digest.to_string(),
        });
    }

    /// A document was refused; the one in force stays in force.
    pub fn set_refused(&self, digest: Option<impl ToString>, reason: impl Into<String>) {
        self.lock().refused = Some(Refused {
            digest: digest.map(|digest| digest.to_string()),
            reason: reason.into(),
        });
    }

    /// Sets one member of `detail` in `/status`.
    pub fn set_detail(&self, key: &str, value: Value) {
        self.lock().detail.insert(key.to_owned(), value);
    }

    /// True when every check is well. A program that has not registered one yet is still starting.
    pub fn is_ready(&self) -> bool {
        self.lock().is_ready()
    }

    /// Everything at this moment.
    pub fn status(&self) -> Status {
        let state = self.lock();
        Status {
            name: state.identity.name,
            version: state.identity.version,
            commit: crate::COMMIT,
            ready: state.is_ready(),
            checks: state.checks.iter().map(check_status).collect(),
            served: state.served.clone(),
            refused: state.refused.clone(),
            detail: state.detail.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is one assignment, so a panic elsewhere cannot leave it half made.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Check {
    /// It is well.
    pub fn set_ok(&self) {
        self.set(Ok(None));
    }

    /// It is well enough to serve, but something needs a person. Shown like a failure; the program
    /// stays ready.
    pub fn set_ok_but(&self, reservation: impl Into<String>) {
        self.set(Ok(Some(reservation.into())));
    }

    /// It is not well, and why. The reason is shown to operators: no subject data.
    pub fn set_failed(&self, reason: impl Into<String>) {
        self.set(Err(reason.into()));
    }

    fn set(&self, outcome: Outcome) {
        let before = self.health.lock().checks.insert(self.name, outcome.clone());
        if before.is_none_or(|before| before == outcome) {
            return;
        }
        match outcome {
            Ok(None) => tracing::info!(check = self.name, "check is well"),
            Ok(Some(reason)) => {
                tracing::warn!(
                    check = self.name,
                    reason,
                    "check is well, with a reservation"
                );
            }
            Err(reason) => tracing::warn!(check = self.name, reason, "check failed"),
        }
    }
}

fn check_status((name, outcome): (&&'static str, &Outcome)) -> CheckStatus {
    let reason = match outcome {
        Ok(reservation) => reservation.clone().unwrap_or_default(),
        Err(reason) => reason.clone(),
    };
    CheckStatus {
        name,
        ok: outcome.is_ok(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn health() -> Health {
        Health::new(Identity {
            name: "pavilion-test",
            version: "1.2.3",
            about: "Tests.",
        })
    }

    #[test]
    fn a_program_is_ready_only_when_every_check_is_well() {
        let health = health();
        assert!(!health.is_ready(), "it has not said what to check");
        let (one, two) = (health.register_check("one"), health.register_check("two"));
        assert!(!health.is_ready());
        one.set_ok();
        assert!(!health.is_ready());
        two.set_ok();
        assert!(health.is_ready());
        one.set_failed("the token is away");
        let status = health.status();
        assert!(!status.ready);
        assert_eq!(status.checks[0].reason, "the token is away");
        assert_eq!(status.checks[1].reason, "");
    }

    #[test]
    fn a_reservation_is_shown_and_leaves_the_program_ready() {
        let health = health();
        let check = health.register_check("tls");
        check.set_ok_but("the new files are refused");
        let status = health.status();
        assert!(status.ready && status.checks[0].ok);
        assert_eq!(status.checks[0].reason, "the new files are refused");
        check.set_ok();
        assert_eq!(health.status().checks[0].reason, "");
    }

    #[test]
    fn a_refused_document_shows_beside_the_one_in_force_until_a_good_one_comes() {
        let health = health();
        health.set_served(1, "sha-256:aa");
        health.set_refused(Some("sha-256:bb"), "routes[0].host: stands twice");
        let status = health.status();
        assert_eq!(status.served.unwrap().digest, "sha-256:aa");
        assert_eq!(status.refused.unwrap().digest.unwrap(), "sha-256:bb");
        health.set_served(3, "sha-256:cc");
        assert_eq!(health.status().refused, None);
    }

    #[test]
    fn status_has_the_agreed_members() {
        let health = health();
        health.set_detail("routes", Value::from(3));
        let json = serde_json::to_value(health.status()).unwrap();
        assert_eq!(json["name"], "pavilion-test");
        assert_eq!(json["commit"], crate::COMMIT);
        assert_eq!(json["ready"], false);
        assert_eq!(json["served"], Value::Null);
        assert_eq!(json["refused"], Value::Null);
        assert_eq!(json["detail"]["routes"], 3);
    }
}

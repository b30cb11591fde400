//! Whether an operator is heard: in health, log and metrics.

use std::net::SocketAddr;
use std::time::Duration;

use pavilion_process::{Check, Context, Health};
use pavilion_rpc::routes::Seen;
use serde_json::json;
use tokio::time::Instant;

use super::metrics::{Metrics, StateResult};

/// How long nobody may be heard before that is worth a word.
const WHILE: Duration = Duration::from_secs(15);

/// Said until an operator is heard for the first time.
const NOT_YET: &str =
    "no operator has been heard yet; what was kept from before is served, if anything was";

/// What is known of operators.
#[derive(Debug)]
pub(super) struct Hearing {
    health: Health,
    check: Check,
    metrics: Metrics,
    /// When one was heard last.
    last: Option<Instant>,
    connected: bool,
    /// Whether one was heard on the connection at hand.
    heard: bool,
}

impl Hearing {
    pub(super) fn new(context: &Context) -> Self {
        let check = context.health.register_check("operator");
        check.set_ok_but(NOT_YET);
        Self {
            health: context.health.clone(),
            check,
            metrics: context.metrics.register(Metrics::register),
            last: None,
            connected: false,
            heard: false,
        }
    }

    /// The next connection is tried.
    pub(super) fn begin(&mut self) {
        (self.connected, self.heard) = (false, false);
    }

    /// An operator has answered.
    pub(super) fn connected(&mut self, place: SocketAddr) {
        self.connected = true;
        self.metrics.connect(true);
        self.metrics.connected.set(1);
        self.health.set_detail("operator", place.to_string().into());
        tracing::info!(%place, "following an operator");
    }

    /// The connection has ended, or there was none. Says whether an operator was heard on it.
    pub(super) fn end(&mut self, why: &str) -> bool {
        if self.connected {
            tracing::info!(reason = why, "the operator is lost; looking for another");
        } else {
            self.metrics.connect(false);
        }
        self.metrics.connected.set(0);
        match self.last {
            None => self.check.set_ok_but(format!("{NOT_YET}: {why}")),
            Some(last) if last.elapsed() > WHILE => self.check.set_ok_but(format!(
                "no operator has been heard for a while, so no change gets here and the last route table stays in force: {why}"
            )),
            Some(_) => {}
        }
        self.heard
    }

    /// A state was told; `amiss` is what a person should know about it.
    pub(super) fn state(&mut self, result: StateResult, amiss: Option<&str>) {
        self.last = Some(Instant::now());
        self.heard = true;
        self.metrics.state(result);
        match amiss {
            None => self.check.set_ok(),
            Some(amiss) => self.check.set_ok_but(amiss),
        }
    }

    /// New files were sent.
    pub(super) fn files(&self, count: usize) {
        self.metrics.files.inc_by(count as u64);
    }

    /// Which changes the table in force is made of.
    pub(super) fn seen(&self, seen: &Seen) {
        let seen = json!({"secrets": seen.secrets, "pods": seen.pods});
        self.health.set_detail("routesSeen", seen);
    }
}

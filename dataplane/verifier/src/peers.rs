//! The programs beside this one: the signer and the auditor of the tenant.
//!
//! Whether they are there is looked at every 30 seconds, and twice a second while one is away; the
//! checks `signer` and `auditor` say so. The signer's public keys are kept, because an answer names
//! its key before it is signed, and are read again when the signer says that a key is retired.

mod auditor;
mod signer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pavilion_catalogue::{Entry, find};
use pavilion_process::{Check, Health};
use tonic::Status;

pub use auditor::{Appended, Auditor};
pub use signer::{PublishedKeys, Signer};

use crate::problems::Refusal;

/// How often keys and health are read while all is well.
const LOOK: Duration = Duration::from_secs(30);

/// How often while something is away.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Signer and auditor.
#[derive(Clone)]
pub struct Peers {
    /// The signer.
    pub signer: Arc<Signer>,
    /// The auditor.
    pub auditor: Arc<Auditor>,
}

impl Peers {
    /// Clients of both sockets. They connect when first used, and again after a loss. Call it
    /// inside a runtime.
    pub fn new(signer: &Path, auditor: &Path) -> Self {
        Self {
            signer: Arc::new(Signer::new(signer)),
            auditor: Arc::new(Auditor::new(auditor)),
        }
    }

    /// Registers the checks now, and keeps looking at both for as long as it is polled.
    pub fn watch(self, health: &Health) -> impl Future<Output = ()> + Send + use<> {
        let signer = health.register_check("signer");
        let auditor = health.register_check("auditor");
        async move {
            loop {
                let (keys, log) = tokio::join!(self.signer.refresh(), self.auditor.refresh());
                let well = keys.is_ok() && log.is_ok();
                tell(&signer, keys.map(drop));
                tell(&auditor, log);
                tokio::time::sleep(if well { LOOK } else { LOOK_AGAIN }).await;
            }
        }
    }
}

fn tell(check: &Check, outcome: Result<(), Refusal>) {
    match outcome {
        Ok(()) => check.set_ok(),
        Err(refusal) => check.set_failed(refusal.code()),
    }
}

/// What a failed call comes to outward: the code the other side sent if that can be told, else
/// that it is away.
fn refusal_of(status: &Status, away: &'static Entry) -> Refusal {
    let code = pavilion_rpc::code_of(status);
    tracing::warn!(
        grpc = ?status.code(),
        code,
        reason = status.message(),
        "a call inside the tenant failed"
    );
    let known = code.and_then(find).filter(|entry| entry.status == 503);
    Refusal::from(known.unwrap_or(away))
}

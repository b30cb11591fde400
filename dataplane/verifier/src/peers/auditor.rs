//! The auditor: appends, and proves what it appended.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use pavilion_catalogue::log;
use pavilion_json::Digest;
use pavilion_rpc::auditor::auditor_client::AuditorClient;
use pavilion_rpc::auditor::{AppendRequest, HealthRequest, ReceiptRequest};
use pavilion_rpc::socket;
use tonic::transport::Channel;

use super::refusal_of;
use crate::problems::Refusal;

/// How long a call may take; an append waits for a sync, a receipt for a checkpoint.
const TIME_OUT: Duration = Duration::from_secs(5);

/// A client of the auditor.
pub struct Auditor {
    client: AuditorClient<Channel>,
    verifier_key: ArcSwapOption<String>,
}

/// Where the log holds an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its index.
    pub index: u64,
    /// Its leaf hash.
    pub leaf: Digest,
}

impl Auditor {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            client: AuditorClient::new(socket::channel(path, TIME_OUT)),
            verifier_key: ArcSwapOption::empty(),
        }
    }

    /// Appends an entry; it is on disk when this returns.
    ///
    /// # Errors
    /// `log_unavailable`, `log_overloaded`.
    pub async fn append(&self, entry: Vec<u8>, request_id: &str) -> Result<Appended, Refusal> {
        let call = pavilion_rpc::request(AppendRequest { entry }, request_id);
        let appended = self
            .client
            .clone()
            .append(call)
            .await
            .map_err(|status| refusal_of(&status, &log::UNAVAILABLE))?
            .into_inner();
        let leaf: [u8; 32] = appended
            .leaf_hash
            .try_into()
            .map_err(|_| Refusal::from(&log::UNAVAILABLE))?;
        Ok(Appended {
            index: appended.index,
            leaf: leaf.into(),
        })
    }

    /// The `tlog-proof` of an entry that was appended.
    ///
    /// # Errors
    /// `log_unavailable`, `log_overloaded`.
    pub async fn receipt(&self, index: u64, request_id: &str) -> Result<String, Refusal> {
        let call = pavilion_rpc::request(ReceiptRequest { index }, request_id);
        self.client
            .clone()
            .receipt(call)
            .await
            .map(|receipt| receipt.into_inner().proof)
            .map_err(|status| refusal_of(&status, &log::UNAVAILABLE))
    }

    /// The log's verifier key (C2SP signed-note), once the auditor has told it.
    pub fn verifier_key(&self) -> Option<Arc<String>> {
        self.verifier_key.load_full()
    }

    /// Asks how the auditor is.
    pub(super) async fn refresh(&self) -> Result<(), Refusal> {
        let health = self
            .client
            .clone()
            .health(HealthRequest {})
            .await
            .map_err(|status| refusal_of(&status, &log::UNAVAILABLE))?
            .into_inner();
        if !health.verifier_key.is_empty() {
            self.verifier_key.store(Some(Arc::new(health.verifier_key)));
        }
        if health.ready {
            Ok(())
        } else {
            tracing::warn!(reason = health.reason, "the auditor is not ready");
            Err((&log::UNAVAILABLE).into())
        }
    }
}

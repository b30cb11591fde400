//! The auditor: appends, and proves what it appended.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use pavilion_catalogue::log;
use pavilion_json::Digest;
use pavilion_rpc::auditor::auditor_client::AuditorClient;
use pavilion_rpc::auditor::{AppendRequest, Entry, HealthRequest, Logged, Place, ReceiptRequest};
use pavilion_rpc::{Manner, Origin, Together, outcomes, socket};
use tonic::Status;
use tonic::transport::Channel;

use super::refusal_of;
use crate::problems::Refusal;

/// How long a call may take; an append waits for a sync, a receipt for a checkpoint.
const TIME_OUT: Duration = Duration::from_secs(5);

/// Entries that are written together share a sync.
const APPENDS: Manner = Manner {
    calls: 2,
    weight: 1024 * 1024,
    time_out: TIME_OUT,
};

/// What a receipt weighs: it repeats its entry, and few entries are longer.
const RECEIPT: usize = 16 * 1024;

/// The largest answer, in bytes: receipts of as many of the longest entries as one call asks for.
const LARGEST: usize = 8 * 1024 * 1024;

/// Each call waits for the next checkpoint; the time between two is what a few calls take.
const RECEIPTS: Manner = Manner {
    calls: 4,
    weight: 1024 * 1024,
    time_out: TIME_OUT,
};

/// A client of the auditor.
pub struct Auditor {
    client: AuditorClient<Channel>,
    appends: Together<Entry, Place>,
    receipts: Together<Logged, String>,
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
        let client =
            AuditorClient::new(socket::channel(path, TIME_OUT)).max_decoding_message_size(LARGEST);
        let (appending, proving) = (client.clone(), client.clone());
        Self {
            client,
            appends: Together::new(APPENDS, move |entries| append(appending.clone(), entries)),
            receipts: Together::new(RECEIPTS, move |entries| prove(proving.clone(), entries)),
            verifier_key: ArcSwapOption::empty(),
        }
    }

    /// Appends an entry; it is on disk when this returns.
    ///
    /// # Errors
    /// `log_unavailable`, `log_overloaded`.
    pub async fn append(&self, entry: Vec<u8>, request_id: &str) -> Result<Appended, Refusal> {
        let weight = entry.len();
        let item = Entry {
            entry: entry.into(),
            origin: Some(Origin::of(request_id)),
        };
        let place = self.appends.call(item, weight).await;
        let place = place.map_err(|status| refusal_of(&status, &log::UNAVAILABLE))?;
        let leaf: [u8; 32] = place.leaf_hash[..]
            .try_into()
            .map_err(|_| Refusal::from(&log::UNAVAILABLE))?;
        Ok(Appended {
            index: place.index,
            leaf: leaf.into(),
        })
    }

    /// The `tlog-proof` of an entry that was appended.
    ///
    /// # Errors
    /// `log_unavailable`, `log_overloaded`.
    pub async fn receipt(&self, index: u64, request_id: &str) -> Result<String, Refusal> {
        let item = Logged {
            index,
            origin: Some(Origin::of(request_id)),
        };
        let proof = self.receipts.call(item, RECEIPT).await;
        proof.map_err(|status| refusal_of(&status, &log::UNAVAILABLE))
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

async fn append(
    mut client: AuditorClient<Channel>,
    entries: Vec<Entry>,
) -> Result<Vec<Result<Place, Status>>, Status> {
    let answer = client.append(AppendRequest { entries }).await?;
    Ok(outcomes(answer.into_inner().outcomes))
}

async fn prove(
    mut client: AuditorClient<Channel>,
    entries: Vec<Logged>,
) -> Result<Vec<Result<String, Status>>, Status> {
    let answer = client.receipt(ReceiptRequest { entries }).await?;
    Ok(outcomes(answer.into_inner().outcomes))
}

//! The log as a gRPC service (`proto/auditor.proto`).

use std::error::Error;

use pavilion_catalogue::Entry as Code;
use pavilion_rpc::auditor::auditor_server::Auditor;
use pavilion_rpc::auditor::{
    AppendRequest, AppendResponse, Appended, Entry, HealthRequest, HealthResponse, Logged, Place,
    Receipt, ReceiptRequest, ReceiptResponse, appended, receipt,
};
use pavilion_rpc::{Failure, Origin, each};
use tonic::{Request, Response, Status};
use tracing::Instrument;

use crate::engine::Log;
use crate::signer::Signer;

/// The largest request, in bytes: a megabyte of entries, and their framing.
pub const MAX_REQUEST: usize = 1024 * 1024 + 64 * 1024;

/// The service over one log.
#[derive(Clone, Debug)]
pub struct AuditorService {
    log: Log,
    origin: String,
    signer: Signer,
}

impl AuditorService {
    /// Serves `log`; `signer` tells the verifier key.
    pub fn new(log: Log, origin: impl Into<String>, signer: Signer) -> Self {
        Self {
            log,
            origin: origin.into(),
            signer,
        }
    }
}

impl AuditorService {
    async fn append_one(&self, item: Entry) -> Appended {
        let origin = item.origin.unwrap_or_default();
        let appending = self.log.append(item.entry);
        let outcome = match appending.instrument(origin.span("append")).await {
            Ok(place) => {
                let id = origin.id();
                tracing::debug!(request_id = id, index = place.index, "appended");
                appended::Outcome::Place(Place {
                    index: place.index,
                    leaf_hash: place.leaf_hash.as_bytes().to_vec().into(),
                })
            }
            Err(error) => appended::Outcome::Failure(refuse(&origin, error.entry(), &error)),
        };
        Appended {
            outcome: Some(outcome),
        }
    }

    async fn prove_one(&self, item: Logged) -> Receipt {
        let origin = item.origin.unwrap_or_default();
        let proving = self.log.receipt(item.index);
        let outcome = match proving.instrument(origin.span("receipt")).await {
            Ok(proof) => receipt::Outcome::Proof(proof.to_string()),
            Err(error) => receipt::Outcome::Failure(refuse(&origin, error.entry(), &error)),
        };
        Receipt {
            outcome: Some(outcome),
        }
    }
}

#[tonic::async_trait]
impl Auditor for AuditorService {
    async fn append(
        &self,
        request: Request<AppendRequest>,
    ) -> Result<Response<AppendResponse>, Status> {
        let entries = request.into_inner().entries;
        let outcomes = each(entries, |entry| self.append_one(entry)).await?;
        Ok(Response::new(AppendResponse { outcomes }))
    }

    async fn receipt(
        &self,
        request: Request<ReceiptRequest>,
    ) -> Result<Response<ReceiptResponse>, Status> {
        let entries = request.into_inner().entries;
        let outcomes = each(entries, |entry| self.prove_one(entry)).await?;
        Ok(Response::new(ReceiptResponse { outcomes }))
    }

    async fn health(&self, _: Request<HealthRequest>) -> Result<Response<HealthResponse>, Status> {
        let status = self.log.status();
        let conditions = status.conditions;
        let failed = conditions
            .writer
            .and(conditions.sealer)
            .and(conditions.signer)
            .err();
        Ok(Response::new(HealthResponse {
            ready: failed.is_none(),
            reason: failed.unwrap_or_default(),
            origin: self.origin.clone(),
            verifier_key: self
                .signer
                .verifier_key()
                .map(|key| key.to_string())
                .unwrap_or_default(),
            size: status.size,
            checkpoint_size: status.checkpoint_size.unwrap_or(0),
        }))
    }
}

/// The failure as the caller gets it, with its stable code; said once in the log.
fn refuse(origin: &Origin, code: &Code, error: &dyn Error) -> Failure {
    tracing::warn!(request_id = origin.id(), code = code.code, %error, "refused");
    Failure::new(code.code, error)
}

//! The log as a gRPC service (`proto/auditor.proto`).

use pavilion_catalogue::Entry;
use pavilion_process::traces;
use pavilion_rpc::auditor::auditor_server::Auditor;
use pavilion_rpc::auditor::{
    AppendRequest, AppendResponse, HealthRequest, HealthResponse, ReceiptRequest, ReceiptResponse,
};
use pavilion_rpc::{request_id_of, status_with_code};
use pavilion_tlog::MAX_ENTRY_BYTES;
use tonic::{Code, Request, Response, Status};
use tracing::{Instrument, Span};

use crate::engine::{AppendError, Log, ReceiptError};
use crate::signer::Signer;

/// The largest request, in bytes: the largest entry and its framing.
pub const MAX_REQUEST: usize = MAX_ENTRY_BYTES + 1024;

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

#[tonic::async_trait]
impl Auditor for AuditorService {
    async fn append(
        &self,
        request: Request<AppendRequest>,
    ) -> Result<Response<AppendResponse>, Status> {
        let span = span(&request, "append");
        let entry = request.into_inner().entry;
        let appending = async {
            let appended = self.log.append(entry.into()).await;
            let appended =
                appended.map_err(|error| refuse(grpc_of_append(&error), error.entry(), &error))?;
            tracing::debug!(index = appended.index, "appended");
            let leaf_hash = appended.leaf_hash.as_bytes().to_vec();
            Ok(Response::new(AppendResponse {
                index: appended.index,
                leaf_hash,
            }))
        };
        appending.instrument(span).await
    }

    async fn receipt(
        &self,
        request: Request<ReceiptRequest>,
    ) -> Result<Response<ReceiptResponse>, Status> {
        let span = span(&request, "receipt");
        let index = request.into_inner().index;
        let proving = async {
            let proof = self.log.receipt(index).await;
            let proof =
                proof.map_err(|error| refuse(grpc_of_receipt(&error), error.entry(), &error))?;
            Ok(Response::new(ReceiptResponse {
                proof: proof.to_string(),
            }))
        };
        proving.instrument(span).await
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

/// What ties the log lines of this call to the outward request, and its trace to the caller's.
fn span<T>(request: &Request<T>, call: &'static str) -> Span {
    let span = tracing::info_span!("auditor", request_id = request_id_of(request), call);
    traces::adopt(&span, request.metadata().as_ref());
    span
}

fn grpc_of_append(error: &AppendError) -> Code {
    match error {
        AppendError::Invalid => Code::InvalidArgument,
        AppendError::Overloaded => Code::ResourceExhausted,
        AppendError::Unavailable(_) | AppendError::Uncertain(_) => Code::Unavailable,
    }
}

fn grpc_of_receipt(error: &ReceiptError) -> Code {
    match error {
        ReceiptError::IndexUnknown => Code::NotFound,
        ReceiptError::SignerUnavailable(_) | ReceiptError::Unavailable(_) => Code::Unavailable,
    }
}

/// The failure as the caller gets it, with its stable code; said once in the log.
fn refuse(grpc: Code, entry: &Entry, error: &dyn std::error::Error) -> Status {
    tracing::warn!(code = entry.code, %error, "refused");
    status_with_code(grpc, entry.code, error.to_string())
}

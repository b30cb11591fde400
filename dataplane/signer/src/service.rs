//! The engine as a gRPC service (`proto/signer.proto`).

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use pavilion_process::traces;
use pavilion_rpc::signer::signer_server::Signer;
use pavilion_rpc::signer::{
    HealthRequest, HealthResponse, PublicKey as PublicKeyMessage, PublicKeysRequest,
    PublicKeysResponse, Purpose as PurposeMessage, RotateRequest, RotateResponse, SignRequest,
    SignResponse, Signed, Unsigned, signed,
};
use pavilion_rpc::socket::peer_uid;
use pavilion_rpc::{Failure, each, request_id_of, status_with_code};
use tonic::{Code, Request, Response, Status};
use tracing::{Instrument, Span};

use crate::callers::{Callers, Right};
use crate::engine::{Engine, MAX_MESSAGE, PublicKey, Purpose, SignerError};

/// The largest request, in bytes: a few of the largest messages, key ids, and their framing.
pub const MAX_REQUEST: usize = 16 * (MAX_MESSAGE + 1_024);

/// The service over one engine, for callers that may ask for what each is given.
#[derive(Clone, Debug)]
pub struct SignerService {
    engine: Arc<Engine>,
    callers: Arc<Callers>,
}

impl SignerService {
    /// Serves `engine` to `callers`.
    pub fn new(engine: Arc<Engine>, callers: Callers) -> Self {
        let callers = Arc::new(callers);
        Self { engine, callers }
    }

    async fn sign_one(&self, uid: Option<u32>, item: Unsigned) -> Signed {
        let origin = item.origin.unwrap_or_default();
        let allowed = |purpose| self.callers.check_signing(uid, purpose);
        let signing = self.engine.sign_if(allowed, &item.key_id, item.message);
        let outcome = match signing.instrument(origin.span("sign")).await {
            Ok(signature) => {
                tracing::debug!(request_id = origin.id(), item.key_id, "signed");
                signed::Outcome::Signature(signature.into())
            }
            Err(error) => {
                tracing::warn!(request_id = origin.id(), uid, code = error.code(), %error, "refused");
                signed::Outcome::Failure(Failure::new(error.code(), &error))
            }
        };
        Signed {
            outcome: Some(outcome),
        }
    }

    async fn new_key(
        &self,
        uid: Option<u32>,
        purpose: PurposeMessage,
    ) -> Result<PublicKey, SignerError> {
        self.callers.check(uid, Right::Rotate)?;
        match purpose {
            PurposeMessage::Result => self.engine.rotate(Purpose::Result).await,
            PurposeMessage::Checkpoint => self.engine.rotate(Purpose::Checkpoint).await,
            PurposeMessage::Unspecified => Err(SignerError::RotationRefused(
                "the request does not say which purpose",
            )),
        }
    }
}

#[tonic::async_trait]
impl Signer for SignerService {
    async fn sign(&self, request: Request<SignRequest>) -> Result<Response<SignResponse>, Status> {
        let uid = peer_uid(&request);
        let messages = request.into_inner().messages;
        let outcomes = each(messages, |message| self.sign_one(uid, message)).await?;
        Ok(Response::new(SignResponse { outcomes }))
    }

    async fn public_keys(
        &self,
        _: Request<PublicKeysRequest>,
    ) -> Result<Response<PublicKeysResponse>, Status> {
        let keys = self
            .engine
            .public_keys()
            .into_iter()
            .map(message_of)
            .collect();
        Ok(Response::new(PublicKeysResponse { keys }))
    }

    async fn rotate(
        &self,
        request: Request<RotateRequest>,
    ) -> Result<Response<RotateResponse>, Status> {
        let span = span(&request, "rotate");
        let uid = peer_uid(&request);
        let purpose = request.into_inner().purpose();
        let rotating = async {
            let key = self.new_key(uid, purpose).await;
            let key = key.map_err(|error| refuse(&error, uid))?;
            Ok(Response::new(RotateResponse {
                current: Some(message_of(key)),
            }))
        };
        rotating.instrument(span).await
    }

    async fn health(&self, _: Request<HealthRequest>) -> Result<Response<HealthResponse>, Status> {
        let status = self.engine.status();
        let owned = |(purpose, custody): (&str, &str)| (purpose.to_owned(), custody.to_owned());
        Ok(Response::new(HealthResponse {
            ready: status.reason.is_none(),
            reason: status.reason.unwrap_or_default(),
            module: status.module.display().to_string(),
            token_label: status.token_label.as_str().to_owned(),
            mechanisms: status.mechanisms.into_iter().collect(),
            sessions_open: status.sessions_open,
            queue_depth: status.queue_depth,
            custody: status
                .custody
                .into_iter()
                .map(owned)
                .collect::<HashMap<_, _>>(),
        }))
    }
}

/// What ties the log lines of this call to the outward request, and its trace to the caller's.
fn span<T>(request: &Request<T>, call: &'static str) -> Span {
    let span = tracing::info_span!("signer", request_id = request_id_of(request), call);
    traces::adopt(&span, request.metadata().as_ref());
    span
}

/// The failure as the caller gets it, with its stable code; said once in the log.
fn refuse(error: &SignerError, uid: Option<u32>) -> Status {
    tracing::warn!(uid, code = error.code(), %error, "refused");
    let grpc = match error {
        SignerError::KeyUnknown => Code::NotFound,
        SignerError::MessageNotSignable(_) => Code::InvalidArgument,
        SignerError::CallerNotAllowed(_) => Code::PermissionDenied,
        SignerError::KeyRetired
        | SignerError::CheckpointConflict(_)
        | SignerError::RotationRefused(_) => Code::FailedPrecondition,
        SignerError::Overloaded | SignerError::TokenFull => Code::ResourceExhausted,
        SignerError::Timeout => Code::DeadlineExceeded,
        SignerError::Unavailable(_) => Code::Unavailable,
    };
    status_with_code(grpc, error.code(), error.to_string())
}

fn message_of(key: PublicKey) -> PublicKeyMessage {
    let purpose = match key.purpose {
        Purpose::Result => PurposeMessage::Result,
        Purpose::Checkpoint => PurposeMessage::Checkpoint,
        Purpose::Seal => PurposeMessage::Unspecified,
    };
    PublicKeyMessage {
        key_id: key.key_id,
        purpose: purpose.into(),
        jwk: key.jwk.to_string(),
        current: key.current,
        created_at: key.created.as_second(),
        retires_at: key.retires.map_or(0, Timestamp::as_second),
        custody: key.custody.to_owned(),
    }
}

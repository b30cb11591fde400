//! Stand-ins for signer and auditor whose failures can be called up. They exist to show what the
//! verifier does when the real ones fail in the middle; the real ones are tested end to end.

use std::path::Path;
use std::sync::{Arc, Mutex};

use pavilion_jose::{Algorithm, SigningKey};
use pavilion_json::Digest;
use pavilion_rpc::auditor::auditor_server::AuditorServer;
use pavilion_rpc::auditor::{
    AppendRequest, AppendResponse, Appended, HealthRequest, HealthResponse, Place, Receipt,
    ReceiptRequest, ReceiptResponse, appended, auditor_server, receipt,
};
use pavilion_rpc::signer::signer_server::SignerServer;
use pavilion_rpc::signer::{
    PublicKey, PublicKeysRequest, PublicKeysResponse, Purpose, RotateRequest, RotateResponse,
    SignRequest, SignResponse, Signed, Unsigned, signed, signer_server,
};
use pavilion_rpc::{Failure, signer, socket, status_with_code};
use tonic::{Code, Request, Response, Status};

/// Which call fails next, and with what.
pub type Fault = Option<(&'static str, &'static str)>;

#[derive(Clone)]
pub struct Neighbours(Arc<Inner>);

struct Inner {
    keys: Mutex<Vec<SigningKey>>,
    entries: Mutex<Vec<Vec<u8>>>,
    fault: Mutex<Fault>,
    request_ids: Mutex<Vec<String>>,
    gate: tokio::sync::Semaphore,
}

impl Neighbours {
    /// Serves both sockets in this folder.
    pub fn serve(folder: &Path) -> Self {
        let neighbours = Self(Arc::new(Inner {
            keys: Mutex::new(vec![SigningKey::generate(Algorithm::Es256).unwrap()]),
            entries: Mutex::default(),
            fault: Mutex::default(),
            request_ids: Mutex::default(),
            gate: tokio::sync::Semaphore::new(1_000),
        }));
        let bind = |name: &str| socket::bind(folder.join(name), socket::Peers::own_user()).unwrap();
        let signer = SignerServer::new(neighbours.clone());
        let auditor = AuditorServer::new(neighbours.clone());
        tokio::spawn(socket::serve(
            bind("signer.sock"),
            signer,
            std::future::pending(),
        ));
        tokio::spawn(socket::serve(
            bind("auditor.sock"),
            auditor,
            std::future::pending(),
        ));
        neighbours
    }

    /// Makes one kind of call fail with a code until told otherwise.
    pub fn fail(&self, fault: Fault) {
        *self.0.fault.lock().unwrap() = fault;
    }

    /// Makes a new current key; the old ones no longer sign.
    pub fn rotate(&self) {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        self.0.keys.lock().unwrap().push(key);
    }

    /// The entries of the log.
    pub fn entries(&self) -> Vec<Vec<u8>> {
        self.0.entries.lock().unwrap().clone()
    }

    /// The request ids that came with appends.
    pub fn request_ids(&self) -> Vec<String> {
        self.0.request_ids.lock().unwrap().clone()
    }

    /// Holds appends up until [`Self::go_on`].
    pub async fn hold(&self) {
        self.0.gate.acquire_many(1_000).await.unwrap().forget();
    }

    pub fn go_on(&self) {
        self.0.gate.add_permits(1_000);
    }

    fn check(&self, call: &str) -> Result<(), Status> {
        match self.failure(call) {
            Some(failure) => Err(status_with_code(
                Code::Unavailable,
                &failure.code,
                failure.reason,
            )),
            None => Ok(()),
        }
    }

    /// With what one item of a call fails.
    fn failure(&self, call: &str) -> Option<Failure> {
        match *self.0.fault.lock().unwrap() {
            Some((failing, code)) if failing == call => {
                Some(Failure::new(code, "called up by a test"))
            }
            _ => None,
        }
    }

    fn sign_one(&self, message: Unsigned) -> Result<Vec<u8>, Failure> {
        if let Some(failure) = self.failure("sign") {
            return Err(failure);
        }
        let keys = self.0.keys.lock().unwrap();
        let current = keys.last().unwrap();
        if current.public().thumbprint() != message.key_id {
            return Err(Failure::new("key_retired", "rotated"));
        }
        Ok(current.sign(&message.message).unwrap())
    }

    fn append_one(&self, entry: Vec<u8>) -> Place {
        let leaf_hash = Digest::of(&[&[0], entry.as_slice()].concat());
        let mut entries = self.0.entries.lock().unwrap();
        entries.push(entry);
        Place {
            index: entries.len() as u64 - 1,
            leaf_hash: leaf_hash.as_bytes().to_vec().into(),
        }
    }
}

#[tonic::async_trait]
impl signer_server::Signer for Neighbours {
    async fn sign(&self, call: Request<SignRequest>) -> Result<Response<SignResponse>, Status> {
        let messages = call.into_inner().messages.into_iter();
        let outcome = |message| match self.sign_one(message) {
            Ok(signature) => signed::Outcome::Signature(signature.into()),
            Err(failure) => signed::Outcome::Failure(failure),
        };
        let outcomes = messages.map(|message| Signed {
            outcome: Some(outcome(message)),
        });
        let outcomes = outcomes.collect();
        Ok(Response::new(SignResponse { outcomes }))
    }

    async fn public_keys(
        &self,
        _: Request<PublicKeysRequest>,
    ) -> Result<Response<PublicKeysResponse>, Status> {
        self.check("keys")?;
        let keys = self.0.keys.lock().unwrap();
        let last = keys.len() - 1;
        let published = keys.iter().enumerate().map(|(index, key)| PublicKey {
            key_id: key.public().thumbprint(),
            purpose: Purpose::Result.into(),
            jwk: serde_json::to_string(&key.public()).unwrap(),
            current: index == last,
            ..PublicKey::default()
        });
        let keys = published.collect();
        Ok(Response::new(PublicKeysResponse { keys }))
    }

    async fn rotate(&self, _: Request<RotateRequest>) -> Result<Response<RotateResponse>, Status> {
        Err(Status::unimplemented("not called by the verifier"))
    }

    async fn health(
        &self,
        _: Request<signer::HealthRequest>,
    ) -> Result<Response<signer::HealthResponse>, Status> {
        Err(Status::unimplemented("not called by the verifier"))
    }
}

#[tonic::async_trait]
impl auditor_server::Auditor for Neighbours {
    async fn append(
        &self,
        call: Request<AppendRequest>,
    ) -> Result<Response<AppendResponse>, Status> {
        let entries = call.into_inner().entries;
        for entry in &entries {
            if let Some(id) = entry.origin.as_ref().and_then(|origin| origin.id()) {
                self.0.request_ids.lock().unwrap().push(id.to_owned());
            }
        }
        let _open = self.0.gate.acquire().await.unwrap();
        self.check("panic").map_err(|_| Status::internal("x"))?;
        let outcomes = entries.into_iter().map(|entry| {
            let outcome = match self.failure("append") {
                Some(failure) => appended::Outcome::Failure(failure),
                None => appended::Outcome::Place(self.append_one(entry.entry.to_vec())),
            };
            Appended {
                outcome: Some(outcome),
            }
        });
        let outcomes = outcomes.collect();
        Ok(Response::new(AppendResponse { outcomes }))
    }

    async fn receipt(
        &self,
        call: Request<ReceiptRequest>,
    ) -> Result<Response<ReceiptResponse>, Status> {
        self.check("receipt")?;
        let entries = call.into_inner().entries.into_iter();
        let outcomes = entries.map(|entry| Receipt {
            outcome: Some(receipt::Outcome::Proof(format!(
                "receipt of {}\n",
                entry.index
            ))),
        });
        let outcomes = outcomes.collect();
        Ok(Response::new(ReceiptResponse { outcomes }))
    }

    async fn health(&self, _: Request<HealthRequest>) -> Result<Response<HealthResponse>, Status> {
        self.check("health")?;
        Ok(Response::new(HealthResponse {
            ready: true,
            verifier_key: "log+00000000+AA".to_owned(),
            ..HealthResponse::default()
        }))
    }
}

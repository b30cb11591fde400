//! Stand-ins for signer and auditor whose failures can be called up. They exist to show what the
//! verifier does when the real ones fail in the middle; the real ones are tested end to end.

use std::path::Path;
use std::sync::{Arc, Mutex};

use pavilion_jose::{Algorithm, SigningKey};
use pavilion_json::Digest;
use pavilion_rpc::auditor::auditor_server::AuditorServer;
use pavilion_rpc::auditor::{
    AppendRequest, AppendResponse, HealthRequest, HealthResponse, ReceiptRequest, ReceiptResponse,
    auditor_server,
};
use pavilion_rpc::signer::signer_server::SignerServer;
use pavilion_rpc::signer::{
    PublicKey, PublicKeysRequest, PublicKeysResponse, Purpose, RotateRequest, RotateResponse,
    SignRequest, SignResponse, signer_server,
};
use pavilion_rpc::{signer, socket, status_with_code};
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
        match *self.0.fault.lock().unwrap() {
            Some((failing, code)) if failing == call => Err(status_with_code(
                Code::Unavailable,
                code,
                "called up by a test",
            )),
            _ => Ok(()),
        }
    }
}

#[tonic::async_trait]
impl signer_server::Signer for Neighbours {
    async fn sign(&self, call: Request<SignRequest>) -> Result<Response<SignResponse>, Status> {
        self.check("sign")?;
        let SignRequest { key_id, message } = call.into_inner();
        let keys = self.0.keys.lock().unwrap();
        let current = keys.last().unwrap();
        if current.public().thumbprint() != key_id {
            return Err(status_with_code(
                Code::FailedPrecondition,
                "key_retired",
                "rotated",
            ));
        }
        let signature = current.sign(&message).unwrap();
        Ok(Response::new(SignResponse { signature }))
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
        self.check("append")?;
        if let Some(id) = pavilion_rpc::request_id_of(&call) {
            self.0.request_ids.lock().unwrap().push(id.to_owned());
        }
        let _open = self.0.gate.acquire().await.unwrap();
        self.check("panic").map_err(|_| Status::internal("x"))?;
        let entry = call.into_inner().entry;
        let leaf_hash = Digest::of(&[&[0], entry.as_slice()].concat())
            .as_bytes()
            .to_vec();
        let mut entries = self.0.entries.lock().unwrap();
        entries.push(entry);
        let index = entries.len() as u64 - 1;
        Ok(Response::new(AppendResponse { index, leaf_hash }))
    }

    async fn receipt(
        &self,
        call: Request<ReceiptRequest>,
    ) -> Result<Response<ReceiptResponse>, Status> {
        self.check("receipt")?;
        let proof = format!("receipt of {}\n", call.into_inner().index);
        Ok(Response::new(ReceiptResponse { proof }))
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

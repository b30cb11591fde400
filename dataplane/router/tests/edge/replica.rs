//! A replica of the operator, as far as a router sees it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use pavilion_json::Digest;
use pavilion_process::mutual_tls::{Credentials, Listener, Protocol, server_config};
use pavilion_rpc::network;
use pavilion_rpc::routes::part::Part as Kind;
use pavilion_rpc::routes::routes_server::{Routes, RoutesServer};
use pavilion_rpc::routes::{Files, FollowRequest, Part, Seen, State};
use rcgen::ExtendedKeyUsagePurpose;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tonic::{Request, Response, Status};

use crate::roots::{CLIENT, Leaf, Root};
use crate::stage::context;

/// The name in the operator's certificate.
pub const OPERATOR: &str = "operator.pavilion.internal";

/// What a replica tells.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The table.
    pub table: Vec<u8>,
    /// The digest it is announced by.
    pub digest: Option<Digest>,
    /// By their digests.
    pub files: HashMap<Digest, Bytes>,
    pub seen: Seen,
}

/// A replica that runs until it is dropped.
pub struct Replica {
    pub address: SocketAddr,
    service: Service,
    tell: watch::Sender<Told>,
    running: JoinHandle<()>,
}

#[derive(Clone)]
struct Service {
    told: watch::Receiver<Told>,
    requests: Arc<Mutex<Vec<FollowRequest>>>,
    files_sent: Arc<AtomicUsize>,
    repeats: bool,
}

impl Replica {
    pub async fn start(root: &Root) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), root, true).await
    }

    /// One at an address; it repeats itself, or says each thing once.
    pub async fn at(address: SocketAddr, root: &Root, repeats: bool) -> Self {
        let leaf = operator(root);
        let credentials = Credentials::given(
            root.pem.as_bytes(),
            leaf.certificate.as_bytes(),
            leaf.key.as_bytes(),
        );
        let credentials = credentials.unwrap().speaking(Protocol::Http2);
        let (_, live) = watch::channel(server_config(&credentials, CLIENT).unwrap());
        let context = context();
        let listener = loop {
            let (health, metrics) = (&context.health, &context.metrics);
            match Listener::with(address, live.clone(), CLIENT, health, metrics).await {
                Ok(listener) => break listener,
                // Connections of the one before may still be closing.
                Err(_) => sleep(Duration::from_millis(10)).await,
            }
        };
        let address = listener.address().unwrap();
        let (tell, told) = watch::channel(Told::default());
        let service = Service {
            told,
            requests: Arc::default(),
            files_sent: Arc::default(),
            repeats,
        };
        let server = RoutesServer::new(service.clone());
        let running = tokio::spawn(async move {
            network::serve(listener, server, 16).await.unwrap();
        });
        Self {
            address,
            service,
            tell,
            running,
        }
    }

    pub fn tell(&self, told: &Told) {
        self.tell.send_replace(told.clone());
    }

    /// What routers asked for so far.
    pub fn requests(&self) -> Vec<FollowRequest> {
        self.service.requests.lock().unwrap().clone()
    }

    pub fn files_sent(&self) -> usize {
        self.service.files_sent.load(Ordering::SeqCst)
    }

    /// Ends it as a power cut would, and says where it was.
    pub async fn leave(mut self) -> SocketAddr {
        self.running.abort();
        let _ = (&mut self.running).await;
        self.address
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// A certificate of the operator.
pub fn operator(root: &Root) -> Leaf {
    root.leaf(OPERATOR, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    })
}

#[tonic::async_trait]
impl Routes for Service {
    type FollowStream = Pin<Box<dyn futures::Stream<Item = Result<Part, Status>> + Send>>;

    async fn follow(
        &self,
        request: Request<FollowRequest>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let request = request.into_inner();
        let names = request.files.iter();
        let has: HashSet<Digest> = names
            .map(|name| <[u8; 32]>::try_from(&name[..]).unwrap().into())
            .collect();
        self.requests.lock().unwrap().push(request);
        let mut service = self.clone();
        service.told.mark_changed();
        let parts = (service, VecDeque::new(), has);
        let parts = stream::unfold(parts, |(mut service, mut parts, mut has)| async move {
            while parts.is_empty() {
                tokio::select! {
                    changed = service.told.changed() => changed.ok()?,
                    () = sleep(Duration::from_secs(1)), if service.repeats => {}
                }
                let told = service.told.borrow_and_update().clone();
                if !told.table.is_empty() {
                    parts = service.parts(&told, &mut has);
                }
            }
            Some((Ok(parts.pop_front()?), (service, parts, has)))
        });
        Ok(Response::new(Box::pin(parts)))
    }
}

impl Service {
    fn parts(&self, told: &Told, has: &mut HashSet<Digest>) -> VecDeque<Part> {
        let mut parts = VecDeque::new();
        for (digest, content) in &told.files {
            if has.insert(*digest) {
                self.files_sent.fetch_add(1, Ordering::SeqCst);
                let contents = vec![content.clone()];
                parts.push_back(Kind::Files(Files { contents }));
            }
        }
        *has = told.files.keys().copied().collect();
        for piece in told.table.chunks(100_000) {
            parts.push_back(Kind::Table(Bytes::copy_from_slice(piece)));
        }
        let digest = told.digest.unwrap_or_else(|| Digest::of(&told.table));
        parts.push_back(Kind::State(State {
            table: Bytes::copy_from_slice(digest.as_bytes()),
            seen: Some(told.seen),
        }));
        parts
            .into_iter()
            .map(|part| Part { part: Some(part) })
            .collect()
    }
}

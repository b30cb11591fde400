//! A way to the API server on which a test has its hand: it counts what is asked and written, goes away, keeps news back,
//! and leaves questions open.

use std::{
    collections::BTreeSet,
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
};

use futures::StreamExt;
use http::{
    Method, Request, Response, StatusCode,
    header::{AUTHORIZATION, CONNECTION, HOST},
};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Bytes, Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use kube::{Client, client::Body};
use serde_json::json;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Whether something is forbidden, like `PATCH /api/v1/namespaces/x`.
type Forbidden = Box<dyn Fn(&str) -> bool + Send>;

type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// The way. Leases pass like anything else, but do not count as written.
pub struct Between {
    address: SocketAddr,
    hand: Arc<Hand>,
    folder: TempDir,
    task: JoinHandle<()>,
}

/// What is to happen to whoever comes.
struct Hand {
    client: Client,
    state: Mutex<State>,
    /// Whether news is kept back.
    quiet: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    /// Nobody gets through.
    away: bool,
    /// What was written, like `PATCH /api/v1/namespaces/x`.
    writes: Vec<String>,
    /// Where one object was asked for, by its path.
    reads: Vec<String>,
    /// So many writes later the way ends, before the answer to the last has come back.
    writes_left: Option<usize>,
    /// What is written where this stands in the path gets no answer, and does not arrive.
    unanswered: Option<&'static str>,
    /// Whoever wants to hear on from where it was is told that this is too long ago.
    forgotten: bool,
    /// The paths for which that was said.
    refused: BTreeSet<String>,
    /// Which reads and writes are forbidden.
    forbidden: Option<Forbidden>,
    /// Ends the connections of now.
    connections: CancellationToken,
}

impl Between {
    /// Opens a way that lets everything through.
    pub async fn open(client: &Client) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hand = Arc::new(Hand {
            client: client.clone(),
            state: Mutex::default(),
            quiet: watch::Sender::new(false),
        });
        Self {
            address: listener.local_addr().unwrap(),
            folder: TempDir::new().unwrap(),
            task: tokio::spawn(serve(listener, Arc::clone(&hand))),
            hand,
        }
    }

    /// A kubeconfig that leads here.
    pub fn kubeconfig(&self) -> PathBuf {
        let path = self.folder.path().join("kubeconfig.json");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "between",
            "clusters": [{"name": "between", "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": "between", "user": {}}],
            "contexts": [{"name": "between", "context": {"cluster": "between", "user": "between"}}],
        });
        std::fs::write(&path, config.to_string()).unwrap();
        path
    }

    /// What was written through it so far.
    pub fn writes(&self) -> Vec<String> {
        self.hand.state().writes.clone()
    }

    /// Which objects of a tenant were asked for through it so far, by their paths.
    pub fn reads_of(&self, tenant: &str) -> Vec<String> {
        let mut reads = self.hand.state().reads.clone();
        reads.retain(|path| path.contains(tenant));
        reads
    }

    /// From the answer to the `count`th write on, which does not come back, nobody gets through.
    pub fn end_after(&self, count: usize) {
        self.hand.state().writes_left = Some(count);
    }

    /// Whether nobody gets through.
    pub fn is_away(&self) -> bool {
        self.hand.state().away
    }

    /// Nobody gets through any more, and what is open ends.
    pub fn go_away(&self) {
        self.hand.state().go_away();
    }

    /// Everybody gets through again.
    pub fn come_back(&self) {
        let mut state = self.hand.state();
        state.away = false;
        state.writes_left = None;
        state.connections = CancellationToken::new();
    }

    /// Keeps news back, or lets it through again. Questions are answered all the same.
    pub fn keep_quiet(&self, quiet: bool) {
        self.hand.quiet.send_replace(quiet);
    }

    /// Leaves writes without an answer that have this in their path.
    pub fn leave_unanswered(&self, part: &'static str) {
        self.hand.state().unanswered = Some(part);
    }

    /// From now on these reads and writes are forbidden, like `PATCH /api/v1/namespaces/x`, and no others. Leases and watches
    /// pass.
    pub fn forbid(&self, what: impl Fn(&str) -> bool + Send + 'static) {
        self.hand.state().forbidden = Some(Box::new(what));
    }

    /// From now on everything is allowed.
    pub fn allow(&self) {
        self.hand.state().forbidden = None;
    }

    /// Whether somebody who wanted to hear on of a kind, by its name in paths, was told that it is forgotten.
    pub fn has_refused(&self, kind: &str) -> bool {
        let state = self.hand.state();
        state.refused.iter().any(|path| path.ends_with(kind))
    }

    /// Has the API server forget, or not, what happened before now, as one does whose store was compacted.
    pub fn forget(&self, forgotten: bool) {
        self.hand.state().forgotten = forgotten;
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        self.task.abort();
        self.hand.state().connections.cancel();
    }
}

impl State {
    fn go_away(&mut self) {
        self.away = true;
        self.connections.cancel();
    }

    /// Whether somebody who wants to hear on from where it was is refused.
    fn refuses(&mut self, path: &str) -> bool {
        if self.forgotten {
            self.refused.insert(path.to_owned());
        }
        self.forgotten
    }

    fn forbids(&self, what: &str) -> bool {
        self.forbidden.as_ref().is_some_and(|forbids| forbids(what))
    }

    /// Takes note of a write that was done. False when whoever did it is not to hear of it.
    fn written(&mut self, what: String) -> bool {
        self.writes.push(what);
        self.writes_left = self.writes_left.map(|left| left.saturating_sub(1));
        if self.writes_left == Some(0) {
            self.go_away();
        }
        !self.away
    }
}

impl Hand {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn pass(self: Arc<Self>, request: Request<Incoming>) -> io::Result<Answer> {
        let (mut head, body) = request.into_parts();
        let query = head.uri.query().unwrap_or_default();
        let is_watch = query.contains("watch=true");
        let goes_on = !query.contains("resourceVersion=0&") && query.contains("resourceVersion=");
        let path = head.uri.path().to_owned();
        if self.state().away {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if is_watch && goes_on && self.state().refuses(&path) {
            return Ok(too_long_ago());
        }
        let writes = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        let is_write = writes.contains(&head.method);
        let unanswered = self.state().unanswered;
        if is_write && unanswered.is_some_and(|part| path.contains(part)) {
            return std::future::pending().await;
        }
        let is_lease = path.contains("/leases");
        let counts = is_write && !is_lease;
        let what = format!("{} {path}", head.method);
        if !is_watch && !is_lease && self.state().forbids(&what) {
            return Ok(forbidden());
        }
        if head.method == Method::GET && !is_watch {
            self.state().reads.push(path);
        }
        for name in [HOST, AUTHORIZATION, CONNECTION] {
            head.headers.remove(name);
        }
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let request = Request::from_parts(head, Body::from(body.to_vec()));
        let answer = self.client.send(request).await.map_err(io::Error::other)?;
        if counts && answer.status().is_success() && !self.state().written(what) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let (mut head, body) = answer.into_parts();
        head.headers.remove(CONNECTION);
        let quiet = self.quiet.subscribe();
        let parts = body.into_data_stream().then(move |part| {
            let mut quiet = quiet.clone();
            async move {
                if is_watch {
                    // The sender lives as long as the way.
                    let _ = quiet.wait_for(|quiet| !quiet).await;
                }
                part.map(Frame::data).map_err(io::Error::other)
            }
        });
        let body = BodyExt::boxed_unsync(StreamBody::new(parts));
        Ok(Response::from_parts(head, body))
    }
}

/// As the API server says it: what whoever asks for it may not do.
fn forbidden() -> Answer {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "reason": "Forbidden", "code": 403, "message": "forbidden by the test",
    });
    answer(StatusCode::FORBIDDEN, status.to_string())
}

/// As the API server says it: a watch from a version that it does not know any more.
fn too_long_ago() -> Answer {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "reason": "Expired", "code": 410, "message": "too old resource version",
    });
    answer(StatusCode::GONE, status.to_string())
}

fn answer(code: StatusCode, text: String) -> Answer {
    let part = Ok(Frame::data(text.into()));
    let body = BodyExt::boxed_unsync(StreamBody::new(futures::stream::iter([part])));
    let mut answer = Response::new(body);
    *answer.status_mut() = code;
    answer
}

async fn serve(listener: TcpListener, hand: Arc<Hand>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (token, away) = {
            let state = hand.state();
            (state.connections.clone(), state.away)
        };
        if away {
            continue;
        }
        let hand = Arc::clone(&hand);
        let service = service_fn(move |request| Arc::clone(&hand).pass(request));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            tokio::select! {
                // What goes wrong the operator under test sees, too.
                _ = connection => {}
                () = token.cancelled() => {}
            }
        });
    }
}

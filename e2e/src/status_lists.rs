//! A server of status lists on this machine that answers what a test tells it to.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

type Lists = Arc<Mutex<HashMap<String, Bytes>>>;

/// Serves until it is dropped.
pub struct StatusLists {
    address: SocketAddr,
    lists: Lists,
    task: JoinHandle<()>,
}

impl StatusLists {
    /// Starts a server without lists.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let lists = Lists::default();
        let served = Arc::clone(&lists);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let lists = Arc::clone(&served);
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let response = answer(&lists, &request);
                        async move { Ok::<_, Infallible>(response) }
                    });
                    // A client that goes away is no concern of this server.
                    let _ = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self {
            address,
            lists,
            task,
        }
    }

    /// The address of the list of this name, there or not.
    pub fn uri(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// Publishes a list token.
    pub fn publish(&self, name: &str, token: impl Into<Bytes>) {
        self.lists
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(format!("/{name}"), token.into());
    }
}

impl Drop for StatusLists {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn answer(lists: &Lists, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let lists = lists.lock().unwrap_or_else(PoisonError::into_inner);
    let found = lists.get(request.uri().path()).cloned();
    let status = if found.is_some() { 200 } else { 404 };
    Response::builder()
        .status(status)
        .header("content-type", "application/statuslist+jwt")
        .body(Full::new(found.unwrap_or_default()))
        .expect("a response")
}

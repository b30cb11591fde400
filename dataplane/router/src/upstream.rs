//! A socket behind the edge, with the connections kept to it.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tower::Service;

use crate::body::RequestBody;
use crate::config::Config;

/// How long an unused connection to an upstream is kept. Well below what the upstreams allow (the
/// auditor 10 s, the verifier 30 s): if they closed first, a request could be sent just then and lost.
const IDLE: Duration = Duration::from_secs(4);

/// One upstream; its connections outlive a swap of the route table.
#[derive(Debug)]
pub(crate) struct Upstream {
    client: Client<Connector, RequestBody>,
}

impl Upstream {
    pub(crate) fn new(socket: &str, config: &Config) -> Self {
        let connector = Connector {
            path: PathBuf::from(socket),
            limit: config.time_outs.connect(),
        };
        // A pooled connection that closed before a byte of the request was sent is replaced and the
        // request sent on the new one; nothing else is ever sent twice.
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(config.limits.max_idle_upstream)
            .retry_canceled_requests(true)
            .set_host(false)
            .build(connector);
        Self { client }
    }

    pub(crate) async fn send(
        &self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, Error> {
        self.client.request(request).await
    }
}

/// Connects to one unix socket, whatever the URI says.
#[derive(Clone, Debug)]
struct Connector {
    path: PathBuf,
    limit: Duration,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<UnixStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let (path, limit) = (self.path.clone(), self.limit);
        Box::pin(async move { connect(&path, limit).await })
    }
}

async fn connect(path: &Path, limit: Duration) -> io::Result<TokioIo<UnixStream>> {
    let stream = timeout(limit, UnixStream::connect(path))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(TokioIo::new(stream))
}

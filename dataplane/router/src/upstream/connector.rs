//! The way to an upstream.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use pavilion_process::mutual_tls;
use pavilion_process::stream::Stream;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::UnixStream;
use tokio::time::timeout;
use tower::Service;

/// Where a connection goes, and how.
#[derive(Debug)]
pub(super) enum Way {
    /// Through a unix socket.
    Unix(PathBuf),
    /// Over TCP, and there over TLS.
    Tls {
        address: SocketAddr,
        /// Whom the server's certificate must be made out for.
        name: ServerName<'static>,
        config: Arc<ClientConfig>,
    },
}

/// Connects to one upstream, whatever the URI says.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    pub(super) way: Arc<Way>,
    /// For everything until the first byte of a request can be sent.
    pub(super) limit: Duration,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let (way, limit) = (Arc::clone(&self.way), self.limit);
        Box::pin(async move {
            let stream = timeout(limit, connect(&way))
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            Ok(TokioIo::new(stream))
        })
    }
}

async fn connect(way: &Way) -> io::Result<Stream> {
    match way {
        Way::Unix(path) => UnixStream::connect(path).await.map(Stream::Unix),
        Way::Tls {
            address,
            name,
            config,
        } => mutual_tls::connect(*address, name.clone(), Arc::clone(config)).await,
    }
}

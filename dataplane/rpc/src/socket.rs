//! gRPC over a unix socket, served and called.
//!
//! The server half rides on [`pavilion_process::socket::Listener`]: mode 0660, and every peer's uid
//! is checked against a list before a byte of it is read. The client half connects when first used
//! and connects again after the server went away, so a restart of the other side is one failed call
//! (gRPC `UNAVAILABLE`) and not a dead client.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use pavilion_process::socket::Listener;
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;
use tonic::Request;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::{Channel, Endpoint, Error, Server, Uri};
use tower::Service;

pub use pavilion_process::socket::{ListenError, Peers};

use crate::calls::{Calls, Counted};
use crate::held::{Peer, connections};

/// How long a connect to a socket on this host may take.
const CONNECT_TIME_OUT: Duration = Duration::from_secs(1);

/// Calls one client may have in flight on one connection.
const MAX_STREAMS: u32 = 1_024;

/// Connections served at once on one socket; a client needs one, further ones wait.
pub const MAX_CONNECTIONS: usize = 64;

/// How often a connection is asked whether its other end still does anything.
const PING_EVERY: Duration = Duration::from_secs(20);

/// How long it may take to answer before it loses its place.
const PING_TIME_OUT: Duration = Duration::from_secs(10);

/// How long after the last answer a server that is to stop waits for clients to go by themselves.
const FAREWELL: Duration = Duration::from_millis(500);

/// The largest set of headers accepted, in bytes.
const MAX_HEADER_LIST: u32 = 16 * 1_024;

/// Binds `path` for [`serve`]; see [`Listener::bind`].
pub fn bind(path: impl AsRef<Path>, peers: Peers) -> Result<Listener, ListenError> {
    Listener::bind(path, peers)
}

/// Serves one gRPC service until `shutdown` completes, then finishes the calls in flight. A client that
/// keeps its connection without a call is not waited for.
///
/// The socket's file is removed as soon as no new connections are taken. Set the service's own
/// message size limit (`max_decoding_message_size`) before handing it in.
///
/// # Errors
/// Whatever ends the accept loop early.
pub async fn serve<S>(
    listener: Listener,
    service: S,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
        + NamedService
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    let (calls, stop) = (Calls::default(), CancellationToken::new());
    let server = Server::builder()
        .max_concurrent_streams(MAX_STREAMS)
        .http2_max_header_list_size(MAX_HEADER_LIST)
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PING_TIME_OUT))
        .serve_with_incoming_shutdown(
            Counted::new(service, calls.clone()),
            connections(listener, MAX_CONNECTIONS),
            stop.clone().cancelled_owned(),
        );
    let all_answered = async {
        shutdown.await;
        stop.cancel();
        calls.none_for(FAREWELL).await;
    };
    tokio::select! {
        ended = server => ended,
        () = all_answered => Ok(()),
    }
}

/// The user that the caller's process runs as, as the system says (`SO_PEERCRED`); `None` for a call
/// that came in by anything but [`serve`].
pub fn peer_uid<T>(request: &Request<T>) -> Option<u32> {
    request.extensions().get::<Peer>()?.uid
}

/// A channel to the socket at `path` that connects when first used, and again after a loss.
///
/// `time_out` bounds each call, connecting included; the server learns it as its deadline.
pub fn channel(path: impl Into<PathBuf>, time_out: Duration) -> Channel {
    let path: PathBuf = path.into();
    let connector = tower::service_fn(move |_: Uri| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    // The address names no host: the connector ignores it, HTTP/2 wants an authority.
    Endpoint::from_static("http://tenant.invalid")
        .connect_timeout(CONNECT_TIME_OUT)
        .timeout(time_out)
        .connect_with_connector_lazy(connector)
}

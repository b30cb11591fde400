//! gRPC over mutual TLS, served and called.
//!
//! The server half rides on [`mutual_tls::Listener`]: who is not the one client that may come gets
//! no byte in. The client half looks the name up at each connect and tries every address it finds, in
//! an order of its own, so that callers spread over the replicas behind one name. A connection that
//! is lost stays lost; whoever called connects again, and so notices.

use std::convert::Infallible;
use std::error;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use pavilion_process::mutual_tls::{self, Listener};
use pavilion_process::stream::Stream;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::lookup_host;
use tokio::time::timeout;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::{Channel, Endpoint, Error, Server, Uri};
use tower::Service;

use crate::held::limited;

/// How long a name may take to be looked up.
const LOOK_UP: Duration = Duration::from_secs(3);

/// How long one address may take until both sides have proven themselves.
const CONNECT: Duration = Duration::from_secs(3);

/// How often each side asks the other whether it is still there, and how long it waits to hear so.
const PING_EVERY: Duration = Duration::from_secs(3);
const PING_TIME_OUT: Duration = Duration::from_secs(5);

/// Calls one client may have in flight on one connection.
const MAX_STREAMS: u32 = 16;

/// The largest set of headers accepted, in bytes.
const MAX_HEADER_LIST: u32 = 16 * 1_024;

/// Serves one gRPC service until this is dropped, to so many connections at once; further ones wait.
///
/// # Errors
/// Whatever ends the accept loop early.
pub async fn serve<S>(listener: Listener, service: S, connections: usize) -> Result<(), Error>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    Server::builder()
        .max_concurrent_streams(MAX_STREAMS)
        .http2_max_header_list_size(MAX_HEADER_LIST)
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PING_TIME_OUT))
        .serve_with_incoming_shutdown(
            service,
            limited(listener, accept, connections),
            std::future::pending(),
        )
        .await
}

async fn accept(mut listener: Listener) -> (Stream, Listener) {
    (listener.accept().await, listener)
}

/// A connection to one of the addresses behind `address` (`name:port` or `ip:port`), which ends for
/// good when the other side goes away or falls silent. Says which address it was.
///
/// # Errors
/// Why there is none, address by address.
pub async fn connect(
    address: &str,
    server_name: &ServerName<'static>,
    config: &Arc<ClientConfig>,
) -> Result<(Channel, SocketAddr), String> {
    let mut why = String::new();
    for place in look_up(address).await? {
        match reach(place, server_name.clone(), Arc::clone(config)).await {
            Ok(channel) => return Ok((channel, place)),
            Err(error) => {
                let separator = if why.is_empty() { "" } else { "; " };
                why = format!("{why}{separator}{place}: {error}");
            }
        }
    }
    Err(why)
}

/// The addresses behind a name, in no order.
async fn look_up(address: &str) -> Result<Vec<SocketAddr>, String> {
    let found = timeout(LOOK_UP, lookup_host(address)).await;
    let found = found.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let mut places: Vec<SocketAddr> = found
        .map_err(|error| format!("{address} cannot be looked up: {error}"))?
        .collect();
    // The standard library seeds its hashers from the system: random enough to spread callers.
    let random = RandomState::new();
    places.sort_by_cached_key(|place| random.hash_one(place));
    places.dedup();
    if places.is_empty() {
        return Err(format!("{address} has no address"));
    }
    Ok(places)
}

async fn reach(
    place: SocketAddr,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
) -> Result<Channel, String> {
    let connected = timeout(CONNECT, mutual_tls::connect(place, name, config)).await;
    let stream = connected
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(|error| error.to_string())?;
    let mut once = Some(stream);
    let connector = tower::service_fn(move |_: Uri| {
        let stream: io::Result<Stream> = once
            .take()
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected));
        async move { stream.map(TokioIo::new) }
    });
    // The address names no host: the connector ignores it, HTTP/2 wants an authority.
    Endpoint::from_static("http://network.invalid")
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIME_OUT)
        .keep_alive_while_idle(true)
        .http2_max_header_list_size(MAX_HEADER_LIST)
        .connect_with_connector(connector)
        .await
        .map_err(|error| words(&error))
}

/// Why a call failed, with what is behind it; gRPC's own words say little by themselves.
pub fn words_of(status: &Status) -> String {
    with_causes(status.message().to_owned(), error::Error::source(status))
}

fn words(error: &Error) -> String {
    with_causes(error.to_string(), error::Error::source(error))
}

fn with_causes(mut said: String, mut source: Option<&(dyn error::Error + 'static)>) -> String {
    while let Some(cause) = source {
        let more = cause.to_string();
        if !said.contains(&more) {
            said = format!("{said}: {more}");
        }
        source = cause.source();
    }
    said
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_failure_is_told_with_its_causes_and_once() {
        let cause = io::Error::other("received fatal alert: UnknownCA");
        let status = Status::from_error(Box::new(cause));
        assert_eq!(words_of(&status), "received fatal alert: UnknownCA");
        assert_eq!(words_of(&Status::unavailable("not yet")), "not yet");
    }

    #[tokio::test]
    async fn a_name_that_leads_nowhere_is_said() {
        let why = look_up("no port").await.unwrap_err();
        assert!(why.starts_with("no port cannot be looked up: "), "{why}");
        assert!(!look_up("localhost:9").await.unwrap().is_empty());
    }
}

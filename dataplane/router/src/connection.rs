//! One connection, from its first byte to its last.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Method;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use pavilion_process::Shutdown;
use rustls::server::Acceptor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::access::Record;
use crate::activity::Activity;
use crate::headers::ClientCertificate;
use crate::http1::{Guard, HeadLimits, Refusal};
use crate::metrics::Handshake;
use crate::problem::Refused;
use crate::proxy::{Edge, Peer};
use crate::table::Host;
use crate::taking::Streams;
use crate::tls;
use crate::write_time_out::WriteTimeOut;

/// How long a connection that is being closed may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(1);

/// The most that is still read, and thrown away, from a connection that is being closed: a client
/// that sends a body nobody wants must be let finish, or it never reads why.
const MAX_DISCARDED: u64 = 16 * 1024 * 1024;

/// How long that may take.
const LINGER: Duration = Duration::from_secs(10);

/// The longest pause in it.
const LINGER_PAUSE: Duration = Duration::from_secs(1);

/// How much is thrown away at a time.
const DISCARD_BYTES: usize = 16 * 1024;

/// What a stream window of HTTP/2 lets a client send ahead, in bytes.
const STREAM_WINDOW: u32 = 128 * 1024;

/// The same for a whole connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Serves a connection until it ends or, after the order to stop, until its requests have.
pub(crate) async fn serve(
    edge: Arc<Edge>,
    stream: TcpStream,
    address: SocketAddr,
    shutdown: Shutdown,
) {
    // Costs some speed where it cannot be set, and nothing else.
    let _ = stream.set_nodelay(true);
    let limit = edge.config.time_outs.handshake();
    let shaken = timeout(limit, shake_hands(&edge, stream))
        .await
        .unwrap_or(Err(Handshake::TimedOut));
    let (name, host, stream) = match shaken {
        Ok(shaken) => shaken,
        Err(result) => return edge.metrics.handshake(result),
    };
    edge.metrics.handshake(Handshake::Ok);
    let (_, session) = stream.get_ref();
    let speaks_h2 = session.alpn_protocol() == Some(tls::H2);
    let certificate = ClientCertificate::new(session.peer_certificates().unwrap_or_default());
    let peer = Arc::new(Peer {
        edge,
        name,
        host,
        address,
        certificate,
        activity: Activity::new(),
        outdated: CancellationToken::new(),
    });
    if speaks_h2 {
        serve_http2(peer, stream, shutdown).await;
    } else {
        serve_http1(peer, stream, shutdown).await;
    }
}

type Shaken = (String, Arc<Host>, TlsStream<TcpStream>);

async fn shake_hands(edge: &Edge, stream: TcpStream) -> Result<Shaken, Handshake> {
    let mut start = LazyConfigAcceptor::new(Acceptor::default(), stream)
        .await
        .map_err(|_| Handshake::Failed)?;
    let name = start
        .client_hello()
        .server_name()
        .map(str::to_ascii_lowercase);
    let Some(name) = name else {
        return Err(refuse(
            &mut start.io,
            tls::MISSING_EXTENSION,
            Handshake::NoServerName,
        )
        .await);
    };
    let host = edge.live.load().host(&name).cloned();
    let Some(host) = host else {
        let result = Handshake::UnknownServerName;
        return Err(refuse(&mut start.io, tls::UNRECOGNIZED_NAME, result).await);
    };
    let stream = start
        .into_stream(Arc::clone(&host.tls))
        .await
        .map_err(|_| Handshake::Failed)?;
    Ok((name, host, stream))
}

async fn refuse(stream: &mut TcpStream, alert: [u8; 7], result: Handshake) -> Handshake {
    // A client that does not hear why still sees the connection close.
    let _ = stream.write_all(&alert).await;
    let _ = stream.shutdown().await;
    result
}

async fn serve_http1(peer: Arc<Peer>, stream: TlsStream<TcpStream>, shutdown: Shutdown) {
    let config = &peer.edge.config;
    let limits = HeadLimits {
        bytes: config.limits.max_header_bytes as usize,
        fields: config.limits.max_header_count,
    };
    let refusal = Arc::new(OnceLock::new());
    let stream = WriteTimeOut::new(stream, config.time_outs.write());
    let guard = Guard::new(
        stream,
        limits,
        config.time_outs.header(),
        Arc::clone(&refusal),
    );
    let mut connection = http1::Builder::new()
        // The guard has a time-out and limits of its own for heads.
        .header_read_timeout(None)
        .max_headers(config.limits.max_header_count)
        .serve_connection(TokioIo::new(guard), service(&peer));
    {
        let mut stop = pin!(time_to_stop(&peer, &shutdown));
        let mut idle = pin!(peer.activity.idle_for(config.time_outs.idle()));
        let mut stopping = false;
        loop {
            tokio::select! {
                _ = poll_fn(|context| connection.poll_without_shutdown(context)) => break,
                () = &mut stop, if !stopping => {
                    stopping = true;
                    std::pin::Pin::new(&mut connection).graceful_shutdown();
                }
                () = &mut idle => break,
            }
        }
    }
    let guard = connection.into_parts().io.into_inner();
    // While an answer is due, a refusal of what came behind its request would be read as that answer.
    let answer_due = guard.is_backed_up() || guard.passed() > peer.activity.answered();
    let last_words = refusal
        .get()
        .filter(|_| !answer_due)
        .map(|refusal| last_words(&peer, *refusal));
    let mut stream = guard.into_inner();
    let said = timeout(FAREWELL, say_goodbye(&mut stream, last_words)).await;
    if let Ok(Ok(())) = said {
        let (stream, _) = stream.into_inner().into_inner();
        // Who does not listen to the end does not hear it.
        let _ = timeout(LINGER, discard(stream)).await;
    }
}

/// Completes when the connection is to take no further requests.
async fn time_to_stop(peer: &Peer, shutdown: &Shutdown) {
    tokio::select! {
        () = shutdown.requested() => {}
        () = peer.outdated.cancelled() => {}
    }
}

/// The answer to a head that never became a request.
fn last_words(peer: &Peer, refusal: Refusal) -> Vec<u8> {
    let mut record = Record::begin(&peer.host, &Method::default(), &peer.activity);
    record.answered(refusal.entry.status);
    let refused = Refused::from(refusal);
    record.refused(&refused);
    let id = record.request_id.to_str().unwrap_or_default();
    refused.message(id)
}

/// Closes in order: what was said last, the end of TLS, the end of TCP.
async fn say_goodbye(
    stream: &mut WriteTimeOut<TlsStream<TcpStream>>,
    last_words: Option<Vec<u8>>,
) -> std::io::Result<()> {
    if let Some(words) = last_words {
        stream.write_all(&words).await?;
    }
    stream.shutdown().await
}

/// Reads what the client is still sending and throws it away, or the system would tell it of a reset
/// before it has read the answer.
async fn discard(stream: TcpStream) {
    let mut rest = stream.take(MAX_DISCARDED);
    let mut waste = vec![0; DISCARD_BYTES];
    while let Ok(Ok(1..)) = timeout(LINGER_PAUSE, rest.read(&mut waste)).await {}
}

async fn serve_http2(peer: Arc<Peer>, stream: TlsStream<TcpStream>, shutdown: Shutdown) {
    let config = &peer.edge.config;
    let stream = WriteTimeOut::new(stream, config.time_outs.write());
    let connection = http2::Builder::new(Streams)
        .timer(TokioTimer::new())
        .max_concurrent_streams(config.limits.max_concurrent_streams)
        .max_header_list_size(config.limits.max_header_bytes)
        .max_pending_accept_reset_streams(config.limits.max_pending_resets)
        .max_local_error_reset_streams(config.limits.max_error_resets)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        // Between the frames of a head no PING can be answered, so this bounds a head too.
        .keep_alive_interval(config.time_outs.ping())
        .keep_alive_timeout(config.time_outs.header())
        .serve_connection(TokioIo::new(stream), service(&peer));
    let mut connection = pin!(connection);
    let mut stop = pin!(time_to_stop(&peer, &shutdown));
    let mut idle = pin!(peer.activity.idle_for(config.time_outs.idle()));
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "HTTP/2 connection ended early");
                }
                return;
            }
            () = &mut stop, if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = &mut idle => break,
        }
    }
    connection.as_mut().graceful_shutdown();
    // GOAWAY; a client that does not go is left.
    let _ = timeout(FAREWELL, connection).await;
}

/// The service of one connection.
fn service(
    peer: &Arc<Peer>,
) -> impl hyper::service::HttpService<
    Incoming,
    ResBody = crate::body::ResponseBody,
    Error = std::convert::Infallible,
    Future: Send + Unpin,
> + use<> {
    let peer = Arc::clone(peer);
    service_fn(move |request: Request<Incoming>| Box::pin(Arc::clone(&peer).answer(request)))
}

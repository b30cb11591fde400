//! Checkpoint and tiles over HTTP ([C2SP tlog-tiles]), below `/log`, on a unix socket or over mutual TLS.
//!
//! Only `GET` and `HEAD`, only paths in their one spelling. Entry bundles are not served: entries
//! carry no content, but who asks what when is nobody's business, so the tenant's auditors read
//! them from the directory. A partial tile is served at every width that a checkpoint may have
//! had, also after the tile has grown.
//!
//! [C2SP tlog-tiles]: https://c2sp.org/tlog-tiles

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use pavilion_catalogue::{Entry, MEDIA_TYPE, Problem, log, request};
use pavilion_process::entrance::Entrance;
use pavilion_tlog::{TileKind, TilePath};
use tokio::task::spawn_blocking;

use crate::engine::Log;

/// Connections served at once; further ones wait.
const MAX_CONNECTIONS: usize = 128;
/// How long a client may take to send its request, or stay idle, before it is let go.
const HEADER_TIME_OUT: Duration = Duration::from_secs(10);
/// Buffer of one connection, in bytes; a request here is a short line.
const MAX_BUFFER: usize = 16 * 1024;

const CHECKPOINT_CACHING: HeaderValue = HeaderValue::from_static("public, max-age=2");
const TILE_CACHING: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const NO_CACHING: HeaderValue = HeaderValue::from_static("no-store");

/// Serves until `shutdown` completes, then finishes the requests in flight.
pub async fn serve(entrance: Entrance, log: Log, shutdown: impl Future<Output = ()>) {
    // HTTP/1 only, as the edge speaks it: an idle HTTP/2 connection would keep its slot for ever.
    let mut server = Builder::new(TokioExecutor::new()).http1_only();
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_OUT)
        .max_buf_size(MAX_BUFFER);
    let service = service_fn(move |request: Request<Incoming>| {
        let log = log.clone();
        async move { Ok::<_, Infallible>(answer(&log, request.method(), request.uri().path()).await) }
    });
    pavilion_process::serve(entrance, &server, service, MAX_CONNECTIONS, shutdown).await;
}

/// The answer to one request.
pub async fn answer(log: &Log, method: &Method, path: &str) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        let mut refused = problem(&request::METHOD_NOT_ALLOWED, path);
        refused
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    let Some(path_in_log) = path.strip_prefix("/log/") else {
        return problem(&request::NOT_FOUND, path);
    };
    if path_in_log == "checkpoint" {
        return match log.checkpoint() {
            Some(signed) => plain(
                "text/plain; charset=utf-8",
                CHECKPOINT_CACHING,
                signed.text.clone(),
            ),
            None => problem(&log::UNAVAILABLE, path),
        };
    }
    match path_in_log.parse::<TilePath>() {
        Ok(tile) if tile.kind() == TileKind::Entries => problem(&log::ENTRIES_PRIVATE, path),
        Ok(tile) => hash_tile(log, tile, path).await,
        Err(_) if path_in_log.starts_with("tile/entries/") => problem(&log::ENTRIES_PRIVATE, path),
        Err(_) => problem(&log::TILE_UNKNOWN, path),
    }
}

async fn hash_tile(log: &Log, tile: TilePath, path: &str) -> Response<Full<Bytes>> {
    let log = log.clone();
    match spawn_blocking(move || log.tile(tile)).await {
        Ok(Ok(Some(bytes))) => plain("application/octet-stream", TILE_CACHING, bytes),
        Ok(Ok(None)) => problem(&log::TILE_UNKNOWN, path),
        Ok(Err(error)) => {
            tracing::error!(%tile, %error, "a tile cannot be read");
            problem(&log::UNAVAILABLE, path)
        }
        Err(error) => {
            tracing::error!(%tile, %error, "reading a tile ended by a fault");
            problem(&log::UNAVAILABLE, path)
        }
    }
}

fn plain(
    media_type: &'static str,
    caching: HeaderValue,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, caching);
    response
}

fn problem(entry: &'static Entry, path: &str) -> Response<Full<Bytes>> {
    let problem = Problem::new(entry).instance(path);
    // A problem is a flat struct of strings: it always becomes JSON.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = plain(MEDIA_TYPE, NO_CACHING, body);
    *response.status_mut() =
        StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(seconds) = problem.retry_after_seconds {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

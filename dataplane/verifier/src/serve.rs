//! The API to whoever comes in: HTTP/1.1, and on the unix socket HTTP/2 with prior knowledge.
//!
//! Both ways in admit nobody but the edge, by its uid or by its certificate. What it says about a
//! request (`x-request-id`, `Client-Cert`, `Forwarded`) is therefore taken for true on both.

use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use pavilion_process::Shutdown;
use pavilion_process::entrance::Entrance;

/// Connections served at once; the edge keeps a few and sends many requests on each.
const MAX_CONNECTIONS: usize = 1_024;

/// Requests in flight on one HTTP/2 connection.
const MAX_STREAMS: u32 = 512;

/// How long the head of a request may take. The edge has its own, stricter limits.
const HEAD_TIME_OUT: Duration = Duration::from_secs(30);

/// The largest head of a request, in bytes.
const MAX_HEAD: u32 = 64 * 1024;

/// Serves until told to stop, then finishes the requests in flight.
pub async fn serve(entrance: Entrance, router: Router, shutdown: &Shutdown) {
    let service = TowerToHyperService::new(router);
    let stop = shutdown.requested();
    pavilion_process::serve(entrance, &builder(), service, MAX_CONNECTIONS, stop).await;
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_OUT)
        .max_buf_size(MAX_HEAD as usize);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD);
    server
}

//! A tenant's program: an HTTP/1.1 server, on a unix socket or over mutual TLS, that says what
//! reached it.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use pavilion_process::mutual_tls::Listener;
use pavilion_process::stream::Stream;
use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

/// A running upstream; it stops when this is dropped.
pub struct Upstream {
    pub seen: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Upstream {
    /// Listens on `path` and calls itself `name`.
    pub fn start(path: &Path, name: &'static str) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let streams = stream::unfold(listener, |listener| async move {
            let (stream, _) = listener.accept().await.unwrap();
            Some((Stream::Unix(stream), listener))
        });
        Self::serve(streams.boxed(), name)
    }

    /// Takes whoever gets through `listener`, and calls itself `name`.
    pub fn behind(listener: Listener, name: &'static str) -> Self {
        let streams = stream::unfold(listener, |mut listener| async move {
            Some((listener.accept().await, listener))
        });
        Self::serve(streams.boxed(), name)
    }

    fn serve(mut streams: BoxStream<'static, Stream>, name: &'static str) -> Self {
        let seen = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Some(stream) = streams.next().await {
                let count = Arc::clone(&count);
                let service = service_fn(move |request| answer(request, name, Arc::clone(&count)));
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Self { seen, task }
    }

    /// How many requests arrived whole.
    pub fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Answer = Response<BoxBody<Bytes, Infallible>>;

async fn answer(
    request: Request<Incoming>,
    name: &'static str,
    seen: Arc<AtomicUsize>,
) -> Result<Answer, hyper::Error> {
    let path = request.uri().path().to_owned();
    if let Some(millis) = path.strip_prefix("/wait/") {
        tokio::time::sleep(Duration::from_millis(millis.parse().unwrap())).await;
    }
    let mut told = describe(&request, name);
    if path == "/early" {
        return Ok(Response::new(Full::new("no".into()).boxed()));
    }
    let body = request.into_body().collect().await?.to_bytes();
    told["body"] = body.len().into();
    seen.fetch_add(1, Ordering::SeqCst);
    let body = match path.as_str() {
        "/stream" => parts(3, false),
        "/stall" => parts(3, true),
        _ => Full::new(told.to_string().into()).boxed(),
    };
    Ok(Response::builder()
        .header("server", "tenant/1.0")
        .header("connection", "keep-alive")
        .body(body)
        .unwrap())
}

fn describe(request: &Request<Incoming>, name: &str) -> Value {
    let headers: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| json!([name.as_str(), value.to_str().unwrap()]))
        .collect();
    json!({
        "name": name,
        "method": request.method().as_str(),
        "target": request.uri().to_string(),
        "headers": headers,
    })
}

/// `parts` parts with a pause between them; then the end, or nothing ever.
fn parts(parts: usize, stalls: bool) -> BoxBody<Bytes, Infallible> {
    let frames = stream::unfold(0, move |sent| async move {
        if sent == parts {
            if stalls {
                std::future::pending::<()>().await;
            }
            return None;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Ok(Frame::data(Bytes::from_static(b"part "))), sent + 1))
    });
    BodyExt::boxed(StreamBody::new(frames))
}

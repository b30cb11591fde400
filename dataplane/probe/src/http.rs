//! `POST /ask` over HTTP/1.1. Who may ask is the network's to decide: whoever can, learns where this pod gets to, which
//! whoever can look at it from outside knows already, and makes it knock at doors.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use pavilion_json::Limits;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use crate::book::{Book, Refused};
use crate::wire::{MAX_QUESTIONS, Own, Question, Told};

/// Connections served at once; further ones wait.
const MAX_CONNECTIONS: usize = 64;
/// How long a client may take to send its questions.
const HEADER_TIME_OUT: Duration = Duration::from_secs(10);
/// The longest list of questions, in bytes.
const MAX_BYTES: usize = 64 * 1024;
/// How long to wait after the system refused an accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What is asked and known. Clones share it.
#[derive(Clone, Debug)]
pub struct Desk {
    state: Arc<Mutex<State>>,
    /// Told when something new is asked.
    pub asked: Arc<Notify>,
    every: Duration,
}

#[derive(Debug)]
struct State {
    book: Book,
    own: Option<(Instant, Vec<Own>)>,
}

impl Desk {
    /// Nothing is asked or known.
    pub fn new(every: Duration) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                book: Book::new(every),
                own: None,
            })),
            asked: Arc::default(),
            every,
        }
    }

    /// Looks into the book.
    pub fn with_book<T>(&self, look: impl FnOnce(&mut Book) -> T) -> T {
        look(&mut self.lock().book)
    }

    /// Takes down how the probe itself is confined.
    pub fn set_own(&self, own: Vec<Own>) {
        self.lock().own = Some((Instant::now(), own));
    }

    /// Takes questions down and tells what is known.
    ///
    /// # Errors
    /// Questions that cannot be taken.
    pub fn answer(&self, questions: &[Question]) -> Result<Told, Refused> {
        if questions.len() > MAX_QUESTIONS {
            return Err(Refused("too many questions"));
        }
        let now = Instant::now();
        let mut state = self.lock();
        let mut tried = Vec::new();
        for question in questions {
            tried.extend(state.book.ask(question, now)?);
        }
        let own = state.own.as_ref().map(|(when, own)| {
            let age_seconds = now.duration_since(*when).as_secs();
            let aged = own
                .iter()
                .cloned()
                .map(move |own| Own { age_seconds, ..own });
            aged.collect()
        });
        drop(state);
        self.asked.notify_one();
        Ok(Told {
            every_seconds: self.every.as_secs(),
            tried,
            own: own.unwrap_or_default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in between leaves a book that lacks an entry, which is then asked for again.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until dropped.
pub async fn serve(listener: TcpListener, desk: Desk) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        let stream = accept(&listener).await;
        let desk = desk.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let desk = desk.clone();
                async move { Ok::<_, Infallible>(answer(request, &desk).await) }
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIME_OUT)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(slot);
        });
    }
}

/// The next connection.
pub async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn answer(request: Request<Incoming>, desk: &Desk) -> Response<Full<Bytes>> {
    if request.uri().path() != "/ask" {
        return text(StatusCode::NOT_FOUND, "POST /ask\n");
    }
    if request.method() != Method::POST {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only POST\n");
    }
    let body = Limited::new(request.into_body(), MAX_BYTES);
    let Ok(Ok(body)) = tokio::time::timeout(HEADER_TIME_OUT, body.collect()).await else {
        return text(StatusCode::BAD_REQUEST, "the body cannot be read\n");
    };
    let questions = pavilion_json::read::<Vec<Question>>(&body.to_bytes(), Limits::DOCUMENT);
    let told = match questions {
        Ok(questions) => desk.answer(&questions),
        Err(_) => Err(Refused("no list of questions")),
    };
    // What is told is a flat struct of numbers and strings: it always becomes JSON.
    match told.map(|told| serde_json::to_vec(&told).unwrap_or_default()) {
        Ok(json) => response(StatusCode::OK, "application/json", json),
        Err(Refused(why)) => text(StatusCode::BAD_REQUEST, why),
    }
}

fn text(status: StatusCode, words: &'static str) -> Response<Full<Bytes>> {
    response(status, "text/plain; charset=utf-8", words)
}

fn response(
    status: StatusCode,
    media_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let media_type = http::HeaderValue::from_static(media_type);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

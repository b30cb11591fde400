//! Bodies on their way through: counted, limited, and never waited for without end.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::access::Record;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How a request body came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Outcome {
    /// Still coming, or not wanted to its end.
    Open = 0,
    /// Whole.
    Whole = 1,
    /// Over the route's limit.
    TooLarge = 2,
    /// No part of it came in time.
    TooSlow = 3,
    /// The client broke it off.
    Broken = 4,
}

/// What is known about a request body while it passes.
#[derive(Debug, Default)]
pub(crate) struct Passage {
    outcome: AtomicU8,
    bytes: AtomicU64,
    ended: Notify,
}

impl Passage {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn outcome(&self) -> Outcome {
        match self.outcome.load(Ordering::Acquire) {
            1 => Outcome::Whole,
            2 => Outcome::TooLarge,
            3 => Outcome::TooSlow,
            4 => Outcome::Broken,
            _ => Outcome::Open,
        }
    }

    /// Completes `limit` after the body has ended, in whatever way.
    pub(crate) async fn overdue(&self, limit: Duration) {
        self.ended.notified().await;
        tokio::time::sleep(limit).await;
    }

    fn end(&self, outcome: Outcome) {
        self.outcome.store(outcome as u8, Ordering::Release);
        self.ended.notify_one();
    }
}

/// A request body that ends with an error when it grows too large or stops coming.
pub(crate) struct RequestBody {
    inner: Incoming,
    left: u64,
    progress: Progress,
    passage: Arc<Passage>,
}

/// Why a body was broken off.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BrokenOff(Outcome);

impl fmt::Display for BrokenOff {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the request body was broken off: {:?}", self.0)
    }
}

impl std::error::Error for BrokenOff {}

impl RequestBody {
    pub(crate) fn new(
        inner: Incoming,
        limit: u64,
        progress: Duration,
        passage: Arc<Passage>,
    ) -> Self {
        if inner.is_end_stream() {
            passage.end(Outcome::Whole);
        }
        Self {
            inner,
            left: limit,
            progress: Progress::new(progress),
            passage,
        }
    }

    fn break_off(&self, outcome: Outcome) -> BoxError {
        self.passage.end(outcome);
        BrokenOff(outcome).into()
    }

    fn pass(&mut self, frame: Frame<Bytes>) -> Result<Option<Frame<Bytes>>, BoxError> {
        // Trailers are not passed on: nobody behind the edge reads them.
        let Ok(data) = frame.into_data() else {
            return Ok(None);
        };
        let length = data.len() as u64;
        if length > self.left {
            return Err(self.break_off(Outcome::TooLarge));
        }
        self.left -= length;
        self.passage.bytes.fetch_add(length, Ordering::Relaxed);
        Ok(Some(Frame::data(data)))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let body = self.get_mut();
        loop {
            let Poll::Ready(next) = Pin::new(&mut body.inner).poll_frame(context) else {
                return match body.progress.poll_stalled(context) {
                    Poll::Ready(()) => Poll::Ready(Some(Err(body.break_off(Outcome::TooSlow)))),
                    Poll::Pending => Poll::Pending,
                };
            };
            body.progress.made();
            match next {
                None => {
                    body.passage.end(Outcome::Whole);
                    return Poll::Ready(None);
                }
                Some(Err(_)) => return Poll::Ready(Some(Err(body.break_off(Outcome::Broken)))),
                Some(Ok(frame)) => match body.pass(frame) {
                    Ok(None) => {}
                    Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                    Err(error) => return Poll::Ready(Some(Err(error))),
                },
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if self.passage.outcome() == Outcome::Open {
            let whole = self.inner.is_end_stream();
            self.passage
                .end(if whole { Outcome::Whole } else { Outcome::Open });
        }
    }
}

/// An answer's body. Dropping it ends the exchange and writes its line in the access log.
pub(crate) struct ResponseBody {
    inner: Either<Incoming, Full<Bytes>>,
    progress: Progress,
    record: Record,
}

impl ResponseBody {
    pub(crate) fn new(
        inner: Either<Incoming, Full<Bytes>>,
        progress: Duration,
        record: Record,
    ) -> Self {
        Self {
            inner,
            progress: Progress::new(progress),
            record,
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let body = self.get_mut();
        let Poll::Ready(next) = Pin::new(&mut body.inner).poll_frame(context) else {
            return match body.progress.poll_stalled(context) {
                Poll::Ready(()) => Poll::Ready(Some(Err("the upstream stopped sending".into()))),
                Poll::Pending => Poll::Pending,
            };
        };
        body.progress.made();
        if let Some(Ok(frame)) = &next
            && let Some(data) = frame.data_ref()
        {
            body.record.sent(data.len() as u64);
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Notices when nothing has come for a while.
struct Progress {
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Progress {
    fn new(limit: Duration) -> Self {
        Self { limit, timer: None }
    }

    fn made(&mut self) {
        self.timer = None;
    }

    fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let limit = self.limit;
        self.timer
            .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + limit)))
            .as_mut()
            .poll(context)
    }
}

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
use crate::taking::Taking;

/// Bytes per second in which the client must take the parts of an answer.
const MIN_TAKING_RATE: u32 = 1_024;

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
    /// It came too slowly, or no part of it in time.
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
    pub(crate) fn new(inner: Incoming, limit: u64, pace: Pace, passage: Arc<Passage>) -> Self {
        if inner.is_end_stream() {
            passage.end(Outcome::Whole);
        }
        Self {
            inner,
            left: limit,
            progress: Progress::paced(pace),
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
            let bytes = match &next {
                Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
                _ => 0,
            };
            body.progress.made(bytes);
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
    takes: Option<Takes>,
    record: Record,
    /// The end has been seen.
    ended: bool,
}

/// That the client must take the parts of an answer, and in what time.
pub(crate) struct Takes {
    pub(crate) taking: Arc<Taking>,
    pub(crate) limit: Duration,
}

impl Takes {
    fn hand_over(&self, bytes: usize) {
        let limit = self.limit + at_rate(bytes, MIN_TAKING_RATE);
        self.taking.hand_over(Instant::now() + limit);
    }
}

impl ResponseBody {
    pub(crate) fn new(
        inner: Either<Incoming, Full<Bytes>>,
        progress: Duration,
        takes: Option<Takes>,
        record: Record,
    ) -> Self {
        Self {
            inner,
            progress: Progress::new(progress),
            takes,
            record,
            ended: false,
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
        if let Some(takes) = &body.takes {
            takes.taking.taken();
        }
        let Poll::Ready(next) = Pin::new(&mut body.inner).poll_frame(context) else {
            return match body.progress.poll_stalled(context) {
                Poll::Ready(()) => Poll::Ready(Some(Err("the upstream stopped sending".into()))),
                Poll::Pending => Poll::Pending,
            };
        };
        body.progress.made(0);
        body.ended = next.is_none();
        if let Some(Ok(frame)) = &next
            && let Some(data) = frame.data_ref()
        {
            body.record.sent(data.len() as u64);
            if let Some(takes) = &body.takes {
                takes.hand_over(data.len());
            }
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

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if self.ended || self.inner.is_end_stream() {
            self.record.ended();
        }
    }
}

/// How fast a request body must come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The longest pause between two parts.
    pub(crate) pause: Duration,
    /// All waiting together, on top of what the bytes are worth.
    pub(crate) grace: Duration,
    /// Bytes per second that buy more time.
    pub(crate) rate: u32,
}

/// The time that so many bytes take at `rate` bytes per second.
fn at_rate(bytes: usize, rate: u32) -> Duration {
    let micros = (bytes as u64).saturating_mul(1_000_000) / u64::from(rate.max(1));
    Duration::from_micros(micros)
}

/// Notices when nothing has come for a while, or too little for too long. Only waiting counts: a
/// body is not slow because its taker is.
struct Progress {
    pause: Duration,
    /// How much longer it may be waited for altogether.
    spare: Duration,
    rate: u32,
    waiting: Option<Waiting>,
}

struct Waiting {
    since: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Progress {
    fn new(pause: Duration) -> Self {
        Self::paced(Pace {
            pause,
            grace: Duration::MAX,
            rate: 1,
        })
    }

    fn paced(pace: Pace) -> Self {
        Self {
            pause: pace.pause,
            spare: pace.grace,
            rate: pace.rate,
            waiting: None,
        }
    }

    fn made(&mut self, bytes: usize) {
        let waited = self
            .waiting
            .take()
            .map_or(Duration::ZERO, |waiting| waiting.since.elapsed());
        self.spare = self
            .spare
            .saturating_sub(waited)
            .saturating_add(at_rate(bytes, self.rate));
    }

    fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let limit = self.pause.min(self.spare);
        self.waiting
            .get_or_insert_with(|| {
                let since = Instant::now();
                let timer = Box::pin(sleep_until(since + limit));
                Waiting { since, timer }
            })
            .timer
            .as_mut()
            .poll(context)
    }
}

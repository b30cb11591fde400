//! Items of one call, each of which belongs to an outward request of its own.

use std::fmt;

use pavilion_process::traces;
use tonic::{Code, Status};
use tracing::{Level, Span};

use crate::metadata::{is_request_id, status_with_code};
use crate::{Failure, Origin};

/// Items in one call at most.
pub const MOST_ITEMS: usize = 256;

impl Origin {
    /// The outward request with this id, and where traces are on the current span.
    pub fn of(request_id: &str) -> Self {
        let plain = Some(request_id).filter(|id| is_request_id(id));
        Self {
            request_id: plain.unwrap_or_default().to_owned(),
            traceparent: traces::parent(&Span::current()).unwrap_or_default(),
        }
    }

    /// The request's id, if it is a plain one.
    pub fn id(&self) -> Option<&str> {
        is_request_id(&self.request_id).then_some(&self.request_id)
    }

    /// What ties the log lines of an item of `call` to the outward request, and its trace to the
    /// caller's. Where neither is looked at there is none: failures name the request themselves.
    pub fn span(&self, call: &'static str) -> Span {
        if !traces::are_on() && !tracing::enabled!(Level::DEBUG) {
            return Span::none();
        }
        let span = tracing::info_span!("item", request_id = self.id(), call);
        if !self.traceparent.is_empty() {
            traces::adopt_parent(&span, &self.traceparent);
        }
        span
    }
}

impl Failure {
    /// A failure with the catalogue's stable `code`.
    pub fn new(code: &'static str, reason: impl fmt::Display) -> Self {
        Self {
            code: code.to_owned(),
            reason: reason.to_string(),
        }
    }
}

impl From<Failure> for Status {
    /// As if the item had been a call of its own.
    fn from(failure: Failure) -> Self {
        status_with_code(Code::Aborted, &failure.code, failure.reason)
    }
}

/// Does every item at once, and returns what came of each in the same order.
///
/// # Errors
/// `INVALID_ARGUMENT` unless there are 1 to [`MOST_ITEMS`].
pub async fn each<I, W: Future>(
    items: Vec<I>,
    work: impl Fn(I) -> W,
) -> Result<Vec<W::Output>, Status> {
    if !(1..=MOST_ITEMS).contains(&items.len()) {
        return Err(Status::invalid_argument("a call has 1 to 256 items"));
    }
    Ok(futures::future::join_all(items.into_iter().map(work)).await)
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::filter::LevelFilter;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn an_item_has_a_span_only_where_somebody_looks_at_it() {
        let looked_at = |level: LevelFilter| {
            let subscriber = tracing_subscriber::registry().with(level);
            tracing::subscriber::with_default(subscriber, || {
                !Origin::of("01JZ").span("sign").is_none()
            })
        };
        assert!(looked_at(LevelFilter::DEBUG));
        assert!(!looked_at(LevelFilter::INFO), "traces are off");
    }
}

//! The access log: one line per request, without path, query, address or payload.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderValue, Method};
use tracing::Span;
use ulid::Ulid;

use crate::activity::{Activity, Exchange};
use crate::body::Passage;
use crate::problem::Refused;
use crate::table::Host;

/// One exchange. Its line is written and its counters move when this is dropped.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) request_id: HeaderValue,
    pub(crate) passage: Arc<Passage>,
    pub(crate) span: Span,
    host: Arc<Host>,
    method: &'static str,
    route: Option<Arc<str>>,
    status: Option<u16>,
    code: Option<&'static str>,
    is_wanted: bool,
    held: Duration,
    bytes_out: u64,
    started: Instant,
    exchange: Exchange,
}

impl Record {
    /// A request on a connection to `host` begins; it gets its id here.
    pub(crate) fn begin(host: &Arc<Host>, method: &Method, activity: &Activity) -> Self {
        let request_id = Ulid::generate().to_string();
        let tenant = host.tenant().as_str();
        Self {
            span: tracing::info_span!("request", request_id, tenant),
            // A ULID is letters and digits.
            request_id: HeaderValue::try_from(request_id)
                .unwrap_or(HeaderValue::from_static("none")),
            passage: Arc::default(),
            host: Arc::clone(host),
            method: known(method),
            route: None,
            status: None,
            code: None,
            is_wanted: false,
            held: Duration::ZERO,
            bytes_out: 0,
            started: Instant::now(),
            exchange: activity.begin(),
        }
    }

    /// The prefix the request was routed by.
    pub(crate) fn routed(&mut self, prefix: &Arc<str>) {
        self.route = Some(Arc::clone(prefix));
    }

    /// It waited so long for a tenant that was away.
    pub(crate) fn held(&mut self, duration: Duration) {
        self.held = duration;
    }

    /// The status it is answered with.
    pub(crate) fn answered(&mut self, status: u16) {
        self.status = Some(status);
    }

    /// The edge answers by itself.
    pub(crate) fn refused(&mut self, refused: &Refused) {
        self.code = Some(refused.code());
        self.is_wanted = refused.is_wanted();
    }

    /// The whole answer has been handed over.
    pub(crate) fn ended(&self) {
        self.exchange.answered();
    }

    /// So much more of the answer's body went out.
    pub(crate) fn sent(&mut self, bytes: u64) {
        self.bytes_out += bytes;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let duration = self.started.elapsed();
        let held = Some(self.held).filter(|held| !held.is_zero());
        if held.is_some() {
            self.host.metrics.held();
        }
        if self.is_wanted {
            self.host.metrics.closed(duration);
        } else {
            self.host.metrics.request(self.status, duration);
        }
        self.span.in_scope(|| {
            tracing::info!(
                method = self.method,
                route = self.route.as_deref(),
                status = self.status,
                code = self.code,
                duration_seconds = duration.as_secs_f64(),
                held_seconds = held.map(|held| held.as_secs_f64()),
                bytes_in = self.passage.bytes(),
                bytes_out = self.bytes_out,
                "request"
            );
        });
    }
}

/// The method, if it is one of the registered ones: another may be any text a client likes.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}

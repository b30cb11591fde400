//! One request: which tenant, is it fit to pass, and what comes back.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use http::header::{CONNECTION, CONTENT_LENGTH};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::Either;
use hyper::body::Incoming;
use pavilion_bundle::Closed;
use pavilion_catalogue::{edge, request as entries};
use pavilion_process::traces;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::access::Record;
use crate::activity::Activity;
use crate::authority::{authority, host_name};
use crate::body::{Outcome, Pace, RequestBody, ResponseBody, Takes};
use crate::config::Config;
use crate::headers::{ClientCertificate, prepare_request, prepare_response};
use crate::hold::Hold;
use crate::loan::Loan;
use crate::metrics::{BodyRefusal, Metrics};
use crate::problem::Refused;
use crate::table::{Host, Live};
use crate::taking::Taking;
use crate::upstream::Upstream;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) config: Config,
    pub(crate) live: Live,
    pub(crate) metrics: Metrics,
    /// Given shortly before the time to finish work in flight is over.
    pub(crate) give_up: CancellationToken,
}

/// One connection, after its handshake.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) edge: Arc<Edge>,
    /// The name in SNI, in lower case.
    pub(crate) name: String,
    /// The host it was at the time of the handshake.
    pub(crate) host: Arc<Host>,
    pub(crate) address: SocketAddr,
    pub(crate) certificate: ClientCertificate,
    pub(crate) activity: Activity,
    /// Given when the connection no longer fits its host: it ends after the answers in flight.
    pub(crate) outdated: CancellationToken,
}

/// What a request asks for.
struct Asked {
    authority: Authority,
    /// As the upstream's client wants it.
    target: Uri,
}

/// Where a request goes to.
struct Routed {
    host: Arc<Host>,
    prefix: Arc<str>,
    upstream: Arc<Upstream>,
}

impl Peer {
    /// Answers one request. Nothing fails: what goes wrong becomes a problem document.
    pub(crate) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<ResponseBody>, Infallible> {
        let mut record = Record::begin(&self.host, request.method(), &self.activity);
        let span = record.span.clone();
        let is_http1 = request.version() < Version::HTTP_2;
        let outcome = self.exchange(request, &mut record).instrument(span).await;
        let ends = outcome.as_ref().is_err_and(Refused::ends_connection);
        let closes = is_http1 && (ends || self.outdated.is_cancelled());
        let mut response = match outcome {
            Ok(response) => response.map(Either::Left),
            Err(refused) => {
                record.refused(&refused);
                refused.response().map(Either::Right)
            }
        };
        record.answered(response.status().as_u16());
        prepare_response(response.headers_mut(), &record.request_id);
        if closes {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        let time_outs = self.edge.config.time_outs;
        let takes = Taking::of_this_stream().map(|taking| Takes {
            taking,
            limit: time_outs.write(),
        });
        Ok(response.map(|body| ResponseBody::new(body, time_outs.response(), takes, record)))
    }

    async fn exchange(
        &self,
        request: Request<Incoming>,
        record: &mut Record,
    ) -> Result<Response<Incoming>, Refused> {
        let asked = self.check(&request)?;
        let mut hold = Hold::default();
        let answer = tokio::select! {
            answer = self.pass_on(request, &asked, &mut hold, record) => answer,
            () = self.edge.give_up.cancelled() => Err(Refused::from(&edge::DRAINING)),
        };
        record.held(hold.waited());
        answer
    }

    /// Sends a request to where it belongs. As long as nothing of it was sent, it waits for a tenant that is
    /// away.
    async fn pass_on(
        &self,
        request: Request<Incoming>,
        asked: &Asked,
        hold: &mut Hold,
        record: &mut Record,
    ) -> Result<Response<Incoming>, Refused> {
        let mut routed = self.reach(asked, hold).await?;
        record.routed(&routed.prefix);
        let limit = routed.host.route.max_body_bytes;
        if declared_length(&request).is_some_and(|length| length > limit) {
            self.edge.metrics.body_refused(BodyRefusal::TooLarge);
            return Err(Refused::from(&entries::BODY_TOO_LARGE));
        }
        let (head, mut body) = self.prepare(request, asked, limit, record).into_parts();
        let passage = Arc::clone(&record.passage);
        let mut overdue = pin!(passage.overdue(self.edge.config.time_outs.response()));
        loop {
            let (loan, mut returned) = Loan::of(body);
            let request = Request::from_parts(head.clone(), loan);
            let answer = tokio::select! {
                answer = routed.upstream.send(request) => answer,
                () = &mut overdue => {
                    tracing::warn!("the upstream did not answer in time");
                    return Err(Refused::from(&edge::TENANT_TIMEOUT));
                }
            };
            let error = match answer {
                Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                    tracing::warn!("the upstream wants to switch protocols");
                    return Err(Refused::from(&edge::TENANT_UNAVAILABLE));
                }
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            body = match returned.try_recv() {
                Ok(body) if error.is_connect() && hold.wait(&routed.upstream.away).await => body,
                _ => return Err(self.failed(passage.outcome(), &error)),
            };
            // By now it may be elsewhere.
            routed = self.reach(asked, hold).await?;
        }
    }

    /// Whether a request is fit to pass.
    fn check<B>(&self, request: &Request<B>) -> Result<Asked, Refused> {
        if request.headers().len() > self.edge.config.limits.max_header_count {
            return Err(Refused::from(&edge::HEADERS_TOO_LARGE));
        }
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            return Err(Refused::from(&entries::METHOD_NOT_ALLOWED));
        }
        let authority = authority(request)
            .map_err(|unclear| Refused::because(&edge::REQUEST_MALFORMED, unclear.0))?;
        let target = target(request.uri()).ok_or(Refused::from(&edge::REQUEST_MALFORMED))?;
        Ok(Asked { authority, target })
    }

    /// The tenant and upstream of a request, once the tenant has one, or why it has none.
    async fn reach(&self, asked: &Asked, hold: &mut Hold) -> Result<Routed, Refused> {
        loop {
            let host = self.host(&asked.authority)?;
            if let Some(closed) = host.route.closed {
                if closed == Closed::Starting && hold.wait(&host.away).await {
                    continue;
                }
                return Err(Refused::from(closed));
            }
            let path = asked.target.path();
            let (prefix, upstream) = host.upstream(path).ok_or(Refused::because(
                &edge::REQUEST_MALFORMED,
                "the path does not begin with a slash",
            ))?;
            let (prefix, upstream) = (Arc::clone(prefix), Arc::clone(upstream));
            return Ok(Routed {
                host,
                prefix,
                upstream,
            });
        }
    }

    /// The host by the table in force now. The connection must have been made for it: same name,
    /// same tenant. One that was not asked for a certificate, and now would be, serves as one whose
    /// client has none; it ends after this answer, so that the client can show one on the next.
    fn host(&self, authority: &Authority) -> Result<Arc<Host>, Refused> {
        let name = host_name(authority);
        if name != self.name {
            return Err(Refused::from(&edge::HOST_MISMATCH));
        }
        let table = self.edge.live.load();
        let Some(host) = table.host(&name) else {
            self.outdated.cancel();
            return Err(Refused::from(&edge::HOST_UNKNOWN));
        };
        let other_tenant = host.tenant() != self.host.tenant();
        let asks_more =
            host.route.request_client_certificate && !self.host.route.request_client_certificate;
        if other_tenant || asks_more {
            self.outdated.cancel();
        }
        if other_tenant {
            return Err(Refused::because(
                &edge::HOST_MISMATCH,
                "The host has changed since this connection was opened.",
            ));
        }
        Ok(Arc::clone(host))
    }

    fn prepare(
        &self,
        request: Request<Incoming>,
        asked: &Asked,
        limit: u64,
        record: &Record,
    ) -> Request<RequestBody> {
        let (mut parts, body) = request.into_parts();
        parts.uri = asked.target.clone();
        parts.version = Version::HTTP_11;
        parts.extensions.clear();
        prepare_request(
            &mut parts.headers,
            &asked.authority,
            self.address,
            &record.request_id,
            &self.certificate,
        );
        traces::inject(&record.span, &mut |name, value| {
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), HeaderValue::try_from(value))
            {
                parts.headers.insert(name, value);
            }
        });
        let config = &self.edge.config;
        let pace = Pace {
            pause: config.time_outs.body_progress(),
            grace: config.time_outs.body_grace(),
            rate: config.limits.min_body_rate,
        };
        let body = RequestBody::new(body, limit, pace, Arc::clone(&record.passage));
        Request::from_parts(parts, body)
    }

    /// What to say when the upstream did not answer.
    fn failed(&self, body: Outcome, error: &hyper_util::client::legacy::Error) -> Refused {
        match body {
            Outcome::TooLarge => {
                self.edge.metrics.body_refused(BodyRefusal::TooLarge);
                Refused::from(&entries::BODY_TOO_LARGE)
            }
            Outcome::TooSlow => {
                self.edge.metrics.body_refused(BodyRefusal::TooSlow);
                Refused::from(&entries::BODY_TOO_SLOW)
            }
            Outcome::Broken => Refused::because(
                &edge::REQUEST_MALFORMED,
                "The request body was broken off or framed wrongly.",
            ),
            Outcome::Open | Outcome::Whole => {
                let connected = !error.is_connect();
                let error = error as &(dyn std::error::Error + 'static);
                tracing::warn!(connected, error, "the upstream is away");
                Refused::from(&edge::TENANT_UNAVAILABLE)
            }
        }
    }
}

fn declared_length<B>(request: &Request<B>) -> Option<u64> {
    let value = request.headers().get(CONTENT_LENGTH)?;
    // Both HTTP versions have checked it; what cannot be read counts as endless.
    Some(value.to_str().ok()?.parse().unwrap_or(u64::MAX))
}

/// The target as the upstream's client wants it. The name in it is never looked up.
fn target(uri: &Uri) -> Option<Uri> {
    let path = uri
        .path_and_query()
        .cloned()
        .unwrap_or(PathAndQuery::from_static("/"));
    Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(Authority::from_static("tenant.invalid"))
        .path_and_query(path)
        .build()
        .ok()
}

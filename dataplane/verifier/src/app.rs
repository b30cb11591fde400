//! The API as one service: routes, and the layers around them.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use pavilion_proofs::status::StatusLists;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;
use ulid::Ulid;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::clock::Clock;
use crate::metrics::{METHODS, ROUTES, RequestLabels, UNMATCHED, VerifierMetrics};
use crate::oauth::{self, AccessTokens};
use crate::peers::Peers;
use crate::pool::Pool;
use crate::problems::{self, Code};
use crate::request_id::{HEADER, RequestId};
use crate::reservations::Reservations;
use crate::store::{Key, Store};
use crate::tenant::load::Served;
use crate::verifications::OpenVerifications;
use crate::{answers, leftover, openapi, verifications, well_known};

/// Everything that handlers need.
pub struct App {
    /// The bundle that is served.
    pub served: Served,
    /// Short-lived state.
    pub store: Store,
    /// Live access tokens.
    pub tokens: AccessTokens,
    /// Signer and auditor.
    pub peers: Peers,
    /// Status lists of issuers.
    pub status: StatusLists,
    /// The bounded pool of evaluations.
    pub pool: Pool,
    /// What is counted.
    pub metrics: VerifierMetrics,
    /// The time.
    pub clock: Clock,
    /// The largest request body, in bytes.
    pub max_body_bytes: usize,
    /// Nonces of verifications that are being answered at once.
    pub nonces: Reservations<Key>,
    /// Verifications that await evidence.
    pub open: OpenVerifications,
    /// Verifications under evaluation.
    pub verifications: Reservations<Ulid>,
    /// Idempotency keys of requests under way.
    pub idempotency_keys: Reservations<Key>,
}

/// The routes and what the API document says of them.
pub(crate) fn api() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(oauth::token))
        .routes(routes!(verifications::create))
        .routes(routes!(verifications::read, verifications::cancel))
        .routes(routes!(verifications::submit))
        .routes(routes!(answers::result))
        .routes(routes!(answers::receipt))
        .routes(routes!(well_known::configuration))
        .routes(routes!(well_known::keys))
        .routes(routes!(openapi::document))
}

/// The API as a service.
pub fn router(app: Arc<App>) -> Router {
    let (router, _) = api().split_for_parts();
    router
        .method_not_allowed_fallback(problems::unknown_method)
        .fallback(problems::unknown_path)
        .layer(CatchPanicLayer::custom(problems::panicked))
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&app),
            leftover::read,
        ))
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&app),
            observe,
        ))
        .with_state(app)
}

/// Gives each request its id and span, and counts it.
async fn observe(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let (method, route) = (method(&request), route(&request));
    let span =
        tracing::info_span!("request", request_id = %id.0, route, method = %request.method());
    pavilion_process::traces::adopt(&span, request.headers());
    request.extensions_mut().insert(id.clone());
    let begun = Instant::now();
    async move {
        let mut response = next.run(request).await;
        let code = response
            .extensions()
            .get::<Code>()
            .map_or("ok", |code| code.0);
        let status = response.status().as_u16();
        app.metrics.requested(RequestLabels {
            method,
            route,
            status,
            outcome: code,
        });
        let microseconds = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(status, code, microseconds, "request served");
        if let Ok(id) = HeaderValue::try_from(&*id.0) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(HEADER), id);
        }
        response
    }
    .instrument(span)
    .await
}

/// The method, if the API has it.
fn method(request: &Request) -> &'static str {
    let sent = request.method().as_str();
    let known = METHODS.into_iter().find(|method| *method == sent);
    known.unwrap_or("other")
}

/// The route as it is written in the API; what a client wrote never becomes a label.
fn route(request: &Request) -> &'static str {
    let matched = request.extensions().get::<MatchedPath>();
    let known = matched.and_then(|path| ROUTES.into_iter().find(|route| *route == path.as_str()));
    known.unwrap_or(UNMATCHED)
}

//! `POST /oauth/token`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue};
use pavilion_catalogue::{request, token};
use pavilion_json::Digest;
use serde::Serialize;
use utoipa::ToSchema;

use super::assertion::{self, refused, unproven};
use super::certificate::ClientCertificate;
use super::form::{TokenForm, malformed};
use crate::app::App;
use crate::body::Form;
use crate::openapi::{self, TokenRequest};
use crate::problems::Refusal;
use crate::store::{Key, TokenRecord};
use crate::tenant::{RelyingParty, Tenant, seconds};

const GRANT: &str = "client_credentials";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An access token (RFC 6749 section 5.1).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenResponse {
    /// 256 random bits in base64url; it says nothing by itself.
    #[schema(min_length = 43, max_length = 43)]
    access_token: String,
    /// How to send it: `Authorization: Bearer`.
    #[schema(pattern = "^Bearer$")]
    token_type: &'static str,
    /// Seconds until it expires.
    #[schema(minimum = 1)]
    expires_in: u64,
}

/// How a client proved itself.
struct Proof {
    party: Arc<RelyingParty>,
    by: By,
}

/// What proved it.
enum By {
    /// An assertion: what is remembered of it, until when, and the thumbprint of its key.
    Assertion(Key, i64, String),
    /// A certificate, and the authority that it led to.
    Certificate(Digest, Digest),
}

/// Gives an access token for client credentials.
///
/// Prove the client by `private_key_jwt` (RFC 7523) or by the connection's client certificate and
/// `client_id` (RFC 8705). An assertion counts once.
#[utoipa::path(
    post, path = "/oauth/token", operation_id = "getToken", tag = "tokens",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "An access token.", body = TokenResponse),
        openapi::TokenProblems,
    ),
    security(()),
)]
pub(crate) async fn token(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Form(body): Form,
) -> Result<Response, Refusal> {
    issue(&app, &headers, &body)
        .await
        .map_err(Refusal::of_the_token_endpoint)
}

async fn issue(app: &App, headers: &HeaderMap, body: &[u8]) -> Result<Response, Refusal> {
    let tenant = app.tenant()?;
    let form = TokenForm::read(body)?;
    match form.grant_type.as_deref() {
        Some(GRANT) => {}
        Some(_) => return Err((&token::GRANT_UNSUPPORTED).into()),
        None => return Err(malformed("grant_type is missing.")),
    }
    let proof = authenticate(app, &tenant, &form, headers)?;
    let (now, lifetime) = (app.clock.second(), tenant.lifetimes.token_seconds);
    let mut record = TokenRecord {
        relying_party: proof.party.name.clone(),
        relying_party_uid: proof.party.uid.clone(),
        audience: tenant.issuer.clone(),
        expires_at: now.saturating_add(seconds(lifetime)),
        certificate: None,
        authority: None,
        key: None,
    };
    let assertion = match proof.by {
        By::Assertion(id, until, key) => {
            record.key = Some(key);
            Some((id, until))
        }
        By::Certificate(thumbprint, authority) => {
            record.certificate = Some(thumbprint);
            record.authority = Some(authority);
            None
        }
    };
    let access_token = app.tokens.issue(record, assertion, now).await?;
    tracing::info!(relying_party = proof.party.name, "token issued");
    let response = TokenResponse {
        access_token,
        token_type: "Bearer",
        expires_in: lifetime,
    };
    let mut response = axum::Json(response).into_response();
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    Ok(response)
}

fn authenticate(
    app: &App,
    tenant: &Tenant,
    form: &TokenForm,
    headers: &HeaderMap,
) -> Result<Proof, Refusal> {
    match (&form.client_assertion, &form.client_assertion_type) {
        (Some(assertion), Some(kind)) if kind == ASSERTION_TYPE => {
            by_assertion(app, tenant, form, assertion)
        }
        (None, None) => by_certificate(app, tenant, form, headers),
        _ => Err(malformed(
            "client_assertion comes with client_assertion_type, the one of RFC 7523 for JWTs.",
        )),
    }
}

fn by_assertion(
    app: &App,
    tenant: &Tenant,
    form: &TokenForm,
    text: &str,
) -> Result<Proof, Refusal> {
    let name = assertion::claimed_name(text)
        .ok_or_else(|| refused("The assertion is not a JWT with a sub."))?;
    if form.client_id.as_ref().is_some_and(|id| *id != name) {
        return Err(refused("client_id is not the assertion's sub."));
    }
    let party = tenant.relying_parties.get(&name).ok_or_else(unproven)?;
    let proven = assertion::verify(text, party, tenant, app.clock.now())?;
    Ok(Proof {
        party: Arc::clone(party),
        by: By::Assertion(proven.id, proven.until, proven.key),
    })
}

fn by_certificate(
    app: &App,
    tenant: &Tenant,
    form: &TokenForm,
    headers: &HeaderMap,
) -> Result<Proof, Refusal> {
    let Some(name) = &form.client_id else {
        return Err(malformed(
            "Neither client_assertion nor client_id was sent.",
        ));
    };
    let certificate = ClientCertificate::of(headers)
        .ok_or_else(|| refused("The connection shows no client certificate."))?;
    let party = tenant.relying_parties.get(name).ok_or_else(unproven)?;
    let authorities = party.certificates.as_ref().ok_or_else(unproven)?;
    let authority = authorities
        .judge(&certificate.der, &certificate.chain, app.clock.now())
        .map_err(|error| refused(&error.to_string()))?;
    Ok(Proof {
        party: Arc::clone(party),
        by: By::Certificate(certificate.thumbprint(), authority),
    })
}

impl App {
    /// The tenant that is served now.
    ///
    /// # Errors
    /// `not_configured` until a valid bundle came.
    pub(crate) fn tenant(&self) -> Result<Arc<Tenant>, Refusal> {
        self.served
            .load_full()
            .ok_or_else(|| Refusal::from(&request::NOT_CONFIGURED))
    }
}

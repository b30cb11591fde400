//! What a relying party can find out by itself: endpoints, algorithms, keys, the log.

use std::sync::Arc;

use axum::extract::State as FromApp;
use axum::response::Response;
use http::HeaderMap;
use pavilion_catalogue::request;
use pavilion_jose::Algorithm;
use pavilion_json::Digest;
use pavilion_results::JWT_TYPE;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::entity_tag::{EntityTag, unless_known};
use crate::openapi;
use crate::problems::Refusal;

/// Keys may be kept this long; a rotated key stays in the set for longer than that.
const KEEP_KEYS: &str = "public, max-age=300";
/// The configuration may be kept this long.
const KEEP_CONFIGURATION: &str = "public, max-age=60";

/// Where things are and what is spoken.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) struct Configuration {
    /// Who answers; also the audience that presentations must name.
    issuer: String,
    /// Where access tokens are had (RFC 8414).
    token_endpoint: String,
    /// The keys that answers verify under.
    jwks_uri: String,
    /// Where questions are asked.
    verifications_endpoint: String,
    /// This API in `OpenAPI` 3.1.
    openapi_uri: String,
    /// How clients prove themselves.
    token_endpoint_auth_methods_supported: Vec<&'static str>,
    /// With which algorithms, if by `private_key_jwt`.
    token_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    /// What tokens are had for.
    grant_types_supported: Vec<&'static str>,
    /// Tokens got by a client certificate are bound to it (RFC 8705 section 3.3).
    tls_client_certificate_bound_access_tokens: bool,
    /// The `typ` of signed answers.
    result_type: &'static str,
    /// The media types of answers.
    result_media_types_supported: Vec<&'static str>,
    /// The algorithm that answers are signed with now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    result_signing_alg: Option<&'static str>,
    /// The credential formats that are read.
    credential_formats_supported: Vec<&'static str>,
    /// The version of the status-list draft that is spoken.
    status_list_draft: &'static str,
    /// The transparency log.
    log: LogConfiguration,
}

/// The transparency log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) struct LogConfiguration {
    /// The origin line of its checkpoints.
    origin: String,
    /// Where its checkpoint and tiles are (C2SP tlog-tiles).
    url: String,
    /// Its verifier key (C2SP signed-note), once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    verifier_key: Option<String>,
}

/// Says where things are and what is spoken.
#[utoipa::path(
    get, path = "/.well-known/pavilion-configuration", operation_id = "getConfiguration", tag = "discovery",
    params(openapi::IfNoneMatch),
    responses(
        (status = 200, description = "Endpoints, algorithms, formats and the log.", body = Configuration,
            headers(("ETag", description = "A strong entity tag."))),
        (status = 304, description = "It is the one of If-None-Match."),
        openapi::DiscoveryProblems,
    ),
    security(()),
)]
pub(crate) async fn configuration(
    FromApp(app): FromApp<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let document = document(&app).await?;
    let body = serde_json::to_vec(&document).map_err(|_| Refusal::from(&request::INTERNAL))?;
    let tag = EntityTag::of(&Digest::of(&body));
    Ok(unless_known(
        &headers,
        &tag,
        "application/json",
        KEEP_CONFIGURATION,
        body.into(),
    ))
}

async fn document(app: &App) -> Result<Configuration, Refusal> {
    let tenant = app.tenant()?;
    let at = |path: &str| format!("{}{path}", tenant.issuer);
    let keys = app.peers.signer.keys().await.ok();
    Ok(Configuration {
        issuer: tenant.issuer.clone(),
        token_endpoint: tenant.token_endpoint.clone(),
        jwks_uri: at("/.well-known/jwks.json"),
        verifications_endpoint: at("/v1/verifications"),
        openapi_uri: at("/openapi.json"),
        token_endpoint_auth_methods_supported: vec!["private_key_jwt", "tls_client_auth"],
        token_endpoint_auth_signing_alg_values_supported: Algorithm::ALL
            .map(Algorithm::name)
            .to_vec(),
        grant_types_supported: vec!["client_credentials"],
        tls_client_certificate_bound_access_tokens: true,
        result_type: JWT_TYPE,
        result_media_types_supported: vec![
            "application/json",
            "application/jwt",
            "application/vnd.pavilion.result+jwt",
        ],
        result_signing_alg: keys.map(|keys| keys.algorithm.name()),
        credential_formats_supported: vec!["dc+sd-jwt"],
        status_list_draft: pavilion_proofs::status::DRAFT,
        log: LogConfiguration {
            origin: tenant.log_origin.clone(),
            url: at("/log/"),
            verifier_key: app
                .peers
                .auditor
                .verifier_key()
                .map(|key| key.as_ref().clone()),
        },
    })
}

/// The keys that answers verify under, retired ones in overlap included.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", operation_id = "getKeys", tag = "discovery",
    params(openapi::IfNoneMatch),
    responses(
        (status = 200, description = "A JWK set (RFC 7517).", body = openapi::JwkSet, content_type = "application/jwk-set+json",
            headers(("ETag", description = "A strong entity tag."))),
        (status = 304, description = "The set is the one of If-None-Match."),
        openapi::KeysProblems,
    ),
    security(()),
)]
pub(crate) async fn keys(
    FromApp(app): FromApp<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let keys = app.peers.signer.keys().await?;
    Ok(unless_known(
        &headers,
        &EntityTag::of(&keys.digest),
        "application/jwk-set+json",
        KEEP_KEYS,
        keys.jwks.clone(),
    ))
}

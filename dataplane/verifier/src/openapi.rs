//! The API document (`OpenAPI` 3.1), made from the code that serves it.
//!
//! Each operation lists every status it can answer with and the codes behind it, from the
//! catalogue. The committed `openapi.json` is this document; a test fails when they differ.

mod answer;
mod log;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;
use pavilion_catalogue::log as log_codes;
use pavilion_catalogue::{Entry, MEDIA_TYPE, edge, policy, presentation, request, signer, token};
use pavilion_json::Digest;
use pavilion_results::Projection;
use serde_json::{Value, json};
use utoipa::openapi::security::{
    ClientCredentials, Flow, Http, HttpAuthScheme, OAuth2, Scopes, SecurityRequirement,
    SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, Content, HeaderBuilder, InfoBuilder, LicenseBuilder, OpenApi,
    OpenApiBuilder, Ref, RefOr, ResponseBuilder,
};
use utoipa::{IntoResponses, OpenApi as _, PartialSchema, ToSchema};

pub(crate) use answer::AnswerDocument;

use crate::entity_tag::{EntityTag, unless_known};

/// This document may be kept this long.
const KEEP: &str = "public, max-age=300";

type Responses = BTreeMap<String, RefOr<utoipa::openapi::Response>>;

/// The id of a verification, in the path.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) struct VerificationId {
    /// The verification's id, a ULID.
    #[param(pattern = "^[0-9A-HJKMNP-TV-Z]{26}$", min_length = 26, max_length = 26)]
    id: String,
}

/// What makes a request safe to repeat.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) struct IdempotencyKey {
    /// 1 to 128 printable ASCII characters without spaces; the same key and body get the same response.
    #[param(
        rename = "Idempotency-Key",
        nullable = false,
        min_length = 1,
        max_length = 128,
        pattern = "^[!-~]{1,128}$"
    )]
    idempotency_key: Option<String>,
}

/// What saves reading a document again.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) struct IfNoneMatch {
    /// Entity tags, or `*` (RFC 9110 section 13.1.2): if the document's is among them it is not sent
    /// again.
    #[param(rename = "If-None-Match", nullable = false)]
    if_none_match: Option<String>,
}

/// Client credentials: an assertion (RFC 7523), or `client_id` and the connection's certificate
/// (RFC 8705). Other parameters are ignored.
#[derive(ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) struct TokenRequest {
    /// `client_credentials`.
    #[schema(pattern = "^client_credentials$")]
    grant_type: String,
    /// The relying party's name; may be left out with an assertion.
    #[schema(nullable = false, min_length = 1, max_length = 253)]
    client_id: Option<String>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`.
    #[schema(
        nullable = false,
        pattern = "^urn:ietf:params:oauth:client-assertion-type:jwt-bearer$"
    )]
    client_assertion_type: Option<String>,
    /// A JWT of the relying party: `iss` and `sub` its name, `aud` the issuer or the token
    /// endpoint, `exp` within an hour, `jti` never used before.
    #[schema(nullable = false, min_length = 1, max_length = 65536)]
    client_assertion: Option<String>,
}

/// A refusal (RFC 9457). It never carries a value out of a credential.
#[derive(ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) struct Problem {
    /// The problem type.
    #[schema(format = "uri")]
    r#type: String,
    /// One line that does not depend on the occasion.
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// The stable code to branch on.
    #[schema(pattern = "^[a-z0-9_]+$")]
    code: String,
    /// What happened this time.
    detail: String,
    /// What to do.
    hint: String,
    /// Whether the same request may succeed later without a change.
    retryable: bool,
    /// The path of the thing it is about.
    #[schema(nullable = false)]
    instance: Option<String>,
    /// The id of the evidence it is about, as the policy names it.
    #[schema(nullable = false)]
    evidence: Option<String>,
    /// The member of the request body it is about.
    #[schema(nullable = false)]
    field: Option<String>,
    /// At the token endpoint: the error of RFC 6749 section 5.2.
    #[schema(nullable = false)]
    error: Option<String>,
    /// At the token endpoint: the same as `detail`.
    #[schema(nullable = false)]
    error_description: Option<String>,
}

/// A JWK set (RFC 7517 section 5).
#[derive(ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) struct JwkSet {
    /// Public keys with `kid`, `alg` and `use`.
    #[schema(value_type = Vec<Object>)]
    keys: Vec<Value>,
}

/// The two forms of an answer.
pub(crate) struct ResultForms;

impl IntoResponses for ResultForms {
    fn responses() -> Responses {
        let text = || Content::new(Some(String::schema()));
        let response = ResponseBuilder::new()
            .description("The answer: a compact JWS of type `pvr+jwt`, or canonical JSON.")
            .content("application/jwt", text())
            .content(Projection::Jwt.media_type(), text())
            .content(
                Projection::Json.media_type(),
                Content::new(Some(Ref::from_schema_name(AnswerDocument::name()))),
            )
            .build();
        BTreeMap::from([("200".to_owned(), response.into())])
    }
}

/// What any path of the host can answer with: it stands behind the edge.
const EDGE: &[&Entry] = &[
    &edge::REQUEST_MALFORMED,
    &request::METHOD_NOT_ALLOWED,
    &edge::HEADERS_TOO_SLOW,
    &edge::HOST_UNKNOWN,
    &edge::HOST_MISMATCH,
    &edge::HEADERS_TOO_LARGE,
    &edge::TENANT_UNAVAILABLE,
    &edge::DRAINING,
    &edge::TENANT_TIMEOUT,
];

/// What any operation of the verifier can answer with besides.
const ALWAYS: &[&Entry] = &[&request::INTERNAL, &request::NOT_CONFIGURED];

/// What an operation with a body can answer with.
const BODY: &[&Entry] = &[
    &request::BODY_TOO_SLOW,
    &request::BODY_TOO_LARGE,
    &request::CONTENT_TYPE_UNSUPPORTED,
];

/// What an operation with a JSON body can answer with.
const JSON: &[&Entry] = &[&request::BODY_MALFORMED, &request::BODY_INVALID];

/// What an idempotency key can be refused for.
const IDEMPOTENT: &[&Entry] = &[
    &request::IDEMPOTENCY_KEY_INVALID,
    &request::IDEMPOTENCY_KEY_IN_USE,
    &request::IDEMPOTENCY_KEY_REUSED,
];

/// What an operation that wants an access token can answer with.
const AUTHORIZED: &[&Entry] = &[
    &token::MISSING,
    &token::INVALID,
    &token::CERTIFICATE_MISMATCH,
    &request::STATE_UNAVAILABLE,
];

/// What an evaluation can be refused with.
const EVALUATED: &[&Entry] = &[
    &policy::UNKNOWN,
    &policy::NOT_REGISTERED,
    &policy::PURPOSE_NOT_REGISTERED,
    &policy::OVER_ASKING,
    &request::EVIDENCE_UNKNOWN,
    &request::EVIDENCE_EMPTY,
    &presentation::MALFORMED,
    &presentation::TOO_LARGE,
    &presentation::NONCE_MISMATCH,
    &presentation::AUDIENCE_MISMATCH,
    &presentation::CREDENTIAL_REUSED,
    &presentation::CLAIM_NOT_EXACT,
    &request::OVERLOADED,
    &request::EVALUATION_TIMEOUT,
    &log_codes::UNAVAILABLE,
    &log_codes::OVERLOADED,
    &signer::UNAVAILABLE,
    &signer::OVERLOADED,
    &signer::TIMEOUT,
    &signer::TOKEN_FULL,
];

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident = $($entries:expr),*;)*) => {
        $(
            $(#[$doc])*
            pub(crate) struct $name;

            impl IntoResponses for $name {
                fn responses() -> Responses {
                    refusals(&[EDGE, $($entries),*])
                }
            }
        )*
    };
}

problems! {
    /// Refusals of the token endpoint.
    TokenProblems = ALWAYS, BODY, &[
        &token::REQUEST_INVALID, &token::GRANT_UNSUPPORTED, &token::CLIENT_INVALID,
        &token::ASSERTION_REPLAYED, &token::LIMIT, &request::STATE_UNAVAILABLE, &request::OVERLOADED,
    ];
    /// Refusals of a question.
    CreateProblems = ALWAYS, BODY, JSON, IDEMPOTENT, AUTHORIZED, EVALUATED, &[
        &request::NONCE_REQUIRED, &request::NONCE_REUSED, &presentation::REPLAYED,
        &request::NOT_FOUND, &policy::EVIDENCE_WITH_REQUEST_REFUSED, &request::VERIFICATION_LIMIT,
    ];
    /// Refusals of evidence.
    EvidenceProblems = ALWAYS, BODY, JSON, IDEMPOTENT, AUTHORIZED, EVALUATED, &[
        &request::NOT_FOUND, &request::STATE_CONFLICT, &request::VERIFICATION_EXPIRED,
        &request::VERIFICATION_FAILED,
    ];
    /// Refusals of reading.
    ReadProblems = ALWAYS, AUTHORIZED, &[&request::NOT_FOUND];
    /// Refusals of deleting.
    DeleteProblems = ALWAYS, AUTHORIZED, &[&request::NOT_FOUND, &request::STATE_CONFLICT];
    /// Refusals of a result.
    ResultProblems = ALWAYS, AUTHORIZED, &[
        &request::NOT_FOUND, &request::NOT_ACCEPTABLE, &request::RESULT_NOT_READY,
        &request::STATE_CONFLICT, &request::VERIFICATION_EXPIRED,
    ];
    /// Refusals of a receipt.
    ReceiptProblems = ALWAYS, AUTHORIZED, &[
        &request::NOT_FOUND, &request::RESULT_NOT_READY, &request::STATE_CONFLICT,
        &request::VERIFICATION_EXPIRED,
    ];
    /// Refusals of what everybody may read.
    DiscoveryProblems = ALWAYS;
    /// Refusals of the key set.
    KeysProblems = ALWAYS, &[&signer::UNAVAILABLE, &signer::OVERLOADED, &signer::TIMEOUT];
    /// Refusals of the log.
    LogProblems = &[&log_codes::UNAVAILABLE];
    /// Refusals of a tile.
    TileProblems = &[
        &log_codes::TILE_UNKNOWN, &log_codes::ENTRIES_PRIVATE, &log_codes::UNAVAILABLE,
    ];
}

/// One response for each status, listing its codes.
fn refusals(groups: &[&[&Entry]]) -> Responses {
    let mut by_status = BTreeMap::<u16, Vec<&Entry>>::new();
    for entry in groups.iter().copied().flatten() {
        by_status.entry(entry.status).or_default().push(entry);
    }
    by_status
        .into_iter()
        .map(|(status, entries)| (status.to_string(), refusal(status, &entries).into()))
        .collect()
}

fn refusal(status: u16, entries: &[&Entry]) -> utoipa::openapi::Response {
    let lines: Vec<String> = entries
        .iter()
        .map(|entry| format!("`{}`: {}.", entry.code, entry.title))
        .collect();
    let header = |text: &str| HeaderBuilder::new().description(Some(text)).build();
    let mut response = ResponseBuilder::new().description(lines.join(" ")).content(
        MEDIA_TYPE,
        Content::new(Some(Ref::from_schema_name(Problem::name()))),
    );
    if status == 503 || status == 429 {
        response = response.header("Retry-After", header("Seconds to wait."));
    }
    if status == 401 {
        response = response.header("WWW-Authenticate", header("RFC 6750 section 3."));
    }
    if status == 405 {
        response = response.header("Allow", header("The methods that the path takes."));
    }
    response.build()
}

/// The document without the operations of the verifier.
pub(crate) fn base() -> OpenApi {
    let flow = Flow::ClientCredentials(ClientCredentials::new("/oauth/token", Scopes::new()));
    let components = ComponentsBuilder::new()
        .schema(Problem::name(), Problem::schema())
        .schema(AnswerDocument::name(), AnswerDocument::schema())
        .security_scheme("oauth2", SecurityScheme::OAuth2(OAuth2::new([flow])))
        .security_scheme(
            "bearer",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        );
    let requirement = |name: &str| SecurityRequirement::new(name, Vec::<String>::new());
    let mut document = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Pavilion relying-party API")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "Ask a question of a policy, send evidence, get a small signed answer with a \
                     receipt of the tenant's transparency log. The log itself (checkpoint and tiles, \
                     C2SP tlog-tiles) is read below /log/.",
                ))
                .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build())),
        )
        .components(Some(components.build()))
        .security(Some([requirement("oauth2"), requirement("bearer")]))
        .build();
    document.merge(log::Log::openapi());
    document
}

/// The finished document.
pub fn document_value() -> Value {
    let (_, document) = crate::app::api().split_for_parts();
    let mut document = serde_json::to_value(document).unwrap_or_default();
    // JSON Schema 2020-12 can say this, the builder cannot.
    if let Some(schema) = document.pointer_mut("/components/schemas/VerificationRequest") {
        schema["dependentRequired"] = json!({"presentations": ["nonce"]});
    }
    if let Some(schema) = document.pointer_mut("/components/schemas/TokenRequest") {
        schema["dependentRequired"] = json!({
            "client_assertion": ["client_assertion_type"],
            "client_assertion_type": ["client_assertion"],
        });
    }
    document
}

/// This API in `OpenAPI` 3.1.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "getOpenApi", tag = "discovery",
    params(IfNoneMatch),
    responses(
        (status = 200, description = "This document.", body = Object, content_type = "application/json",
            headers(("ETag", description = "A strong entity tag."))),
        (status = 304, description = "It is the one of If-None-Match."),
        DiscoveryProblems,
    ),
    security(()),
)]
pub(crate) async fn document(headers: HeaderMap) -> Response {
    static DOCUMENT: OnceLock<(EntityTag, Bytes)> = OnceLock::new();
    let (tag, document) = DOCUMENT.get_or_init(|| {
        let document = Bytes::from(document_value().to_string());
        (EntityTag::of(&Digest::of(&document)), document)
    });
    unless_known(&headers, tag, "application/json", KEEP, document.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_committed_document_is_the_served_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let made = document_value();
        if std::env::var_os("UPDATE").is_some() {
            let text = serde_json::to_string_pretty(&made).unwrap();
            std::fs::write(path, format!("{text}\n")).unwrap();
        }
        // Compared as values: the order of members depends on what else is built along.
        let committed = std::fs::read(path).unwrap_or_default();
        let committed: Value = serde_json::from_slice(&committed).unwrap_or_default();
        assert!(
            committed == made,
            "openapi.json has drifted: run UPDATE=1 cargo test -p pavilion-verifier"
        );
    }

    #[test]
    fn every_reference_in_the_document_leads_somewhere() {
        fn references(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(members) => {
                    if let Some(Value::String(target)) = members.get("$ref") {
                        found.push(target.clone());
                    }
                    members.values().for_each(|value| references(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let document = document_value();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for target in found {
            let pointer = target.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{target}");
        }
    }

    #[test]
    fn every_route_that_is_counted_is_documented_and_the_log_besides() {
        let document = document_value();
        let paths = document["paths"].as_object().unwrap();
        for route in crate::metrics::ROUTES {
            let documented = paths.contains_key(route);
            assert_eq!(documented, route != crate::metrics::UNMATCHED, "{route}");
        }
        let of_the_log = paths.keys().filter(|path| path.starts_with("/log/"));
        let of_the_log = of_the_log.count();
        assert!(of_the_log > 0);
        assert_eq!(paths.len() + 1 - of_the_log, crate::metrics::ROUTES.len());
    }
}

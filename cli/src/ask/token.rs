//! Getting an access token: `private_key_jwt` (RFC 7523 section 2.2) or mutual TLS (RFC 8705 section 2).

use jiff::Timestamp;
use pavilion_jose::SigningKey;
use serde_json::json;
use url::form_urlencoded::Serializer;

use super::broker::{Broker, Call};
use super::wire::Token;
use crate::args::ClientArgs;
use crate::exit::Failure;
use crate::file;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion is good for, in seconds: long enough for a slow clock, too short to keep.
const ASSERTION_SECONDS: i64 = 60;

/// An access token for the relying party.
pub async fn get(broker: &Broker, args: &ClientArgs, issuer: &str) -> Result<String, Failure> {
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials")
        .append_pair("client_id", &args.client_id);
    if let Some(path) = &args.key {
        let assertion = assertion(&file::private_key(path)?, &args.client_id, issuer)?;
        form.append_pair("client_assertion_type", ASSERTION_TYPE)
            .append_pair("client_assertion", &assertion);
    }
    let body = form.finish().into_bytes();
    let call = Call::post("/oauth/token", "application/x-www-form-urlencoded", body)
        .accepting("application/json");
    Ok(broker.json::<Token>(&call).await?.access_token)
}

fn assertion(key: &SigningKey, client_id: &str, issuer: &str) -> Result<String, Failure> {
    let public = key.public();
    let kid = public
        .kid()
        .map_or_else(|| public.thumbprint(), str::to_owned);
    let now = Timestamp::now().as_second();
    let header = json!({"alg": key.algorithm().to_string(), "kid": kid, "typ": "JWT"});
    let claims = json!({
        "iss": client_id,
        "sub": client_id,
        "aud": issuer,
        "jti": ulid::Ulid::generate().to_string(),
        "iat": now,
        "exp": now + ASSERTION_SECONDS,
    });
    key.sign_compact(&header, claims.to_string().as_bytes())
        .map_err(|error| Failure::file(format!("the key cannot sign: {error}")))
}

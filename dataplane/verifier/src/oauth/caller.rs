//! Who makes a request, by its access token.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use pavilion_catalogue::{Problem, token};

use super::certificate::ClientCertificate;
use crate::app::App;
use crate::problems::Refusal;
use crate::tenant::{RelyingParty, Tenant};

/// The longest token that is looked at, in bytes.
const LONGEST: usize = 256;

/// A relying party that proved itself, and the tenant as it was when the request came.
#[derive(Clone)]
pub struct Caller {
    /// The tenant.
    pub tenant: Arc<Tenant>,
    /// Who asks.
    pub party: Arc<RelyingParty>,
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(request: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let headers = &request.headers;
        let text = bearer(headers)?;
        let tenant = app.tenant()?;
        let record = app
            .tokens
            .find(text, app.clock.second())
            .filter(|record| record.audience == tenant.issuer)
            .ok_or_else(|| Refusal::from(&token::INVALID))?;
        if let Some(bound) = record.certificate {
            let shown = ClientCertificate::of(headers);
            if shown.is_none_or(|shown| shown.thumbprint() != bound) {
                return Err((&token::CERTIFICATE_MISMATCH).into());
            }
        }
        let party = tenant
            .relying_parties
            .get(&record.relying_party)
            .filter(|known| known.uid == record.relying_party_uid)
            .cloned()
            .ok_or_else(|| Refusal::from(&token::INVALID))?;
        Ok(Self { tenant, party })
    }
}

/// The token of `Authorization: Bearer` (RFC 6750 section 2.1).
fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values
        .next()
        .ok_or_else(|| Refusal::from(&token::MISSING))?;
    let invalid = || {
        Refusal::from(
            Problem::new(&token::INVALID).detail("Send Authorization: Bearer and one token."),
        )
    };
    if values.next().is_some() {
        return Err(invalid());
    }
    let (scheme, text) = value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .ok_or_else(invalid)?;
    if !scheme.eq_ignore_ascii_case("bearer") || text.is_empty() || text.len() > LONGEST {
        return Err(invalid());
    }
    Ok(text)
}

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
use crate::store::TokenRecord;
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
        let shown = shown(&record, headers)?;
        let party = tenant
            .relying_parties
            .get(&record.relying_party)
            .filter(|known| known.uid == record.relying_party_uid)
            .filter(|known| still_proves(&record, shown.as_ref(), known))
            .cloned()
            .ok_or_else(|| Refusal::from(&token::INVALID))?;
        Ok(Self { tenant, party })
    }
}

/// The certificate that a token is bound to, if it is bound to one: whoever uses it must show that.
fn shown(record: &TokenRecord, headers: &HeaderMap) -> Result<Option<ClientCertificate>, Refusal> {
    let Some(bound) = record.certificate else {
        return Ok(None);
    };
    let shown =
        ClientCertificate::of(headers).filter(|certificate| certificate.thumbprint() == bound);
    let mismatch = || Refusal::from(&token::CERTIFICATE_MISMATCH);
    shown.ok_or_else(mismatch).map(Some)
}

/// Whether the party would still be taken for itself by what it proved itself with when it got the
/// token. A key or an authority is taken out because it is not trusted any more, and who has it may
/// hold tokens, too.
fn still_proves(
    record: &TokenRecord,
    certificate: Option<&ClientCertificate>,
    party: &RelyingParty,
) -> bool {
    let key = record.key.as_deref();
    let by_key = key.is_none_or(|key| party.key_thumbprints.contains(key));
    let by_certificate = certificate.is_none_or(|certificate| {
        let authorities = party.certificates.as_ref();
        authorities.is_some_and(|own| own.still_take(&certificate.der, record.authority.as_ref()))
    });
    by_key && by_certificate
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

//! How an answer leaves: plain JSON, or a compact JWS that an external signer signs.

use pavilion_jose::Algorithm;
use serde_json::json;

use crate::{Answer, ResultError};

/// The `typ` of the JWS form (RFC 7519 section 5.1, without the `application/` prefix).
pub const JWT_TYPE: &str = "pvr+jwt";

/// A form that an answer can be had in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projection {
    /// Canonical JSON, unsigned: for reading, over an authenticated connection.
    Json,
    /// Compact JWS: for keeping and for showing to others.
    Jwt,
}

impl Projection {
    /// The media type that the form is served as.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Jwt => "application/vnd.pavilion.result+jwt",
        }
    }

    /// Picks the form for an `Accept` header (RFC 9110 section 12.5.1): the highest weight wins, the
    /// signed form on a tie. No header, or an empty one, means the signed form.
    /// `None`: nothing that we make is acceptable.
    pub fn negotiate(accept: Option<&str>) -> Option<Self> {
        let Some(accept) = accept.filter(|text| !text.trim().is_empty()) else {
            return Some(Self::Jwt);
        };
        let ranges: Vec<Range<'_>> = accept.split(',').filter_map(Range::parse).collect();
        [Self::Jwt, Self::Json]
            .into_iter()
            .map(|form| (form, form.weight(&ranges)))
            .filter(|(_, weight)| *weight > 0)
            .reduce(|best, next| if next.1 > best.1 { next } else { best })
            .map(|(form, _)| form)
    }

    /// The media types that name this form; `application/jwt` is what general JWT tools ask for.
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Json => &["application/json"],
            Self::Jwt => &["application/vnd.pavilion.result+jwt", "application/jwt"],
        }
    }

    /// The weight that the most specific matching range gives, in thousandths.
    fn weight(self, ranges: &[Range<'_>]) -> u16 {
        ranges
            .iter()
            .filter_map(|range| {
                range
                    .specificity(self)
                    .map(|specificity| (specificity, range.weight))
            })
            .max()
            .map_or(0, |(_, weight)| weight)
    }
}

/// One media range of an `Accept` header.
struct Range<'a> {
    name: &'a str,
    /// Thousandths, 0 to 1000.
    weight: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let weight =
            parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some(Self {
            name,
            weight: weight.map_or(Some(1000), thousandths)?,
        })
    }

    fn specificity(&self, form: Projection) -> Option<u8> {
        if form
            .names()
            .iter()
            .any(|name| name.eq_ignore_ascii_case(self.name))
        {
            return Some(2);
        }
        match self.name {
            "application/*" => Some(1),
            "*/*" => Some(0),
            _ => None,
        }
    }
}

/// `0.85` → 850 (RFC 9110 section 12.4.2); `None` for anything that is not a weight.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

/// The JSON form: canonical bytes (RFC 8785).
///
/// # Errors
/// [`ResultError::Canonical`] when the answer has no canonical form.
pub fn json(answer: &Answer) -> Result<Vec<u8>, ResultError> {
    answer.canonical()
}

/// A compact JWS that waits for its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsigned {
    signing_input: String,
}

impl Unsigned {
    /// The JWS form of an answer for the key `kid` of the tenant's JWKS.
    ///
    /// # Errors
    /// [`ResultError::Canonical`] when the answer has no canonical form.
    pub fn jwt(answer: &Answer, algorithm: Algorithm, kid: &str) -> Result<Self, ResultError> {
        let header = json!({"alg": algorithm.to_string(), "kid": kid, "typ": JWT_TYPE});
        let signing_input = pavilion_jose::signing_input(&header, &answer.canonical()?);
        Ok(Self { signing_input })
    }

    /// What the signer signs (RFC 7515 section 5.1), ASCII.
    pub fn signing_input(&self) -> &str {
        &self.signing_input
    }

    /// The finished JWS. The signature is raw: `r || s` for ECDSA (RFC 7518 section 3.4).
    pub fn sign(self, signature: &[u8]) -> String {
        pavilion_jose::attach(&self.signing_input, signature)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_form_with_the_highest_weight_is_served() {
        let pick = |accept| Projection::negotiate(Some(accept));
        assert_eq!(pick("application/json"), Some(Projection::Json));
        assert_eq!(pick("application/jwt"), Some(Projection::Jwt));
        assert_eq!(
            pick("Application/vnd.pavilion.result+JWT"),
            Some(Projection::Jwt)
        );
        assert_eq!(
            pick("application/json;q=0.5, application/jwt;q=0.4"),
            Some(Projection::Json)
        );
        assert_eq!(
            pick("application/json; q=1.0, */*; q=0.1"),
            Some(Projection::Json)
        );
        assert_eq!(
            pick("application/*, application/jwt;q=0"),
            Some(Projection::Json)
        );
    }

    #[test]
    fn whoever_does_not_care_gets_the_signed_form() {
        for accept in [
            None,
            Some(""),
            Some("*/*"),
            Some("application/*"),
            Some("application/json, application/jwt"),
        ] {
            assert_eq!(
                Projection::negotiate(accept),
                Some(Projection::Jwt),
                "{accept:?}"
            );
        }
    }

    #[test]
    fn a_form_that_we_do_not_make_is_not_acceptable() {
        for accept in [
            "text/html",
            "application/json;q=0",
            "application/json;q=2",
            "application/json;q=0.1234",
            ";",
        ] {
            assert_eq!(Projection::negotiate(Some(accept)), None, "{accept}");
        }
        assert_eq!(Projection::Json.media_type(), "application/json");
    }
}

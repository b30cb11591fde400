//! The parameters of a token request (RFC 6749 section 4.4.2, RFC 7523 section 2.2).

use pavilion_catalogue::{Problem, token};

use crate::problems::Refusal;

/// The parameters that mean something here; all others are ignored (RFC 6749 section 3.2).
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TokenForm {
    pub(super) grant_type: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) client_assertion_type: Option<String>,
    pub(super) client_assertion: Option<String>,
}

impl TokenForm {
    /// Reads `application/x-www-form-urlencoded`.
    pub(crate) fn read(body: &[u8]) -> Result<Self, Refusal> {
        if std::str::from_utf8(body).is_err() {
            return Err(malformed("The body is not UTF-8."));
        }
        let mut form = Self::default();
        for (name, value) in url::form_urlencoded::parse(body) {
            let member = match name.as_ref() {
                "grant_type" => &mut form.grant_type,
                "client_id" => &mut form.client_id,
                "client_assertion_type" => &mut form.client_assertion_type,
                "client_assertion" => &mut form.client_assertion,
                _ => continue,
            };
            if member.replace(value.into_owned()).is_some() {
                return Err(malformed("A parameter stands twice."));
            }
        }
        Ok(form)
    }
}

pub(super) fn malformed(detail: &str) -> Refusal {
    Problem::new(&token::REQUEST_INVALID).detail(detail).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn known_parameters_are_read_and_others_ignored() {
        let form =
            TokenForm::read(b"grant_type=client_credentials&scope=x&client_id=a%20b").unwrap();
        assert_eq!(form.grant_type.as_deref(), Some("client_credentials"));
        assert_eq!(form.client_id.as_deref(), Some("a b"));
        assert_eq!(form.client_assertion, None);
    }

    #[test]
    fn a_repeated_parameter_or_foreign_bytes_are_refused() {
        for bad in [&b"client_id=a&client_id=a"[..], b"client_id=\xff"] {
            let refused = TokenForm::read(bad).unwrap_err();
            assert_eq!(refused.code(), "token_request_invalid");
        }
    }
}

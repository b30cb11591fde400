//! Names, checked once: whoever holds one of these types holds a name that fits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty, or longer than the kind of name allows.
    #[error("must have 1 to {max} characters")]
    Length {
        /// The most characters this kind of name may have.
        max: usize,
    },
    /// A character that does not belong.
    #[error("may hold only lower-case letters, digits and '-'{}, and must begin and end with a letter or digit", if *.dots { " and '.'" } else { "" })]
    Character {
        /// Whether dots separate labels in this kind of name.
        dots: bool,
    },
}

/// Checks one DNS label (RFC 1123 section 2.1, lower case).
fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    (1..=63).contains(&bytes.len())
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes
            .iter()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn check(text: &str, max: usize, dots: bool) -> Result<(), NameError> {
    if text.is_empty() || text.len() > max {
        return Err(NameError::Length { max });
    }
    let fits = if dots {
        text.split('.').all(is_label)
    } else {
        is_label(text)
    };
    if fits {
        Ok(())
    } else {
        Err(NameError::Character { dots })
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $max:literal, dots: $dots:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check(text, $max, $dots).map(|()| Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                check(&text, $max, $dots).map(|()| Self(text))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name! {
    /// A tenant: one DNS label of at most 54 characters, so that `pavilion-<name>` is a namespace.
    TenantName, 54, dots: false
}
name! {
    /// A policy, trust anchor or relying party: a DNS subdomain (as Kubernetes names objects).
    ObjectName, 253, dots: true
}
name! {
    /// A host name in lower case (RFC 1123), without port.
    HostName, 253, dots: true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_name_that_dns_would_not_take_is_refused() {
        for bad in ["", "-a", "a-", "A", "a_b", "a..b", "ä", &"a".repeat(64)] {
            assert!(bad.parse::<TenantName>().is_err(), "{bad:?}");
            assert!(bad.parse::<HostName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_tenant_name_leaves_room_for_its_namespace() {
        assert!("a".repeat(54).parse::<TenantName>().is_ok());
        assert_eq!(
            "a".repeat(55).parse::<TenantName>(),
            Err(NameError::Length { max: 54 })
        );
        assert!("a.b".parse::<TenantName>().is_err());
    }

    #[test]
    fn hosts_and_objects_may_have_dots() {
        let host: HostName = "verify.acme.example".parse().unwrap();
        assert_eq!(host.to_string(), "verify.acme.example");
        assert!("over18.v2".parse::<ObjectName>().is_ok());
    }

    #[test]
    fn a_bad_name_in_a_document_says_what_is_allowed() {
        let error = serde_json::from_str::<TenantName>("\"Acme\"")
            .unwrap_err()
            .to_string();
        assert!(error.contains("lower-case letters"), "{error}");
    }
}

//! A set of public keys (RFC 7517 section 5).

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::{Jwk, jwk};

/// A JWK set.
///
/// Keys of kinds that are not supported are left out when it is read (RFC 7517 section 5); a key of
/// a supported kind that is broken, or holds private members, refuses the whole set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Jwks {
    /// The usable keys, in their order.
    pub keys: Vec<Jwk>,
}

impl Jwks {
    /// The keys for signatures that carry this id; all of them if the token names no id.
    pub fn find<'a>(&'a self, kid: Option<&'a str>) -> impl Iterator<Item = &'a Jwk> {
        self.keys
            .iter()
            .filter(move |key| kid.is_none() || key.kid() == kid)
            .filter(|key| key.is_for_signatures())
    }
}

#[derive(Deserialize)]
struct Raw {
    keys: Vec<Map<String, Value>>,
}

impl<'de> Deserialize<'de> for Jwks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Raw::deserialize(deserializer)?;
        let keys = raw
            .keys
            .into_iter()
            .filter(|members| !is_foreign(members))
            .map(Jwk::from_members)
            .collect::<Result<_, _>>()
            .map_err(serde::de::Error::custom)?;
        Ok(Self { keys })
    }
}

/// A public key of a kind we do not speak.
fn is_foreign(members: &Map<String, Value>) -> bool {
    let private = ["d", "k"].iter().any(|name| members.contains_key(*name));
    let named = members.get("kty").is_some_and(Value::is_string);
    named && !private && jwk::algorithm(members).is_err()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Algorithm, SigningKey};
    use serde_json::json;

    #[test]
    fn a_key_is_found_by_its_id_and_only_for_signatures() {
        let key = |kid: &str| {
            SigningKey::generate(Algorithm::Es256)
                .unwrap()
                .public()
                .with_kid(kid)
        };
        let mut sealed = key("c").members().clone();
        sealed.insert("use".into(), "enc".into());
        let keys = vec![
            key("a"),
            key("b"),
            key("a"),
            Jwk::from_members(sealed).unwrap(),
        ];
        let set = Jwks { keys };
        assert_eq!(set.find(Some("a")).count(), 2);
        assert_eq!(set.find(Some("x")).count(), 0);
        assert_eq!(set.find(Some("c")).count(), 0);
        assert_eq!(set.find(None).count(), 3);
        let text = serde_json::to_string(&set).unwrap();
        assert_eq!(serde_json::from_str::<Jwks>(&text).unwrap(), set);
    }

    #[test]
    fn foreign_keys_are_left_out_and_broken_ones_refuse_the_set() {
        let rsa = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"});
        let set: Jwks = serde_json::from_value(json!({"keys": [rsa]})).unwrap();
        assert!(set.keys.is_empty());
        for bad in [
            json!({"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}),
            json!({"keys": [{"kty": "oct", "k": "AA"}]}),
            json!({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "AA"}]}),
            json!({"keys": [{}]}),
            json!({}),
        ] {
            assert!(serde_json::from_value::<Jwks>(bad).is_err());
        }
    }
}

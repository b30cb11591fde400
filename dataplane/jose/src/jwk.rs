//! A public key as JSON (RFC 7517), on P-256, P-384, P-521 or Ed25519.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{Algorithm, JoseError, PublicKey, base64url, from_base64url};

/// A public JSON web key. Its point was checked when it was read; private members are refused.
#[derive(Clone, Debug)]
pub struct Jwk {
    members: Map<String, Value>,
    key: PublicKey,
}

/// Members that hold private or symmetric key material (RFC 7518 section 6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

impl Jwk {
    /// Reads a JWK from its members.
    ///
    /// # Errors
    /// [`JoseError::Key`] with the reason.
    pub fn from_members(members: Map<String, Value>) -> Result<Self, JoseError> {
        if PRIVATE.iter().any(|name| members.contains_key(*name)) {
            return Err(JoseError::Key("it holds private members"));
        }
        let algorithm = algorithm(&members)?;
        for name in ["kid", "use"] {
            if members.get(name).is_some_and(|value| !value.is_string()) {
                return Err(JoseError::Key("`kid` and `use` are strings"));
            }
        }
        if let Some(alg) = members.get("alg")
            && alg.as_str().and_then(|name| name.parse().ok()) != Some(algorithm)
        {
            return Err(JoseError::Key("`alg` is not the algorithm of its curve"));
        }
        let key = PublicKey::parse(algorithm, &point(&members, algorithm)?)?;
        Ok(Self { members, key })
    }

    pub(crate) fn from_point(algorithm: Algorithm, point: &[u8]) -> Result<Self, JoseError> {
        let mut members = Map::new();
        members.insert("crv".into(), algorithm.curve().into());
        if algorithm == Algorithm::EdDsa {
            members.insert("kty".into(), "OKP".into());
            members.insert("x".into(), base64url(point).into());
        } else {
            let (x, y) = point
                .get(1..)
                .and_then(|rest| rest.split_at_checked(algorithm.width()))
                .ok_or(JoseError::Key("not an uncompressed point"))?;
            members.insert("kty".into(), "EC".into());
            members.insert("x".into(), base64url(x).into());
            members.insert("y".into(), base64url(y).into());
        }
        Self::from_members(members)
    }

    /// The key's id, if it names one.
    pub fn kid(&self) -> Option<&str> {
        self.members.get("kid").and_then(Value::as_str)
    }

    /// The same key with this id.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.members.insert("kid".into(), kid.into().into());
        self
    }

    /// The algorithm of its curve.
    pub fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    /// The parsed key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// All members as they were read.
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// False if `use` or `key_ops` say it is for something else than signatures.
    pub fn is_for_signatures(&self) -> bool {
        let used = self.members.get("use").is_none_or(|value| value == "sig");
        let operations = self.members.get("key_ops").and_then(Value::as_array);
        used && operations.is_none_or(|ops| ops.iter().any(|op| op == "verify"))
    }

    /// The certificate chain in `x5c`, leaf first, as base64 of DER; empty if there is none.
    pub fn x5c(&self) -> Vec<&str> {
        let chain = self.members.get("x5c").and_then(Value::as_array);
        chain
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// The RFC 7638 thumbprint with SHA-256, in base64url.
    pub fn thumbprint(&self) -> String {
        // Section 3.2: the required members only, in lexicographic order, no white space. They are
        // base64url or names of curves, so that nothing needs an escape.
        let member = |name| {
            self.members
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let (crv, x) = (member("crv"), member("x"));
        let text = if self.algorithm() == Algorithm::EdDsa {
            format!(r#"{{"crv":"{crv}","kty":"OKP","x":"{x}"}}"#)
        } else {
            let y = member("y");
            format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#)
        };
        base64url(pavilion_json::Digest::of(text.as_bytes()).as_bytes())
    }
}

/// The algorithm of `kty` and `crv`.
pub(crate) fn algorithm(members: &Map<String, Value>) -> Result<Algorithm, JoseError> {
    let member = |name| members.get(name).and_then(Value::as_str);
    let kty = member("kty").ok_or(JoseError::Key("`kty` is missing"))?;
    let crv = member("crv").unwrap_or_default();
    match (kty, crv) {
        ("EC", "P-256") => Ok(Algorithm::Es256),
        ("EC", "P-384") => Ok(Algorithm::Es384),
        ("EC", "P-521") => Ok(Algorithm::Es512),
        ("OKP", "Ed25519") => Ok(Algorithm::EdDsa),
        _ => Err(JoseError::Key(
            "only the curves P-256, P-384, P-521 and Ed25519 are supported",
        )),
    }
}

/// The first byte of an uncompressed point (SEC 1 section 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// The point in the form the library parses.
pub(crate) fn point(
    members: &Map<String, Value>,
    algorithm: Algorithm,
) -> Result<Vec<u8>, JoseError> {
    let x = coordinate(members, "x", algorithm)?;
    if algorithm == Algorithm::EdDsa {
        return Ok(x);
    }
    let y = coordinate(members, "y", algorithm)?;
    Ok([&[UNCOMPRESSED][..], &x, &y].concat())
}

/// A member of fixed width in base64url.
pub(crate) fn coordinate(
    members: &Map<String, Value>,
    name: &str,
    algorithm: Algorithm,
) -> Result<Vec<u8>, JoseError> {
    let text = members
        .get(name)
        .and_then(Value::as_str)
        .ok_or(JoseError::Key("a coordinate is missing"))?;
    let bytes =
        from_base64url(text).map_err(|_| JoseError::Key("a coordinate is not base64url"))?;
    if bytes.len() != algorithm.width() {
        return Err(JoseError::Key("a coordinate has the wrong length"));
    }
    Ok(bytes)
}

impl PartialEq for Jwk {
    fn eq(&self, other: &Self) -> bool {
        self.members == other.members
    }
}

impl Eq for Jwk {}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.members.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Map::deserialize(deserializer)?;
        Self::from_members(members).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn jwk(value: Value) -> Result<Jwk, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    fn rfc_8037() -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    }

    #[test]
    fn the_thumbprint_of_rfc_8037_appendix_a_3_comes_out_as_printed() {
        let key = jwk(rfc_8037()).unwrap();
        assert_eq!(
            key.thumbprint(),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }

    #[test]
    fn the_thumbprint_ignores_every_other_member() {
        let key = crate::SigningKey::generate(Algorithm::Es256)
            .unwrap()
            .public();
        let named = key.clone().with_kid("n");
        assert_eq!(key.thumbprint(), named.thumbprint());
        assert_eq!(named.kid(), Some("n"));
        assert_ne!(key, named);
        let back: Jwk = serde_json::from_str(&serde_json::to_string(&named).unwrap()).unwrap();
        assert_eq!(back, named);
        assert_eq!(back.members(), named.members());
    }

    #[test]
    fn a_key_that_is_private_off_its_curve_or_of_another_kind_is_refused() {
        let with = |name: &str, value: Value| {
            let mut key = rfc_8037();
            key[name] = value;
            jwk(key)
        };
        let p256 = |x: &str, y: &str| jwk(json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}));
        let one = base64url(&[1; 32]);
        for refused in [
            with("d", json!("AA")),
            with("k", json!("AA")),
            with("alg", json!("ES256")),
            with("alg", json!(5)),
            with("kid", json!(5)),
            with("kty", json!("EC")),
            with("kty", json!(null)),
            with("crv", json!("X25519")),
            with("x", json!("AA")),
            with("x", json!("=")),
            p256(&one, &one),
            p256(&one, ""),
            jwk(json!({"kty": "EC", "crv": "P-256", "x": one})),
            jwk(json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"})),
        ] {
            let message = refused.unwrap_err();
            assert!(message.starts_with("not a usable key: "), "{message}");
        }
        assert!(with("alg", json!("EdDSA")).is_ok());
    }

    #[test]
    fn use_and_key_ops_decide_whether_it_is_for_signatures() {
        let with = |name: &str, value: Value| {
            let mut key = rfc_8037();
            key[name] = value;
            jwk(key).unwrap()
        };
        assert!(jwk(rfc_8037()).unwrap().is_for_signatures());
        assert!(with("use", json!("sig")).is_for_signatures());
        assert!(!with("use", json!("enc")).is_for_signatures());
        assert!(with("key_ops", json!(["verify"])).is_for_signatures());
        assert!(!with("key_ops", json!(["deriveKey"])).is_for_signatures());
        assert_eq!(with("x5c", json!(["AA", "BB"])).x5c(), ["AA", "BB"]);
        assert!(jwk(rfc_8037()).unwrap().x5c().is_empty());
    }
}

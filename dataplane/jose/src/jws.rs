//! Compact signatures (RFC 7515 section 7.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pavilion_json::Limits;
use serde_json::{Map, Value};

use crate::{Algorithm, JoseError, Jwk, PublicKey, base64url, from_base64url};

/// The longest token that is looked at, in bytes.
pub const MAX_COMPACT_BYTES: usize = 256 * 1024;

/// The most certificates in an `x5c` header.
const MAX_CHAIN: usize = 10;

/// A JOSE header. Nothing in it is trusted before the signature was verified, and no key or URL in
/// it is used unless the caller does so.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// `alg`; never `none`.
    pub alg: String,
    /// `typ`.
    pub typ: Option<String>,
    /// `kid`.
    pub kid: Option<String>,
    /// `x5c` in DER, leaf first; never empty.
    pub x5c: Option<Vec<Vec<u8>>>,
    /// `jwk`.
    pub jwk: Option<Jwk>,
    /// All other members.
    pub extra: Map<String, Value>,
}

/// A compact JWS that was taken apart and not verified.
#[derive(Clone, Debug)]
pub struct CompactJws<'a> {
    header: Header,
    payload: Vec<u8>,
    signed: &'a str,
    signature: Vec<u8>,
}

/// A JWS whose signature verified. Only [`CompactJws::verify`] makes one.
#[derive(Clone, Debug)]
pub struct VerifiedJws {
    header: Header,
    algorithm: Algorithm,
    payload: Vec<u8>,
}

impl<'a> CompactJws<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// Too large, not three parts of strict base64url, a header that is not strict JSON or not of
    /// RFC 7515's types, `alg` missing or `none`, `crit` or `b64` present.
    pub fn parse(token: &'a str) -> Result<Self, JoseError> {
        if token.len() > MAX_COMPACT_BYTES {
            return Err(JoseError::TooLarge(MAX_COMPACT_BYTES));
        }
        let three = JoseError::Malformed("it has three parts separated by dots");
        let (signed, signature) = token.rsplit_once('.').ok_or(three.clone())?;
        let (header, payload) = signed.split_once('.').ok_or(three.clone())?;
        if payload.contains('.') {
            return Err(three);
        }
        Ok(Self {
            header: Header::parse(&from_base64url(header)?)?,
            payload: from_base64url(payload)?,
            signed,
            signature: from_base64url(signature)?,
        })
    }

    /// The header, to choose a key by.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The payload, which anyone may have written; to choose a key by, and nothing else.
    pub fn unverified_payload(&self) -> &[u8] {
        &self.payload
    }

    /// What the signature covers: header and payload as they were sent. Two tokens that agree in
    /// it were made of one; the signature itself may be written in several ways (RFC 7515 section 5.1).
    pub fn signing_input(&self) -> &'a str {
        self.signed
    }

    /// Verifies under this key with one of these algorithms.
    ///
    /// # Errors
    /// [`JoseError::UnsupportedAlgorithm`], [`JoseError::NotAllowed`], [`JoseError::KeyMismatch`],
    /// [`JoseError::Signature`].
    pub fn verify(self, key: &PublicKey, allowed: &[Algorithm]) -> Result<VerifiedJws, JoseError> {
        let algorithm: Algorithm = self.header.alg.parse()?;
        if !allowed.contains(&algorithm) {
            return Err(JoseError::NotAllowed(algorithm));
        }
        key.verify(algorithm, self.signed.as_bytes(), &self.signature)?;
        Ok(VerifiedJws {
            header: self.header,
            algorithm,
            payload: self.payload,
        })
    }
}

impl VerifiedJws {
    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The algorithm it was verified with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Header and payload.
    pub fn into_parts(self) -> (Header, Vec<u8>) {
        (self.header, self.payload)
    }
}

impl Header {
    /// Whether `typ` is this media type, written with or without `application/` and in any case
    /// (RFC 7515 section 4.1.9, RFC 2045 section 5.1). Without a `typ` it is not.
    pub fn is_type(&self, subtype: &str) -> bool {
        let Some(typ) = self.typ.as_deref() else {
            return false;
        };
        let (tree, name) = typ.split_once('/').unwrap_or(("application", typ));
        tree.eq_ignore_ascii_case("application") && name.eq_ignore_ascii_case(subtype)
    }

    fn parse(bytes: &[u8]) -> Result<Self, JoseError> {
        let Value::Object(mut members) =
            pavilion_json::parse(bytes, Limits::CREDENTIAL).map_err(JoseError::Header)?
        else {
            return Err(JoseError::Malformed("the header is a JSON object"));
        };
        if members.contains_key("crit") || members.contains_key("b64") {
            return Err(JoseError::Critical);
        }
        let alg = text(&mut members, "alg")?.ok_or(JoseError::Malformed("`alg` is missing"))?;
        if alg.eq_ignore_ascii_case("none") {
            return Err(JoseError::UnsupportedAlgorithm);
        }
        Ok(Self {
            alg,
            typ: text(&mut members, "typ")?,
            kid: text(&mut members, "kid")?,
            x5c: members.remove("x5c").as_ref().map(chain).transpose()?,
            jwk: members.remove("jwk").map(key).transpose()?,
            extra: members,
        })
    }
}

fn text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, JoseError> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(JoseError::Malformed("`alg`, `typ` and `kid` are strings")),
    }
}

fn key(value: Value) -> Result<Jwk, JoseError> {
    match value {
        Value::Object(members) => Jwk::from_members(members),
        _ => Err(JoseError::Malformed("`jwk` is a JSON object")),
    }
}

/// `x5c` (section 4.1.6): base64 with padding, not base64url.
fn chain(value: &Value) -> Result<Vec<Vec<u8>>, JoseError> {
    let malformed = JoseError::Malformed("`x5c` is a list of one to ten certificates in base64");
    let items = value.as_array().ok_or(malformed.clone())?;
    if items.is_empty() || items.len() > MAX_CHAIN {
        return Err(malformed);
    }
    items
        .iter()
        .map(|item| item.as_str().and_then(|text| STANDARD.decode(text).ok()))
        .collect::<Option<_>>()
        .ok_or(malformed)
}

/// The text that a signature covers (section 5.1): `BASE64URL(header).BASE64URL(payload)`.
pub fn signing_input(header: &Value, payload: &[u8]) -> String {
    let mut out = base64url(header.to_string().as_bytes());
    out.push('.');
    out.push_str(&base64url(payload));
    out
}

/// The finished token of a signing input and the raw signature over it.
pub fn attach(signing_input: &str, signature: &[u8]) -> String {
    format!("{signing_input}.{}", base64url(signature))
}

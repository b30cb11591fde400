//! Published vectors, and what a compact JWS is refused for.
#![allow(clippy::unwrap_used, missing_docs)]

use pavilion_jose::{
    Algorithm, CompactJws, JoseError, Jwk, MAX_COMPACT_BYTES, PublicKey, SigningKey, base64url,
    signing_input,
};
use proptest::prelude::*;
use serde_json::json;

/// RFC 7515 appendix A.3.
const RFC_7515_A_3: &str = "eyJhbGciOiJFUzI1NiJ9.\
eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

/// RFC 8037 appendix A.4.
const RFC_8037_A_4: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

/// RFC 7515 appendix A.4: ES512.
const RFC_7515_A_4: &str = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.\
AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7Xdt\
AG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";

fn jwk(value: serde_json::Value) -> Jwk {
    serde_json::from_value(value).unwrap()
}

fn es256() -> Jwk {
    jwk(json!({"kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}))
}

fn es512() -> Jwk {
    jwk(json!({"kty": "EC", "crv": "P-521",
        "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
        "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}))
}

fn ed25519() -> Jwk {
    jwk(json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}))
}

#[test]
fn the_published_tokens_verify_under_the_published_keys() {
    for (token, key, payload) in [
        (RFC_7515_A_3, es256(), &b"{\"iss\":\"joe\",\r\n"[..]),
        (RFC_7515_A_4, es512(), b"Payload"),
        (RFC_8037_A_4, ed25519(), b"Example of Ed25519 signing"),
    ] {
        let jws = CompactJws::parse(token).unwrap();
        let verified = jws
            .verify(&PublicKey::from_jwk(&key), &Algorithm::ALL)
            .unwrap();
        assert!(verified.payload().starts_with(payload));
        assert_eq!(verified.algorithm(), key.algorithm());
    }
}

#[test]
fn the_published_signature_of_ed25519_comes_out_the_same() {
    let key = SigningKey::from_jwk(&json!({"kty": "OKP", "crv": "Ed25519",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}))
    .unwrap();
    let token = key
        .sign_compact(&json!({"alg": "EdDSA"}), b"Example of Ed25519 signing")
        .unwrap();
    assert_eq!(token, RFC_8037_A_4);
}

#[test]
fn the_token_chooses_neither_algorithm_nor_key() {
    let verify = |key: &Jwk, allowed: &[Algorithm]| {
        CompactJws::parse(RFC_7515_A_3)
            .unwrap()
            .verify(key.key(), allowed)
            .map(|_| ())
    };
    let es256_only = [Algorithm::Es256];
    assert_eq!(
        verify(&es256(), &[Algorithm::EdDsa]),
        Err(JoseError::NotAllowed(Algorithm::Es256))
    );
    assert_eq!(verify(&ed25519(), &es256_only), Err(JoseError::KeyMismatch));
    let other = SigningKey::generate(Algorithm::Es256).unwrap().public();
    assert_eq!(verify(&other, &es256_only), Err(JoseError::Signature));
    assert_eq!(verify(&es256(), &es256_only), Ok(()));
}

fn token(header: &serde_json::Value) -> String {
    format!("{}.AA", signing_input(header, b"{}"))
}

#[test]
fn a_header_with_a_trap_is_refused() {
    for (header, error) in [
        (json!({"alg": "none"}), JoseError::UnsupportedAlgorithm),
        (json!({"alg": "NoNe"}), JoseError::UnsupportedAlgorithm),
        (
            json!({"alg": "ES256", "crit": ["exp"]}),
            JoseError::Critical,
        ),
        (json!({"alg": "ES256", "b64": false}), JoseError::Critical),
    ] {
        assert_eq!(CompactJws::parse(&token(&header)).unwrap_err(), error);
    }
    for header in [
        json!({}),
        json!({"alg": 1}),
        json!({"alg": "ES256", "kid": 1}),
        json!({"alg": "ES256", "typ": []}),
        json!({"alg": "ES256", "x5c": []}),
        json!({"alg": "ES256", "x5c": ["-_8"]}),
        json!({"alg": "ES256", "x5c": "AA=="}),
        json!({"alg": "ES256", "jwk": "x"}),
        json!([1]),
    ] {
        let error = CompactJws::parse(&token(&header)).unwrap_err();
        assert!(matches!(error, JoseError::Malformed(_)), "{error}");
    }
    let private =
        json!({"alg": "EdDSA", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA"}});
    assert!(matches!(
        CompactJws::parse(&token(&private)),
        Err(JoseError::Key(_))
    ));
    let twice = format!("{}.AA.AA", base64url(br#"{"alg":"ES256","alg":"none"}"#));
    assert!(matches!(
        CompactJws::parse(&twice),
        Err(JoseError::Header(_))
    ));
}

#[test]
fn an_algorithm_we_do_not_speak_is_refused_when_verified() {
    let hmac = token(&json!({"alg": "HS256"}));
    let refused = CompactJws::parse(&hmac)
        .unwrap()
        .verify(es256().key(), &Algorithm::ALL);
    assert_eq!(refused.unwrap_err(), JoseError::UnsupportedAlgorithm);
}

#[test]
fn what_is_no_compact_jws_is_refused() {
    for bad in ["", "a", "a.b", "e30.e30.e30.e30", "e30.e30", "..", "=.=.="] {
        assert!(CompactJws::parse(bad).is_err(), "{bad}");
    }
    let padded = RFC_7515_A_3.replacen('.', "=.", 1);
    assert_eq!(CompactJws::parse(&padded).unwrap_err(), JoseError::Base64);
    let huge = "a".repeat(MAX_COMPACT_BYTES + 1);
    assert_eq!(
        CompactJws::parse(&huge).unwrap_err(),
        JoseError::TooLarge(MAX_COMPACT_BYTES)
    );
}

#[test]
fn the_header_is_handed_out_in_parts() {
    let key = SigningKey::generate(Algorithm::Es384).unwrap();
    let header = json!({"alg": "ES384", "typ": "x+jwt", "kid": "k", "x5c": ["AQI="],
        "jwk": key.public(), "jku": "https://keys.example"});
    let token = key.sign_compact(&header, b"payload").unwrap();
    let jws = CompactJws::parse(&token).unwrap();
    assert_eq!(jws.unverified_payload(), b"payload");
    assert_eq!(jws.header().typ.as_deref(), Some("x+jwt"));
    assert_eq!(jws.header().x5c, Some(vec![vec![1, 2]]));
    let (header, payload) = jws
        .verify(key.public().key(), &[Algorithm::Es384])
        .unwrap()
        .into_parts();
    assert_eq!(header.kid.as_deref(), Some("k"));
    assert_eq!(header.jwk, Some(key.public()));
    assert!(header.extra.contains_key("jku"));
    assert_eq!(payload, b"payload");
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "[A-Za-z0-9_.=-]{0,80}") {
        let _ = CompactJws::parse(&text);
    }

    #[test]
    fn a_changed_byte_anywhere_never_verifies(at in 0..RFC_7515_A_3.len(), to in 33_u8..127) {
        let mut bytes = RFC_7515_A_3.as_bytes().to_vec();
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        let changed = String::from_utf8(bytes).unwrap();
        let outcome = CompactJws::parse(&changed)
            .and_then(|jws| jws.verify(es256().key(), &Algorithm::ALL));
        prop_assert!(outcome.is_err());
    }
}

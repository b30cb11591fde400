//! What an issuer signed and a holder presented is refused, or comes out without a trace of disclosing.
//!
//! The signatures are made here, so that what is inside them is reached. A line that begins with `+`
//! is a disclosure, one with `=` the payload of the key-binding JWT, any other the payload of the
//! credential. `#n#` stands for the digest of disclosure n, `#sd#` for the `sd_hash`.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use pavilion_jose::{Jwks, SigningKey, base64url};
use pavilion_json::{Limits, read};
use pavilion_proofs::sd_jwt::{Expected, MAX_DISCLOSURES, verify};
use pavilion_proofs::{IssuerKeys, PreparedAnchors, TrustAnchor, TrustedIssuer};
use serde_json::{Value, json};

/// When the seeds were presented.
const NOW: i64 = 1_795_560_024;

static ISSUER: LazyLock<SigningKey> = LazyLock::new(|| {
    key(include_str!(
        "../../examples/quickstart/dev-keys/issuer.jwk.json"
    ))
});
static HOLDER: LazyLock<SigningKey> =
    LazyLock::new(|| key(include_str!("../material/holder.jwk.json")));
static ANCHORS: LazyLock<PreparedAnchors> = LazyLock::new(|| {
    let anchor = TrustAnchor {
        credential_types: vec!["urn:eudi:pid:1".to_owned()],
        issuers: vec![TrustedIssuer {
            issuer: Some("https://issuer.example".to_owned()),
            keys: IssuerKeys::Jwks(Jwks {
                keys: vec![ISSUER.public()],
            }),
        }],
        status: pavilion_proofs::StatusRules::default(),
        algorithms: pavilion_proofs::default_algorithms(),
        assurance: None,
    };
    PreparedAnchors::new(&BTreeMap::from([("demo", anchor)])).expect("a usable anchor")
});

fn key(text: &str) -> SigningKey {
    let jwk: Value = read(text.as_bytes(), Limits::REQUEST).expect("a key");
    SigningKey::from_jwk(&jwk).expect("a private key")
}

fn sha256(text: &str) -> String {
    base64url(digest(&SHA256, text.as_bytes()).as_ref())
}

/// The lines of an input.
#[derive(Default)]
struct Draft {
    payload: String,
    disclosures: Vec<String>,
    key_binding: Option<String>,
}

impl Draft {
    fn of(text: &str) -> Self {
        let mut draft = Self::default();
        for line in text.lines() {
            if let Some(disclosure) = line.strip_prefix('+') {
                draft.disclosures.push(disclosure.to_owned());
            } else if let Some(payload) = line.strip_prefix('=') {
                draft.key_binding = Some(payload.to_owned());
            } else {
                line.clone_into(&mut draft.payload);
            }
        }
        draft.disclosures.truncate(MAX_DISCLOSURES);
        draft
    }

    /// The signed presentation.
    fn presentation(mut self) -> String {
        for number in (0..self.disclosures.len()).rev() {
            let encoded = base64url(self.disclosures[number].as_bytes());
            let (name, hash) = (format!("#{number}#"), sha256(&encoded));
            self.disclosures[number] = encoded;
            for other in &mut self.disclosures[..number] {
                *other = other.replace(&name, &hash);
            }
            self.payload = self.payload.replace(&name, &hash);
        }
        let header = json!({"alg": "ES256", "typ": "dc+sd-jwt", "kid": ISSUER.public().kid()});
        let mut text = signed(&ISSUER, &header, &self.payload);
        for disclosure in &self.disclosures {
            text.push('~');
            text.push_str(disclosure);
        }
        text.push('~');
        if let Some(payload) = self.key_binding {
            let payload = payload.replace("#sd#", &sha256(&text));
            text.push_str(&signed(
                &HOLDER,
                &json!({"alg": "ES256", "typ": "kb+jwt"}),
                &payload,
            ));
        }
        text
    }
}

fn signed(key: &SigningKey, header: &Value, payload: &str) -> String {
    key.sign_compact(header, payload.as_bytes())
        .expect("a signature")
}

fn is_clean(value: &Value) -> bool {
    match value {
        Value::Object(members) => members
            .iter()
            .all(|(name, value)| !matches!(&**name, "_sd" | "..." | "_sd_alg") && is_clean(value)),
        Value::Array(items) => items.iter().all(is_clean),
        _ => true,
    }
}

fuzz_target!(|text: &str| {
    let draft = Draft::of(text);
    let holder_binding = draft.key_binding.is_some();
    let presentation = draft.presentation();
    let expected = Expected {
        evidence_id: "pid",
        types: &["urn:eudi:pid:1".to_owned()],
        anchors: &ANCHORS,
        trust: &["demo".to_owned()],
        nonce: "1cc5720ce2cca173c77ff6986fdf749b",
        audience: "https://verify.acme.localhost",
        now: Timestamp::from_second(NOW).expect("a time"),
        leeway: Duration::from_mins(1),
        key_binding_max_age: Duration::from_mins(5),
        holder_binding,
    };
    match verify(&presentation, &expected) {
        Ok(credential) => {
            assert!(credential.claims.values().all(is_clean));
            assert!(credential.claims.keys().all(|name| name != "_sd"));
            assert_eq!(credential.issuer, "https://issuer.example");
            assert_eq!(credential.holder_thumbprint.is_some(), holder_binding);
        }
        Err(error) => assert!(error.detail.ends_with('.')),
    }
});

//! A wallet with an issuer of its own, written for tests: it can also do everything wrong.
//!
//! It shares no code with `pavilion-proofs`, so that a mistake there is not made twice.

use std::io::Write;

use aws_lc_rs::digest::{SHA256, digest};
use flate2::{Compression, write::ZlibEncoder};
use pavilion_jose::{Algorithm, SigningKey, attach, base64url, signing_input};
use serde_json::{Map, Value, json};

use crate::manifests::PID;
use crate::relying_party::{nonce, now};

/// Keys of an issuer and of a holder.
pub struct Wallet {
    issuer_key: SigningKey,
    /// What the issuer's key is called.
    issuer_kid: String,
    holder_key: SigningKey,
}

/// One credential and how it is presented. Every field may be made wrong.
#[derive(Clone, Debug)]
pub struct Presentation {
    /// The issuer's header.
    pub header: Map<String, Value>,
    /// Claims everybody sees; `iss`, `vct`, `iat`, `exp` and `cnf` among them.
    pub open: Map<String, Value>,
    /// Claims behind digests.
    pub concealed: Map<String, Value>,
    /// Which of them are revealed.
    pub disclose: Vec<String>,
    /// The key-binding header.
    pub binding_header: Map<String, Value>,
    /// The key-binding claims; `sd_hash` is added unless it is there.
    pub binding: Map<String, Value>,
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().expect("an object")
}

fn sha256(text: &str) -> String {
    base64url(digest(&SHA256, text.as_bytes()).as_ref())
}

fn sign(key: &SigningKey, header: &Map<String, Value>, payload: &Map<String, Value>) -> String {
    let payload = serde_json::to_vec(payload).expect("a payload");
    let input = signing_input(&Value::Object(header.clone()), &payload);
    let signature = key.sign(input.as_bytes()).expect("a signature");
    attach(&input, &signature)
}

impl Default for Wallet {
    fn default() -> Self {
        let key = || SigningKey::generate(Algorithm::Es256).expect("a key");
        Self {
            issuer_key: key(),
            issuer_kid: "issuer-1".to_owned(),
            holder_key: key(),
        }
    }
}

impl Wallet {
    /// A new holder's, of an issuer whose private JWK is there already.
    pub fn of_issuer(jwk: &Value) -> Self {
        Self {
            issuer_key: SigningKey::from_jwk(jwk).expect("a key"),
            issuer_kid: jwk["kid"].as_str().expect("a name of the key").to_owned(),
            ..Self::default()
        }
    }

    /// The issuer's `iss`.
    pub fn issuer(&self) -> &'static str {
        "https://issuer.example"
    }

    /// The issuer's public key, as a trust anchor lists it.
    pub fn issuer_jwk(&self) -> Value {
        let mut jwk = serde_json::to_value(self.issuer_key.public()).expect("a JWK");
        jwk["kid"] = json!(self.issuer_kid);
        jwk
    }

    /// The private keys, for a foreign wallet's job: issuer's and holder's.
    pub fn private_keys(&self) -> (Value, Value) {
        let mut issuer = self.issuer_key.to_jwk().expect("a JWK");
        issuer["kid"] = json!(self.issuer_kid);
        (issuer, self.holder_key.to_jwk().expect("a JWK"))
    }

    /// A sound presentation of these claims, all concealed and all revealed.
    pub fn sound(&self, vct: &str, claims: &Value, audience: &str, nonce: &str) -> Presentation {
        let holder = serde_json::to_value(self.holder_key.public()).expect("a JWK");
        let concealed = map(claims);
        Presentation {
            header: map(&json!({"alg": "ES256", "typ": "dc+sd-jwt", "kid": self.issuer_kid})),
            open: map(&json!({
                "iss": self.issuer(), "vct": vct, "iat": now() - 3600, "exp": now() + 86_400, "cnf": {"jwk": holder},
            })),
            disclose: concealed.keys().cloned().collect(),
            concealed,
            binding_header: map(&json!({"alg": "ES256", "typ": "kb+jwt"})),
            binding: map(&json!({"iat": now(), "aud": audience, "nonce": nonce})),
        }
    }

    /// A sound presentation of somebody born on that day who lives in Germany.
    pub fn born(&self, birthdate: &str, audience: &str, nonce: &str) -> Presentation {
        let claims = json!({"birthdate": birthdate, "address": {"country": "DE"}});
        self.sound(PID, &claims, audience, nonce)
    }

    /// Writes the presentation out, signed by issuer and holder.
    pub fn write(&self, presentation: &Presentation) -> String {
        self.write_with(presentation, &self.holder_key)
    }

    /// Writes the presentation out with another holder's signature.
    pub fn write_with(&self, presentation: &Presentation, holder: &SigningKey) -> String {
        let (issued, disclosures) = self.issue(presentation);
        let mut text = format!("{issued}~");
        for (name, disclosure) in &disclosures {
            if presentation.disclose.contains(name) {
                text.push_str(disclosure);
                text.push('~');
            }
        }
        let mut binding = presentation.binding.clone();
        binding
            .entry("sd_hash")
            .or_insert_with(|| json!(sha256(&text)));
        text + &sign(holder, &presentation.binding_header, &binding)
    }

    /// A status list token of the issuer (draft-ietf-oauth-status-list) with two bits an entry;
    /// `change` may spoil its claims.
    pub fn status_list(
        &self,
        uri: &str,
        entries: &[u8],
        change: impl FnOnce(&mut Value),
    ) -> String {
        let mut list = vec![0; entries.len().div_ceil(4)];
        for (index, entry) in entries.iter().enumerate() {
            list[index / 4] |= (entry & 3) << (2 * (index % 4));
        }
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&list).expect("a list in memory");
        let compressed = encoder.finish().expect("a list in memory");
        let mut claims = json!({
            "iss": self.issuer(), "sub": uri, "iat": now() - 5, "exp": now() + 3600,
            "status_list": {"bits": 2, "lst": base64url(&compressed)},
        });
        change(&mut claims);
        let header = map(&json!({"alg": "ES256", "typ": "statuslist+jwt", "kid": self.issuer_kid}));
        sign(&self.issuer_key, &header, &map(&claims))
    }

    fn issue(&self, presentation: &Presentation) -> (String, Vec<(String, String)>) {
        let mut disclosures = Vec::new();
        for (name, value) in &presentation.concealed {
            let disclosure = json!([nonce(), name, value]).to_string();
            disclosures.push((name.clone(), base64url(disclosure.as_bytes())));
        }
        let mut payload = presentation.open.clone();
        let digests: Vec<_> = disclosures
            .iter()
            .map(|(_, disclosure)| sha256(disclosure))
            .collect();
        payload.insert("_sd".to_owned(), json!(digests));
        (
            sign(&self.issuer_key, &presentation.header, &payload),
            disclosures,
        )
    }
}

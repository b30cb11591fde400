//! A small world to test in: an issuer, a holder, a tenant that trusts the issuer, and a moment.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pavilion_jose::{Algorithm, Jwks, SigningKey};
use pavilion_proofs::sd_jwt::{Credential, Expected, StatusReference, verify};
use pavilion_proofs::wallet::{ClaimPath, Draft, Holder, Issuer, Session};
use pavilion_proofs::{
    IssuerKeys, PreparedAnchors, ProofError, StatusRules, TrustAnchor, TrustedIssuer, Verified,
    default_algorithms,
};
use serde_json::{Map, Value, json};

pub const ISSUER: &str = "https://pid.example";
pub const VCT: &str = "urn:eudi:pid:1";
pub const NONCE: &str = "n-0S6_WzA2Mj-8kq3";
pub const AUDIENCE: &str = "https://verify.acme.example";

pub fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

pub fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

pub fn key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).unwrap()
}

pub fn copy(key: &SigningKey) -> SigningKey {
    SigningKey::from_jwk(&key.to_jwk().unwrap()).unwrap()
}

pub fn paths(texts: &[&str]) -> Vec<ClaimPath> {
    texts.iter().map(|text| ClaimPath::from(*text)).collect()
}

pub fn object(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else {
        panic!("not an object");
    };
    members
}

pub struct World {
    pub issuer_key: SigningKey,
    pub holder_key: SigningKey,
    pub issuer: Issuer,
    pub holder: Holder,
    pub anchor: TrustAnchor,
}

impl World {
    pub fn new() -> Self {
        Self::of(key(), key())
    }

    pub fn of(issuer_key: SigningKey, holder_key: SigningKey) -> Self {
        let keys = IssuerKeys::Jwks(Jwks {
            keys: vec![issuer_key.public()],
        });
        Self {
            issuer: Issuer::new(ISSUER, copy(&issuer_key)),
            holder: Holder::new(copy(&holder_key)),
            issuer_key,
            holder_key,
            anchor: anchor(TrustedIssuer {
                issuer: Some(ISSUER.to_owned()),
                keys,
            }),
        }
    }

    /// A credential with a bit of everything disclosable.
    pub fn draft(&self) -> Draft {
        let claims = json!({
            "given_name": "Erika",
            "birthdate": "1963-08-12",
            "address": {"street_address": "Heidestraße 17", "country": "DE"},
            "nationalities": ["DE", "FR"],
        });
        let mut draft = Draft::new(VCT, object(claims), now() - seconds(3_600));
        draft.disclosable = paths(&[
            "given_name",
            "birthdate",
            "address.country",
            "address",
            "nationalities.1",
        ]);
        draft.expires_at = Some(now() + seconds(86_400));
        draft.holder = Some(self.holder_key.public());
        draft
    }

    pub fn credential(&self) -> String {
        self.issuer.issue(&self.draft()).unwrap()
    }

    /// The whole path: issued by the draft, presented with the birth date.
    pub fn presentation_of(&self, draft: &Draft) -> String {
        let credential = self.issuer.issue(draft).unwrap();
        self.present(&credential, &["birthdate"])
    }

    pub fn present(&self, credential: &str, reveal: &[&str]) -> String {
        self.holder
            .present(credential, &paths(reveal), session())
            .unwrap()
    }

    /// A presentation whose issuer-signed JWT is written by hand.
    pub fn forged(&self, header: &Value, payload: &Value) -> String {
        let jwt = self
            .issuer_key
            .sign_compact(header, payload.to_string().as_bytes())
            .unwrap();
        let credential = format!("{jwt}~");
        // What the wallet cannot even read is sent as it is.
        self.holder
            .present(&credential, &[], session())
            .unwrap_or(credential)
    }

    /// A presentation of the payload that `change` makes of an honest one without disclosures.
    pub fn with_payload(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut payload = self.payload();
        change(&mut payload);
        self.forged(&self.header(), &payload)
    }

    /// A presentation under the header that `change` makes of an honest one.
    pub fn with_header(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut header = self.header();
        change(&mut header);
        self.forged(&header, &self.payload())
    }

    pub fn header(&self) -> Value {
        json!({"alg": "ES256", "typ": "dc+sd-jwt", "kid": self.issuer_key.public().kid()})
    }

    pub fn payload(&self) -> Value {
        json!({
            "iss": ISSUER,
            "vct": VCT,
            "iat": now().as_second() - 3_600,
            "exp": now().as_second() + 86_400,
            "cnf": {"jwk": self.holder_key.public()},
        })
    }

    pub fn verify(&self, presentation: &str) -> Result<Verified<Credential>, ProofError> {
        self.verify_with(presentation, |_| {})
    }

    pub fn verify_with(
        &self,
        presentation: &str,
        change: impl FnOnce(&mut Expected<'_>),
    ) -> Result<Verified<Credential>, ProofError> {
        let anchors = prepared(self.anchor.clone());
        let (types, trust) = ([VCT.to_owned()], ["pid-issuers".to_owned()]);
        let mut expected = Expected {
            evidence_id: "pid",
            types: &types,
            anchors: &anchors,
            trust: &trust,
            nonce: NONCE,
            audience: AUDIENCE,
            now: now(),
            leeway: Duration::from_mins(1),
            key_binding_max_age: Duration::from_mins(5),
            holder_binding: true,
        };
        change(&mut expected);
        verify(presentation, &expected)
    }

    /// The code a presentation is refused with.
    pub fn refusal(&self, presentation: &str) -> &'static str {
        code(self.verify(presentation))
    }
}

pub fn session() -> Session<'static> {
    Session {
        nonce: NONCE,
        audience: AUDIENCE,
        now: now(),
    }
}

pub fn code(result: Result<Verified<Credential>, ProofError>) -> &'static str {
    result.expect_err("it was accepted").code.code
}

pub fn anchor(issuer: TrustedIssuer) -> TrustAnchor {
    TrustAnchor {
        credential_types: vec![VCT.to_owned()],
        issuers: vec![issuer],
        status: StatusRules {
            required: false,
            allow_private_addresses: true,
            ..StatusRules::default()
        },
        algorithms: default_algorithms(),
        assurance: None,
    }
}

pub fn prepared(anchor: TrustAnchor) -> PreparedAnchors {
    PreparedAnchors::new(&BTreeMap::from([("pid-issuers".to_owned(), anchor)])).unwrap()
}

pub fn reference(uri: &str, index: u64) -> StatusReference {
    StatusReference {
        uri: uri.to_owned(),
        index,
    }
}

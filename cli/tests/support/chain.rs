//! What a broker does at the end of a verification, with software keys in place of the token: log, sign,
//! receipt.

use jiff::Timestamp;
use pavilion_jose::{Algorithm, SigningKey};
use pavilion_json::Digest;
use pavilion_results::{
    Answer, Check, CheckKind, Evidence, PolicyReference, Salt, Unsigned, Verdict,
};
use pavilion_tlog::{Checkpoint, Hash, Node, Note, Proof, VerifierKey, leaf_hash, node_hash};
use serde_json::{Map, Value, json};

/// The tenant's URL.
pub const ISSUER: &str = "https://verify.acme.example";
/// The log's origin.
pub const ORIGIN: &str = "verify.acme.example/log";
/// The nonce of every answer here.
pub const NONCE: &str = "n-0S6_WzA2Mj";

/// The tenant's keys.
pub struct Tenant {
    result: SigningKey,
    log: SigningKey,
    audience: &'static str,
}

/// A logged and signed answer.
pub struct Answered {
    /// The signed form.
    pub jwt: String,
    /// The tlog-proof.
    pub receipt: String,
    /// The checkpoint in it.
    pub checkpoint: String,
}

impl Tenant {
    /// A tenant with new keys, which addresses its answers to this audience.
    pub fn new(audience: &'static str) -> Self {
        Self {
            result: SigningKey::generate(Algorithm::Es256).unwrap(),
            log: SigningKey::generate(Algorithm::EdDsa).unwrap(),
            audience,
        }
    }

    /// Its key set.
    pub fn jwks(&self) -> Value {
        let public = self.result.public();
        let kid = public.thumbprint();
        json!({"keys": [public.with_kid(kid)]})
    }

    /// Its log's key.
    pub fn log_key(&self) -> VerifierKey {
        let public = self.log.public();
        let x = public.members()["x"].as_str().unwrap();
        VerifierKey::new(
            ORIGIN,
            pavilion_jose::from_base64url(x)
                .unwrap()
                .try_into()
                .unwrap(),
        )
        .unwrap()
    }

    /// Answers a request.
    pub fn answer(&self, request: &[u8], verdict: Verdict, policy: Digest) -> Answered {
        let draft = Answer {
            aud: self.audience.to_owned(),
            ..draft(request, verdict, policy)
        };
        let salt = Salt::generate().unwrap();
        let leaf = draft.commit(&salt).unwrap();
        let entries = vec![b"an earlier entry".to_vec(), leaf.bytes().unwrap()];
        let evidence = Evidence {
            log: ORIGIN.to_owned(),
            index: 1,
            leaf: leaf.hash().unwrap(),
            salt,
        };
        let answer = draft.with_evidence(evidence);
        let kid = self.result.public().thumbprint();
        let unsigned = Unsigned::jwt(&answer, Algorithm::Es256, &kid).unwrap();
        let signature = self
            .result
            .sign(unsigned.signing_input().as_bytes())
            .unwrap();
        let proof = self.prove(&entries);
        Answered {
            jwt: unsigned.sign(&signature),
            receipt: proof.to_string(),
            checkpoint: proof.checkpoint.to_string(),
        }
    }

    fn prove(&self, entries: &[Vec<u8>]) -> Proof {
        let read = |node: Node| Ok::<Hash, ()>(subtree(entries, node));
        let root = pavilion_tlog::root(2, read).unwrap();
        let text = Checkpoint::new(ORIGIN, 2, root).unwrap().to_string();
        let signature = self.log.sign(text.as_bytes()).unwrap().try_into().unwrap();
        Proof {
            extra: Some(entries[1].clone()),
            index: 1,
            hashes: pavilion_tlog::inclusion_proof(1, 2, read).unwrap(),
            checkpoint: Note::new(&text, vec![self.log_key().signature(signature)]).unwrap(),
        }
    }
}

fn subtree(entries: &[Vec<u8>], node: Node) -> Hash {
    if node.level == 0 {
        return leaf_hash(&entries[usize::try_from(node.index).unwrap()]);
    }
    let child = |offset| {
        subtree(
            entries,
            Node {
                level: node.level - 1,
                index: node.index * 2 + offset,
            },
        )
    };
    node_hash(&child(0), &child(1))
}

fn draft(request: &[u8], verdict: Verdict, policy: Digest) -> Answer {
    let now = Timestamp::now().as_second();
    let mut credential = Check::new("pid", CheckKind::Credential, verdict);
    credential.format = Some("dc+sd-jwt".to_owned());
    credential.issuer = Some("https://pid.example".to_owned());
    Answer {
        iss: ISSUER.to_owned(),
        aud: "shop".to_owned(),
        jti: "01J0000000000000000000TEST".to_owned(),
        iat: now,
        exp: now + 600,
        nonce: NONCE.to_owned(),
        req_digest: Digest::of(request),
        policy: PolicyReference {
            name: "over18".to_owned(),
            revision: 1,
            digest: policy,
        },
        purpose: "age-restricted-sale".to_owned(),
        verdict,
        checks: vec![credential],
        claims: Map::new(),
        region: "eu-central".to_owned(),
        retention: None,
        evidence: None,
    }
}

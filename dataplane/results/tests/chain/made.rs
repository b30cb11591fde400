//! A whole chain as the broker makes it, with software keys in place of the token.

use std::sync::LazyLock;

use jiff::Timestamp;
use pavilion_jose::{Algorithm, Jwks, SigningKey};
use pavilion_json::Digest;
use pavilion_results::{
    Answer, Check, CheckKind, Evidence, Expected, Inputs, PolicyReference, Report, Retention, Salt,
    Unsigned, Verdict, verify,
};
use pavilion_tlog::{Checkpoint, Hash, Node, Note, Proof, VerifierKey, leaf_hash};
use serde_json::{Map, json};

pub const ISSUER: &str = "https://verify.acme.example";
pub const ORIGIN: &str = "verify.acme.example/log";
pub const REQUEST: &[u8] = br#"{"policy":"account-opening","purpose":"account-opening"}"#;
pub const IAT: i64 = 1_800_000_000;

/// What a relying party holds afterwards.
#[derive(Clone)]
pub struct Chain {
    pub answer: String,
    pub receipt: String,
    pub jwks: Jwks,
    pub log_key: String,
    pub policy: Digest,
}

pub struct Keys {
    pub result: SigningKey,
    pub log: SigningKey,
}

impl Keys {
    pub fn new() -> Self {
        Self {
            result: SigningKey::generate(Algorithm::Es256).unwrap(),
            log: SigningKey::generate(Algorithm::EdDsa).unwrap(),
        }
    }

    pub fn verifier_key(&self, origin: &str) -> VerifierKey {
        let x = self.log.public().members()["x"]
            .as_str()
            .unwrap()
            .to_owned();
        VerifierKey::new(
            origin,
            pavilion_jose::from_base64url(&x)
                .unwrap()
                .try_into()
                .unwrap(),
        )
        .unwrap()
    }
}

pub static KEYS: LazyLock<Keys> = LazyLock::new(Keys::new);
pub static CHAIN: LazyLock<Chain> = LazyLock::new(|| chain(&KEYS, answer(), |_| {}));

/// A check that says everything a check can say.
fn credential() -> Check {
    let text = |text: &str| Some(text.to_owned());
    let mut check = Check::new("pid", CheckKind::Credential, Verdict::Pass);
    check.format = text("dc+sd-jwt");
    check.issuer = text("https://pid.example");
    check.credential_type = text("urn:eudi:pid:1");
    check.assurance = text("high");
    check.methods = ["issuer_signature", "key_binding", "status_list"]
        .map(str::to_owned)
        .to_vec();
    check.status = text("valid");
    check.age_seconds = Some(120);
    check.proof_digest = Some(Digest::of(b"presentation"));
    check
}

pub fn answer() -> Answer {
    let mut clause = Check::new("rule.all[1]", CheckKind::Clause, Verdict::Fail);
    clause.code = Some("clause_not_met".to_owned());
    clause.because = Some("none of: pid.country in [DE, FR, NL]".to_owned());
    clause.hint = Some("See the clause's sentence for what it wants.".to_owned());
    Answer {
        iss: ISSUER.to_owned(),
        aud: "shop".to_owned(),
        jti: "01JZZZZZZZZZZZZZZZZZZZZZZZ".to_owned(),
        iat: IAT,
        exp: IAT + 600,
        nonce: "n-0S6_WzA2Mj".to_owned(),
        req_digest: Digest::of(REQUEST),
        policy: PolicyReference {
            name: "account-opening".to_owned(),
            revision: 3,
            digest: Digest::of(b"policy"),
        },
        purpose: "account-opening".to_owned(),
        verdict: Verdict::Fail,
        checks: vec![credential(), clause],
        claims: Map::from_iter([("pid.country".to_owned(), json!("AT"))]),
        region: "eu-central".to_owned(),
        retention: Some(Retention {
            result_seconds: 900,
        }),
        evidence: None,
    }
}

/// Logs, signs and receipts an answer the way the broker does; `alter` changes it after it was logged.
pub fn chain(keys: &Keys, draft: Answer, alter: impl FnOnce(&mut Answer)) -> Chain {
    let salt = Salt::generate().unwrap();
    let leaf = draft.commit(&salt).unwrap();
    let entry = leaf.bytes().unwrap();
    let entries: Vec<Vec<u8>> = (0..5u8)
        .map(|n| if n == 3 { entry.clone() } else { vec![n; 20] })
        .collect();
    let (receipt, key) = receipt(keys, &entries, 3);
    let evidence = Evidence {
        log: ORIGIN.to_owned(),
        index: 3,
        leaf: leaf.hash().unwrap(),
        salt,
    };
    let policy = draft.policy.digest;
    let mut answer = draft.with_evidence(evidence);
    alter(&mut answer);
    let kid = keys.result.public().thumbprint();
    let unsigned = Unsigned::jwt(&answer, Algorithm::Es256, &kid).unwrap();
    let signature = keys
        .result
        .sign(unsigned.signing_input().as_bytes())
        .unwrap();
    let jwks = Jwks {
        keys: vec![
            keys.log.public().with_kid("other"),
            keys.result.public().with_kid(kid),
        ],
    };
    Chain {
        answer: unsigned.sign(&signature),
        receipt,
        jwks,
        log_key: key,
        policy,
    }
}

pub fn receipt(keys: &Keys, entries: &[Vec<u8>], index: u64) -> (String, String) {
    let size = entries.len() as u64;
    let read = |node: Node| Ok::<_, ()>(subtree(entries, node));
    let root = pavilion_tlog::root(size, read).unwrap();
    let hashes = pavilion_tlog::inclusion_proof(index, size, read).unwrap();
    let text = Checkpoint::new(ORIGIN, size, root).unwrap().to_string();
    let key = keys.verifier_key(ORIGIN);
    let signature = keys.log.sign(text.as_bytes()).unwrap().try_into().unwrap();
    let checkpoint = Note::new(&text, vec![key.signature(signature)]).unwrap();
    let extra = Some(entries[usize::try_from(index).unwrap()].clone());
    (
        Proof {
            extra,
            index,
            hashes,
            checkpoint,
        }
        .to_string(),
        key.to_string(),
    )
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
    pavilion_tlog::node_hash(&child(0), &child(1))
}

pub fn expected(chain: &Chain) -> Expected<'static> {
    Expected {
        issuer: Some(ISSUER),
        audience: Some("shop"),
        nonce: Some("n-0S6_WzA2Mj"),
        policy: Some(chain.policy),
        now: Timestamp::from_second(IAT + 10).unwrap(),
        leeway_seconds: 60,
    }
}

pub fn judge(chain: &Chain) -> Report {
    judge_as(chain, REQUEST, expected(chain))
}

pub fn judge_as(chain: &Chain, request: &[u8], expected: Expected<'_>) -> Report {
    verify(&Inputs {
        answer: &chain.answer,
        request: Some(request),
        receipt: &chain.receipt,
        jwks: &chain.jwks,
        log_key: &chain.log_key,
        expected,
    })
}

/// Names and codes of what failed.
pub fn broken(report: &Report) -> Vec<(&'static str, &'static str)> {
    assert_eq!(report.checks().len(), 18, "a report always has every line");
    assert_eq!(
        report.answer().is_some(),
        report.ok(),
        "an answer comes out of a sound report only"
    );
    report
        .failures()
        .map(|check| (check.name, check.code.unwrap()))
        .collect()
}

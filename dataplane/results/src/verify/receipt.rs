//! The half of the check that is about the log: the entry is this answer's, and the log has it.

use pavilion_catalogue::verify as codes;
use pavilion_json::{Digest, Limits};
use pavilion_tlog::{Checkpoint, Hash, Proof, VerifierKey, leaf_hash, verify_inclusion};

use super::Inputs;
use super::answer::Document;
use super::report::{Judgement, Report};
use crate::{Evidence, Leaf};

const NO_RECEIPT: &str = "the receipt cannot be read";
const NO_KEY: &str = "the log's key cannot be read";
const NO_EVIDENCE: &str = "the answer names no place in a log";
const NO_ENTRY: &str = "there is no entry to judge";
const NO_COMMITMENT: &str = "the answer has no canonical form, so no logged entry can commit to it";

/// What the checks of this half share.
struct Chain<'a> {
    document: Option<&'a Document>,
    evidence: Option<&'a Evidence>,
    proof: Option<Proof>,
    checkpoint: Option<Checkpoint>,
    key: Option<VerifierKey>,
    /// The entry that answer and salt give.
    expected: Option<Leaf>,
    /// The entry that is judged: the receipt's, or the expected one where the receipt carries none.
    entry: Option<Vec<u8>>,
}

/// Judges receipt, leaf and checkpoint.
pub(super) fn judge(inputs: &Inputs<'_>, document: Option<&Document>, report: &mut Report) {
    let proof = inputs.receipt.parse::<Proof>();
    let checkpoint = proof
        .as_ref()
        .ok()
        .map(|proof| proof.checkpoint.text().parse::<Checkpoint>());
    report.add(
        "receipt.form",
        match (&proof, &checkpoint) {
            (Ok(_), Some(Ok(_))) => {
                Judgement::Holds("a tlog-proof with a checkpoint in it".to_owned())
            }
            (Ok(_), Some(Err(why))) => Judgement::Broken(&codes::INPUT_MALFORMED, why.to_string()),
            (Err(why), _) => Judgement::Broken(&codes::INPUT_MALFORMED, why.to_string()),
            (Ok(_), None) => Judgement::Open(NO_RECEIPT),
        },
    );
    let key = inputs.log_key.parse::<VerifierKey>();
    report.add(
        "log.key",
        match &key {
            Ok(key) => Judgement::Holds(format!("the key of {}", key.name())),
            Err(why) => Judgement::Broken(&codes::INPUT_MALFORMED, why.to_string()),
        },
    );
    let chain = Chain::new(
        document,
        proof.ok(),
        checkpoint.and_then(Result::ok),
        key.ok(),
    );
    report.add("leaf.policy", chain.leaf_policy());
    report.add("leaf.commitments", chain.leaf_commitments());
    report.add("leaf.hash", chain.leaf_hash());
    report.add("log.index", chain.index());
    report.add("log.inclusion", chain.inclusion());
    report.add("checkpoint.origin", chain.origin());
    report.add("checkpoint.signature", chain.signature());
}

impl<'a> Chain<'a> {
    fn new(
        document: Option<&'a Document>,
        proof: Option<Proof>,
        checkpoint: Option<Checkpoint>,
        key: Option<VerifierKey>,
    ) -> Self {
        let evidence = document.and_then(|document| document.answer.evidence.as_ref());
        let expected = document.zip(evidence).and_then(|(document, evidence)| {
            Leaf::of_document(&document.answer, document.value.clone(), &evidence.salt).ok()
        });
        let entry = match proof.as_ref().and_then(|proof| proof.extra.clone()) {
            Some(entry) => Some(entry),
            None => expected.as_ref().and_then(|leaf| leaf.bytes().ok()),
        };
        Self {
            document,
            evidence,
            proof,
            checkpoint,
            key,
            expected,
            entry,
        }
    }

    fn leaf_policy(&self) -> Judgement {
        let (Some(document), Some(entry)) = (self.document, &self.entry) else {
            return Judgement::Open(NO_ENTRY);
        };
        match pavilion_json::read::<Leaf>(entry, Limits::REQUEST) {
            Ok(leaf) => Judgement::of(
                leaf.policy == document.answer.policy,
                &codes::POLICY_MISMATCH,
                "the logged entry names the answer's policy revision",
                "the logged entry names another policy revision than the answer",
            ),
            Err(_) => Judgement::Broken(
                &codes::LEAF_MISMATCH,
                "the logged entry is not a leaf of an answer".to_owned(),
            ),
        }
    }

    fn leaf_commitments(&self) -> Judgement {
        if self.document.is_none() {
            return Judgement::Open(NO_ENTRY);
        }
        if self.evidence.is_none() {
            return Judgement::Broken(&codes::LEAF_MISMATCH, NO_EVIDENCE.to_owned());
        }
        // An answer without a canonical form cannot have been committed to: what a later parser makes of
        // such a document is anybody's guess, so it is broken, never merely not judged.
        let Some(expected) = self.expected.as_ref().and_then(|leaf| leaf.bytes().ok()) else {
            return Judgement::Broken(&codes::LEAF_MISMATCH, NO_COMMITMENT.to_owned());
        };
        let Some(entry) = &self.entry else {
            return Judgement::Open(NO_ENTRY);
        };
        if expected == *entry {
            return Judgement::Holds(
                "the logged entry commits to this answer and this request".to_owned(),
            );
        }
        let members = differing(&expected, entry);
        Judgement::Broken(
            &codes::LEAF_MISMATCH,
            format!("the logged entry is not this answer's; it differs in: {members}"),
        )
    }

    fn leaf_hash(&self) -> Judgement {
        let (Some(evidence), Some(hash)) = (self.evidence, self.hash()) else {
            return Judgement::Open(NO_ENTRY);
        };
        Judgement::of(
            Digest::from(*hash.as_bytes()) == evidence.leaf,
            &codes::LEAF_MISMATCH,
            "the entry hashes to the leaf that the answer names",
            "the entry does not hash to the leaf that the answer names",
        )
    }

    fn index(&self) -> Judgement {
        let Some(proof) = &self.proof else {
            return Judgement::Open(NO_RECEIPT);
        };
        let Some(evidence) = self.evidence else {
            return Judgement::Open(NO_EVIDENCE);
        };
        Judgement::of(
            proof.index == evidence.index,
            &codes::INDEX_MISMATCH,
            &format!("entry {}", evidence.index),
            &format!(
                "the answer names entry {}, the receipt entry {}",
                evidence.index, proof.index
            ),
        )
    }

    fn inclusion(&self) -> Judgement {
        let (Some(proof), Some(checkpoint)) = (&self.proof, &self.checkpoint) else {
            return Judgement::Open(NO_RECEIPT);
        };
        let Some(hash) = self.hash() else {
            return Judgement::Open(NO_ENTRY);
        };
        match verify_inclusion(
            proof.index,
            checkpoint.size(),
            &hash,
            &proof.hashes,
            &checkpoint.root(),
        ) {
            Ok(()) => Judgement::Holds(format!("in the tree of {} entries", checkpoint.size())),
            Err(why) => Judgement::Broken(&codes::INCLUSION_INVALID, why.to_string()),
        }
    }

    fn origin(&self) -> Judgement {
        let Some(checkpoint) = &self.checkpoint else {
            return Judgement::Open(NO_RECEIPT);
        };
        let Some(key) = &self.key else {
            return Judgement::Open(NO_KEY);
        };
        let named = self
            .evidence
            .is_none_or(|evidence| evidence.log == checkpoint.origin());
        Judgement::of(
            named && checkpoint.origin() == key.name(),
            &codes::CHECKPOINT_ORIGIN_MISMATCH,
            &format!("the log {}", key.name()),
            "answer, checkpoint and key do not name the same log",
        )
    }

    fn signature(&self) -> Judgement {
        let Some(proof) = &self.proof else {
            return Judgement::Open(NO_RECEIPT);
        };
        let Some(key) = &self.key else {
            return Judgement::Open(NO_KEY);
        };
        match key.verify(&proof.checkpoint) {
            Ok(()) => Judgement::Holds(format!("made by key {:08x}", key.id())),
            Err(why) => Judgement::Broken(&codes::CHECKPOINT_SIGNATURE_INVALID, why.to_string()),
        }
    }

    fn hash(&self) -> Option<Hash> {
        self.entry.as_deref().map(leaf_hash)
    }
}

/// The names of the members that are not alike.
fn differing(expected: &[u8], entry: &[u8]) -> String {
    let parse = |bytes| pavilion_json::parse(bytes, Limits::REQUEST).ok();
    let (Some(expected), Some(entry)) = (parse(expected), parse(entry)) else {
        return "its form".to_owned();
    };
    let names: Vec<&str> = expected
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, value)| entry.get(name) != Some(value))
        .map(|(name, _)| name.as_str())
        .collect();
    if names.is_empty() {
        "its form".to_owned()
    } else {
        names.join(", ")
    }
}

//! The log's texts: what parses is written back as it came, and only what the log signed verifies.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pavilion_tlog::{Checkpoint, Note, Proof, TilePath, VerifierKey, leaf_hash};

/// The key that signed `corpus/log_text/receipt` and `corpus/log_text/checkpoint`.
static KEY: LazyLock<VerifierKey> = LazyLock::new(|| {
    let text = include_str!("../material/log.vkey").trim_end();
    text.parse().expect("a verifier key")
});

/// The text that the log signed for its first entry.
const SIGNED: &str = include_str!("../corpus/log_text/checkpoint");

fuzz_target!(|text: &str| {
    if let Ok(note) = text.parse::<Note>() {
        assert_eq!(note.to_string(), text);
        if Checkpoint::open(&note, &KEY).is_ok() {
            assert!(SIGNED.starts_with(note.text()));
        }
    }
    if let Ok(proof) = text.parse::<Proof>() {
        assert_eq!(proof.to_string(), text);
        let leaf = leaf_hash(proof.extra.as_deref().unwrap_or_default());
        if let Ok(checkpoint) = proof.verify(&leaf, &KEY) {
            assert!(proof.index < checkpoint.size());
            assert!(SIGNED.starts_with(proof.checkpoint.text()));
        }
    }
    if let Ok(path) = text.parse::<TilePath>() {
        assert_eq!(path.to_string(), text);
    }
    if let Ok(checkpoint) = text.parse::<Checkpoint>() {
        assert_eq!(checkpoint.to_string(), text);
    }
    let _ = text.parse::<VerifierKey>();
});

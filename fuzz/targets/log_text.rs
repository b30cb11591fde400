//! The log's texts: what parses is written back as it came.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pavilion_tlog::{Checkpoint, Note, Proof, TilePath, VerifierKey};

fuzz_target!(|text: &str| {
    if let Ok(note) = text.parse::<Note>() {
        assert_eq!(note.to_string(), text);
    }
    if let Ok(proof) = text.parse::<Proof>() {
        assert_eq!(proof.to_string(), text);
    }
    if let Ok(path) = text.parse::<TilePath>() {
        assert_eq!(path.to_string(), text);
    }
    if let Ok(checkpoint) = text.parse::<Checkpoint>() {
        assert_eq!(checkpoint.to_string(), text);
    }
    let _ = text.parse::<VerifierKey>();
});

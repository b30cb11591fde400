//! A question or evidence is read, or refused with a code for bodies.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pavilion_verifier::fuzzing;

const CODES: [&str; 5] = [
    "body_malformed",
    "body_invalid",
    "body_too_large",
    "evidence_empty",
    "nonce_required",
];

fuzz_target!(|bytes: &[u8]| {
    for outcome in [fuzzing::question(bytes), fuzzing::evidence(bytes)] {
        if let Err(code) = outcome {
            assert!(CODES.contains(&code), "{code}");
        }
    }
});

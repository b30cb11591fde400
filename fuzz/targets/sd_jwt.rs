//! A presentation either parses, or says why.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(presentation) = pavilion_proofs::sd_jwt::parse(text) {
        assert!(text.starts_with(presentation.bound()));
    }
});

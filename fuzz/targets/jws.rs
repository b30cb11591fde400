//! A compact JWS either parses, or says why; a key set likewise.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pavilion_jose::{CompactJws, Jwks};
use pavilion_json::{Limits, read};

fuzz_target!(|text: &str| {
    if let Ok(token) = CompactJws::parse(text) {
        let _ = (token.header(), token.unverified_payload().len());
    }
    let _ = read::<Jwks>(text.as_bytes(), Limits::REQUEST);
});

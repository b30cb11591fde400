//! A token request's form is read, or refused as malformed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pavilion_verifier::fuzzing;

fuzz_target!(|bytes: &[u8]| {
    if let Err(code) = fuzzing::token_form(bytes) {
        assert_eq!(code, "token_request_invalid");
    }
});

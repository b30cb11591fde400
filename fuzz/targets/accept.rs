//! Every `Accept` header chooses one of our forms, or none.
#![no_main]

use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use pavilion_results::Projection;
use pavilion_verifier::fuzzing;

fuzz_target!(|bytes: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(ACCEPT, value);
        }
    }
    let (form, media_type) = fuzzing::accepted(&headers);
    match form {
        Some(Projection::Json) => assert_eq!(media_type, "application/json"),
        Some(Projection::Jwt) => assert!(media_type.ends_with("jwt")),
        None => assert!(!headers.is_empty()),
    }
});

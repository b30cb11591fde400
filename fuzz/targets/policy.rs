//! A policy's spec either compiles, or every error names a field.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pavilion_json::{Limits, parse};
use pavilion_policy::{Policy, check};

fuzz_target!(|bytes: &[u8]| {
    let Ok(spec) = parse(bytes, Limits::REQUEST) else {
        return;
    };
    let Ok(policy) = Policy::from_spec(spec) else {
        return;
    };
    if let Err(errors) = check("fuzzed", &policy) {
        assert!(errors.iter().all(|error| error.path.starts_with("spec")));
    }
});

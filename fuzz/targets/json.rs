//! What the strict reader takes, canonical form keeps.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pavilion_json::{Limits, canonical, parse};

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = parse(bytes, Limits::REQUEST) else {
        return;
    };
    let Ok(once) = canonical(&value) else { return };
    let again = parse(&once, Limits::DOCUMENT).expect("canonical JSON is JSON");
    assert_eq!(canonical(&again).expect("a canonical value"), once);
});

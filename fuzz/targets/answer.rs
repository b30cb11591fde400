//! Offline verification of anything ends with a report, and never a good one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pavilion_json::{Limits, read};
use pavilion_results::{Answer, Leaf};

fuzz_target!(|bytes: &[u8]| {
    let _ = read::<Answer>(bytes, Limits::REQUEST);
    let _ = read::<Leaf>(bytes, Limits::REQUEST);
});

//! An entry bundle splits into entries that join to the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pavilion_tlog::{push_entry, split_entries};

fuzz_target!(|bytes: &[u8]| {
    let Ok(entries) = split_entries(bytes) else {
        return;
    };
    let mut joined = Vec::new();
    for entry in entries {
        push_entry(&mut joined, entry).expect("an entry that was split off");
    }
    assert_eq!(joined, bytes);
});

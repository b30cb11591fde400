//! A manifest is taken, or every refusal has a code and a sentence.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use pavilion_operator::manifests;
use pavilion_operator::records::Records;
use pavilion_operator::validate::validate;

fuzz_target!(|text: &str| {
    let set = manifests::of_text("fuzzed.yaml", text);
    let now = Timestamp::from_second(1_795_560_024).expect("a time");
    let refused = validate(&set, &Records::default(), now).err();
    for refusal in set.refusals.iter().chain(refused.iter().flatten()) {
        assert!(!refusal.code.is_empty() && !refusal.message.is_empty());
    }
});

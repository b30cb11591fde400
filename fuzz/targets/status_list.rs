//! A status list's claims either parse within the bound, or say why.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = pavilion_proofs::status::parse_list(bytes, 1 << 16);
});

//! Whatever claims to be a compressed list is inflated no further than allowed.
//!
//! An input is a byte with the number of bits, and the compressed bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pavilion_jose::base64url;
use pavilion_proofs::status::parse_list;
use serde_json::json;

const MOST: usize = 1 << 16;

fuzz_target!(|bytes: &[u8]| {
    let Some((bits, compressed)) = bytes.split_first() else {
        return;
    };
    let payload = json!({
        "sub": "https://status.example/1",
        "iat": 1,
        "status_list": {"bits": bits, "lst": base64url(compressed)},
    });
    if let Ok(claims) = parse_list(payload.to_string().as_bytes(), MOST) {
        let entries = MOST as u64 * 8 / u64::from(*bits);
        assert_eq!(claims.list.get(entries), None);
        assert!(
            claims
                .list
                .get(0)
                .is_none_or(|value| value >> (bits - 1) <= 1)
        );
    }
});

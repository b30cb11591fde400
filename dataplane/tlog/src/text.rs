//! The few text rules that notes, checkpoints, proofs and tile paths share.

/// A decimal number in its one spelling: ASCII digits, no sign, no leading zero, within `u64`.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let digits = text.as_bytes();
    let canonical = match digits {
        [b'0'] => true,
        [] | [b'0', ..] => false,
        _ => digits.iter().all(u8::is_ascii_digit),
    };
    if canonical && digits.len() <= 20 {
        text.parse().ok()
    } else {
        None
    }
}

/// Whether every character may stand in a signed note: no ASCII control but the newline.
pub(crate) fn is_note_text(text: &str) -> bool {
    !text.bytes().any(|byte| byte < 0x20 && byte != b'\n')
}

/// Whether the text can be the name of a key: not empty, no Unicode space, no plus, no control.
pub(crate) fn is_key_name(name: &str) -> bool {
    !name.is_empty()
        && !name
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("18446744073709551615"), Some(u64::MAX));
        for bad in [
            "",
            "00",
            "01",
            "+1",
            "-1",
            " 1",
            "1 ",
            "1_0",
            "٣",
            "18446744073709551616",
        ] {
            assert_eq!(decimal(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_key_name_has_no_space_plus_or_control() {
        assert!(is_key_name("example.com/log"));
        for bad in ["", "a b", "a\u{a0}b", "a+b", "a\u{7f}", "a\nb"] {
            assert!(!is_key_name(bad), "{bad:?}");
        }
    }
}

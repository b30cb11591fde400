//! Offline verification of anything ends with a report, and only of the real thing with a good one.
//!
//! An input is an answer, a receipt and perhaps a request, with [`SEPARATOR`] between them. The keys
//! they are judged by are those of `corpus/answer/good`.
#![no_main]

use std::sync::LazyLock;

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use pavilion_jose::Jwks;
use pavilion_json::{Limits, read};
use pavilion_results::{Answer, Expected, Inputs, Leaf, Report, verify};

const SEPARATOR: &str = "\n====\n";
const GOOD: &str = include_str!("../corpus/answer/good");
const LOG_KEY: &str = include_str!("../material/log.vkey");

static JWKS: LazyLock<Jwks> = LazyLock::new(|| {
    read(include_bytes!("../material/jwks.json"), Limits::REQUEST).expect("a key set")
});

/// When the good answer was made.
const MADE_AT: i64 = 1_795_560_024;

struct Parts<'a> {
    answer: &'a str,
    receipt: &'a str,
    request: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Self {
        let mut parts = text.splitn(3, SEPARATOR);
        Self {
            answer: parts.next().unwrap_or_default(),
            receipt: parts.next().unwrap_or_default(),
            request: parts.next(),
        }
    }

    fn judge(&self) -> Report {
        verify(&Inputs {
            answer: self.answer,
            request: self.request.map(str::as_bytes),
            receipt: self.receipt,
            jwks: &JWKS,
            log_key: LOG_KEY.trim_end(),
            expected: Expected::at(Timestamp::from_second(MADE_AT).expect("a time")),
        })
    }
}

static PARTS: LazyLock<Parts<'static>> = LazyLock::new(|| {
    let good = Parts::of(GOOD);
    assert!(good.judge().ok(), "the good answer verifies");
    good
});

fuzz_target!(|bytes: &[u8]| {
    let _ = read::<Answer>(bytes, Limits::REQUEST);
    let _ = read::<Leaf>(bytes, Limits::REQUEST);
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let parts = Parts::of(text);
    let report = parts.judge();
    assert!(!report.checks().is_empty());
    if report.ok() {
        assert_eq!(parts.answer, PARTS.answer);
        assert!(parts.request.is_none() || parts.request == PARTS.request);
    } else {
        assert!(report.failures().next().is_some());
    }
});

//! Times in tokens, judged by one moment and one leeway.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// The moment of a verification and the allowed difference between clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    now: Timestamp,
    leeway: SignedDuration,
}

impl Clock {
    pub(crate) fn new(now: Timestamp, leeway: Duration) -> Self {
        let leeway = SignedDuration::try_from(leeway).unwrap_or(SignedDuration::MAX);
        Self { now, leeway }
    }

    pub(crate) fn now(self) -> Timestamp {
        self.now
    }

    /// A moment, the leeway granted.
    pub(crate) fn with_leeway(self, moment: Timestamp) -> Timestamp {
        moment.checked_add(self.leeway).unwrap_or(Timestamp::MAX)
    }

    /// Whether `exp` has passed (RFC 7519 section 4.1.4), the leeway granted.
    pub(crate) fn has_passed(self, exp: Timestamp) -> bool {
        self.now.duration_since(exp) >= self.leeway
    }

    /// Whether `nbf` or `iat` lies ahead (RFC 7519 section 4.1.5), the leeway granted.
    pub(crate) fn is_ahead(self, start: Timestamp) -> bool {
        start.duration_since(self.now) > self.leeway
    }

    /// Whether `then` lies further back than `age`, the leeway granted.
    pub(crate) fn is_older(self, then: Timestamp, age: Duration) -> bool {
        let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
        self.now.duration_since(then) > age.saturating_add(self.leeway)
    }
}

/// A `NumericDate` (RFC 7519 section 2): seconds since 1970, with or without a fraction.
/// `None` if it is not a number or beyond the years that can be told.
pub(crate) fn numeric_date(value: &Value) -> Option<Timestamp> {
    if let Some(seconds) = value.as_i64() {
        return Timestamp::from_second(seconds).ok();
    }
    let since = SignedDuration::try_from_secs_f64(value.as_f64()?).ok()?;
    Timestamp::from_duration(since).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_expiry_is_over_exactly_when_the_leeway_is_used_up() {
        let clock = Clock::new(at(1_000), Duration::from_mins(1));
        assert!(!clock.has_passed(at(941)));
        assert!(clock.has_passed(at(940)));
    }

    #[test]
    fn a_start_counts_as_reached_within_the_leeway() {
        let clock = Clock::new(at(1_000), Duration::from_mins(1));
        assert!(!clock.is_ahead(at(1_060)));
        assert!(clock.is_ahead(at(1_061)));
    }

    #[test]
    fn an_endless_leeway_does_not_overflow() {
        let clock = Clock::new(at(1_000), Duration::MAX);
        assert!(!clock.has_passed(Timestamp::MIN));
        assert!(!clock.is_older(Timestamp::MIN, Duration::MAX));
    }

    #[test]
    fn a_date_may_have_a_fraction_and_nothing_else_is_a_date() {
        assert_eq!(numeric_date(&json!(1_700_000_000)), Some(at(1_700_000_000)));
        assert_eq!(
            numeric_date(&json!(1_700_000_000.5)).unwrap().as_second(),
            1_700_000_000
        );
        for no in [
            json!("1700000000"),
            json!(1e300),
            json!(i64::MAX),
            json!(null),
        ] {
            assert_eq!(numeric_date(&no), None, "{no}");
        }
    }
}

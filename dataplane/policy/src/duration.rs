//! Durations of whole seconds as Go writes them: `90s`, `15m`, `4320h`, `1h30m`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A positive duration of whole seconds, at most `u32::MAX` (136 years).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GoDuration(u32);

/// The text is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a duration is whole hours, minutes and seconds in that order and not zero, such as 90s, 15m or 4320h"
)]
pub struct DurationError;

impl GoDuration {
    /// From whole seconds; `None` for zero.
    pub const fn from_seconds(seconds: u32) -> Option<Self> {
        match seconds {
            0 => None,
            _ => Some(Self(seconds)),
        }
    }

    /// The whole seconds.
    pub const fn as_seconds(self) -> u64 {
        self.0 as u64
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.0 / 3600, 'h'),
            (self.0 / 60 % 60, 'm'),
            (self.0 % 60, 's'),
        ];
        for (count, unit) in parts {
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for GoDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let mut rest = text;
        let mut total: u32 = 0;
        for (unit, seconds) in [('h', 3600), ('m', 60), ('s', 1)] {
            let Some((count, after)) = rest.split_once(unit) else {
                continue;
            };
            if count.is_empty() || !count.bytes().all(|b| b.is_ascii_digit()) {
                return Err(DurationError);
            }
            total = count
                .parse::<u32>()
                .ok()
                .and_then(|count| count.checked_mul(seconds))
                .and_then(|part| total.checked_add(part))
                .ok_or(DurationError)?;
            rest = after;
        }
        if rest.is_empty() {
            Self::from_seconds(total).ok_or(DurationError)
        } else {
            Err(DurationError)
        }
    }
}

impl TryFrom<String> for GoDuration {
    type Error = DurationError;

    fn try_from(text: String) -> Result<Self, DurationError> {
        text.parse()
    }
}

impl From<GoDuration> for String {
    fn from(duration: GoDuration) -> Self {
        duration.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_duration_is_read_and_written_in_its_shortest_form() {
        for (text, seconds, written) in [
            ("90s", 90, "1m30s"),
            ("15m", 900, "15m"),
            ("4320h", 15_552_000, "4320h"),
            ("1h30m", 5400, "1h30m"),
            ("0h1m", 60, "1m"),
        ] {
            let duration: GoDuration = text.parse().unwrap();
            assert_eq!(duration.as_seconds(), seconds);
            assert_eq!(duration.to_string(), written);
            assert_eq!(written.parse::<GoDuration>().unwrap(), duration);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "0s",
            "0h0m0s",
            "10",
            "m",
            "5m1h",
            "1.5h",
            "-1h",
            "+1h",
            "1h 5m",
            "5m5m",
            "1d",
            "99999999999s",
            "1193047h",
        ] {
            assert!(bad.parse::<GoDuration>().is_err(), "{bad}");
            assert!(serde_json::from_value::<GoDuration>(bad.into()).is_err());
        }
    }
}

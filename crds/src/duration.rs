//! Durations as Go writes them: `10m`, `168h`, `1h30m`.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::written::written;

/// A positive duration of whole seconds, written like Go's `time.Duration` with the units `h`, `m`
/// and `s`, in that order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GoDuration {
    seconds: u32,
}

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a duration: write whole hours, minutes and seconds in that order, for example 10m or 1h30m"
)]
pub struct DurationError;

impl GoDuration {
    /// What the schema asks of the text.
    pub const PATTERN: &str = "^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,7}s)?$";

    /// From whole hours.
    pub const fn hours(hours: u32) -> Self {
        Self::seconds(hours * 3600)
    }

    /// From whole minutes.
    pub const fn minutes(minutes: u32) -> Self {
        Self::seconds(minutes * 60)
    }

    /// From whole seconds.
    pub const fn seconds(seconds: u32) -> Self {
        Self { seconds }
    }

    /// The whole seconds.
    pub const fn as_seconds(self) -> u64 {
        self.seconds as u64
    }
}

impl From<GoDuration> for Duration {
    fn from(duration: GoDuration) -> Self {
        Self::from_secs(duration.as_seconds())
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.seconds / 3600, 'h'),
            (self.seconds / 60 % 60, 'm'),
            (self.seconds % 60, 's'),
        ];
        if self.seconds == 0 {
            return f.write_str("0s");
        }
        for (count, unit) in parts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{count}{unit}")?;
        }
        Ok(())
    }
}

impl FromStr for GoDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let mut rest = text;
        let mut total = 0u32;
        for (unit, size) in [('h', 3600u32), ('m', 60), ('s', 1)] {
            let Some((digits, tail)) = rest.split_once(unit) else {
                continue;
            };
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(DurationError);
            }
            let count: u32 = digits.parse().map_err(|_| DurationError)?;
            total = count
                .checked_mul(size)
                .and_then(|part| total.checked_add(part))
                .ok_or(DurationError)?;
            rest = tail;
        }
        if text.is_empty() || !rest.is_empty() {
            return Err(DurationError);
        }
        Ok(Self::seconds(total))
    }
}

written!(GoDuration, DurationError, {
    "type": "string",
    "minLength": 2,
    "maxLength": 20,
    "pattern": Self::PATTERN,
});

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_people_write_is_read() {
        for (text, seconds) in [
            ("10m", 600),
            ("168h", 604_800),
            ("1h30m", 5_400),
            ("90s", 90),
            ("0s", 0),
        ] {
            assert_eq!(text.parse::<GoDuration>().unwrap().as_seconds(), seconds);
        }
    }

    #[test]
    fn what_go_and_we_do_not_read_is_refused() {
        for text in [
            "",
            "10",
            "m",
            "10 m",
            "-1m",
            "1.5h",
            "30m1h",
            "1d",
            "500ms",
            "99999999h",
            "1m ",
            "+1m",
        ] {
            assert_eq!(text.parse::<GoDuration>(), Err(DurationError), "{text}");
        }
    }

    #[test]
    fn a_duration_is_shown_in_its_shortest_form() {
        for (text, shown) in [
            ("90m", "1h30m"),
            ("168h", "168h"),
            ("0s", "0s"),
            ("61s", "1m1s"),
        ] {
            assert_eq!(text.parse::<GoDuration>().unwrap().to_string(), shown);
        }
    }
}

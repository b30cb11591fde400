//! Amounts of processor time and of memory, as Kubernetes writes them.
//!
//! Of the many forms that Kubernetes reads one is taken for each, and shown as the API server shows it: what
//! is applied is then the same as what is there.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::written::written;

/// Processor time in thousandths of a processor. Written `250m` or `2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cpu(u64);

/// Memory or storage in bytes. Written `64Mi` or `2Gi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bytes(u64);

/// A text that is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no amount of this form")]
pub struct AmountError;

/// Largest first.
const UNITS: [(&str, u64); 3] = [("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];

impl Cpu {
    /// The form it is written in.
    const PATTERN: &str = "^[1-9][0-9]{0,5}m?$";

    /// Of thousandths.
    pub const fn millis(count: u64) -> Self {
        Self(count)
    }

    /// Twice, three times as much.
    #[must_use]
    pub const fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Bytes {
    /// The form it is written in.
    const PATTERN: &str = "^[1-9][0-9]{0,5}(Ki|Mi|Gi)$";

    /// Of mebibytes.
    pub const fn mebi(count: u64) -> Self {
        Self(count << 20)
    }

    /// Twice, three times as much.
    #[must_use]
    pub const fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1_000) {
            write!(f, "{}", self.0 / 1_000)
        } else {
            write!(f, "{}m", self.0)
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut units = UNITS.iter();
        let fitting = units.find(|(_, size)| self.0 != 0 && self.0.is_multiple_of(*size));
        match fitting {
            Some((unit, size)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{}", self.0),
        }
    }
}

impl FromStr for Cpu {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        match text.strip_suffix('m') {
            Some(millis) => number(millis).map(Self),
            None => number(text).map(|whole| Self(whole * 1_000)),
        }
    }
}

impl FromStr for Bytes {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let mut units = UNITS.iter();
        let found = units.find_map(|(unit, size)| Some((text.strip_suffix(unit)?, size)));
        let (digits, size) = found.ok_or(AmountError)?;
        number(digits).map(|count| Self(count * size))
    }
}

fn number(digits: &str) -> Result<u64, AmountError> {
    let fits = digits.len() <= 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse().ok().filter(|number| fits && *number > 0);
    number.ok_or(AmountError)
}

written!(Cpu, AmountError, {
    "type": "string", "minLength": 1, "maxLength": 8, "pattern": Self::PATTERN,
});
written!(Bytes, AmountError, {
    "type": "string", "minLength": 1, "maxLength": 8, "pattern": Self::PATTERN,
});

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_amount_is_shown_as_the_api_server_shows_it() {
        for (text, shown) in [
            ("250m", "250m"),
            ("2000m", "2"),
            ("2", "2"),
            ("1500m", "1500m"),
        ] {
            assert_eq!(text.parse::<Cpu>().unwrap().to_string(), shown);
        }
        for (text, shown) in [
            ("64Mi", "64Mi"),
            ("1024Mi", "1Gi"),
            ("1536Mi", "1536Mi"),
            ("3Ki", "3Ki"),
        ] {
            assert_eq!(text.parse::<Bytes>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn other_forms_and_nothing_are_refused() {
        for text in ["", "0", "0m", "0.5", "-1", "1k", "1e3", "+2", "1000000"] {
            assert_eq!(text.parse::<Cpu>(), Err(AmountError), "{text}");
        }
        for text in ["", "64", "0Mi", "1.5Gi", "64M", "64 Mi", "Mi", "1000000Gi"] {
            assert_eq!(text.parse::<Bytes>(), Err(AmountError), "{text}");
        }
    }

    #[test]
    fn amounts_add_up() {
        assert_eq!(
            Cpu::millis(250).times(2).and(Cpu::millis(500)).to_string(),
            "1"
        );
        assert_eq!(
            Bytes::mebi(512).and(Bytes::mebi(512)).times(3).to_string(),
            "3Gi"
        );
    }
}

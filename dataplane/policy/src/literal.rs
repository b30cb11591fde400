//! The values a policy's author writes: texts, whole numbers, booleans, dates, times of day.

use std::fmt;
use std::str::FromStr;

use jiff::civil;
use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A value that a claim is compared with for equality.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A text.
    Text(String),
    /// A whole number, within ±(2^53 − 1) (checked when compiled).
    Integer(i64),
    /// True or false.
    Flag(bool),
}

/// A value that a claim is ordered against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Bound {
    /// A whole number, within ±(2^53 − 1) (checked when compiled).
    Integer(i64),
    /// A calendar date.
    Date(Date),
}

/// A calendar date of the years 1 to 9999, written `2008-02-29` (RFC 3339 `full-date`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Date(civil::Date);

/// The text is not a calendar date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a date is written as year, month and day, such as 2008-02-29, and must exist")]
pub struct DateError;

/// A time of day, written `08:30`; `24:00` is the end of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u16);

/// The text is not a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time of day is written as hours and minutes, 00:00 to 24:00")]
pub struct TimeOfDayError;

impl Date {
    /// Days since 1970-01-01.
    pub(crate) fn days(self) -> i64 {
        const DAY: i64 = 86_400;
        let midnight = self.0.to_zoned(jiff::tz::TimeZone::UTC);
        midnight.map_or(0, |midnight| {
            midnight.timestamp().as_second().div_euclid(DAY)
        })
    }

    /// The calendar date.
    pub(crate) fn civil(self) -> civil::Date {
        self.0
    }
}

impl FromStr for Date {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        let shaped = text.len() == 10
            && text.bytes().enumerate().all(|(at, b)| match at {
                4 | 7 => b == b'-',
                _ => b.is_ascii_digit(),
            });
        if !shaped {
            return Err(DateError);
        }
        let year: i16 = text[..4].parse().map_err(|_| DateError)?;
        let month: i8 = text[5..7].parse().map_err(|_| DateError)?;
        let day: i8 = text[8..].parse().map_err(|_| DateError)?;
        // OpenID Connect writes an omitted year as 0000; counted as a year it would be an old age.
        if year == 0 {
            return Err(DateError);
        }
        civil::Date::new(year, month, day)
            .map(Self)
            .map_err(|_| DateError)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl TryFrom<String> for Date {
    type Error = DateError;

    fn try_from(text: String) -> Result<Self, DateError> {
        text.parse()
    }
}

impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.to_string()
    }
}

impl TimeOfDay {
    /// Seconds since midnight, up to 86,400.
    pub(crate) fn seconds(self) -> i64 {
        i64::from(self.0) * 60
    }
}

impl FromStr for TimeOfDay {
    type Err = TimeOfDayError;

    fn from_str(text: &str) -> Result<Self, TimeOfDayError> {
        let (hours, minutes) = text.split_once(':').ok_or(TimeOfDayError)?;
        let number = |part: &str| match part.len() {
            2 if part.bytes().all(|b| b.is_ascii_digit()) => {
                part.parse().map_err(|_| TimeOfDayError)
            }
            _ => Err(TimeOfDayError),
        };
        let (hours, minutes): (u16, u16) = (number(hours)?, number(minutes)?);
        let total = hours * 60 + minutes;
        if minutes < 60 && total <= 24 * 60 {
            Ok(Self(total))
        } else {
            Err(TimeOfDayError)
        }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = TimeOfDayError;

    fn try_from(text: String) -> Result<Self, TimeOfDayError> {
        text.parse()
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl Visitor<'_> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a whole number, true or false")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_bool<E: serde::de::Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Integer(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Value, E> {
        i64::try_from(number)
            .map(Value::Integer)
            .map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }
}

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BoundVisitor)
    }
}

pub(crate) struct BoundVisitor;

impl Visitor<'_> for BoundVisitor {
    type Value = Bound;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number or a date such as 2008-02-29")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Bound, E> {
        text.parse()
            .map(Bound::Date)
            .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Bound, E> {
        Ok(Bound::Integer(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Bound, E> {
        i64::try_from(number)
            .map(Bound::Integer)
            .map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_date_must_exist_and_be_written_in_full() {
        let date: Date = "2008-02-29".parse().unwrap();
        assert_eq!(date.to_string(), "2008-02-29");
        assert_eq!(date.days(), 13_938);
        assert_eq!("1970-01-01".parse::<Date>().unwrap().days(), 0);
        assert_eq!("1969-12-31".parse::<Date>().unwrap().days(), -1);
        for bad in [
            "2007-02-29",
            "2008-2-29",
            "20080229",
            "0000-01-01",
            "2008-13-01",
            "2008-01-01T00:00Z",
            "2008",
            "",
            "+008-01-01",
            "2008-01-é",
        ] {
            assert!(bad.parse::<Date>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_time_of_day_ends_at_24_00() {
        for (text, seconds) in [("00:00", 0), ("08:30", 30_600), ("24:00", 86_400)] {
            let time: TimeOfDay = text.parse().unwrap();
            assert_eq!(time.seconds(), seconds);
            assert_eq!(time.to_string(), text);
        }
        for bad in ["24:01", "8:30", "08:60", "0830", "+8:30", ""] {
            assert!(bad.parse::<TimeOfDay>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_value_is_a_text_a_whole_number_or_a_flag_and_nothing_else() {
        for good in [json!("x"), json!(-3), json!(7_u64), json!(true)] {
            let value: Value = serde_json::from_value(good.clone()).unwrap();
            assert_eq!(serde_json::to_value(&value).unwrap(), good);
        }
        for bad in [
            json!(1.5),
            json!(u64::MAX),
            json!(null),
            json!([1]),
            json!({}),
        ] {
            assert!(serde_json::from_value::<Value>(bad).is_err());
        }
    }

    #[test]
    fn a_bound_is_a_whole_number_or_a_date_and_nothing_else() {
        for good in [json!(-3), json!(7_u64), json!("2008-02-29")] {
            let bound: Bound = serde_json::from_value(good.clone()).unwrap();
            assert_eq!(serde_json::to_value(&bound).unwrap(), good);
        }
        for bad in [
            json!(1.5),
            json!(u64::MAX),
            json!(true),
            json!("soon"),
            json!(null),
        ] {
            assert!(serde_json::from_value::<Bound>(bad).is_err());
        }
    }
}

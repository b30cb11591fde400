//! From facts to the typed context of a question.

use std::sync::LazyLock;

use cedar_policy::RestrictedExpression;
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde_json::Value;

use crate::domain::MAX_AGE;
use crate::facts::{Fact, Facts};
use crate::literal::Date;
use crate::slot::{Kind, Slot};

/// Values of a claim with many values; a claim with more is not compared.
const MAX_MANY: usize = 64;

/// How far ahead of now an issue time may lie before it is not compared, in seconds.
const MAX_AHEAD: i64 = 86_400;

/// The time zones that came with the program.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The time zone of that name.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    match name {
        "UTC" => Some(TimeZone::UTC),
        name => ZONES.get(name).ok(),
    }
}

/// What a decision is made about.
pub(crate) struct Situation<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) purpose: &'a str,
    pub(crate) now: Timestamp,
    /// Whether unknown conditions count as true.
    pub(crate) optimistic: bool,
}

/// Reads one slot.
pub(crate) struct Reader {
    pub(crate) slot: Slot,
    /// The attribute's name.
    name: String,
    /// The zone of a clock; UTC for every other slot.
    zone: TimeZone,
}

impl Reader {
    pub(crate) fn new(slot: Slot) -> Self {
        let zone = match &slot {
            Slot::Clock(name) => zone(name).unwrap_or(TimeZone::UTC),
            _ => TimeZone::UTC,
        };
        let name = slot.to_string();
        Self { slot, name, zone }
    }

    /// The attribute, unless there is nothing to read or it is not of the slot's type.
    pub(crate) fn read(&self, about: &Situation<'_>) -> Option<(String, RestrictedExpression)> {
        let value = match &self.slot {
            Slot::Purpose => text(about.purpose),
            Slot::Now => long(about.now.as_second()),
            Slot::Clock(_) => long(self.clock(about.now)),
            Slot::Asker => return None,
            slot => of_evidence(slot, about.facts.of(slot.evidence()?), about)?,
        };
        Some((self.name.clone(), value))
    }

    fn clock(&self, now: Timestamp) -> i64 {
        let time = now.to_zoned(self.zone.clone()).time();
        i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second())
    }
}

fn of_evidence(slot: &Slot, fact: &Fact, about: &Situation<'_>) -> Option<RestrictedExpression> {
    match slot {
        Slot::Unknown(_) => {
            let unknown = about.optimistic && matches!(fact, Fact::Indeterminate { .. });
            return unknown.then(|| RestrictedExpression::new_bool(true));
        }
        Slot::Verified(_) => {
            let verified = matches!(fact, Fact::Verified { .. });
            return Some(RestrictedExpression::new_bool(verified));
        }
        _ => {}
    }
    let Fact::Verified {
        issuer,
        credential_type,
        issued_at,
        assurance,
        claims,
    } = fact
    else {
        return None;
    };
    match slot {
        Slot::Issuer(_) => Some(text(issuer)),
        Slot::CredentialType(_) => Some(text(credential_type)),
        Slot::IssuedAge(_) => issued_ago(*issued_at, about.now).map(long),
        Slot::Assurance(_) => assurance.map(|assurance| long(assurance.rank())),
        Slot::Claim(claim, kind) => of_claim(*kind, claims.get(claim.claim()), about.now),
        _ => None,
    }
}

/// Seconds since the time of issue. A clock may be a little behind; more is not a time of issue.
fn issued_ago(issued_at: Option<Timestamp>, now: Timestamp) -> Option<i64> {
    let ago = now.as_second().checked_sub(issued_at?.as_second())?;
    (ago >= -MAX_AHEAD).then_some(ago.max(0))
}

fn of_claim(kind: Kind, value: Option<&Value>, now: Timestamp) -> Option<RestrictedExpression> {
    if kind == Kind::Present {
        let present = value.is_some_and(|value| !value.is_null());
        return Some(RestrictedExpression::new_bool(present));
    }
    let value = value?;
    match kind {
        Kind::Texts => many(value, Kind::Text, now),
        Kind::Integers => many(value, Kind::Integer, now),
        Kind::Flags => many(value, Kind::Flag, now),
        Kind::Text => value.as_str().map(text),
        Kind::Integer => value.as_i64().map(long),
        Kind::Flag => value.as_bool().map(RestrictedExpression::new_bool),
        Kind::Day => date(value).map(|date| long(date.days())),
        Kind::Years => age(date(value)?, now).map(long),
        Kind::Present => None,
    }
}

fn many(value: &Value, kind: Kind, now: Timestamp) -> Option<RestrictedExpression> {
    let values = value.as_array().filter(|values| values.len() <= MAX_MANY)?;
    let each = values.iter().map(|value| of_claim(kind, Some(value), now));
    let each: Vec<_> = each.collect::<Option<_>>()?;
    Some(RestrictedExpression::new_set(each))
}

fn date(value: &Value) -> Option<Date> {
    value.as_str()?.parse().ok()
}

/// Completed years of the UTC calendar from birth to now. The month and day are compared as they
/// stand, so that who was born on 29 February completes a year on 1 March of a common year.
fn age(birth: Date, now: Timestamp) -> Option<i64> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let birth = birth.civil();
    let before_birthday = (today.month(), today.day()) < (birth.month(), birth.day());
    let years = i64::from(today.year()) - i64::from(birth.year()) - i64::from(before_birthday);
    (0..=MAX_AGE).contains(&years).then_some(years)
}

fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn long(number: i64) -> RestrictedExpression {
    RestrictedExpression::new_long(number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn age_on(birth: &str, now: &str) -> Option<i64> {
        age(birth.parse().unwrap(), now.parse().unwrap())
    }

    #[test]
    fn a_birthday_begins_at_midnight_utc() {
        assert_eq!(age_on("2004-07-15", "2022-07-14T23:59:59Z"), Some(17));
        assert_eq!(age_on("2004-07-15", "2022-07-15T00:00:00Z"), Some(18));
        assert_eq!(age_on("2004-07-15", "2022-07-15T01:00:00+02:00"), Some(17));
    }

    #[test]
    fn born_on_29_february_a_year_is_completed_on_1_march_of_a_common_year() {
        assert_eq!(age_on("2004-02-29", "2022-02-28T23:59:59Z"), Some(17));
        assert_eq!(age_on("2004-02-29", "2022-03-01T00:00:00Z"), Some(18));
        assert_eq!(age_on("2004-02-29", "2024-02-28T00:00:00Z"), Some(19));
        assert_eq!(age_on("2004-02-29", "2024-02-29T00:00:00Z"), Some(20));
    }

    #[test]
    fn a_birth_in_the_future_or_more_than_150_years_ago_is_no_age() {
        assert_eq!(age_on("2030-01-01", "2022-01-01T00:00:00Z"), None);
        assert_eq!(age_on("2022-01-02", "2022-01-01T00:00:00Z"), None);
        assert_eq!(age_on("2022-01-01", "2022-01-01T00:00:00Z"), Some(0));
        assert_eq!(age_on("1871-01-01", "2022-01-01T00:00:00Z"), None);
        assert_eq!(age_on("1872-01-01", "2022-01-01T00:00:00Z"), Some(150));
    }

    #[test]
    fn the_clock_follows_the_zone_into_summer_time() {
        let berlin = Reader::new(Slot::Clock("Europe/Berlin".to_owned()));
        let at = |text: &str| berlin.clock(text.parse().unwrap());
        assert_eq!(at("2026-01-15T08:00:05Z"), 9 * 3600 + 5);
        assert_eq!(at("2026-07-15T08:00:05Z"), 10 * 3600 + 5);
    }

    #[test]
    fn an_issue_time_a_little_ahead_counts_as_now_and_far_ahead_not_at_all() {
        let now: Timestamp = "2026-01-15T08:00:00Z".parse().unwrap();
        let ago = |text: &str| issued_ago(Some(text.parse().unwrap()), now);
        assert_eq!(ago("2026-01-15T07:59:00Z"), Some(60));
        assert_eq!(ago("2026-01-15T08:01:00Z"), Some(0));
        assert_eq!(ago("2026-01-17T08:01:00Z"), None);
        assert_eq!(issued_ago(None, now), None);
    }

    proptest! {
        #[test]
        fn nobody_grows_younger(birth in 0_i64..20_000, day in 0_i64..30_000, later in 0_i64..5_000) {
            let instant = |days: i64| Timestamp::from_second(days * 86_400).unwrap();
            let born = instant(birth).to_zoned(TimeZone::UTC).date().to_string();
            let (first, then) = (instant(day), instant(day + later));
            let born: Date = born.parse().unwrap();
            prop_assert!(age(born, first).is_none() || age(born, first) <= age(born, then));
        }
    }
}

//! Times as a person says them: the time of day today, the date before.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// Now, and where.
pub struct Clock(Zoned);

impl Clock {
    /// The machine's own.
    pub fn now() -> Self {
        Self(Zoned::now())
    }

    /// `14:02`, or `2027-01-14 14:02` when that was another day; what is no time is shown as it is.
    pub fn tell(&self, time: &str) -> String {
        let Ok(time) = time.parse::<Timestamp>() else {
            return time.to_owned();
        };
        let time = time.to_zoned(self.zone());
        let form = if time.date() == self.0.date() {
            "%H:%M"
        } else {
            "%Y-%m-%d %H:%M"
        };
        time.strftime(form).to_string()
    }

    fn zone(&self) -> TimeZone {
        self.0.time_zone().clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn today_has_a_time_and_any_other_day_its_date() {
        let now: Timestamp = "2027-01-15T08:00:00Z".parse().unwrap();
        let clock = Clock(now.to_zoned(TimeZone::fixed(jiff::tz::offset(1))));
        assert_eq!(clock.tell("2027-01-14T23:30:00Z"), "00:30");
        assert_eq!(clock.tell("2027-01-14T22:30:00Z"), "2027-01-14 23:30");
        assert_eq!(clock.tell("yesterday"), "yesterday");
    }
}

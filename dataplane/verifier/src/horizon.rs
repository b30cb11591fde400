//! Up to which second expired rows are deleted, whatever the wall clock does for a while.
//!
//! Rows are what is remembered of used nonces and assertions. If a clock that steps ahead for some
//! seconds made them be forgotten, then all of them would count again once it is back. So the horizon
//! follows the wall clock no faster than the monotonic one allows.

use std::time::Duration;

use tokio::time::Instant;

/// How long the horizon may lie behind the wall clock. No assertion and no presentation that was used
/// before the clock stepped is fresh by then, back on the old clock either (75 minutes are the most);
/// and what else is kept must not outstay its time for days, because a machine slept for days or had
/// the wrong year when it started.
const PATIENCE: Duration = Duration::from_hours(2);

/// Goes ahead at most twice as fast as monotonic time, and is never beyond the wall clock.
#[derive(Debug)]
pub(crate) struct Horizon {
    until: i64,
    /// When it was last moved.
    moved: Instant,
    /// When it was last seen level with the wall clock.
    level: Instant,
}

impl Horizon {
    /// Begins at the wall clock: what time it was when the process before ended, nobody knows. A
    /// process that starts while the clock is ahead forgets what it then takes for expired.
    pub(crate) fn new(wall: i64, now: Instant) -> Self {
        Self {
            until: wall,
            moved: now,
            level: now,
        }
    }

    /// The horizon, now that the wall clock shows this second.
    pub(crate) fn follow(&mut self, wall: i64, now: Instant) -> i64 {
        // Twice, so that it catches up with a clock that was right to step: not every monotonic clock
        // goes on while the machine sleeps.
        let passed = now.duration_since(self.moved).saturating_mul(2).as_secs();
        let reached = self
            .until
            .saturating_add(i64::try_from(passed).unwrap_or(i64::MAX));
        let believed = now.duration_since(self.level) >= PATIENCE;
        if wall <= reached || believed {
            self.level = now;
            self.until = wall;
        } else {
            self.until = reached;
        }
        self.moved = now;
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A horizon that began at second 1,000, and what it is after each (monotonic second, wall clock).
    fn after<const N: usize>(steps: [(u64, i64); N]) -> [i64; N] {
        let begun = Instant::now();
        let mut horizon = Horizon::new(1_000, begun);
        steps.map(|(second, wall)| horizon.follow(wall, begun + Duration::from_secs(second)))
    }

    #[test]
    fn it_is_the_wall_clock_as_long_as_that_goes_like_any_clock() {
        assert_eq!(
            after([(0, 1_000), (10, 1_010), (20, 1_020), (31, 1_030)]),
            [1_000, 1_010, 1_020, 1_030]
        );
    }

    #[test]
    fn a_clock_that_steps_ahead_for_some_seconds_takes_it_along_for_seconds_only() {
        assert_eq!(
            after([
                (10, 1_010),
                (20, 2_220),
                (30, 2_230),
                (40, 1_040),
                (50, 1_050)
            ]),
            [1_010, 1_030, 1_050, 1_040, 1_050]
        );
    }

    #[test]
    fn a_clock_that_stays_ahead_is_caught_up_with() {
        assert_eq!(
            after([
                (10, 1_040),
                (20, 1_050),
                (30, 1_060),
                (40, 1_070),
                (50, 1_080)
            ]),
            [1_020, 1_040, 1_060, 1_070, 1_080]
        );
    }

    #[test]
    fn it_never_lies_beyond_a_clock_that_steps_back() {
        assert_eq!(
            after([(10, 400), (20, 410), (30, 1_030), (40, 430)]),
            [400, 410, 430, 430]
        );
    }

    #[test]
    fn a_clock_that_stays_years_ahead_is_believed_after_two_hours() {
        let year = 31_536_000;
        assert_eq!(
            after([
                (10, year),
                (7_199, year + 7_189),
                (7_200, year + 7_190),
                (7_210, year + 7_200),
            ]),
            [1_020, 15_398, year + 7_190, year + 7_200]
        );
    }
}

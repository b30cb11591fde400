//! The metrics that change by themselves: ages, what is due, what could be done.

use jiff::Timestamp;

use super::{Engine, Purpose};

impl Engine {
    /// Refreshes them.
    pub(super) fn measure(&self) {
        let (now, ring, metrics) = (self.clock.now(), self.ring(), &self.shared.metrics);
        for purpose in Purpose::PUBLISHED {
            if let Some(key) = ring.current(purpose) {
                let age = now.duration_since(key.label.created()).as_secs();
                metrics.age(purpose, age.max(0));
            }
        }
        metrics.rotation_due.set(
            ring.rotation_due(self.settings.rotate_every)
                .map_or(0, Timestamp::as_second),
        );
        metrics
            .keys_published
            .set(i64::try_from(ring.published(now).len()).unwrap_or(i64::MAX));
        let pace = u64::try_from(self.shared.pace().as_nanos()).unwrap_or(u64::MAX);
        let sessions = u64::try_from(self.settings.sessions).unwrap_or(u64::MAX);
        let capacity = sessions
            .saturating_mul(1_000_000_000)
            .checked_div(pace)
            .unwrap_or(0);
        metrics
            .capacity
            .set(i64::try_from(capacity).unwrap_or(i64::MAX));
    }
}

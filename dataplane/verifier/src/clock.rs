//! Where the time comes from: the system, or a test that sets it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// A clock. Clones tell the same time.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    set: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands still at `second` since the epoch until [`Self::advance`].
    pub fn standing_at(second: i64) -> Self {
        Self {
            set: Some(Arc::new(AtomicI64::new(second))),
        }
    }

    /// Moves a clock that stands still; the system's clock is left alone.
    pub fn advance(&self, seconds: i64) {
        if let Some(set) = &self.set {
            set.fetch_add(seconds, Ordering::SeqCst);
        }
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.set.as_ref().map_or_else(Timestamp::now, |set| {
            Timestamp::from_second(set.load(Ordering::SeqCst)).unwrap_or_default()
        })
    }

    /// Now, in whole seconds since the epoch.
    pub fn second(&self) -> i64 {
        self.now().as_second()
    }
}

//! How many evaluations run at once, and how many may wait.
//!
//! An evaluation holds its place from the first signature check to the last write, so the memory
//! that requests in progress take is bounded. When the queue is full a request is refused at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pavilion_catalogue::{Problem, request};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problems::Refusal;

/// How long an evaluation waits for its turn at most.
const PATIENCE: Duration = Duration::from_secs(5);

/// The bounded pool of evaluations. Clones share it.
#[derive(Clone, Debug)]
pub struct Pool {
    places: Arc<Semaphore>,
    limit: usize,
    waiting: Arc<AtomicUsize>,
    metrics: PoolMetrics,
}

/// A place in the pool; dropped, it is free again.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
    metrics: PoolMetrics,
}

/// How full the pool is.
#[derive(Clone, Debug, Default)]
pub struct PoolMetrics {
    running: Gauge,
    waiting: Gauge,
}

impl PoolMetrics {
    /// Registers the metrics.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "evaluations_running",
            "Evaluations under way",
            metrics.running.clone(),
        );
        registry.register(
            "evaluations_waiting",
            "Evaluations that wait for their turn",
            metrics.waiting.clone(),
        );
        metrics
    }
}

impl Pool {
    /// A pool of so many places, in front of which so many may wait.
    pub fn new(places: usize, queue_limit: usize, metrics: PoolMetrics) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            limit: queue_limit,
            waiting: Arc::default(),
            metrics,
        }
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// `overloaded` if too many wait already, or the wait was too long.
    pub async fn enter(&self) -> Result<Place, Refusal> {
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(self.place(permit));
        }
        let waiting = Waiting::join(self).ok_or_else(overloaded)?;
        let permit = tokio::time::timeout(PATIENCE, Arc::clone(&self.places).acquire_owned())
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or_else(overloaded)?;
        drop(waiting);
        Ok(self.place(permit))
    }

    fn place(&self, permit: OwnedSemaphorePermit) -> Place {
        self.metrics.running.inc();
        Place {
            _permit: permit,
            metrics: self.metrics.clone(),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.running.dec();
    }
}

fn overloaded() -> Refusal {
    Problem::new(&request::OVERLOADED).into()
}

/// One that waits; dropped, it has left the queue.
struct Waiting<'p>(&'p Pool);

impl<'p> Waiting<'p> {
    fn join(pool: &'p Pool) -> Option<Self> {
        let joined = pool
            .waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |waiting| {
                (waiting < pool.limit).then_some(waiting + 1)
            })
            .is_ok();
        joined.then(|| {
            pool.metrics.waiting.inc();
            Self(pool)
        })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
        self.0.metrics.waiting.dec();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_refuses_at_once_and_a_long_wait_ends() {
        let pool = Pool::new(1, 1, PoolMetrics::default());
        let place = pool.enter().await.unwrap();
        let second = tokio::spawn({
            let pool = pool.clone();
            async move { pool.enter().await.map(drop) }
        });
        tokio::task::yield_now().await;
        assert_eq!(pool.metrics.waiting.get(), 1);
        let third = pool.enter().await.unwrap_err();
        assert_eq!(third.code(), "overloaded");
        assert_eq!(third.problem().retry_after_seconds, Some(1));
        drop(place);
        second.await.unwrap().unwrap();
        assert_eq!(pool.metrics.running.get(), 0);

        let held = pool.enter().await.unwrap();
        assert_eq!(pool.enter().await.unwrap_err().code(), "overloaded");
        assert_eq!(pool.metrics.waiting.get(), 0);
        drop(held);
    }
}

//! A queue between threads that is bounded by count and by weight, and never loses an item.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How much a queue holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// The most items.
    pub items: usize,
    /// The most weight (bytes), over which no item is added; a single item may always weigh more.
    pub weight: usize,
}

/// Why an item was not taken in; it is handed back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused<T> {
    Full(T),
    Closed(T),
}

/// The queue. One side pushes, the other takes batches.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    bounds: Bounds,
    state: Mutex<State<T>>,
    /// Something came in, or the queue was closed.
    filled: Condvar,
    /// Something went out, or the queue was closed.
    emptied: Condvar,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<(T, usize)>,
    weight: usize,
    closed: bool,
    /// Bounds no longer hold.
    lifted: bool,
}

impl<T> Queue<T> {
    pub fn new(bounds: Bounds) -> Self {
        let state = State {
            items: VecDeque::new(),
            weight: 0,
            closed: false,
            lifted: false,
        };
        Self {
            bounds,
            state: Mutex::new(state),
            filled: Condvar::new(),
            emptied: Condvar::new(),
        }
    }

    /// Adds an item, or hands it back at once.
    pub fn try_push(&self, item: T, weight: usize) -> Result<(), Refused<T>> {
        let mut state = self.lock();
        if state.closed {
            return Err(Refused::Closed(item));
        }
        if self.is_full(&state, weight) {
            return Err(Refused::Full(item));
        }
        self.add(&mut state, item, weight);
        Ok(())
    }

    /// Adds an item, waiting for room; a closed queue hands it back.
    pub fn push(&self, item: T, weight: usize) -> Result<(), Refused<T>> {
        let mut state = self.lock();
        while !state.closed && self.is_full(&state, weight) {
            state = self
                .emptied
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return Err(Refused::Closed(item));
        }
        self.add(&mut state, item, weight);
        Ok(())
    }

    /// Takes what is there, up to `most`, waiting until `patience` is over for a first item.
    /// `None` when the queue is closed and empty.
    pub fn take(&self, most: Bounds, patience: Duration) -> Option<Vec<T>> {
        let deadline = Instant::now() + patience;
        let mut state = self.lock();
        while state.items.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if state.closed {
                return None;
            }
            if left.is_zero() {
                return Some(Vec::new());
            }
            let woken = self.filled.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        let (mut taken, mut weight) = (Vec::new(), 0);
        while let Some((_, next)) = state.items.front() {
            if !taken.is_empty() && (taken.len() == most.items || weight + next > most.weight) {
                break;
            }
            if let Some((item, heavy)) = state.items.pop_front() {
                weight += heavy;
                taken.push(item);
            }
        }
        state.weight -= weight;
        drop(state);
        self.emptied.notify_all();
        Some(taken)
    }

    /// How much it holds.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Lets everything in from now on; nobody waits for room any more.
    pub fn lift(&self) {
        self.lock().lifted = true;
        self.emptied.notify_all();
    }

    /// Items waiting.
    pub fn depth(&self) -> usize {
        self.lock().items.len()
    }

    /// Takes nothing in from now on; what is there can still be taken.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
        self.emptied.notify_all();
    }

    /// Whether the queue was closed.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Waits until the time is over or the queue is closed.
    pub fn pause(&self, time: Duration) {
        let deadline = Instant::now() + time;
        let mut state = self.lock();
        while !state.closed {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let woken = self.filled.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn is_full(&self, state: &State<T>, weight: usize) -> bool {
        let over = state.weight + weight > self.bounds.weight && !state.items.is_empty();
        !state.lifted && (over || state.items.len() >= self.bounds.items)
    }

    fn add(&self, state: &mut State<T>, item: T, weight: usize) {
        state.items.push_back((item, weight));
        state.weight += weight;
        self.filled.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // No code that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ALL: Bounds = Bounds {
        items: 100,
        weight: 1000,
    };

    fn queue() -> Queue<u32> {
        Queue::new(Bounds {
            items: 3,
            weight: 10,
        })
    }

    #[test]
    fn items_come_out_in_order_and_in_batches() {
        let queue = queue();
        for item in 1..=3 {
            queue.try_push(item, 3).unwrap();
        }
        let two = Bounds {
            items: 2,
            weight: 100,
        };
        assert_eq!(queue.take(two, Duration::ZERO), Some(vec![1, 2]));
        assert_eq!(queue.take(ALL, Duration::ZERO), Some(vec![3]));
        assert_eq!(queue.take(ALL, Duration::ZERO), Some(vec![]));
    }

    #[test]
    fn a_full_queue_hands_the_item_back_by_count_and_by_weight() {
        let queue = queue();
        queue.try_push(1, 100).unwrap();
        assert_eq!(queue.try_push(2, 1), Err(Refused::Full(2)));
        assert_eq!(queue.take(ALL, Duration::ZERO), Some(vec![1]));
        for item in 1..=3 {
            queue.try_push(item, 1).unwrap();
        }
        assert_eq!(queue.try_push(4, 1), Err(Refused::Full(4)));
        assert_eq!(queue.depth(), 3);
    }

    #[test]
    fn a_closed_queue_gives_what_it_has_and_then_ends() {
        let queue = queue();
        queue.try_push(1, 1).unwrap();
        queue.close();
        assert_eq!(queue.try_push(2, 1), Err(Refused::Closed(2)));
        assert_eq!(queue.push(2, 1), Err(Refused::Closed(2)));
        assert_eq!(queue.take(ALL, Duration::from_secs(9)), Some(vec![1]));
        assert_eq!(queue.take(ALL, Duration::from_secs(9)), None);
        queue.pause(Duration::from_secs(9));
        assert!(queue.is_closed());
    }

    #[test]
    fn a_pusher_that_waits_goes_on_when_the_bounds_are_lifted_although_nobody_takes() {
        let queue = queue();
        queue.try_push(1, 10).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.push(2, 1));
            queue.lift();
            assert_eq!(waiting.join().unwrap(), Ok(()));
        });
        assert_eq!(queue.take(ALL, Duration::ZERO), Some(vec![1, 2]));
    }

    #[test]
    fn a_pusher_that_waits_goes_on_when_there_is_room() {
        let queue = queue();
        queue.try_push(1, 10).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.push(2, 1));
            assert_eq!(queue.take(ALL, Duration::ZERO), Some(vec![1]));
            assert_eq!(waiting.join().unwrap(), Ok(()));
        });
        assert_eq!(queue.take(ALL, Duration::ZERO), Some(vec![2]));
    }
}

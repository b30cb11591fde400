//! Calls that travel together: what many tasks ask for at the same time goes over in one call.
//!
//! A call over a socket costs both sides far more than what most items of it do, so while calls
//! are under way, items wait and form the next one. An item that comes alone leaves at once.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tonic::{Code, Status};

use crate::origin::MOST_ITEMS;

/// Items that may wait before whoever brings the next one waits, too.
const QUEUE: usize = 1_024;

/// How items are put together.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Calls under way at once.
    pub calls: usize,
    /// The most weight (bytes) in one call; an item that weighs more goes alone.
    pub weight: usize,
    /// How long an item may take, waiting included.
    pub time_out: Duration,
}

/// One kind of call. Clones share it; it ends with the last one.
#[derive(Debug)]
pub struct Together<I, O> {
    queue: mpsc::Sender<Item<I, O>>,
    time_out: Duration,
}

#[derive(Debug)]
struct Item<I, O> {
    content: I,
    weight: usize,
    tell: oneshot::Sender<Result<O, Status>>,
}

impl<I, O> Clone for Together<I, O> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            time_out: self.time_out,
        }
    }
}

impl<I: Send + 'static, O: Send + 'static> Together<I, O> {
    /// Begins to wait for items; `call` makes one call and returns what came of each item, in the
    /// same order. Call it inside a runtime.
    pub fn new<F, W>(manner: Manner, call: F) -> Self
    where
        F: Fn(Vec<I>) -> W + Send + Sync + 'static,
        W: Future<Output = Result<Vec<Result<O, Status>>, Status>> + Send + 'static,
    {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(run(manner, waiting, call));
        Self {
            queue,
            time_out: manner.time_out,
        }
    }

    /// Brings an item and waits for what comes of it. Dropped before it has left, it is not sent.
    ///
    /// # Errors
    /// What the call or the item failed with; `DEADLINE_EXCEEDED` when it took too long.
    pub async fn call(&self, item: I, weight: usize) -> Result<O, Status> {
        let (tell, told) = oneshot::channel();
        let asked = async {
            let item = Item {
                content: item,
                weight,
                tell,
            };
            let sent = self.queue.send(item).await;
            sent.map_err(|_| gone())?;
            told.await.unwrap_or_else(|_| Err(gone()))
        };
        let asked = timeout(self.time_out, asked).await;
        asked.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")))
    }
}

/// A call ended without a word: a panic in it.
fn gone() -> Status {
    Status::new(Code::Internal, "the call ended without an answer")
}

async fn run<I, O, F, W>(manner: Manner, mut waiting: mpsc::Receiver<Item<I, O>>, call: F)
where
    F: Fn(Vec<I>) -> W,
    W: Future<Output = Result<Vec<Result<O, Status>>, Status>>,
{
    let (mut calls, mut left) = (FuturesUnordered::new(), Vec::new());
    loop {
        if calls.len() < manner.calls && !left.is_empty() {
            calls.push(one(&call, load(&mut left, manner.weight)));
            continue;
        }
        tokio::select! {
            Some(()) = calls.next() => {}
            count = waiting.recv_many(&mut left, MOST_ITEMS), if left.len() < MOST_ITEMS => {
                if count == 0 {
                    break;
                }
            }
        }
    }
    while calls.next().await.is_some() {}
}

/// Takes the oldest items that fit into one call. Nobody waits for some of them any more.
fn load<I, O>(left: &mut Vec<Item<I, O>>, most: usize) -> Vec<Item<I, O>> {
    left.retain(|item| !item.tell.is_closed());
    let mut weight = 0;
    let fitting = left.iter().take(MOST_ITEMS).take_while(|item| {
        weight += item.weight;
        weight <= most
    });
    let count = fitting.count().max(1).min(left.len());
    left.drain(..count).collect()
}

async fn one<I, O, F, W>(call: &F, items: Vec<Item<I, O>>)
where
    F: Fn(Vec<I>) -> W,
    W: Future<Output = Result<Vec<Result<O, Status>>, Status>>,
{
    if items.is_empty() {
        return;
    }
    let (items, tells): (Vec<_>, Vec<_>) = items
        .into_iter()
        .map(|item| (item.content, item.tell))
        .unzip();
    // A panic costs its own items; those that come later have nothing to do with it.
    let answered = AssertUnwindSafe(call(items)).catch_unwind().await;
    let answered = answered.unwrap_or_else(|_| Err(gone()));
    let answered = answered.and_then(|outcomes| {
        let fits = outcomes.len() == tells.len();
        fits.then_some(outcomes)
            .ok_or_else(|| Status::internal("an answer to other items"))
    });
    let outcomes =
        answered.unwrap_or_else(|status| tells.iter().map(|_| Err(status.clone())).collect());
    for (tell, outcome) in tells.into_iter().zip(outcomes) {
        // Whoever went away needs no answer.
        let _ = tell.send(outcome);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::{Arc, Mutex};

    use futures::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    const MANNER: Manner = Manner {
        calls: 1,
        weight: 10,
        time_out: Duration::from_secs(5),
    };

    type Seen = Arc<Mutex<Vec<Vec<u32>>>>;

    /// Doubles numbers, refuses 13, and lets one call begin for each permit of the gate.
    fn doubling(manner: Manner) -> (Together<u32, u32>, Seen, Arc<Semaphore>) {
        let (seen, gate) = (Seen::default(), Arc::new(Semaphore::new(0)));
        let (noted, guard) = (Arc::clone(&seen), Arc::clone(&gate));
        let together = Together::new(manner, move |items: Vec<u32>| {
            noted.lock().unwrap().push(items.clone());
            let guard = Arc::clone(&guard);
            async move {
                guard.acquire().await.unwrap().forget();
                let one = |item| match item {
                    13 => Err(Status::not_found("13")),
                    item => Ok(item * 2),
                };
                Ok(items.into_iter().map(one).collect())
            }
        });
        (together, seen, gate)
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_while_a_call_is_under_way_goes_over_in_the_next_one() {
        let (together, seen, gate) = doubling(MANNER);
        let asked = tokio::spawn(join_all([1, 2, 13, 4].map(|item| {
            let together = together.clone();
            async move { together.call(item, 1).await }
        })));
        tokio::time::sleep(Duration::from_millis(1)).await;
        gate.add_permits(9);
        let outcomes = asked.await.unwrap();
        let told: Vec<_> = outcomes.iter().map(|one| one.as_ref().ok()).collect();
        assert_eq!(told, [Some(&2), Some(&4), None, Some(&8)]);
        let refused = outcomes[2].as_ref().unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "the others stand");
        assert!(seen.lock().unwrap().len() <= 2, "{seen:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_holds_no_more_than_its_weight_and_a_heavy_item_goes_alone() {
        let (together, seen, gate) = doubling(MANNER);
        let asked = tokio::spawn(join_all([(1, 1), (2, 6), (3, 6), (4, 99), (5, 1)].map(
            |(item, weight)| {
                let together = together.clone();
                async move { together.call(item, weight).await }
            },
        )));
        tokio::time::sleep(Duration::from_millis(1)).await;
        gate.add_permits(9);
        assert!(asked.await.unwrap().iter().all(Result::is_ok));
        let calls = seen.lock().unwrap().clone();
        assert_eq!(calls.concat(), [1, 2, 3, 4, 5], "in order");
        assert!(calls.contains(&vec![4]), "{calls:?}");
        assert!(
            calls.iter().all(|call| !call.ends_with(&[2, 3])),
            "{calls:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_item_that_nobody_waits_for_is_not_sent_and_a_long_wait_ends() {
        let (together, seen, gate) = doubling(MANNER);
        let first = tokio::spawn({
            let together = together.clone();
            async move { together.call(1, 1).await }
        });
        tokio::task::yield_now().await;
        let second = timeout(Duration::from_secs(1), together.call(2, 1)).await;
        assert!(second.is_err(), "it gave up");
        let late = first.await.unwrap().unwrap_err();
        assert_eq!(late.code(), Code::DeadlineExceeded);
        gate.add_permits(9);
        assert_eq!(together.call(3, 1).await.unwrap(), 6);
        assert_eq!(*seen.lock().unwrap(), [[1], [3]]);
    }

    #[tokio::test]
    async fn a_call_that_panics_takes_no_later_one_with_it() {
        let together: Together<u32, u32> = Together::new(MANNER, |items| async move {
            assert_ne!(items, [13]);
            Ok(items.into_iter().map(Ok).collect())
        });
        let lost = together.call(13, 1).await.unwrap_err();
        assert_eq!(lost.code(), Code::Internal);
        assert_eq!(together.call(1, 1).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_call_that_fails_as_a_whole_fails_each_of_its_items() {
        let together: Together<u32, u32> =
            Together::new(MANNER, |_| async { Err(Status::unavailable("away")) });
        let (one, two) = tokio::join!(together.call(1, 1), together.call(2, 1));
        assert_eq!(one.unwrap_err().code(), Code::Unavailable);
        assert_eq!(two.unwrap_err().code(), Code::Unavailable);
    }
}

//! Several changes of one tenant within a moment make one look at it, at a time that the first of them sets: whoever changes
//! something again and again puts off nothing that others want of the tenant.

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use futures::{Stream, StreamExt, stream};
use tokio::time::{Instant, sleep_until};

/// What is on its way.
struct Waiting<S> {
    told: S,
    ended: bool,
    /// In the order of their times.
    due: VecDeque<(Instant, String)>,
    names: HashSet<String>,
}

/// Each name so long after it was first told, and once for all that was told until then.
pub fn gathered(
    told: impl Stream<Item = String> + Unpin,
    within: Duration,
) -> impl Stream<Item = String> {
    let waiting = Waiting {
        told,
        ended: false,
        due: VecDeque::new(),
        names: HashSet::new(),
    };
    stream::unfold(waiting, move |mut waiting| async move {
        let next = waiting.next(within).await?;
        Some((next, waiting))
    })
}

impl<S: Stream<Item = String> + Unpin> Waiting<S> {
    async fn next(&mut self, within: Duration) -> Option<String> {
        loop {
            let first = self.due.front().map(|(due, _)| *due);
            tokio::select! {
                // However much is told meanwhile.
                biased;
                () = sleep_until(first.unwrap_or_else(Instant::now)), if first.is_some() => {
                    let (_, name) = self.due.pop_front()?;
                    self.names.remove(&name);
                    return Some(name);
                }
                told = self.told.next(), if !self.ended => match told {
                    Some(name) => self.hear(name, within),
                    None => self.ended = true,
                },
                else => return None,
            }
        }
    }

    fn hear(&mut self, name: String, within: Duration) {
        if self.names.insert(name.clone()) {
            self.due.push_back((Instant::now() + within, name));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures::channel::mpsc::unbounded;
    use tokio::time::{advance, timeout};

    use super::*;

    const WITHIN: Duration = Duration::from_millis(50);

    #[tokio::test(start_paused = true)]
    async fn what_is_told_without_a_pause_is_heard_of_as_soon_as_what_is_told_once() {
        let (sender, told) = unbounded();
        let mut heard = std::pin::pin!(gathered(told, WITHIN));
        let (begun, mut times) = (Instant::now(), Vec::new());
        for turn in 0..30 {
            sender.unbounded_send("busy".to_owned()).unwrap();
            if turn == 0 {
                sender.unbounded_send("calm".to_owned()).unwrap();
            }
            while let Ok(Some(name)) = timeout(Duration::ZERO, heard.next()).await {
                times.push((begun.elapsed().as_millis(), name));
            }
            advance(Duration::from_millis(5)).await;
        }
        let of = |wanted: &str| -> Vec<u128> {
            let of = times.iter().filter(|(_, name)| name == wanted);
            of.map(|(at, _)| *at).collect()
        };
        assert_eq!(of("calm"), [50]);
        assert_eq!(of("busy"), [50, 100]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_told_before_the_end_is_heard_of() {
        let (sender, told) = unbounded();
        for name in ["one", "other", "one"] {
            sender.unbounded_send(name.to_owned()).unwrap();
        }
        drop(sender);
        let heard: Vec<String> = gathered(told, WITHIN).collect().await;
        assert_eq!(heard, ["one", "other"]);
    }
}

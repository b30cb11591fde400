//! Faults that a program cannot go on from: a thread that it needs has ended, or never comes back.
//!
//! Such a program would answer its health socket for ever and do nothing. It ends instead, so that
//! its supervisor starts it anew.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::watch;

/// Where threads say that they cannot go on, and the program waits for it. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Fault(Arc<watch::Sender<Option<String>>>);

impl Fault {
    /// Tells of a fault; the first one stays.
    pub fn tell(&self, reason: impl Into<String>) {
        self.0.send_if_modified(|told| {
            let first = told.is_none();
            told.get_or_insert_with(|| reason.into());
            first
        });
    }

    /// The fault, if there is one.
    pub fn reason(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    /// Completes with the first fault.
    pub async fn told(&self) -> String {
        let mut told = self.0.subscribe();
        let reason = told.wait_for(Option::is_some).await;
        // The sender lives in `self`: waiting cannot fail while we borrow it.
        reason.map_or_else(
            |_| String::new(),
            |reason| reason.clone().unwrap_or_default(),
        )
    }

    /// Does the work of the thread `name`; a panic in it is a fault of the program.
    pub fn guard<T>(&self, name: &str, work: impl FnOnce() -> T) -> Option<T> {
        // Nothing of what the work had in hand is used after it.
        let outcome = catch_unwind(AssertUnwindSafe(work)).ok();
        if outcome.is_none() {
            self.tell(format!("the thread {name} ended by a fault of its own"));
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[tokio::test]
    async fn a_panic_of_a_guarded_thread_is_told_and_the_first_fault_stays() {
        let fault = Fault::default();
        assert_eq!(fault.guard("writer", || 7), Some(7));
        assert_eq!(fault.reason(), None);
        let waiting = fault.clone();
        let waiting = tokio::spawn(async move { waiting.told().await });
        assert_eq!(fault.guard("writer", || panic!("secret")), None::<()>);
        let told = waiting.await.unwrap();
        assert!(
            told.contains("writer") && !told.contains("secret"),
            "{told}"
        );
        fault.tell("another");
        assert_eq!(fault.reason(), Some(told));
    }
}

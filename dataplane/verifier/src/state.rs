//! The states of a verification and the only ways between them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a verification stands. The verdict is another matter: a completed verification may say
/// `pass`, `fail` or `indeterminate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Asked, and nothing else yet; never seen from outside.
    Created,
    /// Evidence may be sent until it expires.
    AwaitingEvidence,
    /// Evidence came and is being judged.
    Evaluating,
    /// There is an answer.
    Completed,
    /// No answer could be made.
    Failed,
    /// Evidence did not come in time.
    Expired,
    /// The relying party called it off.
    Cancelled,
}

/// What can happen to a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// It was asked without evidence.
    Asked,
    /// Evidence came.
    Submitted,
    /// The evidence was not judged: a fault of the request, or something needed is away. Also what
    /// a crash in the middle comes to.
    PutBack,
    /// The evidence was judged, and the answer is signed, logged and on disk.
    Answered,
    /// The evidence was judged, but no answer can be made of it.
    Broke,
    /// Its time is over.
    TimedOut,
    /// The relying party called it off.
    CalledOff,
}

impl State {
    /// The state after an event; `None` if the event cannot happen here.
    pub fn on(self, event: Event) -> Option<Self> {
        match (self, event) {
            (Self::Created, Event::Asked) | (Self::Evaluating, Event::PutBack) => {
                Some(Self::AwaitingEvidence)
            }
            (Self::Created | Self::AwaitingEvidence, Event::Submitted) => Some(Self::Evaluating),
            (Self::Evaluating, Event::Answered) => Some(Self::Completed),
            (Self::Evaluating, Event::Broke) => Some(Self::Failed),
            (Self::AwaitingEvidence, Event::TimedOut) => Some(Self::Expired),
            (Self::AwaitingEvidence, Event::CalledOff) => Some(Self::Cancelled),
            _ => None,
        }
    }

    /// Whether nothing can happen to it any more.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Expired | Self::Cancelled
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVENTS: [Event; 7] = [
        Event::Asked,
        Event::Submitted,
        Event::PutBack,
        Event::Answered,
        Event::Broke,
        Event::TimedOut,
        Event::CalledOff,
    ];

    proptest! {
        #[test]
        fn whatever_happens_an_answer_comes_only_out_of_an_evaluation_and_an_end_is_an_end(
            events in prop::collection::vec(prop::sample::select(&EVENTS[..]), 0..30)
        ) {
            let mut state = State::Created;
            for event in events {
                let Some(next) = state.on(event) else { continue };
                prop_assert!(!state.is_final());
                if matches!(next, State::Completed | State::Failed) {
                    prop_assert_eq!(state, State::Evaluating);
                }
                prop_assert_ne!(next, State::Created);
                state = next;
            }
        }
    }
}

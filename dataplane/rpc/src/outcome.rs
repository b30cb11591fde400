//! What came of each item of a call, as the caller takes it.

use bytes::Bytes;
use tonic::Status;

use crate::auditor::{Appended, Place, Receipt, appended, receipt};
use crate::signer::{Signed, signed};

/// A message that says what came of one item: what was asked for, or why it was not done.
pub trait Outcome {
    /// What was asked for.
    type Done;

    /// What was asked for.
    ///
    /// # Errors
    /// Why it was not done; `INTERNAL` where the message says neither.
    fn done(self) -> Result<Self::Done, Status>;
}

/// What came of every item, in the same order.
pub fn outcomes<M: Outcome>(messages: Vec<M>) -> Vec<Result<M::Done, Status>> {
    messages.into_iter().map(M::done).collect()
}

// The generated messages have the same shape, each with an enumeration of its own.
macro_rules! outcome {
    ($message:ty, $done:path, $failed:path, $value:ty) => {
        impl Outcome for $message {
            type Done = $value;

            fn done(self) -> Result<$value, Status> {
                match self.outcome {
                    Some($done(value)) => Ok(value),
                    Some($failed(failure)) => Err(failure.into()),
                    None => Err(Status::internal("an item without an outcome")),
                }
            }
        }
    };
}

outcome!(
    Appended,
    appended::Outcome::Place,
    appended::Outcome::Failure,
    Place
);
outcome!(
    Receipt,
    receipt::Outcome::Proof,
    receipt::Outcome::Failure,
    String
);
outcome!(
    Signed,
    signed::Outcome::Signature,
    signed::Outcome::Failure,
    Bytes
);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tonic::Code;

    use super::*;
    use crate::{Failure, code_of};

    #[test]
    fn each_item_comes_to_what_was_asked_for_or_why_not_in_the_same_order() {
        let failure = Failure::new("log_unavailable", "the disk is full");
        let messages = [
            Some(receipt::Outcome::Proof("proof".to_owned())),
            Some(receipt::Outcome::Failure(failure)),
            None,
        ];
        let messages = messages.map(|outcome| Receipt { outcome });
        let [first, second, third] = outcomes(messages.into()).try_into().unwrap();
        assert_eq!(first.unwrap(), "proof");
        assert_eq!(code_of(&second.unwrap_err()), Some("log_unavailable"));
        assert_eq!(third.unwrap_err().code(), Code::Internal);
    }
}

//! A verification of the one who asks; anybody else's does not exist.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use pavilion_catalogue::{Problem, request};
use ulid::Ulid;

use crate::app::App;
use crate::oauth::Caller;
use crate::problems::Refusal;
use crate::reservations::Reservation;
use crate::state::{Event, State};
use crate::store::StoredVerification;

/// The id in the path, as it was sent.
pub(crate) struct PathId(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        // What cannot even be read as text is no id either.
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(id)| Self(id)).map_err(|_| unknown())
    }
}

/// A verification of this relying party.
pub(crate) struct Owned {
    pub(crate) id: Ulid,
    pub(crate) row: StoredVerification,
    pub(crate) state: State,
}

impl Owned {
    /// Finds it by the id in the path.
    ///
    /// # Errors
    /// `not_found`, the same for what does not exist and what is another's.
    pub(crate) fn find(app: &App, caller: &Caller, id: &str) -> Result<Self, Refusal> {
        let id = parse(id)?;
        // Looked at before the row: an evaluation that ends in between is seen by its outcome.
        let reserved = app.verifications.is_reserved(id);
        let mut owned = Self::stored(app, caller, id, reserved)?;
        if reserved && owned.row.outcome.is_none() {
            // Whatever the clock says: what was begun in time is finished.
            owned.state = State::Evaluating;
        }
        Ok(owned)
    }

    /// Finds it and reserves it, so that nothing else happens to it meanwhile.
    ///
    /// # Errors
    /// As [`Self::find`]; `state_conflict` if another request is at work on it.
    pub(crate) fn reserve(
        app: &App,
        caller: &Caller,
        id: &str,
    ) -> Result<(Self, Reservation<Ulid>), Refusal> {
        let Some(reservation) = app.verifications.reserve(parse(id)?) else {
            return Err(Self::find(app, caller, id)?.conflict());
        };
        let owned = Self::stored(app, caller, reservation.key(), false)?;
        Ok((owned, reservation))
    }

    /// Refuses what cannot happen to it in its state.
    ///
    /// # Errors
    /// `state_conflict` or `verification_expired`.
    pub(crate) fn allows(&self, event: Event) -> Result<(), Refusal> {
        match self.state.on(event) {
            Some(_) => Ok(()),
            None => Err(self.conflict()),
        }
    }

    /// As it is stored. One that is `in_use` is there until it is done with.
    fn stored(app: &App, caller: &Caller, id: Ulid, in_use: bool) -> Result<Self, Refusal> {
        let now = app.clock.second();
        let row = app
            .store
            .verification(id)?
            .filter(|row| row.relying_party == caller.party.name)
            .filter(|row| row.relying_party_uid == caller.party.uid)
            .filter(|row| now < row.kept_until || (in_use && row.outcome.is_none()))
            .ok_or_else(unknown)?;
        let state = row.state(now);
        Ok(Self { id, row, state })
    }

    /// Its path.
    pub(crate) fn path(&self) -> String {
        path(self.id)
    }

    /// Why nothing can be done with it in its state.
    pub(crate) fn conflict(&self) -> Refusal {
        let refusal = match self.state {
            State::Expired => Refusal::from(&request::VERIFICATION_EXPIRED),
            State::Evaluating => conflict("It is being evaluated."),
            State::Completed => conflict("It is completed."),
            State::Cancelled => conflict("It was cancelled."),
            State::Failed => conflict("It failed."),
            State::Created | State::AwaitingEvidence => {
                conflict("Another request is at work on it.")
            }
        };
        refusal.about(self.path())
    }
}

/// An id in its only spelling.
fn parse(id: &str) -> Result<Ulid, Refusal> {
    let parsed = Ulid::from_string(id).ok();
    parsed
        .filter(|ulid| ulid.to_string() == id)
        .ok_or_else(unknown)
}

/// The path of a verification.
pub(crate) fn path(id: Ulid) -> String {
    format!("/v1/verifications/{id}")
}

fn unknown() -> Refusal {
    Problem::new(&request::NOT_FOUND)
        .detail("This relying party has no such verification.")
        .into()
}

fn conflict(detail: &str) -> Refusal {
    Problem::new(&request::STATE_CONFLICT).detail(detail).into()
}

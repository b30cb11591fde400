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
        let mut owned = Self::stored(app, caller, id)?;
        if owned.state == State::AwaitingEvidence && app.verifications.is_reserved(owned.id) {
            owned.state = State::Evaluating;
        }
        Ok(owned)
    }

    /// Finds it and reserves it for something that is to happen to it.
    ///
    /// # Errors
    /// As [`Self::find`]; `state_conflict` or `verification_expired` if that cannot happen now.
    pub(crate) fn reserve(
        app: &App,
        caller: &Caller,
        id: &str,
        event: Event,
    ) -> Result<(Self, Reservation<Ulid>), Refusal> {
        let found = Self::find(app, caller, id)?;
        let Some(reservation) = app.verifications.reserve(found.id) else {
            return Err(found.conflict());
        };
        // Another request may have ended it before it was reserved: what is stored now counts.
        let owned = Self::stored(app, caller, id)?;
        match owned.state.on(event) {
            Some(_) => Ok((owned, reservation)),
            None => Err(owned.conflict()),
        }
    }

    fn stored(app: &App, caller: &Caller, id: &str) -> Result<Self, Refusal> {
        let parsed = Ulid::from_string(id)
            .ok()
            .filter(|ulid| ulid.to_string() == id);
        let id = parsed.ok_or_else(unknown)?;
        let now = app.clock.second();
        let row = app
            .store
            .verification(id)?
            .filter(|row| row.relying_party == caller.party.name)
            .filter(|row| row.relying_party_uid == caller.party.uid)
            .filter(|row| now < row.kept_until)
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

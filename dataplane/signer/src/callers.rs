//! Who may ask the signer for what, by the user that the caller's process runs as.

use std::collections::{BTreeMap, BTreeSet};

use pavilion_rpc::socket::Peers;
use serde::{Deserialize, Serialize};

use crate::engine::{Purpose, SignerError};

/// What one user's processes may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caller {
    /// The user.
    pub uid: u32,
    /// What its processes may ask for. The public keys and the health they may read in any case.
    pub may: BTreeSet<Right>,
}

/// Something to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Right {
    /// Signatures by result keys.
    SignResults,
    /// Signatures by the checkpoint key.
    SignCheckpoints,
    /// A new result key in place of the current one.
    Rotate,
}

/// Every user whose processes may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callers(BTreeMap<u32, BTreeSet<Right>>);

/// Two entries speak of one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("callers: uid {0} stands twice")]
pub struct TwiceListed(u32);

impl Right {
    const ALL: [Self; 3] = [Self::SignResults, Self::SignCheckpoints, Self::Rotate];

    /// What it takes to sign with a key of that purpose; nobody signs with a sealing key.
    fn to_sign(purpose: Purpose) -> Option<Self> {
        match purpose {
            Purpose::Result => Some(Self::SignResults),
            Purpose::Checkpoint => Some(Self::SignCheckpoints),
            Purpose::Seal => None,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::SignResults => "sign results",
            Self::SignCheckpoints => "sign checkpoints",
            Self::Rotate => "rotate keys",
        }
    }
}

impl Callers {
    /// The listed users; an empty list means this process's own user, who may ask for everything.
    ///
    /// # Errors
    /// A user that is listed twice.
    pub fn from_config(list: &[Caller]) -> Result<Self, TwiceListed> {
        if list.is_empty() {
            return Ok(Self::own_user());
        }
        let mut callers = BTreeMap::new();
        for Caller { uid, may } in list {
            if callers.insert(*uid, may.clone()).is_some() {
                return Err(TwiceListed(*uid));
            }
        }
        Ok(Self(callers))
    }

    fn own_user() -> Self {
        let uid = rustix::process::geteuid().as_raw();
        Self(BTreeMap::from([(uid, Right::ALL.into())]))
    }

    /// Who may connect.
    pub fn peers(&self) -> Peers {
        Peers::Uids(self.0.keys().copied().collect())
    }

    /// Whether a process of the user may ask for it; of a user that is not known, it may not.
    ///
    /// # Errors
    /// [`SignerError::CallerNotAllowed`].
    pub fn check(&self, uid: Option<u32>, right: Right) -> Result<(), SignerError> {
        let rights = uid.and_then(|uid| self.0.get(&uid));
        match rights {
            Some(rights) if rights.contains(&right) => Ok(()),
            _ => Err(SignerError::CallerNotAllowed(right.words())),
        }
    }

    /// Whether a process of the user may sign with a key of that purpose.
    ///
    /// # Errors
    /// [`SignerError::CallerNotAllowed`], and [`SignerError::KeyUnknown`] for keys that do not sign.
    pub fn check_signing(&self, uid: Option<u32>, purpose: Purpose) -> Result<(), SignerError> {
        let right = Right::to_sign(purpose).ok_or(SignerError::KeyUnknown)?;
        self.check(uid, right)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use serde_json::{Value, json};

    use super::*;

    fn callers(list: Value) -> Result<Callers, TwiceListed> {
        let list: Vec<Caller> = serde_json::from_value(list).unwrap();
        Callers::from_config(&list)
    }

    fn rights(callers: &Callers, uid: Option<u32>) -> Vec<Right> {
        let mut rights = Right::ALL.to_vec();
        rights.retain(|right| callers.check(uid, *right).is_ok());
        rights
    }

    #[test]
    fn without_a_list_the_own_user_may_ask_for_everything_and_nobody_else_comes_in() {
        let own = rustix::process::geteuid().as_raw();
        let callers = callers(json!([])).unwrap();
        assert_eq!(callers.peers(), Peers::own_user());
        assert_eq!(rights(&callers, Some(own)), Right::ALL);
        assert_eq!(rights(&callers, Some(own + 1)), []);
    }

    #[test]
    fn a_listed_user_may_ask_for_what_is_listed_and_for_nothing_else() {
        let callers = callers(json!([
            {"uid": 7, "may": ["signResults", "rotate"]}, {"uid": 8, "may": ["signCheckpoints"]},
            {"uid": 9, "may": []}
        ]))
        .unwrap();
        assert_eq!(callers.peers(), Peers::Uids([7, 8, 9].into()));
        let some = [Right::SignResults, Right::Rotate];
        assert_eq!(rights(&callers, Some(7)), some);
        assert_eq!(rights(&callers, Some(8)), [Right::SignCheckpoints]);
        assert_eq!(rights(&callers, Some(9)), []);
        assert_eq!(rights(&callers, Some(10)), []);
        assert_eq!(rights(&callers, None), []);
    }

    #[test]
    fn nobody_signs_with_a_sealing_key() {
        let own = Some(rustix::process::geteuid().as_raw());
        let refused = Callers::own_user().check_signing(own, Purpose::Seal);
        assert_eq!(refused, Err(SignerError::KeyUnknown));
    }

    #[test]
    fn a_list_that_is_unclear_is_refused() {
        let twice = json!([{"uid": 7, "may": []}, {"uid": 7, "may": ["rotate"]}]);
        assert_eq!(
            callers(twice).unwrap_err().to_string(),
            "callers: uid 7 stands twice"
        );
        for caller in [
            json!({"uid": 7}),
            json!({"may": ["rotate"]}),
            json!({"uid": -1, "may": []}),
            json!({"uid": 7, "may": ["sign"]}),
            json!({"uid": 7, "may": [], "gid": 7}),
        ] {
            assert!(
                serde_json::from_value::<Caller>(caller.clone()).is_err(),
                "{caller}"
            );
        }
    }
}

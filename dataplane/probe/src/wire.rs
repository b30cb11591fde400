//! What is asked and told, as JSON: `POST /ask` takes a list of [`Question`]s and answers with [`Told`].

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// The most addresses of one question.
pub const MAX_ADDRESSES: usize = 64;
/// The most questions at once.
pub const MAX_QUESTIONS: usize = 16;

/// What somebody wants to know. A later question of the same name takes the place of this one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    /// The name.
    pub name: String,
    /// Where the probe must not get to.
    pub closed: Vec<SocketAddr>,
    /// Where it should get to.
    pub open: Vec<SocketAddr>,
}

/// How everything that was asked about went so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// How often everything is tried, in seconds.
    pub every_seconds: u64,
    /// Each address; one that was not tried yet is missing.
    pub tried: Vec<Tried>,
    /// How the probe itself is confined; empty for one that is not.
    pub own: Vec<Own>,
}

/// The last try of an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tried {
    /// The address.
    pub address: SocketAddr,
    /// What was expected.
    pub expected: Expected,
    /// How it went.
    pub outcome: Outcome,
    /// The same for a person.
    pub because: String,
    /// How long ago, in seconds, by a clock that nobody sets.
    pub age_seconds: u64,
}

/// What is expected of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Expected {
    /// That it is not reached.
    Closed,
    /// That it is.
    Open,
}

/// How a try went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It got there.
    Reached,
    /// It did not: refused, or nothing is there. From one side the two look the same.
    Refused,
    /// It could not be tried.
    Failed,
}

/// One thing that the probe tried on itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Own {
    /// What kind of thing.
    pub kind: OwnKind,
    /// What it is: a path, or a word.
    pub what: String,
    /// How it went.
    pub outcome: Outcome,
    /// The same for a person.
    pub because: String,
    /// How long ago, in seconds, by a clock that nobody sets.
    pub age_seconds: u64,
}

/// What the probe tries on itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OwnKind {
    /// To open, or to make, a file that is none of its business.
    File,
    /// To be more than it should be to the kernel.
    Privilege,
}

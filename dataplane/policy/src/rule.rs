//! The rule: `all`, `any`, `not`, `atLeast` over conditions.

mod shape;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::claim_ref::ClaimRef;
use crate::duration::GoDuration;
use crate::facts::Assurance;
use crate::literal::{Bound, Date, TimeOfDay, Value};
use shape::Shape;

/// A rule, written as one object: a group or a condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Shape", into = "Shape")]
pub enum Rule {
    /// Every member holds: `{all: […]}`.
    All(Vec<Rule>),
    /// At least one member holds: `{any: […]}`.
    Any(Vec<Rule>),
    /// The member is known not to hold: `{not: {…}}`.
    Not(Box<Rule>),
    /// At least `n` members hold: `{atLeast: {n: 2, of: […]}}`.
    AtLeast {
        /// How many.
        n: u32,
        /// Of these.
        of: Vec<Rule>,
    },
    /// A condition.
    Leaf(Leaf),
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Leaf {
    /// A claim's value passes a test.
    Claim {
        /// The claim.
        claim: ClaimRef,
        /// The test.
        test: Test,
    },
    /// The evidence's issuer is one of these: `{issuer: {evidence: pid, in: […]}}`.
    Issuer {
        /// The evidence.
        evidence: String,
        /// Issuers, compared exactly.
        one_of: Vec<String>,
    },
    /// The evidence's type is one of these: `{credentialType: {evidence: pid, in: […]}}`.
    CredentialType {
        /// The evidence.
        evidence: String,
        /// Types, compared exactly.
        one_of: Vec<String>,
    },
    /// The evidence was issued at most this long ago: `{issuedWithin: {evidence, duration}}`.
    IssuedWithin {
        /// The evidence.
        evidence: String,
        /// How long ago at most.
        duration: GoDuration,
    },
    /// The evidence is at least this assured: `{assurance: {evidence, atLeast: substantial}}`.
    Assurance {
        /// The evidence.
        evidence: String,
        /// The lowest level that counts.
        at_least: Assurance,
    },
    /// The question's purpose is one of these: `{purpose: {in: […]}}`.
    Purpose(OneOf),
    /// The asking relying party is one of these: `{relyingParty: {in: […]}}`.
    RelyingParty(OneOf),
    /// The decision is made within this time: `{timeWindow: {…}}`.
    TimeWindow(TimeWindow),
    /// The evidence was presented and verified: `{presented: pid}`.
    Presented(String),
}

/// A test of a claim's value.
///
/// A claim with many values (a `null` in its path) passes `Equals` and `In` if any of its values
/// does. It takes no other test but `Present`, and no negation: a wallet can withhold values.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Whole years from the claim's date to now: `age: {atLeast: 18}`.
    Age(AgeBounds),
    /// `equals: true`.
    Equals(Value),
    /// `in: [DE, FR]`.
    In(Vec<Value>),
    /// `notIn: [XX]`.
    NotIn(Vec<Value>),
    /// `atLeast: 3` or `atLeast: 2020-01-01`; the bound counts.
    AtLeast(Bound),
    /// `atMost: 3` or `atMost: 2020-01-01`; the bound counts.
    AtMost(Bound),
    /// `before: 2020-01-01`; the date does not count.
    Before(Date),
    /// `after: 2020-01-01`; the date does not count.
    After(Date),
    /// `present: true`: the claim was disclosed and is not null.
    Present,
}

/// Bounds of an age in completed years of the UTC calendar; both count. Who was born on 29 February
/// completes a year on 1 March where there is no 29 February.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgeBounds {
    /// The lowest age, in years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<u32>,
    /// The highest age, in years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u32>,
}

/// A list of names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OneOf {
    /// The names.
    #[serde(rename = "in")]
    pub one_of: Vec<String>,
}

/// When a decision may be made. What is given must all hold; at least one bound is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TimeWindow {
    /// The first instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// The last instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
    /// From this time of each day; given together with `dailyTo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_from: Option<TimeOfDay>,
    /// Until just before this time of each day; earlier than `dailyFrom` means past midnight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_to: Option<TimeOfDay>,
    /// The IANA time zone of the daily times; UTC by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

impl TimeWindow {
    /// The time zone of the daily times.
    pub(crate) fn zone(&self) -> &str {
        self.time_zone.as_deref().unwrap_or("UTC")
    }
}

impl Leaf {
    /// Whether the condition only says that something is there. Its negation never holds, because
    /// a wallet can withhold anything.
    pub(crate) fn is_presence(&self) -> bool {
        matches!(
            self,
            Self::Presented(_)
                | Self::Claim {
                    test: Test::Present,
                    ..
                }
        )
    }
}

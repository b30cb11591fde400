//! How a rule is written: one object whose keys say what it is.

use std::fmt;

use serde::de::{MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

use super::{AgeBounds, Leaf, OneOf, Rule, Test, TimeWindow};
use crate::claim_ref::ClaimRef;
use crate::duration::GoDuration;
use crate::facts::Assurance;
use crate::literal::{Bound, BoundVisitor, Date, Value};

/// Every key a rule may have. Which belong together is checked when it becomes a [`Rule`].
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Shape {
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<Vec<Rule>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    any: Option<Vec<Rule>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not: Option<Box<Rule>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_least: Option<AtLeast>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<ClaimRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age: Option<AgeBounds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    equals: Option<Value>,
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    one_of: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_in: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_most: Option<Bound>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    present: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<EvidenceIn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_type: Option<EvidenceIn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_within: Option<IssuedWithin>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assurance: Option<Assured>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<OneOf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relying_party: Option<OneOf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_window: Option<TimeWindow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presented: Option<String>,
}

/// `atLeast` is a group beside nothing, or a bound beside a claim.
#[derive(Serialize)]
#[serde(untagged)]
enum AtLeast {
    Group(Group),
    Bound(Bound),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    n: u32,
    of: Vec<Rule>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EvidenceIn {
    evidence: String,
    #[serde(rename = "in")]
    one_of: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuedWithin {
    evidence: String,
    duration: GoDuration,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Assured {
    evidence: String,
    at_least: Assurance,
}

/// What is wrong with the keys of a rule.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(super) enum ShapeError {
    #[error(
        "a rule is one of all, any, not, atLeast {{n, of}}, claim, issuer, credentialType, issuedWithin, assurance, purpose, relyingParty, timeWindow, presented"
    )]
    Nothing,
    #[error("a rule says one thing; to ask for several, make them members of all")]
    Several,
    #[error(
        "a claim needs one test: age, equals, in, notIn, atLeast, atMost, before, after or present"
    )]
    NoTest,
    #[error("a claim takes one test; to ask for several, make them members of all")]
    SeveralTests,
    #[error("a test stands beside the claim that it tests")]
    NoClaim,
    #[error("present takes only true: that something is absent cannot be shown")]
    PresentFalse,
}

impl TryFrom<Shape> for Rule {
    type Error = ShapeError;

    fn try_from(mut shape: Shape) -> Result<Self, ShapeError> {
        let group = match shape.at_least.take() {
            Some(AtLeast::Group(group)) => Some(group),
            bound => {
                shape.at_least = bound;
                None
            }
        };
        let tests = shape.take_tests()?;
        let claim = match (shape.claim.take(), tests) {
            (None, tests) if tests.is_empty() => None,
            (None, _) => return Err(ShapeError::NoClaim),
            (Some(claim), tests) => Some(Leaf::Claim {
                claim,
                test: only(tests, ShapeError::NoTest, ShapeError::SeveralTests)?,
            }),
        };
        let mut rules: Vec<Self> = claim.into_iter().map(Rule::Leaf).collect();
        rules.extend(shape.all.map(Rule::All));
        rules.extend(shape.any.map(Rule::Any));
        rules.extend(shape.not.map(Rule::Not));
        rules.extend(group.map(|Group { n, of }| Rule::AtLeast { n, of }));
        let rest = [
            shape
                .issuer
                .map(|EvidenceIn { evidence, one_of }| Leaf::Issuer { evidence, one_of }),
            shape
                .credential_type
                .map(|EvidenceIn { evidence, one_of }| Leaf::CredentialType { evidence, one_of }),
            shape
                .issued_within
                .map(|IssuedWithin { evidence, duration }| Leaf::IssuedWithin {
                    evidence,
                    duration,
                }),
            shape
                .assurance
                .map(|Assured { evidence, at_least }| Leaf::Assurance { evidence, at_least }),
            shape.purpose.map(Leaf::Purpose),
            shape.relying_party.map(Leaf::RelyingParty),
            shape.time_window.map(Leaf::TimeWindow),
            shape.presented.map(Leaf::Presented),
        ];
        rules.extend(rest.into_iter().flatten().map(Rule::Leaf));
        only(rules, ShapeError::Nothing, ShapeError::Several)
    }
}

impl Shape {
    fn take_tests(&mut self) -> Result<Vec<Test>, ShapeError> {
        if self.present == Some(false) {
            return Err(ShapeError::PresentFalse);
        }
        let at_least = match self.at_least.take() {
            Some(AtLeast::Bound(bound)) => Some(Test::AtLeast(bound)),
            _ => None,
        };
        let tests = [
            self.age.take().map(Test::Age),
            self.equals.take().map(Test::Equals),
            self.one_of.take().map(Test::In),
            self.not_in.take().map(Test::NotIn),
            at_least,
            self.at_most.take().map(Test::AtMost),
            self.before.take().map(Test::Before),
            self.after.take().map(Test::After),
            self.present.take().map(|_| Test::Present),
        ];
        Ok(tests.into_iter().flatten().collect())
    }
}

fn only<T>(mut items: Vec<T>, none: ShapeError, several: ShapeError) -> Result<T, ShapeError> {
    match (items.pop(), items.is_empty()) {
        (Some(item), true) => Ok(item),
        (Some(_), false) => Err(several),
        (None, _) => Err(none),
    }
}

impl From<Rule> for Shape {
    fn from(rule: Rule) -> Self {
        let mut shape = Self::default();
        match rule {
            Rule::All(members) => shape.all = Some(members),
            Rule::Any(members) => shape.any = Some(members),
            Rule::Not(member) => shape.not = Some(member),
            Rule::AtLeast { n, of } => shape.at_least = Some(AtLeast::Group(Group { n, of })),
            Rule::Leaf(leaf) => shape.set_leaf(leaf),
        }
        shape
    }
}

impl Shape {
    fn set_leaf(&mut self, leaf: Leaf) {
        match leaf {
            Leaf::Claim { claim, test } => {
                self.claim = Some(claim);
                self.set_test(test);
            }
            Leaf::Issuer { evidence, one_of } => {
                self.issuer = Some(EvidenceIn { evidence, one_of });
            }
            Leaf::CredentialType { evidence, one_of } => {
                self.credential_type = Some(EvidenceIn { evidence, one_of });
            }
            Leaf::IssuedWithin { evidence, duration } => {
                self.issued_within = Some(IssuedWithin { evidence, duration });
            }
            Leaf::Assurance { evidence, at_least } => {
                self.assurance = Some(Assured { evidence, at_least });
            }
            Leaf::Purpose(names) => self.purpose = Some(names),
            Leaf::RelyingParty(names) => self.relying_party = Some(names),
            Leaf::TimeWindow(window) => self.time_window = Some(window),
            Leaf::Presented(evidence) => self.presented = Some(evidence),
        }
    }

    fn set_test(&mut self, test: Test) {
        match test {
            Test::Age(bounds) => self.age = Some(bounds),
            Test::Equals(value) => self.equals = Some(value),
            Test::In(values) => self.one_of = Some(values),
            Test::NotIn(values) => self.not_in = Some(values),
            Test::AtLeast(bound) => self.at_least = Some(AtLeast::Bound(bound)),
            Test::AtMost(bound) => self.at_most = Some(bound),
            Test::Before(date) => self.before = Some(date),
            Test::After(date) => self.after = Some(date),
            Test::Present => self.present = Some(true),
        }
    }
}

impl<'de> Deserialize<'de> for AtLeast {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AtLeastVisitor)
    }
}

struct AtLeastVisitor;

impl<'de> Visitor<'de> for AtLeastVisitor {
    type Value = AtLeast;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{n, of}, or beside a claim a whole number or a date such as 2008-02-29")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AtLeast, A::Error> {
        Group::deserialize(MapAccessDeserializer::new(map)).map(AtLeast::Group)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<AtLeast, E> {
        BoundVisitor.visit_str(text).map(AtLeast::Bound)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<AtLeast, E> {
        BoundVisitor.visit_i64(number).map(AtLeast::Bound)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<AtLeast, E> {
        BoundVisitor.visit_u64(number).map(AtLeast::Bound)
    }
}

//! Slots: the typed values that a compiled policy reads from the context of a question.
//!
//! The Cedar schema of a policy is made of the slots it uses and nothing else, so a context never
//! carries more than the decision needs.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use crate::claim_ref::ClaimRef;
use crate::formula::{Formula, Literal};
use crate::literal::{Bound, Value};
use crate::model::Policy;
use crate::rule::{Leaf, Test};

/// One attribute of the context.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Slot {
    /// There if the evidence's conditions are unknown and count as true in this evaluation.
    Unknown(String),
    /// Whether the evidence was verified.
    Verified(String),
    /// Its issuer.
    Issuer(String),
    /// Its type.
    CredentialType(String),
    /// Seconds since it was issued.
    IssuedAge(String),
    /// The rank of its assurance.
    Assurance(String),
    /// A claim, read as one kind of value.
    Claim(ClaimRef, Kind),
    /// Seconds since 1970-01-01T00:00Z.
    Now,
    /// Seconds since midnight in a time zone.
    Clock(String),
    /// The purpose of the question.
    Purpose,
    /// Who asks: Cedar's principal rather than an attribute.
    Asker,
}

/// What a claim's value is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A text.
    Text,
    /// A whole number.
    Integer,
    /// True or false.
    Flag,
    /// Texts.
    Texts,
    /// Whole numbers.
    Integers,
    /// Flags.
    Flags,
    /// A text that is a date, as days since 1970-01-01.
    Day,
    /// A text that is a date, as completed years until now.
    Years,
    /// Whether it is there.
    Present,
}

impl Slot {
    /// The evidence it belongs to, if any.
    pub(crate) fn evidence(&self) -> Option<&str> {
        match self {
            Self::Unknown(id)
            | Self::Verified(id)
            | Self::Issuer(id)
            | Self::CredentialType(id)
            | Self::IssuedAge(id)
            | Self::Assurance(id) => Some(id),
            Self::Claim(claim, _) => Some(claim.evidence()),
            Self::Now | Self::Clock(_) | Self::Purpose | Self::Asker => None,
        }
    }

    /// The slot a condition reads.
    pub(crate) fn of(leaf: &Leaf, policy: &Policy) -> Self {
        match leaf {
            Leaf::Claim { claim, test } => {
                Self::Claim(claim.clone(), kind(test, policy.is_many(claim)))
            }
            Leaf::Issuer { evidence, .. } => Self::Issuer(evidence.clone()),
            Leaf::CredentialType { evidence, .. } => Self::CredentialType(evidence.clone()),
            Leaf::IssuedWithin { evidence, .. } => Self::IssuedAge(evidence.clone()),
            Leaf::Assurance { evidence, .. } => Self::Assurance(evidence.clone()),
            Leaf::Presented(evidence) => Self::Verified(evidence.clone()),
            Leaf::Purpose(_) => Self::Purpose,
            Leaf::RelyingParty(_) => Self::Asker,
            Leaf::TimeWindow(_) => Self::Now,
        }
    }

    /// Whether the context always has it.
    pub(crate) fn is_required(&self) -> bool {
        matches!(
            self,
            Self::Verified(_) | Self::Now | Self::Clock(_) | Self::Purpose
        )
    }

    /// Whether its lack in verified evidence means that a claim could not be compared.
    pub(crate) fn is_comparable(&self) -> bool {
        matches!(self, Self::Claim(..) | Self::IssuedAge(_))
    }

    fn cedar_type(&self) -> &'static str {
        match self {
            Self::Unknown(_) | Self::Verified(_) => "Bool",
            Self::IssuedAge(_) | Self::Assurance(_) | Self::Now | Self::Clock(_) => "Long",
            Self::Issuer(_) | Self::CredentialType(_) | Self::Purpose => "String",
            Self::Asker => "RelyingParty",
            Self::Claim(_, kind) => kind.cedar_type(),
        }
    }
}

impl Kind {
    fn cedar_type(self) -> &'static str {
        match self {
            Self::Text => "String",
            Self::Integer | Self::Day | Self::Years => "Long",
            Self::Flag | Self::Present => "Bool",
            Self::Texts => "Set<String>",
            Self::Integers => "Set<Long>",
            Self::Flags => "Set<Bool>",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Flag => "flag",
            Self::Texts => "texts",
            Self::Integers => "integers",
            Self::Flags => "flags",
            Self::Day => "day",
            Self::Years => "years",
            Self::Present => "present",
        }
    }

    /// The kind of a claim with one value that this value is compared with.
    fn of(value: Option<&Value>) -> Self {
        match value {
            Some(Value::Integer(_)) => Self::Integer,
            Some(Value::Flag(_)) => Self::Flag,
            Some(Value::Text(_)) | None => Self::Text,
        }
    }

    fn many(self) -> Self {
        match self {
            Self::Text => Self::Texts,
            Self::Integer => Self::Integers,
            Self::Flag => Self::Flags,
            other => other,
        }
    }

    /// Whether the claim has many values.
    pub(crate) fn is_many(self) -> bool {
        matches!(self, Self::Texts | Self::Integers | Self::Flags)
    }

    /// The JSON type the claim must have, as one of three; `None` if any will do.
    pub(crate) fn base(self) -> Option<Self> {
        match self {
            Self::Text | Self::Texts | Self::Day | Self::Years => Some(Self::Text),
            Self::Integer | Self::Integers => Some(Self::Integer),
            Self::Flag | Self::Flags => Some(Self::Flag),
            Self::Present => None,
        }
    }
}

fn kind(test: &Test, many: bool) -> Kind {
    let one = match test {
        Test::Age(_) => Kind::Years,
        Test::Equals(value) => Kind::of(Some(value)),
        Test::In(values) | Test::NotIn(values) => Kind::of(values.first()),
        Test::AtLeast(Bound::Integer(_)) | Test::AtMost(Bound::Integer(_)) => Kind::Integer,
        Test::AtLeast(Bound::Date(_))
        | Test::AtMost(Bound::Date(_))
        | Test::Before(_)
        | Test::After(_) => Kind::Day,
        Test::Present => Kind::Present,
    };
    if many { one.many() } else { one }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(id) => write!(f, "{id}:unknown"),
            Self::Verified(id) => write!(f, "{id}:verified"),
            Self::Issuer(id) => write!(f, "{id}:issuer"),
            Self::CredentialType(id) => write!(f, "{id}:type"),
            Self::IssuedAge(id) => write!(f, "{id}:issuedAgo"),
            Self::Assurance(id) => write!(f, "{id}:assurance"),
            Self::Claim(claim, kind) => write!(f, "{claim}:{}", kind.word()),
            Self::Now => f.write_str("now"),
            Self::Clock(zone) => write!(f, "clock:{zone}"),
            Self::Purpose => f.write_str("purpose"),
            Self::Asker => f.write_str("principal"),
        }
    }
}

/// Every slot of a policy: what its clauses read, and what each decision needs.
pub(crate) fn slots<'a>(
    policy: &Policy,
    clauses: impl IntoIterator<Item = &'a Formula>,
) -> BTreeSet<Slot> {
    let mut slots = BTreeSet::from([Slot::Purpose]);
    for evidence in &policy.evidence {
        slots.insert(Slot::Unknown(evidence.id.clone()));
        if !evidence.optional {
            slots.insert(Slot::Verified(evidence.id.clone()));
        }
    }
    for clause in clauses {
        clause.visit(&mut |literal: &Literal, _: &str| match &literal.leaf {
            Leaf::TimeWindow(window) => {
                if window.not_before.is_some() || window.not_after.is_some() {
                    slots.insert(Slot::Now);
                }
                if window.daily_from.is_some() {
                    slots.insert(Slot::Clock(window.zone().to_owned()));
                }
            }
            leaf => {
                slots.insert(Slot::of(leaf, policy));
            }
        });
    }
    slots.remove(&Slot::Asker);
    slots
}

/// The Cedar schema of a context with these slots.
pub(crate) fn schema(slots: &BTreeSet<Slot>) -> String {
    let mut text = String::from(
        "entity RelyingParty;\nentity Policy;\naction ask appliesTo {\n  principal: RelyingParty,\n  resource: Policy,\n  context: {\n",
    );
    for slot in slots {
        let mark = if slot.is_required() { "" } else { "?" };
        let name = slot.to_string();
        // Names are ids, words and zone names of the time zone database: nothing to escape.
        let _ = writeln!(text, "    \"{name}\"{mark}: {},", slot.cedar_type());
    }
    text.push_str("  }\n};\n");
    text
}

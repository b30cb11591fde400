//! From formulas to Cedar, as Cedar's JSON policy format: no text is put together, so there is
//! nothing to escape and nothing to inject.

use serde_json::{Value as Json, json};

use crate::formula::{Formula, Literal, Shape};
use crate::literal::{Bound, Value};
use crate::model::Policy;
use crate::rule::{AgeBounds, Leaf, Test, TimeWindow};
use crate::slot::Slot;

/// The entity type of who asks.
pub(crate) const PARTY: &str = "RelyingParty";
/// The entity type of what is asked.
pub(crate) const POLICY: &str = "Policy";
/// The one action.
pub(crate) const ASK: &str = "ask";

/// `forbid (principal, action, resource) unless { … }`, with its id as an annotation.
pub(crate) fn forbid_unless(id: &str, condition: Json) -> Json {
    json!({
        "effect": "forbid",
        "principal": {"op": "All"},
        "action": {"op": "All"},
        "resource": {"op": "All"},
        "conditions": [object([("kind", "unless".into()), ("body", condition)])],
        "annotations": {"id": id},
    })
}

/// `permit (principal …, action == ask, resource == the policy)`.
pub(crate) fn permit(party: Option<&str>, policy: &str, annotations: Json) -> Json {
    let principal = match party {
        Some(party) => json!({"op": "==", "entity": {"type": PARTY, "id": party}}),
        None => json!({"op": "All"}),
    };
    json!({
        "effect": "permit",
        "principal": principal,
        "action": {"op": "==", "entity": {"type": "Action", "id": ASK}},
        "resource": {"op": "==", "entity": {"type": POLICY, "id": policy}},
        "conditions": [],
        "annotations": annotations,
    })
}

/// The condition that this relying party asks, for one of these purposes (at least one: a set without
/// members has no type).
pub(crate) fn asker(party: &str, purposes: &[&String]) -> Json {
    let purposes = purposes.iter().map(|purpose| value(purpose.as_str()));
    let purpose = member(set(purposes), attribute(&Slot::Purpose));
    let asks = binary("==", json!({"Var": "principal"}), entity(PARTY, party));
    binary("&&", asks, purpose)
}

/// Writes the conditions of one policy for one of two evaluations.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a> {
    pub(crate) policy: &'a Policy,
    /// Whether conditions over unknown evidence count as true. In the other evaluation such
    /// evidence is simply not there.
    pub(crate) optimistic: bool,
}

impl Writer<'_> {
    /// The condition that evidence was verified.
    pub(crate) fn verified(self, evidence: &str) -> Json {
        let verified = attribute(&Slot::Verified(evidence.to_owned()));
        self.or_unknown(evidence, verified)
    }

    /// A formula.
    pub(crate) fn formula(self, formula: &Formula) -> Json {
        let parts = |parts: &[Formula]| parts.iter().map(|part| self.formula(part)).collect();
        match &formula.shape {
            Shape::All(members) => folded("&&", parts(members)),
            Shape::Any(members) => folded("||", parts(members)),
            Shape::AtLeast(n, members) => {
                let counted = members.iter().map(|part| counted(self.formula(part)));
                binary(">=", folded("+", counted.collect()), value(*n))
            }
            Shape::Literal(literal) => self.literal(literal),
        }
    }

    /// A condition over evidence reads `has && test`: false in both polarities where the value is
    /// not there. The optimistic form is `unknown || (has && test)`.
    fn literal(self, literal: &Literal) -> Json {
        let slot = Slot::of(&literal.leaf, self.policy);
        let test = test(&literal.leaf, &slot);
        let test = if literal.negated { not(test) } else { test };
        match slot.evidence() {
            None => test,
            Some(evidence) if slot.is_required() => self.or_unknown(evidence, test),
            Some(evidence) => self.or_unknown(evidence, binary("&&", has(&slot), test)),
        }
    }

    fn or_unknown(self, evidence: &str, condition: Json) -> Json {
        if self.optimistic {
            binary("||", has(&Slot::Unknown(evidence.to_owned())), condition)
        } else {
            condition
        }
    }
}

/// 1 if the condition holds, or else 0.
fn counted(condition: Json) -> Json {
    let branches = [("if", condition), ("then", value(1)), ("else", value(0))];
    node("if-then-else", object(branches))
}

fn test(leaf: &Leaf, slot: &Slot) -> Json {
    let subject = attribute(slot);
    match leaf {
        Leaf::Claim { test, .. } => claim_test(test, slot, subject),
        Leaf::Issuer { one_of, .. } | Leaf::CredentialType { one_of, .. } => {
            contains(one_of, subject)
        }
        Leaf::IssuedWithin { duration, .. } => binary("<=", subject, value(duration.as_seconds())),
        Leaf::Assurance { at_least, .. } => binary(">=", subject, value(at_least.rank())),
        Leaf::Purpose(names) => contains(&names.one_of, subject),
        Leaf::RelyingParty(names) => {
            let parties = names.one_of.iter().map(|name| entity(PARTY, name));
            member(set(parties), json!({"Var": "principal"}))
        }
        Leaf::TimeWindow(window) => time_window(window),
        Leaf::Presented(_) => subject,
    }
}

fn claim_test(test: &Test, slot: &Slot, subject: Json) -> Json {
    let many = matches!(slot, Slot::Claim(_, kind) if kind.is_many());
    match test {
        Test::Age(AgeBounds { at_least, at_most }) => {
            let low = at_least.map(|years| binary(">=", subject.clone(), value(years)));
            let high = at_most.map(|years| binary("<=", subject.clone(), value(years)));
            folded("&&", low.into_iter().chain(high).collect())
        }
        Test::Equals(wanted) if many => member(subject, self::wanted(wanted)),
        Test::Equals(wanted) => binary("==", subject, self::wanted(wanted)),
        Test::In(values) | Test::NotIn(values) => {
            let set = set(values.iter().map(wanted));
            if many {
                binary("containsAny", subject, set)
            } else {
                member(set, subject)
            }
        }
        Test::AtLeast(bound) => binary(">=", subject, ordered(bound)),
        Test::AtMost(bound) => binary("<=", subject, ordered(bound)),
        Test::Before(date) => binary("<", subject, value(date.days())),
        Test::After(date) => binary(">", subject, value(date.days())),
        Test::Present => subject,
    }
}

fn time_window(window: &TimeWindow) -> Json {
    let now = || attribute(&Slot::Now);
    let clock = || attribute(&Slot::Clock(window.zone().to_owned()));
    let first = window
        .not_before
        .map(|first| binary(">=", now(), value(first.as_second())));
    let last = window
        .not_after
        .map(|last| binary("<=", now(), value(last.as_second())));
    let daily = window.daily_from.zip(window.daily_to).map(|(from, to)| {
        let operator = if from <= to { "&&" } else { "||" };
        let after = binary(">=", clock(), value(from.seconds()));
        let before = binary("<", clock(), value(to.seconds()));
        binary(operator, after, before)
    });
    folded("&&", [first, last, daily].into_iter().flatten().collect())
}

fn context() -> Json {
    json!({"Var": "context"})
}

fn attribute(slot: &Slot) -> Json {
    let attr = slot.to_string().into();
    node(".", object([("left", context()), ("attr", attr)]))
}

fn has(slot: &Slot) -> Json {
    let attr = slot.to_string().into();
    node("has", object([("left", context()), ("attr", attr)]))
}

fn set(members: impl Iterator<Item = Json>) -> Json {
    node("Set", members.collect())
}

fn entity(kind: &str, id: &str) -> Json {
    json!({"Value": {"__entity": {"type": kind, "id": id}}})
}

fn value(number: impl Into<Json>) -> Json {
    json!({"Value": number.into()})
}

fn wanted(value: &Value) -> Json {
    json!({"Value": value})
}

fn ordered(bound: &Bound) -> Json {
    match bound {
        Bound::Integer(number) => value(*number),
        Bound::Date(date) => value(date.days()),
    }
}

fn contains(names: &[String], subject: Json) -> Json {
    member(set(names.iter().map(|name| value(name.as_str()))), subject)
}

fn member(set: Json, item: Json) -> Json {
    binary("contains", set, item)
}

fn not(condition: Json) -> Json {
    node("!", node("arg", condition))
}

fn binary(operator: &str, left: Json, right: Json) -> Json {
    node(operator, object([("left", left), ("right", right)]))
}

/// One member. (The `json!` macro would copy what it is given.)
fn node(key: &str, value: Json) -> Json {
    object([(key, value)])
}

fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    let members = members
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value));
    Json::Object(members.collect())
}

/// The members joined as a balanced tree, so that a long list does not nest deeply.
fn folded(operator: &str, mut members: Vec<Json>) -> Json {
    if members.len() < 2 {
        // A group without members does not compile; false is what could not allow.
        return members.pop().unwrap_or_else(|| value(false));
    }
    let rest = members.split_off(members.len() / 2);
    binary(operator, folded(operator, members), folded(operator, rest))
}

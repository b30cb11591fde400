//! A direct evaluator: the semantics of the guide, written without Cedar.
//!
//! Three values: `Some(true)`, `Some(false)` and `None` for unknown.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use pavilion_policy::{
    Bound, ClaimRef, Fact, Facts, Leaf, Policy, Question, Rule, Test, TimeWindow, Value,
};
use serde_json::Value as Json;

pub struct Direct<'a> {
    pub policy: &'a Policy,
    pub facts: &'a Facts,
    pub question: &'a Question<'a>,
}

type Kleene = Option<bool>;

impl Direct<'_> {
    /// Every clause by path, and all of them together.
    pub fn clauses(&self) -> Vec<(String, Kleene)> {
        let mut out = Vec::new();
        for evidence in self
            .policy
            .evidence
            .iter()
            .filter(|evidence| !evidence.optional)
        {
            let state = match self.facts.of(&evidence.id) {
                Fact::Verified { .. } => Some(true),
                Fact::Indeterminate { .. } => None,
                Fact::Missing | Fact::Failed { .. } => Some(false),
            };
            out.push((format!("evidence.{}", evidence.id), state));
        }
        self.top(&self.policy.rule, "rule".to_owned(), &mut out);
        out
    }

    fn top(&self, rule: &Rule, path: String, out: &mut Vec<(String, Kleene)>) {
        if let Rule::All(members) = rule {
            for (index, member) in members.iter().enumerate() {
                self.top(member, format!("{path}.all[{index}]"), out);
            }
        } else {
            out.push((path, self.rule(rule, true)));
        }
    }

    /// Whether the rule is known to hold (`wanted`) or known not to hold.
    fn rule(&self, rule: &Rule, wanted: bool) -> Kleene {
        let of = |members: &[Rule]| -> Vec<Kleene> {
            members
                .iter()
                .map(|member| self.rule(member, wanted))
                .collect()
        };
        match rule {
            Rule::Not(member) => self.rule(member, !wanted),
            Rule::All(members) if wanted => at_least(members.len(), &of(members)),
            Rule::All(members) => at_least(1, &of(members)),
            Rule::Any(members) if wanted => at_least(1, &of(members)),
            Rule::Any(members) => at_least(members.len(), &of(members)),
            Rule::AtLeast { n, of: members } if wanted => at_least(*n as usize, &of(members)),
            Rule::AtLeast { n, of: members } => {
                at_least(members.len() - (*n as usize - 1), &of(members))
            }
            Rule::Leaf(leaf) => self.leaf(leaf, wanted),
        }
    }

    fn leaf(&self, leaf: &Leaf, wanted: bool) -> Kleene {
        let evidence = match leaf {
            Leaf::Purpose(names) => {
                return Some(
                    names
                        .one_of
                        .iter()
                        .any(|name| name == self.question.purpose)
                        == wanted,
                );
            }
            Leaf::RelyingParty(names) => {
                let asks = names
                    .one_of
                    .iter()
                    .any(|name| name == self.question.relying_party);
                return Some(asks == wanted);
            }
            Leaf::TimeWindow(window) => return Some(within(window, self.question.now) == wanted),
            Leaf::Claim { claim, .. } => claim.evidence(),
            Leaf::Issuer { evidence, .. }
            | Leaf::CredentialType { evidence, .. }
            | Leaf::IssuedWithin { evidence, .. }
            | Leaf::Assurance { evidence, .. }
            | Leaf::Presented(evidence) => evidence,
        };
        match self.facts.of(evidence) {
            Fact::Indeterminate { .. } => None,
            Fact::Missing | Fact::Failed { .. } => Some(false),
            fact @ Fact::Verified { .. } => {
                // What cannot be compared satisfies neither the condition nor its negation.
                Some(
                    self.verified(leaf, fact, wanted)
                        .is_some_and(|holds| holds == wanted),
                )
            }
        }
    }

    fn verified(&self, leaf: &Leaf, fact: &Fact, wanted: bool) -> Option<bool> {
        let Fact::Verified {
            issuer,
            credential_type,
            issued_at,
            assurance,
            claims,
            ..
        } = fact
        else {
            return None;
        };
        match leaf {
            Leaf::Issuer { one_of, .. } => Some(one_of.contains(issuer)),
            Leaf::CredentialType { one_of, .. } => Some(one_of.contains(credential_type)),
            Leaf::IssuedWithin { duration, .. } => {
                let ago = self.question.now.as_second() - (*issued_at)?.as_second();
                (ago >= -86_400).then(|| ago <= i64::try_from(duration.as_seconds()).unwrap())
            }
            Leaf::Assurance { at_least, .. } => Some((*assurance)? >= *at_least),
            Leaf::Presented(_) => wanted.then_some(true),
            Leaf::Claim { claim, test } => {
                self.claim(claim, test, claims.get(claim.claim()), wanted)
            }
            _ => unreachable!("handled before"),
        }
    }

    fn claim(
        &self,
        claim: &ClaimRef,
        test: &Test,
        value: Option<&Json>,
        wanted: bool,
    ) -> Option<bool> {
        if *test == Test::Present {
            return wanted.then(|| value.is_some_and(|value| !value.is_null()));
        }
        let value = value?;
        if !self.policy.claim(claim).unwrap().is_many() {
            return one(test, value, self.question.now);
        }
        let (values, wanted_values, sense) = match test {
            Test::Equals(wanted) => (value.as_array()?, vec![wanted.clone()], true),
            Test::In(list) => (value.as_array()?, list.clone(), true),
            Test::NotIn(list) => (value.as_array()?, list.clone(), false),
            _ => return None,
        };
        // A wallet can withhold values, so nothing follows from what is not among them.
        if wanted != sense {
            return None;
        }
        let mut found = false;
        for value in values {
            found |= wanted_values.contains(&read(value, &wanted_values[0])?);
        }
        Some(found == sense)
    }
}

fn one(test: &Test, value: &Json, now: Timestamp) -> Option<bool> {
    match test {
        Test::Equals(wanted) => Some(read(value, wanted)? == *wanted),
        Test::In(list) => Some(list.contains(&read(value, &list[0])?)),
        Test::NotIn(list) => Some(!list.contains(&read(value, &list[0])?)),
        Test::Age(bounds) => {
            let birth = date(value)?;
            let today = now.to_zoned(TimeZone::UTC).date();
            // Counted by trying: the last birthday that has come.
            let years = (0_i16..=151)
                .filter(|years| birthday(birth, *years) <= today)
                .max()?;
            (years <= 150).then(|| {
                bounds
                    .at_least
                    .is_none_or(|low| i64::from(years) >= i64::from(low))
                    && bounds
                        .at_most
                        .is_none_or(|high| i64::from(years) <= i64::from(high))
            })
        }
        Test::AtLeast(Bound::Integer(bound)) => Some(value.as_i64()? >= *bound),
        Test::AtMost(Bound::Integer(bound)) => Some(value.as_i64()? <= *bound),
        Test::AtLeast(Bound::Date(bound)) => Some(date(value)? >= civil(*bound)),
        Test::AtMost(Bound::Date(bound)) => Some(date(value)? <= civil(*bound)),
        Test::Before(bound) => Some(date(value)? < civil(*bound)),
        Test::After(bound) => Some(date(value)? > civil(*bound)),
        Test::Present => None,
    }
}

fn birthday(birth: Date, years: i16) -> Date {
    let year = birth.year() + years;
    Date::new(year, birth.month(), birth.day()).unwrap_or_else(|_| Date::new(year, 3, 1).unwrap())
}

fn civil(date: pavilion_policy::Date) -> Date {
    date.to_string().parse().unwrap()
}

fn date(value: &Json) -> Option<Date> {
    let date: pavilion_policy::Date = value.as_str()?.parse().ok()?;
    Some(civil(date))
}

/// The claim's value as a value of the same type.
fn read(value: &Json, like: &Value) -> Option<Value> {
    match like {
        Value::Text(_) => Some(Value::Text(value.as_str()?.to_owned())),
        Value::Integer(_) => Some(Value::Integer(value.as_i64()?)),
        Value::Flag(_) => Some(Value::Flag(value.as_bool()?)),
    }
}

fn within(window: &TimeWindow, now: Timestamp) -> bool {
    let daily = match (window.daily_from, window.daily_to) {
        (Some(from), Some(to)) => {
            let zone = TimeZone::get(window.time_zone.as_deref().unwrap_or("UTC")).unwrap();
            let clock = now.to_zoned(zone).strftime("%H:%M").to_string();
            let (from, to) = (from.to_string(), to.to_string());
            if from <= to {
                from <= clock && clock < to
            } else {
                from <= clock || clock < to
            }
        }
        _ => true,
    };
    daily
        && window
            .not_before
            .is_none_or(|first| first.as_second() <= now.as_second())
        && window
            .not_after
            .is_none_or(|last| now.as_second() <= last.as_second())
}

pub fn at_least(n: usize, members: &[Kleene]) -> Kleene {
    let known = members
        .iter()
        .filter(|member| **member == Some(true))
        .count();
    let unknown = members.iter().filter(|member| member.is_none()).count();
    if known >= n {
        Some(true)
    } else if known + unknown < n {
        Some(false)
    } else {
        None
    }
}

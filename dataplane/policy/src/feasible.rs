//! Finding rules that can never hold, or that a wallet makes hold by withholding.
//!
//! The conditions that must hold together are kept on a stack; each new one is compared with those
//! that read the same slot. A group of alternatives is tried with the stack as it stands. That is
//! sound and cheap (no expansion into normal forms); a rule it lets through may still never hold.

use crate::domain::is_contradiction;
use crate::formula::{Formula, Literal, Shape};
use crate::model::{Claim, Policy};
use crate::rule::Leaf;
use crate::slot::Slot;

/// Why a part of a rule can never hold, or shows nothing when it does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// The path of the part, below `spec`.
    pub(crate) path: String,
    /// A sentence of the author's words.
    pub(crate) message: String,
}

/// Every condition that asks for something not to be there. What a wallet withholds would make it
/// hold, so that none of them shows anything; one among alternatives would be a trap for its author.
/// They are refused wherever they stand.
pub(crate) fn absences(clauses: &[Formula], policy: &Policy) -> Vec<Conflict> {
    let mut found = Vec::new();
    for clause in clauses {
        clause.visit(&mut |literal, path| {
            found.extend(absence(literal, policy).map(|message| Conflict {
                path: path.to_owned(),
                message,
            }));
        });
    }
    found
}

/// Why a condition asks for something not to be there, if it does.
fn absence(literal: &Literal, policy: &Policy) -> Option<String> {
    if !literal.negated {
        return None;
    }
    let of_many = matches!(Slot::of(&literal.leaf, policy), Slot::Claim(_, kind) if kind.is_many());
    if of_many || literal.leaf.is_presence() {
        return Some(format!(
            "'{literal}' can never hold: absence proves nothing, a wallet can withhold what it has"
        ));
    }
    is_counted(&literal.leaf, policy).then(|| {
        format!(
            "'{literal}' can never be shown: its path has an index, and a wallet can withhold elements before that one, so that another moves to its place; say what the element must be, or use a claim of its own"
        )
    })
}

fn is_counted(leaf: &Leaf, policy: &Policy) -> bool {
    let Leaf::Claim { claim, .. } = leaf else {
        return false;
    };
    policy.claim(claim).is_some_and(Claim::is_counted)
}

/// Every conflict among clauses that must all hold.
pub(crate) fn conflicts(clauses: &[Formula], policy: &Policy) -> Vec<Conflict> {
    let mut scope = Scope {
        policy,
        literals: Vec::new(),
    };
    let (literals, groups): (Vec<_>, Vec<_>) =
        clauses.iter().partition(|clause| is_literal(clause));
    let in_order = literals.into_iter().chain(groups);
    in_order
        .filter_map(|clause| scope.require(clause).err())
        .collect()
}

fn is_literal(formula: &Formula) -> bool {
    matches!(formula.shape, Shape::Literal(_))
}

struct Scope<'a> {
    policy: &'a Policy,
    literals: Vec<(Slot, &'a Literal)>,
}

impl<'a> Scope<'a> {
    /// Adds what must hold. Literals stay on the stack, groups are tried and leave it as it was.
    fn require(&mut self, formula: &'a Formula) -> Result<(), Conflict> {
        match &formula.shape {
            Shape::Literal(literal) => self.push(literal, &formula.path),
            Shape::All(parts) => {
                let depth = self.literals.len();
                let (literals, groups): (Vec<_>, Vec<_>) =
                    parts.iter().partition(|part| is_literal(part));
                let mut in_order = literals.into_iter().chain(groups);
                let outcome = in_order.try_for_each(|part| self.require(part));
                self.literals.truncate(depth);
                outcome
            }
            Shape::Any(parts) => self.at_least(1, parts, &formula.path),
            Shape::AtLeast(n, parts) => self.at_least(*n, parts, &formula.path),
        }
    }

    fn at_least(&mut self, n: usize, parts: &'a [Formula], path: &str) -> Result<(), Conflict> {
        let mut first = None;
        let mut possible = 0;
        for part in parts {
            let depth = self.literals.len();
            match self.require(part) {
                Ok(()) => possible += 1,
                Err(conflict) => first = first.or(Some(conflict)),
            }
            self.literals.truncate(depth);
        }
        match first {
            Some(conflict) if possible < n => {
                let count = parts.len();
                let wanted = match n {
                    1 => format!("none of its {count} alternatives can hold"),
                    n => format!("at least {n} of {count} must hold and only {possible} can"),
                };
                Err(Conflict {
                    path: path.to_owned(),
                    message: format!("{wanted}: {}", conflict.message),
                })
            }
            _ => Ok(()),
        }
    }

    fn push(&mut self, literal: &'a Literal, path: &str) -> Result<(), Conflict> {
        let slot = Slot::of(&literal.leaf, self.policy);
        if let Some(message) = self.objection(&slot, literal) {
            let path = path.to_owned();
            return Err(Conflict { path, message });
        }
        self.literals.push((slot, literal));
        Ok(())
    }

    fn objection(&self, slot: &Slot, literal: &Literal) -> Option<String> {
        if let Some((_, other)) = self
            .literals
            .iter()
            .find(|(other, _)| differs_in_type(slot, other))
        {
            return Some(format!(
                "'{other}' and '{literal}' cannot both hold: a claim has one type"
            ));
        }
        let same = self.literals.iter().filter(|(other, _)| other == slot);
        let mut all: Vec<&Literal> = same.map(|(_, literal)| *literal).collect();
        all.push(literal);
        if !is_contradiction(slot, &all, self.policy) {
            return None;
        }
        Some(self.sentence(slot, &all, literal))
    }

    fn sentence(&self, slot: &Slot, all: &[&Literal], literal: &Literal) -> String {
        if is_contradiction(slot, &[literal], self.policy) {
            return match slot {
                Slot::Purpose => format!("'{literal}' can never hold with spec.purposes"),
                Slot::CredentialType(evidence) => {
                    format!("'{literal}' can never hold with the types of evidence '{evidence}'")
                }
                _ => format!("'{literal}' can never hold"),
            };
        }
        let others = &all[..all.len() - 1];
        let pair = others
            .iter()
            .find(|other| is_contradiction(slot, &[other, literal], self.policy));
        if let Some(other) = pair {
            return format!("'{other}' and '{literal}' cannot both hold");
        }
        let others: Vec<_> = others.iter().map(|other| format!("'{other}'")).collect();
        format!("{} and '{literal}' cannot all hold", others.join(", "))
    }
}

/// Whether two slots read one claim as JSON values of different types.
fn differs_in_type(one: &Slot, other: &Slot) -> bool {
    match (one, other) {
        (Slot::Claim(claim, kind), Slot::Claim(same, other)) => {
            claim == same
                && !kind.is_many()
                && matches!((kind.base(), other.base()), (Some(one), Some(other)) if one != other)
        }
        _ => false,
    }
}

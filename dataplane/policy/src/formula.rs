//! A rule with every `not` pushed down to its conditions.
//!
//! What is left is monotone: making a condition true never makes the whole false. That is why two
//! evaluations, one with the unknown conditions false and one with them true, bound the verdict.

use crate::rule::{Leaf, Rule, Test};

/// A rule without `not`, each part with its path in the manifest.
#[derive(Clone, Debug)]
pub(crate) struct Formula {
    /// The path below `spec`, as `rule.all[1]`.
    pub(crate) path: String,
    /// What it says.
    pub(crate) shape: Shape,
}

#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// Every part holds.
    All(Vec<Formula>),
    /// At least one part holds.
    Any(Vec<Formula>),
    /// At least that many parts hold.
    AtLeast(usize, Vec<Formula>),
    /// A condition or the negation of one.
    Literal(Literal),
}

/// A condition or the negation of one.
#[derive(Clone, Debug)]
pub(crate) struct Literal {
    /// The condition; never `NotIn`, which is the negation of `In`.
    pub(crate) leaf: Leaf,
    /// Whether it is negated.
    pub(crate) negated: bool,
}

/// The clauses of a rule: the members of its outer `all`, those of an `all` among them included, or
/// the rule itself.
pub(crate) fn clauses(rule: &Rule) -> Vec<Formula> {
    let mut out = Vec::new();
    flatten(rule, "rule".to_owned(), &mut out);
    out
}

fn flatten(rule: &Rule, path: String, out: &mut Vec<Formula>) {
    match rule {
        Rule::All(members) => {
            for (index, member) in members.iter().enumerate() {
                flatten(member, format!("{path}.all[{index}]"), out);
            }
        }
        rule => out.push(Formula::of(rule, path, false)),
    }
}

impl Formula {
    fn of(rule: &Rule, path: String, negated: bool) -> Self {
        let shape = match rule {
            Rule::Not(member) => {
                let inner = Self::of(member, format!("{path}.not"), !negated);
                return Self { path, ..inner };
            }
            Rule::All(members) => {
                let parts = Self::parts(members, &path, "all", negated);
                if negated {
                    Shape::Any(parts)
                } else {
                    Shape::All(parts)
                }
            }
            Rule::Any(members) => {
                let parts = Self::parts(members, &path, "any", negated);
                if negated {
                    Shape::All(parts)
                } else {
                    Shape::Any(parts)
                }
            }
            Rule::AtLeast { n, of } => {
                let parts = Self::parts(of, &path, "atLeast.of", negated);
                let n = usize::try_from(*n).unwrap_or(usize::MAX);
                // Fewer than n of k hold exactly when at least k − n + 1 do not.
                let n = if negated {
                    (parts.len() + 1).saturating_sub(n)
                } else {
                    n
                };
                Shape::AtLeast(n, parts)
            }
            Rule::Leaf(leaf) => Shape::Literal(Literal::of(leaf, negated)),
        };
        Self { path, shape }
    }

    fn parts(members: &[Rule], path: &str, key: &str, negated: bool) -> Vec<Self> {
        let members = members.iter().enumerate();
        members
            .map(|(index, member)| Self::of(member, format!("{path}.{key}[{index}]"), negated))
            .collect()
    }

    /// Calls `see` with every condition and its path.
    pub(crate) fn visit(&self, see: &mut impl FnMut(&Literal, &str)) {
        match &self.shape {
            Shape::All(parts) | Shape::Any(parts) | Shape::AtLeast(_, parts) => {
                for part in parts {
                    part.visit(see);
                }
            }
            Shape::Literal(literal) => see(literal, &self.path),
        }
    }
}

impl Literal {
    fn of(leaf: &Leaf, negated: bool) -> Self {
        match leaf {
            Leaf::Claim {
                claim,
                test: Test::NotIn(values),
            } => Self {
                leaf: Leaf::Claim {
                    claim: claim.clone(),
                    test: Test::In(values.clone()),
                },
                negated: !negated,
            },
            leaf => Self {
                leaf: leaf.clone(),
                negated,
            },
        }
    }
}

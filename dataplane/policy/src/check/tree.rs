//! The rule as a tree: its size and its groups.

use super::{Findings, leaf};
use crate::model::Policy;
use crate::rule::Rule;

const MAX_DEPTH: usize = 16;
const MAX_NODES: usize = 512;
const MAX_VALUES: usize = 4_096;

pub(super) fn check(policy: &Policy, found: &mut Findings) {
    let mut walk = Walk {
        policy,
        found,
        nodes: 0,
        values: 0,
        too_deep: false,
    };
    walk.rule(&policy.rule, "spec.rule", 1);
    let (nodes, values) = (walk.nodes, walk.values);
    if nodes > MAX_NODES {
        found.too_large(
            "spec.rule",
            format!("{nodes} groups and conditions; at most {MAX_NODES}"),
        );
    }
    if values > MAX_VALUES {
        found.too_large(
            "spec.rule",
            format!("{values} values in lists; at most {MAX_VALUES}"),
        );
    }
}

struct Walk<'a> {
    policy: &'a Policy,
    found: &'a mut Findings,
    nodes: usize,
    values: usize,
    too_deep: bool,
}

impl Walk<'_> {
    fn rule(&mut self, rule: &Rule, path: &str, depth: usize) {
        self.nodes += 1;
        if depth > MAX_DEPTH {
            if !self.too_deep {
                self.too_deep = true;
                self.found
                    .too_large(path, format!("nested more than {MAX_DEPTH} deep"));
            }
            return;
        }
        match rule {
            Rule::All(members) => self.members(members, &format!("{path}.all"), depth),
            Rule::Any(members) => self.members(members, &format!("{path}.any"), depth),
            Rule::Not(member) => self.rule(member, &format!("{path}.not"), depth + 1),
            Rule::AtLeast { n, of } => {
                let in_range = usize::try_from(*n).is_ok_and(|n| (1..=of.len()).contains(&n));
                if !in_range && !of.is_empty() {
                    self.found.invalid(
                        format!("{path}.atLeast.n"),
                        format!(
                            "{n} is not between 1 and {}, the number of members",
                            of.len()
                        ),
                    );
                }
                self.members(of, &format!("{path}.atLeast.of"), depth);
            }
            Rule::Leaf(leaf) => {
                self.values += leaf::check(leaf, path, self.policy, self.found);
            }
        }
    }

    fn members(&mut self, members: &[Rule], path: &str, depth: usize) {
        if members.is_empty() {
            self.found.invalid(path, "must not be empty");
        }
        for (index, member) in members.iter().enumerate() {
            self.rule(member, &format!("{path}[{index}]"), depth + 1);
        }
    }
}

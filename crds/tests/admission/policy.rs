//! What a Policy may say, as far as its form goes.

use pavilion_crds::{Kind, admission::Fault};
use serde_json::json;

use crate::objects::{faults, policy, refused, with};

#[test]
fn the_rule_of_a_policy_nests_freely_here() {
    let mut rule = json!({"claim": "pid.birthdate", "age": {"atLeast": 18}});
    for _ in 0..20 {
        rule = json!({"not": rule});
    }
    assert_eq!(
        faults(Kind::Policy, &with(policy(), "/spec/rule", rule)),
        []
    );
    refused(
        Kind::Policy,
        &with(policy(), "/spec/rule", json!([])),
        "spec.rule",
        Fault::WrongType,
    );
}

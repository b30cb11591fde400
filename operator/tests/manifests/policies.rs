//! Policies and registrations that can never do what they say.

use crate::folder::{Folder, refusal};

#[test]
fn a_policy_that_does_not_compile_points_at_its_field() {
    let found = refusal(
        "policies.yaml",
        "{claim: pid.birthdate, age: {atLeast: 18}}\n---",
        "{claim: pid.birthday, age: {atLeast: 18}}\n---",
    );
    assert!(
        found.starts_with("policies.yaml:17: Policy pavilion-acme/over18: spec.rule"),
        "{found}"
    );
    let found = refusal(
        "policies.yaml",
        "{claim: pid.birthdate, age: {atLeast: 18}}\n---",
        "{claim: pid.birthdate, older: 18}\n---",
    );
    assert!(
        found.contains("spec.rule") && found.ends_with("[PolicyInvalid]"),
        "{found}"
    );
}

#[test]
fn a_policy_that_can_never_pass_is_refused() {
    let never = "{all: [{claim: pid.birthdate, age: {atLeast: 18}}, {claim: pid.birthdate, age: {atMost: 10}}]}\n---";
    let found = refusal(
        "policies.yaml",
        "{claim: pid.birthdate, age: {atLeast: 18}}\n---",
        never,
    );
    assert!(found.ends_with("[ClauseNeverTrue]"), "{found}");
}

#[test]
fn a_policy_beyond_its_limits_is_refused() {
    let leaf = "{claim: pid.birthdate, age: {atLeast: 18}}";
    let deep = format!("{}{leaf}{}", "{not: ".repeat(50), "}".repeat(50));
    let found = refusal(
        "policies.yaml",
        &format!("{leaf}\n---"),
        &format!("{deep}\n---"),
    );
    assert!(
        found.ends_with("[PolicyTooLarge]") || found.ends_with("[PolicyInvalid]"),
        "{found}"
    );
}

#[test]
fn a_type_that_nobody_is_believed_for_is_refused() {
    let found = refusal(
        "policies.yaml",
        "types: [urn:example:eid:1]",
        "types: [urn:example:passport:1]",
    );
    assert!(
        found.contains("spec.evidence[2].types[0]") && found.ends_with("[PolicyInvalid]"),
        "{found}"
    );
}

#[test]
fn a_registration_without_a_purpose_of_its_policy_is_refused() {
    let mut folder = Folder::quickstart();
    folder.replace(
        "relying-party.yaml",
        "account-opening]\n  policies",
        "other]\n  policies",
    );
    assert_eq!(
        folder.refused(),
        [
            "relying-party.yaml:21: RelyingParty pavilion-acme/shop: spec.policies[1]: none of spec.purposes is a purpose of policy account-opening [PurposesDisjoint]"
        ]
    );
}

#[test]
fn a_rule_about_a_relying_party_that_is_not_there_is_refused() {
    let mut folder = Folder::quickstart();
    folder.replace(
        "policies.yaml",
        "    - {claim: pid.birthdate, age: {atLeast: 18}}\n",
        "    - {claim: pid.birthdate, age: {atLeast: 18}}\n    - not: {relyingParty: {in: [shopp]}}\n",
    );
    let refused = folder.refused();
    assert!(
        refused[0].ends_with(
            "spec.rule.all[1].not.relyingParty.in[0]: there is no RelyingParty shopp in pavilion-acme [ReferenceDangling]"
        ),
        "{refused:?}"
    );
}

//! Policies: references that lead somewhere, and a rule that compiles and can pass.

use std::collections::{BTreeMap, BTreeSet};

use pavilion_catalogue::manifest;
use pavilion_crds::Kind;
use pavilion_policy::{CompileError, Policy};
use serde_json::Value;

use super::{Belongings, Check};
use crate::{manifests::Object, object_key::ObjectKey, refusal::Refusal};

pub(super) fn read(
    check: &mut Check<'_>,
    object: &Object,
    value: &Value,
    anchors: &BTreeMap<ObjectKey, BTreeSet<String>>,
    tenant: &mut Belongings,
) {
    for (index, evidence) in value["spec"]["evidence"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        let field = format!("spec.evidence[{index}].trust");
        check.references(object, &field, Kind::TrustAnchor, &evidence["trust"]);
    }
    parties(check, object, "spec.rule", &value["spec"]["rule"]);
    let policy = match Policy::from_spec(value["spec"].clone()) {
        Ok(policy) => policy,
        Err(error) => return check.refusals.push(refusal(object, error)),
    };
    believed(check, object, &policy, anchors);
    if let Err(errors) = pavilion_policy::check(&object.key.name, &policy) {
        let refused = errors.into_iter().map(|error| refusal(object, error));
        return check.refusals.extend(refused);
    }
    let digest = pavilion_policy::revision_digest(&policy);
    if let Ok(name) = object.key.name.parse() {
        tenant.policies.insert(name, (policy, digest));
    }
}

/// Every relying party that the rule names is there. A misspelt one under `not` would let everybody
/// through.
fn parties(check: &mut Check<'_>, object: &Object, path: &str, rule: &Value) {
    let named = &rule["relyingParty"]["in"];
    let field = format!("{path}.relyingParty.in");
    check.references(object, &field, Kind::RelyingParty, named);
    if rule["not"].is_object() {
        parties(check, object, &format!("{path}.not"), &rule["not"]);
    }
    for (name, group) in [
        ("all", &rule["all"]),
        ("any", &rule["any"]),
        ("atLeast.of", &rule["atLeast"]["of"]),
    ] {
        for (index, part) in group.as_array().into_iter().flatten().enumerate() {
            parties(check, object, &format!("{path}.{name}[{index}]"), part);
        }
    }
}

/// Every type that is asked for is one that some named anchor believes issuers for.
fn believed(
    check: &mut Check<'_>,
    object: &Object,
    policy: &Policy,
    anchors: &BTreeMap<ObjectKey, BTreeSet<String>>,
) {
    for (index, evidence) in policy.evidence.iter().enumerate() {
        let key = |name: &String| ObjectKey {
            kind: Kind::TrustAnchor,
            namespace: object.key.namespace.clone(),
            name: name.clone(),
        };
        let named: Vec<_> = evidence
            .trust
            .iter()
            .map(|name| anchors.get(&key(name)))
            .collect();
        // An anchor that is missing or wrong has its own fault; what it would believe is not known.
        let Some(named) = named.into_iter().collect::<Option<Vec<_>>>() else {
            continue;
        };
        for (at, wanted) in evidence.types.iter().enumerate() {
            if !named.iter().any(|types| types.contains(wanted)) {
                let field = format!("spec.evidence[{index}].types[{at}]");
                let message = format!(
                    "none of {} believes anybody for this type",
                    evidence.trust.join(", ")
                );
                check.refuse(object, &field, &manifest::POLICY_INVALID, message);
            }
        }
    }
}

fn refusal(object: &Object, error: CompileError) -> Refusal {
    let entry = pavilion_catalogue::find(error.code).unwrap_or(&manifest::POLICY_INVALID);
    object.refuse(error.path, entry, error.message)
}

//! The smallest objects of each kind, and what is said of a change to them.

use pavilion_crds::{
    Kind,
    admission::{Fault, judge},
};
use serde_json::{Value, json};

pub fn tenant() -> Value {
    json!({
        "apiVersion": "pavilion.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": "acme"},
        "spec": {"regions": ["eu-central"], "ingress": {"hosts": ["verify.acme.example"]}},
    })
}

pub fn region() -> Value {
    json!({
        "apiVersion": "pavilion.dev/v1alpha1", "kind": "Region", "metadata": {"name": "eu-central"},
        "spec": {"jurisdiction": "DE"},
    })
}

pub fn plan() -> Value {
    json!({
        "apiVersion": "pavilion.dev/v1alpha1", "kind": "Plan", "metadata": {"name": "large"},
        "spec": {},
    })
}

pub fn policy() -> Value {
    json!({
        "apiVersion": "pavilion.dev/v1alpha1", "kind": "Policy",
        "metadata": {"name": "over18", "namespace": "pavilion-acme"},
        "spec": {
            "purposes": ["age-restricted-sale"],
            "evidence": [{
                "id": "pid", "format": "dc+sd-jwt", "types": ["urn:eudi:pid:1"], "trust": ["pids"],
                "claims": [{"id": "birthdate", "path": ["birthdate"]}, {"id": "first", "path": ["names", 0, null]}],
            }],
            "rule": {"all": [{"claim": "pid.birthdate", "age": {"atLeast": 18}}, {"not": {"any": []}}]},
        },
    })
}

pub fn anchor() -> Value {
    json!({
        "apiVersion": "pavilion.dev/v1alpha1", "kind": "TrustAnchor",
        "metadata": {"name": "pids", "namespace": "pavilion-acme"},
        "spec": {
            "credentialTypes": ["urn:eudi:pid:1"],
            "issuers": [{"issuer": "https://pid.example", "jwks": {"keys": [{"kty": "EC"}]}}],
        },
    })
}

pub fn relying_party() -> Value {
    json!({
        "apiVersion": "pavilion.dev/v1alpha1", "kind": "RelyingParty",
        "metadata": {"name": "shop", "namespace": "pavilion-acme"},
        "spec": {
            "authentication": {"privateKeyJwt": {"jwksFile": "keys.json"}},
            "purposes": ["age-restricted-sale"], "policies": ["over18"],
        },
    })
}

/// `object` with the value at `pointer` replaced; an array index of `-` appends.
pub fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    let parent = object.pointer_mut(parent).expect("a parent");
    match parent {
        Value::Array(items) => items.push(value),
        Value::Object(fields) => {
            fields.insert(last.to_owned(), value);
        }
        _ => panic!("{pointer} has no parent"),
    }
    object
}

pub fn without(mut object: Value, pointer: &str) -> Value {
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    object
        .pointer_mut(parent)
        .and_then(Value::as_object_mut)
        .and_then(|fields| fields.remove(last))
        .expect("a field");
    object
}

pub fn faults(kind: Kind, object: &Value) -> Vec<(String, Fault)> {
    judge(kind, object, None)
        .err()
        .unwrap_or_default()
        .into_iter()
        .map(|violation| (violation.path, violation.fault))
        .collect()
}

pub fn refused(kind: Kind, object: &Value, path: &str, fault: Fault) {
    assert_eq!(faults(kind, object), vec![(path.to_owned(), fault)]);
}

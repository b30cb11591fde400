//! A policy that could not mean what its author wants is refused, with the field and the reason.

use pavilion_policy::Policy;
use serde_json::json;

use crate::examples::{policy, refusals};

pub const INVALID: &str = "PolicyInvalid";
pub const DANGLING: &str = "ReferenceDangling";
pub const TOO_LARGE: &str = "PolicyTooLarge";

/// The policy has this one mistake.
pub fn expect(policy: &Policy, path: &str, code: &str, message: &str) {
    let found = refusals(policy);
    let fits = |(at, text, with): &&(String, String, &str)| {
        at == path && text.contains(message) && *with == code
    };
    assert!(
        found.iter().any(|error| fits(&error)),
        "wanted {path}: {message}; found {found:?}"
    );
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn a_long_list_of_mistakes_is_cut() {
    let leaf = json!({"presented": "passport"});
    assert_eq!(refusals(&policy(json!({"any": vec![leaf; 100]}))).len(), 64);
}

#[test]
fn a_mistake_reads_as_a_sentence() {
    let errors = pavilion_policy::check("p", &policy(json!({"all": []}))).unwrap_err();
    assert_eq!(errors[0].to_string(), "spec.rule.all: must not be empty");
    assert!(std::error::Error::source(&errors[0]).is_none());
}

//! What serves in place of an object that is not accepted.

use pavilion_crds::Condition;
use serde::Serialize;

use crate::objects::Document;

/// What serves, and since when.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Instead {
    /// In words.
    pub serves: String,
    /// Since when it does in place of the other, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

impl Instead {
    /// What the statuses of the object and of its tenant say.
    pub fn of(object: &Document, tenant: &Document, refused: &Condition) -> Self {
        let bundle = serving(tenant);
        let revision = object.number("/status/revision/number");
        let serves = match (revision, bundle) {
            (Some(number), Some(_)) => {
                format!("the revision before ({number}) keeps serving")
            }
            (Some(number), None) => {
                format!(
                    "the revision before ({number}) is in force, but nothing says that it is served"
                )
            }
            (None, Some(bundle)) if object.kind() == "Policy" => {
                format!("no revision of it is in force; the tenant serves bundle {bundle}")
            }
            (None, Some(bundle)) => format!("the bundle before ({bundle}) keeps serving"),
            (None, None) => {
                return Self {
                    serves: "nothing says that anything of the tenant is served".to_owned(),
                    since: None,
                };
            }
        };
        let since = bundle
            .is_some()
            .then(|| refused.last_transition_time.clone());
        Self {
            serves,
            since: since.filter(|since| !since.is_empty()),
        }
    }
}

/// The bundle that the tenant's verifier says it serves, while it is on the air.
fn serving(tenant: &Document) -> Option<&str> {
    let digest = tenant.text("/status/served/digest");
    let short = tenant.text("/status/bundle");
    let shown = if short.is_empty() { digest } else { short };
    (!digest.is_empty() && !tenant.holds("Suspended")).then_some(shown)
}

//! Whether network policy is enforced. An API server takes NetworkPolicies whether anything enforces them or not,
//! so this is known only where a probe has tried, which a Tenant's condition then says.

use kube::core::DynamicObject;
use pavilion_crds::{Condition, ConditionStatus, Kind};

use super::Line;
use crate::cluster::Cluster;

const CHECK: &str = "network policy";
/// The condition that a probe from pods makes true.
const PROBED: &str = "IsolationVerified";

/// What is known.
pub async fn line(cluster: &Cluster) -> Line {
    let tenants = cluster.list(&cluster.ours(Kind::Tenant, None)).await;
    judge(&tenants.unwrap_or_default())
}

fn judge(tenants: &[DynamicObject]) -> Line {
    let mut verified = None;
    for tenant in tenants {
        let name = tenant.metadata.name.as_deref().unwrap_or_default();
        match probed(tenant) {
            Some(condition) if condition.status == ConditionStatus::False => {
                return Line::failed(
                    CHECK,
                    format!("the probe of tenant {name} failed: {}", condition.message),
                    format!("kubectl pavilion why {name}"),
                );
            }
            Some(condition) if condition.status == ConditionStatus::True => {
                verified.get_or_insert(name);
            }
            _ => {}
        }
    }
    match verified {
        Some(name) => Line::ok(
            CHECK,
            format!("enforced, as the probe of tenant {name} found"),
        ),
        None => Line::warning(
            CHECK,
            "not checkable from here: whether it is enforced is up to the cluster's network plugin",
            "make sure that the plugin enforces NetworkPolicy; without, tenants are not kept apart",
        ),
    }
}

fn probed(tenant: &DynamicObject) -> Option<Condition> {
    let conditions = tenant.data["status"]["conditions"].as_array()?;
    let found = conditions
        .iter()
        .find(|condition| condition["type"] == PROBED)?;
    serde_json::from_value(found.clone()).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::super::report::Outcome;
    use super::*;

    fn tenant(status: &str) -> DynamicObject {
        serde_json::from_value(
            json!({"metadata": {"name": "acme"}, "status": {"conditions": [{
                "type": PROBED, "status": status, "reason": "Probed", "message": "beta was reached",
                "lastTransitionTime": "2027-01-15T08:00:00Z", "observedGeneration": 1,
            }]}}),
        )
        .unwrap()
    }

    #[test]
    fn it_is_known_only_where_a_probe_has_tried() {
        let none: DynamicObject =
            serde_json::from_value(json!({"metadata": {"name": "a"}})).unwrap();
        assert_eq!(judge(&[none]).outcome, Outcome::Warning);
        assert_eq!(judge(&[tenant("Unknown")]).outcome, Outcome::Warning);
        assert_eq!(judge(&[tenant("True")]).outcome, Outcome::Ok);
        let failed = judge(&[tenant("True"), tenant("False")]);
        assert_eq!(failed.outcome, Outcome::Failed);
        assert!(failed.found.contains("beta was reached"), "{failed:?}");
    }
}

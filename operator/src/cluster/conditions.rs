//! How many Tenants are how, as their statuses say: what an alert begins with. Counted when somebody asks, by every replica.

use std::{collections::BTreeMap, fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
};
use serde_json::Value;

use super::objects::Objects;

/// Counts the conditions of all Tenants.
pub struct Conditions(Arc<Objects>);

/// Type, status and reason of a condition. All of them are stable words.
type Said = [(&'static str, String); 3];

impl Conditions {
    /// Of the Tenants among these.
    pub fn of(objects: Arc<Objects>) -> Self {
        Self(objects)
    }
}

impl fmt::Debug for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Conditions")
    }
}

impl Collector for Conditions {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let tenants = self.0.tenants();
        let counts = count(tenants.iter().map(|tenant| &tenant.data["status"]));
        let help = "Tenants by what a condition of them says, as statuses have it";
        let mut family = encoder.encode_descriptor("tenants", help, None, MetricType::Gauge)?;
        for (said, count) in counts {
            ConstGauge::new(count).encode(family.encode_family(&said)?)?;
        }
        Ok(())
    }
}

fn count<'a>(statuses: impl Iterator<Item = &'a Value>) -> BTreeMap<Said, i64> {
    let mut counts = BTreeMap::new();
    for status in statuses {
        for condition in status["conditions"].as_array().into_iter().flatten() {
            let word = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
            let said = [
                ("condition", word("type")),
                ("status", word("status")),
                ("reason", word("reason")),
            ];
            *counts.entry(said).or_default() += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use prometheus_client::{encoding::text::encode, registry::Registry};
    use serde_json::json;

    use super::*;
    use crate::cluster::{triggers::triggers, watching::News};
    use pavilion_crds::Kind;

    #[test]
    fn tenants_are_counted_by_what_their_conditions_say() {
        let (objects, (triggers, _told)) = (Arc::<Objects>::default(), triggers());
        let ready = |status: &str, reason: &str| json!({"type": "Ready", "status": status, "reason": reason});
        for (name, conditions) in [
            ("one", json!([ready("True", "Ready")])),
            ("two", json!([ready("True", "Ready")])),
            ("three", json!([ready("False", "Progressing")])),
            ("new", json!(null)),
        ] {
            let tenant = json!({
                "apiVersion": pavilion_crds::API_VERSION, "kind": "Tenant",
                "metadata": {"name": name, "uid": name, "resourceVersion": "1"},
                "spec": {}, "status": {"conditions": conditions},
            });
            let tenant = serde_json::from_value(tenant).unwrap();
            objects.hear(Kind::Tenant, News::Seen(tenant), &triggers);
        }
        let mut registry = Registry::with_prefix("pavilion");
        registry.register_collector(Box::new(Conditions::of(objects)));
        let mut page = String::new();
        encode(&mut page, &registry).unwrap();
        let lines: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("pavilion"))
            .collect();
        assert_eq!(
            lines,
            [
                r#"pavilion_tenants{condition="Ready",status="False",reason="Progressing"} 1"#,
                r#"pavilion_tenants{condition="Ready",status="True",reason="Ready"} 2"#,
            ]
        );
    }
}

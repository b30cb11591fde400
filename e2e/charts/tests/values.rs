//! What can be chosen is what the schema says, and the other way round.

#![allow(clippy::unwrap_used)]

use std::fs;

use pavilion_e2e_charts::{chart, compare, default_values};
use serde_json::Value;

#[test]
fn every_value_has_a_schema_and_every_schema_a_value() {
    for name in ["pavilion", "pavilion-crds"] {
        let schema = fs::read(chart(name).join("values.schema.json")).unwrap();
        let schema: Value = serde_json::from_slice(&schema).unwrap();
        let values = default_values(name).unwrap();
        assert_eq!(compare(&values, &schema), [], "{name}");
    }
}

#[test]
fn both_charts_are_of_this_release() {
    let version = env!("CARGO_PKG_VERSION");
    for name in ["pavilion", "pavilion-crds"] {
        let text = fs::read_to_string(chart(name).join("Chart.yaml")).unwrap();
        let chart: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(chart["version"], version, "{name}");
        assert_eq!(chart["appVersion"], version, "{name}");
    }
}

//! Conditions, as a status has them.

use serde_json::Value;

/// A condition of a status, if it has it.
pub fn condition<'a>(status: &'a Value, type_: &str) -> Option<&'a Value> {
    let conditions = status["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.find(|condition| condition["type"] == type_)
}

/// Status and reason of a condition, like `False Suspended`; empty while there is none.
pub fn verdict(status: &Value, type_: &str) -> String {
    let text = |found: &Value, field: &str| found[field].as_str().unwrap_or_default().to_owned();
    condition(status, type_).map_or_else(String::new, |found| {
        format!("{} {}", text(found, "status"), text(found, "reason"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_condition_is_found_by_its_type_and_told_with_its_reason() {
        let ready = json!({"type": "Ready", "status": "False", "reason": "Suspended"});
        let status = json!({"conditions": [{"type": "Accepted"}, ready]});
        assert_eq!(condition(&status, "Ready"), Some(&ready));
        assert_eq!(verdict(&status, "Ready"), "False Suspended");
        assert_eq!(verdict(&status, "Placed"), "");
        assert_eq!(verdict(&Value::Null, "Ready"), "");
    }
}

//! That a tenant was found open, and that it was found closed again.

use kube::runtime::events::{Event, EventType};
use pavilion_catalogue::manifest;
use serde_json::Value;

use super::NOTE;
use crate::cluster::{probing::Isolation, statuses::ISOLATION_VERIFIED};

/// What was done, as the API of Events has it.
const ACTION: &str = "TryIsolation";

/// What there is to tell, if it was not told before.
pub(super) fn event(before: &Value, found: &Isolation) -> Option<Event> {
    let conditions = before["conditions"].as_array();
    let before = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == ISOLATION_VERIFIED);
    let was = |status: &str| before.is_some_and(|before| before["status"] == status);
    let (type_, entry, message) = match found {
        Isolation::Broken(entry, message)
            if !was("False") || before.is_some_and(|before| before["reason"] != entry.code) =>
        {
            (EventType::Warning, *entry, message)
        }
        Isolation::Verified(message) if was("False") => {
            (EventType::Normal, &manifest::ISOLATION_VERIFIED, message)
        }
        _ => return None,
    };
    let note = message.chars().take(NOTE).collect();
    Some(Event {
        type_,
        reason: entry.code.to_owned(),
        note: Some(note),
        action: ACTION.to_owned(),
        secondary: None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn before(status: &str, reason: &str) -> Value {
        json!({"conditions": [{"type": "Ready", "status": "True", "reason": "Ready"},
            {"type": ISOLATION_VERIFIED, "status": status, "reason": reason}]})
    }

    fn told(before: &Value, found: &Isolation) -> Option<String> {
        event(before, found).map(|event| event.reason)
    }

    #[test]
    fn a_hole_is_told_once_and_so_is_its_end() {
        let hole = Isolation::Broken(&manifest::API_SERVER_REACHABLE, "it is open".to_owned());
        let whole = Isolation::Verified("it is closed".to_owned());
        let code = Some("ApiServerReachable".to_owned());
        assert_eq!(told(&json!({}), &hole), code);
        assert_eq!(told(&before("True", "IsolationVerified"), &hole), code);
        assert_eq!(told(&before("False", "TenantReachable"), &hole), code);
        assert_eq!(told(&before("False", "ApiServerReachable"), &hole), None);
        let end = told(&before("False", "ApiServerReachable"), &whole);
        assert_eq!(end.as_deref(), Some("IsolationVerified"));
        assert_eq!(told(&json!({}), &whole), None);
        assert_eq!(told(&before("Unknown", "Progressing"), &whole), None);
    }
}

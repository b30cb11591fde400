//! What is said aloud: Events, for what a person should hear of although nobody looks at a status.

use kube::{
    Client, Resource as _,
    core::DynamicObject,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use pavilion_catalogue::manifest;
use pavilion_crds::Kind;
use serde_json::Value;
use tokio::time::timeout;

use super::{
    apply::REQUEST_TIME_OUT, lease::Fence, objects::resource, probing::Isolation,
    statuses::ISOLATION_VERIFIED,
};

/// The longest note of an Event, in bytes.
const MAX_NOTE: usize = 1_000;

/// Tells.
pub struct Events {
    recorder: Recorder,
    fence: Fence,
}

impl Events {
    /// Tells while `fence` allows it.
    pub fn new(client: Client, identity: &str, fence: Fence) -> Self {
        let reporter = Reporter {
            controller: "pavilion-operator".to_owned(),
            instance: Some(identity.to_owned()),
        };
        Self {
            recorder: Recorder::new(client, reporter),
            fence,
        }
    }

    /// Tells that a tenant was found open, and that it was found closed again. `tenant` has the status from before.
    pub async fn isolation(&self, tenant: &DynamicObject, found: &Isolation) {
        let Some(event) = of_isolation(&tenant.data["status"], found) else {
            return;
        };
        let name = tenant.metadata.name.as_deref().unwrap_or_default();
        if matches!(event.type_, EventType::Warning) {
            tracing::error!(
                reason = event.reason,
                note = event.note,
                "{name} is not isolated"
            );
        }
        if self.fence.check().is_err() {
            return;
        }
        let reference = tenant.object_ref(&resource(Kind::Tenant));
        // An Event is lost when it cannot be told; the status stays.
        match timeout(REQUEST_TIME_OUT, self.recorder.publish(&event, &reference)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "an event of {name} was not told"),
            Err(_) => tracing::warn!("an event of {name} was not told in time"),
        }
    }
}

/// What there is to tell, if it was not told before.
fn of_isolation(before: &Value, found: &Isolation) -> Option<Event> {
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
    let note = message.chars().take(MAX_NOTE).collect();
    Some(Event {
        type_,
        reason: entry.code.to_owned(),
        note: Some(note),
        action: "TriedIsolation".to_owned(),
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
        of_isolation(before, found).map(|event| event.reason)
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

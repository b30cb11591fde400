//! That an object was put right.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType};
use pavilion_catalogue::manifest;

use super::NOTE;
use crate::cluster::restored::Restored;

/// What was done, as the API of Events has it.
const ACTION: &str = "Restore";

/// What there is to tell.
pub(super) fn event(restored: &Restored) -> Event {
    let key = &restored.key;
    Event {
        type_: EventType::Warning,
        reason: manifest::OBJECT_RESTORED.code.to_owned(),
        note: Some(restored.to_string().chars().take(NOTE).collect()),
        action: ACTION.to_owned(),
        secondary: Some(ObjectReference {
            api_version: Some(restored.api_version.clone()),
            kind: Some(key.kind.name().to_owned()),
            namespace: key.namespace.clone(),
            name: Some(key.name.clone()),
            // What tells one Event from another, beside the object.
            field_path: restored.damage.path(),
            ..ObjectReference::default()
        }),
    }
}

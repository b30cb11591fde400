//! Tells aloud what a person should hear of although nobody looks at a status: as Events of the Tenant, where
//! `kubectl describe` shows them.
//!
//! The same thing again and again is one Event with a count, and of one tenant no more is told in a minute than
//! [`PER_MINUTE`]; the metrics count all. An Event that cannot be written is none: nothing waits for it.

mod isolation;
mod restored;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client, Resource as _,
    core::DynamicObject,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use pavilion_bundle::TenantName;
use pavilion_crds::Kind;
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    time::timeout,
};

use super::{
    apply::REQUEST_TIME_OUT,
    objects::{Objects, resource},
    probing::Isolation,
    restored::Restored,
};
use crate::object_key::ObjectKey;

/// How much is told of one tenant in a minute.
const PER_MINUTE: u32 = 60;
const MINUTE: Duration = Duration::from_mins(1);
/// How much may wait to be told.
const WAITING: usize = 256;
/// The longest note, in characters; the API server takes 1,024 bytes.
const NOTE: usize = 900;

/// Where it is told.
pub struct Announcer {
    sender: Sender<(ObjectReference, Event)>,
    objects: Arc<Objects>,
    told: Mutex<HashMap<TenantName, Minute>>,
}

/// How much was told since when.
struct Minute {
    since: Instant,
    told: u32,
}

impl Announcer {
    /// Begins to tell, in the name of a replica.
    pub fn start(client: Client, objects: Arc<Objects>, replica: &str) -> Self {
        let (sender, waiting) = channel(WAITING);
        let reporter = Reporter {
            controller: "pavilion-operator".to_owned(),
            instance: Some(replica.to_owned()),
        };
        tokio::spawn(tell(Recorder::new(client, reporter), waiting));
        Self {
            sender,
            objects,
            told: Mutex::default(),
        }
    }

    /// Something of a tenant was put right.
    pub fn restored(&self, tenant: &TenantName, restored: &Restored) {
        let own = ObjectKey::tenant(tenant.as_str());
        let found = self.objects.of(tenant.as_str());
        let Some(object) = found.get(&own).filter(|_| self.may_tell(tenant)) else {
            return;
        };
        self.tell(object, restored::event(restored));
    }

    /// Something was tried of a tenant. What is new is told: that it was found open, and that it was found closed
    /// again. `tenant` has the status from before.
    pub fn isolation(&self, tenant: &DynamicObject, found: &Isolation) {
        let Some(event) = isolation::event(&tenant.data["status"], found) else {
            return;
        };
        if matches!(event.type_, EventType::Warning) {
            let name = tenant.metadata.name.as_deref().unwrap_or_default();
            let (reason, note) = (&event.reason, &event.note);
            tracing::error!(reason, note, "{name} is not isolated");
        }
        self.tell(tenant, event);
    }

    fn tell(&self, tenant: &DynamicObject, event: Event) {
        let regarding = tenant.object_ref(&resource(Kind::Tenant));
        // When more waits than can be told, the log and the metrics have it.
        let _ = self.sender.try_send((regarding, event));
    }

    fn may_tell(&self, tenant: &TenantName) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, minute| minute.since.elapsed() < MINUTE);
        let minute = told.entry(tenant.clone()).or_insert_with(|| Minute {
            since: Instant::now(),
            told: 0,
        });
        minute.told += 1;
        minute.told <= PER_MINUTE
    }
}

async fn tell(recorder: Recorder, mut waiting: Receiver<(ObjectReference, Event)>) {
    while let Some((regarding, event)) = waiting.recv().await {
        match timeout(REQUEST_TIME_OUT, recorder.publish(&event, &regarding)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "an Event cannot be written"),
            Err(_) => tracing::warn!("an Event cannot be written: the API server did not answer"),
        }
    }
}

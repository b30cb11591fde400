//! Status: what was reached, written to each object when something but a time changed in it.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
    core::DynamicObject,
};
use pavilion_catalogue::{Entry, manifest};
use pavilion_crds::{Condition, ConditionStatus};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    apply::{ApplyError, REQUEST_TIME_OUT},
    kinds::OwnedKind,
    lease::{Fence, LeaseOver},
    metrics::ClusterMetrics,
    objects::{Objects, resource},
    probing::Isolation,
    reconcile::RoundError,
};
use crate::{
    object_key::ObjectKey,
    status::{Verdict, keep_times, set_phase, signed},
};

/// The field manager of every status.
const FIELD_MANAGER: &str = "pavilion-status";

/// Writes statuses.
pub struct Statuses {
    client: Client,
    objects: Arc<Objects>,
    fence: Fence,
    metrics: ClusterMetrics,
}

/// Why a status was not written.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// Another replica writes now.
    #[error(transparent)]
    Lease(#[from] LeaseOver),
    /// The API server refused it, or did not answer.
    #[error("status of {0}: {1}")]
    Api(ObjectKey, String),
    /// The same of a Tenant's mark.
    #[error("finalizer of {0}: {1}")]
    Mark(ObjectKey, String),
}

impl Statuses {
    /// Writes while `fence` allows it.
    pub fn new(
        client: Client,
        objects: Arc<Objects>,
        fence: Fence,
        metrics: ClusterMetrics,
    ) -> Self {
        Self {
            client,
            objects,
            fence,
            metrics,
        }
    }

    /// Makes these the statuses of a tenant's objects. One that cannot be written keeps back no other.
    ///
    /// # Errors
    /// The first that could not be written.
    pub async fn write(
        &self,
        tenant: &str,
        statuses: BTreeMap<ObjectKey, Value>,
        now: Timestamp,
    ) -> Result<(), StatusError> {
        let found = self.objects.of(tenant);
        let mut outcome = Ok(());
        for (key, status) in statuses {
            // What is gone meanwhile has no status.
            if let Some(object) = found.get(&key) {
                let written = self.write_one(&key, object, status, now).await;
                outcome = outcome.and(written);
            }
        }
        outcome
    }

    /// Makes this the status of an object that no tenant has.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn write_wide(
        &self,
        key: &ObjectKey,
        status: Value,
        now: Timestamp,
    ) -> Result<(), StatusError> {
        match self.objects.wide_one(key) {
            Some(object) => self.write_one(key, &object, status, now).await,
            // What is gone meanwhile has no status.
            None => Ok(()),
        }
    }

    async fn write_one(
        &self,
        key: &ObjectKey,
        object: &DynamicObject,
        status: Value,
        now: Timestamp,
    ) -> Result<(), StatusError> {
        let mut document = json!({"status": status});
        keep_times(&mut document, Some(&object.data), now);
        if says_the_same(&document["status"], &object.data["status"]) {
            return Ok(());
        }
        self.fence.check()?;
        document["apiVersion"] = pavilion_crds::API_VERSION.into();
        document["kind"] = key.kind.name().into();
        let resource = resource(key.kind);
        let api: Api<DynamicObject> = match &key.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(&document);
        let answer = timeout(
            REQUEST_TIME_OUT,
            api.patch_status(&key.name, &params, &patch),
        )
        .await;
        match answer {
            Ok(Ok(answer)) => {
                self.objects.written(key.kind, answer);
                self.metrics.wrote_status();
                Ok(())
            }
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => Ok(()),
            Ok(Err(error)) => Err(StatusError::Api(key.clone(), error.to_string())),
            Err(_) => Err(StatusError::Api(
                key.clone(),
                "the API server did not answer in time".to_owned(),
            )),
        }
    }
}

/// Whether two statuses differ in nothing, or in empty lists alone: of a list whose entries are all withdrawn
/// server-side apply leaves an empty one.
fn says_the_same(one: &Value, other: &Value) -> bool {
    filled(one) == filled(other)
}

fn filled(status: &Value) -> BTreeMap<&String, &Value> {
    let members = status.as_object().into_iter().flatten();
    let is_empty = |member: &Value| member.as_array().is_some_and(Vec::is_empty);
    members.filter(|(_, member)| !is_empty(member)).collect()
}

/// The condition that says whether a tenant was found isolated.
pub const ISOLATION_VERIFIED: &str = "IsolationVerified";

/// A tenant's condition beside those that it has on one host too.
pub struct Extra {
    type_: &'static str,
    verdict: Verdict,
    /// Whether anybody can tell.
    known: bool,
}

impl Extra {
    /// Whether the tenant is placed in this cluster's region.
    pub fn placed(verdict: Verdict) -> Self {
        Self {
            type_: "Placed",
            verdict,
            known: true,
        }
    }

    /// Whether what confines the tenant is in place, by what could not be applied. The route from a Gateway confines
    /// nothing.
    pub fn isolated(failed: Option<&RoundError>) -> Self {
        let failed = failed.filter(|error| !error.is_of(OwnedKind::TlsRoute));
        let verdict = match failed {
            None => Verdict::yes(
                &manifest::ISOLATION_APPLIED,
                manifest::ISOLATION_APPLIED.meaning,
            ),
            Some(error) => Verdict::no(error.entry(), error.to_string()),
        };
        Self {
            type_: "IsolationApplied",
            verdict,
            known: true,
        }
    }

    /// Whether a tenant's root is the one that its plan asks for.
    pub fn trust_root(verdict: Verdict) -> Self {
        Self {
            type_: "TrustRootReady",
            verdict,
            known: true,
        }
    }

    /// Whether the tenant was found isolated. One that was found not to be is not Ready. It goes on to serve: what was
    /// found open is one of several doors, and to take tenants off the air would be in the hands of whoever can open it.
    pub fn isolation(found: &Isolation) -> Self {
        let (verdict, known) = match found {
            Isolation::Verified(message) => {
                (Verdict::yes(&manifest::ISOLATION_VERIFIED, message), true)
            }
            Isolation::Broken(entry, message) => (Verdict::no(entry, message), true),
            Isolation::Unknown(entry, message) => (Verdict::no(entry, message), false),
        };
        Self {
            type_: ISOLATION_VERIFIED,
            verdict,
            known,
        }
    }

    /// A tenant that was deleted although it is protected.
    pub fn protected() -> Self {
        let entry = &manifest::DELETION_PROTECTED;
        Self {
            type_: "Terminating",
            verdict: Verdict::no(entry, format!("{} {}", entry.meaning, entry.hint)),
            known: true,
        }
    }

    /// A tenant that is being deleted, and the step of that.
    pub fn terminating(step: &str) -> Self {
        Self {
            type_: "Terminating",
            verdict: Verdict::yes(&manifest::TERMINATING, step),
            known: true,
        }
    }

    /// Nothing of the tenant was ever in force, so that there is nothing to confine.
    pub fn not_isolated_yet() -> Self {
        let message = "nothing of the tenant is in force yet, so nothing was made for it";
        Self {
            type_: "IsolationApplied",
            verdict: Verdict::no(&manifest::PROGRESSING, message),
            known: true,
        }
    }

    fn condition(&self, generation: u64) -> Condition {
        let mut condition = self.verdict.condition(self.type_, generation);
        if !self.known {
            condition.status = ConditionStatus::Unknown;
        }
        condition
    }

    /// As a status of its own, for a tenant that nothing else is said of.
    pub fn alone(&self, generation: u64) -> Value {
        let ready = Verdict {
            holds: false,
            ..self.verdict.clone()
        };
        let mut status = json!({
            "observedGeneration": signed(generation),
            "conditions": [
                self.condition(generation),
                ready.condition("Ready", generation),
            ],
        });
        set_phase(&mut status);
        status
    }

    /// Adds it to a tenant's status. What fails keeps the tenant from being Ready and says why; what is
    /// only not there yet has its reason in the conditions that stand already.
    pub fn add_to(&self, status: &mut Value, generation: u64) {
        let Some(conditions) = status["conditions"].as_array_mut() else {
            return;
        };
        conditions.insert(0, json!(self.condition(generation)));
        let harmless = [
            manifest::PROGRESSING.code,
            manifest::DELETION_PROTECTED.code,
        ];
        if self.verdict.holds || !self.known || harmless.contains(&self.verdict.reason) {
            return;
        }
        let ready = conditions
            .iter_mut()
            .find(|condition| condition["type"] == "Ready");
        if let Some(ready) = ready {
            *ready = json!(self.verdict.condition("Ready", generation));
        }
    }
}

/// Tells a tenant that its hosts do not lead to it. What is amiss with its own part stands; what is only on its way is no
/// reason beside one that may last.
pub fn unreached(status: &mut Value, why: &Verdict, generation: u64) {
    let conditions = status["conditions"].as_array_mut();
    for condition in conditions.into_iter().flatten() {
        let gives_way =
            condition["status"] == "True" || condition["reason"] == manifest::PROGRESSING.code;
        for type_ in ["Programmed", "Ready"] {
            if condition["type"] == type_ && gives_way {
                *condition = json!(why.condition(type_, generation));
            }
        }
    }
}

/// The stable word for a failure, also a label of metrics.
pub fn reason(error: &ApplyError) -> &'static Entry {
    match error {
        ApplyError::NamespaceTaken(..) | ApplyError::NamespaceOccupied(..) => {
            &manifest::NAMESPACE_TAKEN
        }
        ApplyError::Lease(_) => &manifest::LEASE_OVER,
        ApplyError::Api(..) => &manifest::API_REFUSED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::owned::OwnedKey;

    #[test]
    fn a_list_that_was_emptied_is_no_reason_to_write_and_anything_else_is() {
        let said = json!({"phase": "Terminating", "conditions": [1]});
        let left = json!({"phase": "Terminating", "conditions": [1], "dataPlane": []});
        assert!(says_the_same(&said, &left) && says_the_same(&left, &said));
        let other = json!({"phase": "Terminating", "conditions": [1], "dataPlane": [1]});
        assert!(!says_the_same(&said, &other) && !says_the_same(&other, &said));
        assert!(!says_the_same(&said, &Value::Null));
        assert!(says_the_same(&Value::Null, &json!({})));
    }

    #[test]
    fn whoever_is_not_reached_is_told_and_what_is_amiss_before_that_stands() {
        let status = |ready: &str, reason: &str| {
            json!({"conditions": [
                {"type": "Programmed", "status": "True", "reason": "Ready"},
                {"type": "CertificateValid", "status": "True", "reason": "Ready"},
                {"type": "Ready", "status": ready, "reason": reason},
            ]})
        };
        let why = Verdict::no(&manifest::GATEWAY_SILENT, "nobody answers");
        let reasons = |mut status: Value| {
            unreached(&mut status, &why, 1);
            [0, 1, 2].map(|index| status["conditions"][index]["reason"].clone())
        };
        assert_eq!(
            reasons(status("True", "Ready")),
            ["GatewaySilent", "Ready", "GatewaySilent"]
        );
        assert_eq!(
            reasons(status("False", "Suspended")),
            ["GatewaySilent", "Ready", "Suspended"]
        );
        assert_eq!(
            reasons(status("False", "Progressing")),
            ["GatewaySilent", "Ready", "GatewaySilent"]
        );
    }

    #[test]
    fn a_route_that_cannot_be_applied_leaves_the_tenant_confined() {
        let failed = |kind| {
            let key = OwnedKey {
                kind,
                namespace: Some("pavilion-system".to_owned()),
                name: "tenant-acme".to_owned(),
            };
            let error = RoundError::from(ApplyError::Api(key, "no".to_owned()));
            Extra::isolated(Some(&error)).verdict.holds
        };
        assert!(failed(OwnedKind::TlsRoute) && Extra::isolated(None).verdict.holds);
        assert!(!failed(OwnedKind::StatefulSet));
    }
}

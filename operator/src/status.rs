//! Status: what was reached, computed from what the programs say they serve.
//!
//! One document per object, of the shape a cluster would show, under `status/<kind>/`. A document is
//! written only when something but a time changed in it.

mod conditions;
mod objects;
mod operator;
mod rest;
mod writer;

use std::collections::BTreeMap;

use jiff::Timestamp;
use pavilion_bundle::TenantName;
use pavilion_catalogue::manifest;
use pavilion_crds::{Condition, TenantPhase};
use pavilion_json::Digest;
use serde_json::{Value, json};

pub use conditions::{Verdict, signed};
pub use operator::OperatorFacts;
pub use writer::{StatusWriter, keep_times};

use crate::{
    desired::Desired, host::Observed, object_key::ObjectKey, records::Records, refusal::Refusal,
};

/// Everything status is computed from.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Identities and generations.
    pub records: &'a Records,
    /// What is to be.
    pub desired: &'a Desired,
    /// The digest of each tenant's bundle.
    pub digests: &'a BTreeMap<TenantName, Digest>,
    /// What is.
    pub observed: &'a Observed,
    /// Why the newest set was refused; empty when it was accepted.
    pub refusals: &'a [Refusal],
    /// What could not be written down, by tenant.
    pub failures: &'a BTreeMap<TenantName, String>,
    /// About the operator itself.
    pub facts: &'a OperatorFacts,
    /// The time that certificates are judged at.
    pub now: Timestamp,
}

/// The status of every object.
pub fn of_objects(view: &View<'_>) -> BTreeMap<ObjectKey, Value> {
    let objects = view.records.objects.iter();
    objects
        .filter(|(_, record)| !record.deleted)
        .map(|(key, record)| {
            let (mut document, _) = objects::document(view, key, record);
            (key.clone(), document["status"].take())
        })
        .collect()
}

/// Makes a Tenant's phase what its conditions come to.
pub fn set_phase(status: &mut Value) {
    let conditions = serde_json::from_value::<Vec<Condition>>(status["conditions"].clone());
    if let Ok(conditions) = conditions {
        status["phase"] = json!(TenantPhase::of(&conditions));
    }
}

/// Every status document by its file below `status/`, and whether all is ready.
pub fn compute(view: &View<'_>) -> (BTreeMap<String, Value>, bool) {
    let mut documents = BTreeMap::new();
    let mut ready = true;
    for (key, record) in view
        .records
        .objects
        .iter()
        .filter(|(_, record)| !record.deleted)
    {
        let (document, verdict) = objects::document(view, key, record);
        // What is suspended or hibernates is as it was asked to be.
        let asked = [manifest::SUSPENDED.code, manifest::HIBERNATED.code];
        ready &= verdict.holds || asked.contains(&verdict.reason);
        documents.insert(key.status_file(), document);
    }
    let (document, operator_ready) = operator::document(view, ready);
    documents.insert("operator/operator.json".to_owned(), document);
    (documents, operator_ready)
}

//! The status of the operator itself.

use pavilion_catalogue::manifest;
use pavilion_crds::API_VERSION;
use serde_json::{Value, json};

use super::{
    View,
    conditions::{Verdict, first_no},
};

/// What is shown of the operator.
#[derive(Clone, Debug, Default)]
pub struct OperatorFacts {
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Where the router listens.
    pub listen: String,
    /// The manifest folder.
    pub manifests: String,
    /// Objects in the newest set.
    pub objects: usize,
    /// The digest of the newest set.
    pub digest: Option<String>,
    /// Counts sets that were read.
    pub generation: u64,
}

pub(super) fn document(view: &View<'_>, objects_ready: bool) -> (Value, bool) {
    let facts = view.facts;
    let accepted = match view.refusals.first() {
        None => Verdict::yes(
            &manifest::ACCEPTED,
            format!("{} objects are in force", facts.objects),
        ),
        Some(first) => Verdict::no(
            &manifest::SET_REFUSED,
            format!(
                "{} faults, the first: {first} {} What was accepted before keeps serving.",
                view.refusals.len(),
                first.hint
            ),
        ),
    };
    let router = match view.observed.router.trouble() {
        None => Verdict::yes(&manifest::READY, "the router is ready"),
        Some(trouble) => Verdict::no(
            &manifest::DATA_PLANE_UNAVAILABLE,
            format!("router: {trouble}"),
        ),
    };
    let served = if objects_ready {
        Verdict::yes(&manifest::READY, "every object is served")
    } else {
        Verdict::no(&manifest::PROGRESSING, "not every object is served")
    };
    let ready = first_no([&accepted, &router, &served]);
    let verdicts = [
        ("Accepted", &accepted),
        ("RouterReady", &router),
        ("Ready", &ready),
    ];
    let conditions: Vec<_> = verdicts
        .iter()
        .map(|(type_, verdict)| verdict.condition(type_, facts.generation))
        .collect();
    let document = json!({
        "apiVersion": API_VERSION,
        "kind": "Operator",
        "metadata": {"name": "operator", "generation": facts.generation},
        "status": {
            "observedGeneration": facts.generation,
            "conditions": conditions,
            "version": facts.version,
            "pid": facts.pid,
            "listen": facts.listen,
            "manifests": {
                "folder": facts.manifests,
                "digest": facts.digest,
                "objects": facts.objects,
                "refusals": view.refusals,
            },
            "router": {
                "name": "router",
                "ready": view.observed.router.is_ready(),
                "reason": view.observed.router.trouble(),
                "version": view.observed.router.report.as_ref().map(|report| report.version.clone()),
                "restarts": view.observed.router.restarts,
            },
        },
    });
    (document, ready.holds)
}

//! What the status documents say, from what was asked for and what is there.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use pavilion_bundle::{Document, TenantName};
use pavilion_catalogue::manifest;
use pavilion_json::Digest;
use pavilion_operator::{
    desired::{Desired, DesiredTenant},
    host::{
        ChildState, Observed, ObservedTenant, Phase, Program, Report, ReportedCheck,
        ReportedRefusal, ReportedServed,
    },
    records::Records,
    refusal::Refusal,
    status::{OperatorFacts, View, compute},
};
use serde_json::Value;

use crate::stage::{desired, now};

/// Everything ready, to be spoilt.
struct Scene {
    records: Records,
    desired: Desired,
    digests: BTreeMap<TenantName, Digest>,
    observed: Observed,
    refusals: Vec<Refusal>,
    failures: BTreeMap<TenantName, String>,
    facts: OperatorFacts,
}

impl Scene {
    fn new() -> Self {
        Self::of(|text| text)
    }

    /// Of the quickstart with something changed in its files.
    fn of(change: impl Fn(String) -> String) -> Self {
        let mut records = Records::default();
        let desired = desired(&mut records, change);
        let digest = desired.tenants["acme"].bundle.seal().unwrap().1;
        let acme: TenantName = "acme".parse().unwrap();
        let programs = ObservedTenant {
            children: [
                (Program::Verifier, ready(Some(digest))),
                (Program::Signer, ready(None)),
                (Program::Auditor, ready(None)),
            ],
        };
        let until = now() + SignedDuration::from_hours(24 * 60);
        Self {
            records,
            desired,
            digests: BTreeMap::from([(acme.clone(), digest)]),
            observed: Observed {
                router: ready(None),
                certificates: BTreeMap::from([(acme.clone(), until)]),
                refused_certificates: BTreeMap::new(),
                tenants: BTreeMap::from([(acme, programs)]),
                routes_served: true,
            },
            refusals: Vec::new(),
            failures: BTreeMap::new(),
            facts: OperatorFacts::default(),
        }
    }

    fn child(&mut self, program: Program) -> &mut ChildState {
        let acme = self.observed.tenants.values_mut().next().unwrap();
        let child = acme.children.iter_mut().find(|(name, _)| *name == program);
        &mut child.unwrap().1
    }

    fn compute(&self) -> (BTreeMap<String, Value>, bool) {
        compute(&View {
            records: &self.records,
            desired: &self.desired,
            digests: &self.digests,
            observed: &self.observed,
            refusals: &self.refusals,
            failures: &self.failures,
            facts: &self.facts,
            now: now(),
        })
    }

    /// `True`, or the reason and message why not.
    fn condition(&self, file: &str, type_: &str) -> (String, String) {
        let (documents, _) = self.compute();
        let conditions = documents[file]["status"]["conditions"]
            .as_array()
            .unwrap()
            .clone();
        let found = conditions
            .into_iter()
            .find(|condition| condition["type"] == type_)
            .unwrap();
        let text = |name: &str| found[name].as_str().unwrap().to_owned();
        match text("status").as_str() {
            "True" => ("True".to_owned(), String::new()),
            _ => (text("reason"), text("message")),
        }
    }

    fn tenant_is_not_ready(&self, reason: &str, message: &str) {
        let (found, says) = self.condition("tenant/acme.json", "Ready");
        assert_eq!(found, reason, "{says}");
        assert!(says.contains(message), "{says}");
        assert!(!self.compute().1);
    }
}

#[test]
fn a_region_among_the_manifests_counts_the_tenants_that_name_it() {
    const REGION: &str = "kind: Region\nmetadata: {name: eu-central}\nspec: {jurisdiction: DE}\n";
    let scene = Scene::of(|text| {
        if text.contains("\nkind: Tenant\n") {
            format!("{text}---\napiVersion: pavilion.dev/v1alpha1\n{REGION}")
        } else {
            text
        }
    });
    let (documents, ready) = scene.compute();
    let status = &documents["region/eu-central.json"]["status"];
    assert!(ready, "{documents:?}");
    assert_eq!(status["tenants"], 1);
    assert_eq!(status["conditions"][1]["status"], "True");
}

fn ready(served: Option<Digest>) -> ChildState {
    ChildState {
        phase: Phase::Ready,
        pid: Some(1),
        report: Some(Report {
            ready: true,
            served: served.map(|digest| ReportedServed {
                version: 1,
                digest: digest.to_string(),
            }),
            ..Report::default()
        }),
        was_ready: true,
        ..ChildState::default()
    }
}

fn refusal(object: &str) -> Refusal {
    Refusal {
        object: Some(object.parse().unwrap()),
        field: "spec.rule.all[1]".to_owned(),
        line: Some(7),
        ..Refusal::of_file("policies.yaml", &manifest::CLAUSE_NEVER_TRUE, "cannot hold")
    }
}

const TENANT: &str = "tenant/acme.json";
const POLICY: &str = "policy/acme.over18.json";

#[test]
fn everything_is_ready_when_what_is_asked_for_is_served() {
    let scene = Scene::new();
    let (documents, ready) = scene.compute();
    assert!(ready);
    assert_eq!(documents.len(), 6);
    let tenant = &documents[TENANT]["status"];
    assert_eq!(tenant["policies"], "2/2");
    assert_eq!(tenant["issuer"], "https://verify.acme.localhost:8443");
    assert_eq!(tenant["bundle"].as_str().unwrap().len(), 7);
    assert_eq!(documents[POLICY]["status"]["revision"]["number"], 1);
    assert_eq!(documents[POLICY]["metadata"]["namespace"], "pavilion-acme");
    for document in documents.values() {
        let last = document["status"]["conditions"]
            .as_array()
            .unwrap()
            .last()
            .unwrap()
            .clone();
        assert_eq!(
            (last["type"].as_str(), last["status"].as_str()),
            (Some("Ready"), Some("True"))
        );
    }
}

#[test]
fn status_documents_fit_the_schemas_of_their_kinds() {
    let (documents, _) = Scene::new().compute();
    let status = |file: &str| documents[file]["status"].clone();
    serde_json::from_value::<pavilion_crds::TenantStatus>(status(TENANT)).unwrap();
    serde_json::from_value::<pavilion_crds::PolicyStatus>(status(POLICY)).unwrap();
}

#[test]
fn what_is_not_served_yet_is_not_ready() {
    let mut scene = Scene::new();
    *scene.child(Program::Verifier) = ready(Some(Digest::of(b"older")));
    scene.tenant_is_not_ready("Progressing", "newest bundle");
    assert_eq!(scene.condition(POLICY, "Ready").0, "Progressing");
    assert_eq!(scene.compute().0[TENANT]["status"]["policies"], "0/2");
    let mut scene = Scene::new();
    scene.observed.routes_served = false;
    scene.tenant_is_not_ready("Progressing", "newest routes");
    let mut scene = Scene::new();
    scene.observed.tenants.clear();
    scene.tenant_is_not_ready("Progressing", "nothing of the tenant runs");
    scene.digests.clear();
    assert_eq!(scene.condition(TENANT, "Programmed").0, "Progressing");
}

#[test]
fn a_refused_bundle_is_shown_beside_the_one_that_serves() {
    let mut scene = Scene::new();
    let digest = scene.digests["acme"].to_string();
    let report = scene.child(Program::Verifier).report.as_mut().unwrap();
    report.served.as_mut().unwrap().digest = "sha-256:0123456789".to_owned();
    report.refused = Some(ReportedRefusal {
        digest: Some(digest),
        reason: "policies.over18.digest: is not its own".to_owned(),
    });
    scene.tenant_is_not_ready("BundleRefused", "over18");
    let status = &scene.compute().0[TENANT]["status"];
    assert_eq!(status["bundle"], "0123456");
    assert!(
        status["refused"]["reason"]
            .as_str()
            .unwrap()
            .contains("over18")
    );
}

#[test]
fn a_program_in_trouble_is_named_with_its_own_words() {
    let mut scene = Scene::new();
    let signer = scene.child(Program::Signer);
    signer.phase = Phase::Troubled;
    signer.report.as_mut().unwrap().checks = vec![ReportedCheck {
        name: "token".to_owned(),
        ok: false,
        reason: "the session was lost".to_owned(),
    }];
    scene.tenant_is_not_ready(
        "DataPlaneUnavailable",
        "signer: token: the session was lost",
    );
    let mut scene = Scene::new();
    scene.child(Program::Auditor).phase = Phase::Fallen;
    scene.child(Program::Auditor).fell = Some("exit status: 65: broken".to_owned());
    scene.tenant_is_not_ready("DataPlaneUnavailable", "auditor: exit status: 65: broken");
    let mut scene = Scene::new();
    scene.observed.router = ChildState::default();
    scene.tenant_is_not_ready("DataPlaneUnavailable", "router: waits");
    assert_eq!(
        scene.condition("operator/operator.json", "RouterReady").0,
        "DataPlaneUnavailable"
    );
    let mut scene = Scene::new();
    scene
        .failures
        .insert("acme".parse().unwrap(), "the disk is full".to_owned());
    scene.tenant_is_not_ready("ChangeNotWritten", "the disk is full");
    assert_eq!(scene.condition(POLICY, "Ready").0, "ChangeNotWritten");
}

#[test]
fn a_certificate_that_ends_is_told_before_and_after() {
    let mut scene = Scene::new();
    let until = |scene: &mut Scene, hours| {
        let acme = scene.observed.certificates.values_mut().next().unwrap();
        *acme = now() + SignedDuration::from_hours(hours);
    };
    until(&mut scene, 24 * 13);
    let document = &scene.compute().0[TENANT];
    let conditions = document["status"]["conditions"].as_array().unwrap();
    let named = |condition: &&Value| condition["type"] == "CertificateValid";
    let condition = conditions.iter().find(named).unwrap();
    assert_eq!(condition["reason"], "CertificateExpiring");
    assert_eq!(scene.condition(TENANT, "Ready").0, "True");
    until(&mut scene, -1);
    scene.tenant_is_not_ready("CertificateExpired", "ended at");
}

#[test]
fn a_refused_object_says_why_and_its_tenant_names_it() {
    let mut scene = Scene::new();
    scene.refusals = vec![refusal("Policy pavilion-acme/over18")];
    let (reason, message) = scene.condition(POLICY, "Accepted");
    assert_eq!(reason, "ClauseNeverTrue");
    assert!(
        message.starts_with(
            "policies.yaml:7: Policy pavilion-acme/over18: spec.rule.all[1]: cannot hold"
        ),
        "{message}"
    );
    assert!(message.contains(manifest::CLAUSE_NEVER_TRUE.hint));
    scene.tenant_is_not_ready("ClauseNeverTrue", "keeps serving");
    // What is in force and unchanged stays accepted and ready.
    assert_eq!(
        scene.condition("relyingparty/acme.shop.json", "Ready").0,
        "True"
    );
    assert_eq!(scene.condition(TENANT, "Programmed").0, "True");
    let operator = &scene.compute().0["operator/operator.json"]["status"];
    assert_eq!(operator["manifests"]["refusals"][0]["line"], 7);
    assert_eq!(operator["conditions"][0]["reason"], "SetRefused");
}

#[test]
fn a_right_object_of_a_refused_set_waits_for_the_others() {
    let mut scene = Scene::new();
    scene.refusals = vec![refusal("Policy pavilion-beta/other")];
    let shop = "RelyingParty pavilion-acme/shop".parse().unwrap();
    scene.records.objects.get_mut(&shop).unwrap().generation += 1;
    assert_eq!(
        scene.condition("relyingparty/acme.shop.json", "Accepted").0,
        "SetRefused"
    );
    let document = &scene.compute().0["relyingparty/acme.shop.json"];
    assert_eq!(document["status"]["observedGeneration"], 2);
    assert_eq!(scene.condition(TENANT, "Ready").0, "True");
}

#[test]
fn many_faults_are_counted_and_the_first_are_named() {
    let mut scene = Scene::new();
    scene.refusals = vec![refusal("Policy pavilion-acme/over18"); 9];
    let (_, message) = scene.condition(POLICY, "Accepted");
    assert!(message.contains("and 4 more"), "{message}");
}

impl Scene {
    fn acme(&mut self) -> &mut DesiredTenant {
        self.desired.tenants.values_mut().next().unwrap()
    }

    fn phase(&self) -> Value {
        self.compute().0[TENANT]["status"]["phase"].clone()
    }
}

#[test]
fn a_suspended_tenant_says_so_everywhere_and_shows_that_it_runs() {
    let mut scene = Scene::new();
    assert_eq!(scene.phase(), "Ready");
    scene.acme().suspend = true;
    let (reason, message) = scene.condition(TENANT, "Ready");
    assert_eq!(reason, "Suspended");
    assert!(message.contains("503 tenant_suspended"), "{message}");
    assert!(scene.compute().1, "what was asked for is reached");
    assert_eq!(scene.condition(TENANT, "Suspended").0, "True");
    assert_eq!(scene.condition(POLICY, "Ready").0, "Suspended");
    assert_eq!(scene.condition(TENANT, "Programmed").0, "True");
    assert_eq!(scene.phase(), "Suspended");
}

#[test]
fn a_tenant_is_not_called_suspended_before_the_edge_refuses_its_requests() {
    let mut scene = Scene::new();
    scene.acme().suspend = true;
    scene.observed.routes_served = false;
    let (reason, message) = scene.condition(TENANT, "Suspended");
    assert_eq!(reason, "Progressing");
    assert!(message.contains("the edge"), "{message}");
    assert_eq!(scene.condition(TENANT, "Ready").0, "Suspended");
    assert_eq!(scene.phase(), "Provisioning");
}

#[test]
fn a_tenant_hibernates_once_nothing_of_it_runs() {
    let mut scene = Scene::new();
    scene.acme().hibernate = true;
    let (reason, message) = scene.condition(TENANT, "Suspended");
    assert_eq!(reason, "Progressing");
    assert!(message.contains("have not stopped"), "{message}");
    scene.observed.tenants.clear();
    assert_eq!(scene.condition(TENANT, "Suspended").0, "True");
    assert_eq!(scene.condition(TENANT, "Ready").0, "Hibernated");
    assert_eq!(scene.condition(TENANT, "Programmed").0, "Hibernated");
    assert_eq!(scene.condition(TENANT, "CertificateValid").0, "True");
    assert_eq!(scene.condition(POLICY, "Ready").0, "Hibernated");
    assert!(scene.compute().1, "what was asked for is reached");
    assert_eq!(scene.phase(), "Hibernated");
    scene.acme().suspend = true;
    let (reason, message) = scene.condition(TENANT, "Ready");
    assert_eq!(reason, "Suspended", "what callers are told");
    assert!(message.contains("nothing of the tenant runs"), "{message}");
    assert_eq!(scene.phase(), "Suspended");
}

//! The status of the objects, kind by kind.

use jiff::SignedDuration;
use pavilion_bundle::{TenantBundle, TenantName};
use pavilion_catalogue::manifest;
use pavilion_crds::{
    API_VERSION, ChildStatus, Condition, Kind, PlanStatus, PolicyStatus, RefusedBundle,
    RegionStatus, RelyingPartyStatus, RevisionStatus, ServedBundle, TenantPhase, TenantStatus,
    TrustAnchorStatus,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    View,
    conditions::{Verdict, first_no, signed},
    rest,
};
use crate::{
    host::{ObservedTenant, Program},
    object_key::ObjectKey,
    records::ObjectRecord,
    refusal::Refusal,
};

/// How long before its end a certificate is called an expiring one.
const EXPIRY_WARNING: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How many faults a message names.
const NAMED_FAULTS: usize = 5;

pub(super) fn document(
    view: &View<'_>,
    key: &ObjectKey,
    record: &ObjectRecord,
) -> (Value, Verdict) {
    let accepted = accepted(view, key, record);
    let observed_generation = signed(record.generation);
    let (status, ready) = match key.kind {
        Kind::Tenant => {
            let (status, ready) = tenant(view, key, record, &accepted);
            (value(&status), ready)
        }
        Kind::Region => {
            let status = RegionStatus {
                observed_generation,
                conditions: conditions(record, &[("Accepted", &accepted), ("Ready", &accepted)]),
                tenants: Some(placed_in(view, &key.name)),
            };
            (value(&status), accepted)
        }
        Kind::Plan => {
            let status = PlanStatus {
                observed_generation,
                conditions: conditions(record, &[("Accepted", &accepted), ("Ready", &accepted)]),
                tenants: None,
            };
            (value(&status), accepted)
        }
        kind => {
            let ready = served(view, key, &accepted);
            let conditions = conditions(record, &[("Accepted", &accepted), ("Ready", &ready)]);
            let status = match kind {
                Kind::Policy => value(&PolicyStatus {
                    observed_generation,
                    conditions,
                    revision: revision(view, key),
                }),
                Kind::TrustAnchor => value(&TrustAnchorStatus {
                    observed_generation,
                    conditions,
                }),
                _ => value(&RelyingPartyStatus {
                    observed_generation,
                    conditions,
                }),
            };
            (status, ready)
        }
    };
    let mut metadata =
        json!({"name": key.name, "uid": record.uid, "generation": record.generation});
    if let Some(namespace) = &key.namespace {
        metadata["namespace"] = json!(namespace);
    }
    let document = json!({
        "apiVersion": API_VERSION,
        "kind": key.kind.name(),
        "metadata": metadata,
        "status": status,
    });
    (document, ready)
}

/// How many tenants have their home in a region.
fn placed_in(view: &View<'_>, region: &str) -> i64 {
    let tenants = view.desired.tenants.values();
    let placed = tenants.filter(|tenant| tenant.bundle.region == region);
    i64::try_from(placed.count()).unwrap_or(i64::MAX)
}

fn value(status: &impl Serialize) -> Value {
    serde_json::to_value(status).unwrap_or_default()
}

fn conditions(record: &ObjectRecord, verdicts: &[(&str, &Verdict)]) -> Vec<Condition> {
    let condition =
        |(type_, verdict): &(&str, &Verdict)| verdict.condition(type_, record.generation);
    verdicts.iter().map(condition).collect()
}

fn accepted(view: &View<'_>, key: &ObjectKey, record: &ObjectRecord) -> Verdict {
    let own: Vec<&Refusal> = view
        .refusals
        .iter()
        .filter(|refusal| refusal.object.as_ref() == Some(key))
        .collect();
    if let Some(first) = own.first() {
        return Verdict {
            holds: false,
            reason: first.code,
            message: told(&own),
        };
    }
    match view.refusals.first() {
        Some(first) if !record.is_in_force() => Verdict::no(
            &manifest::SET_REFUSED,
            format!("another manifest of the set is refused: {first}"),
        ),
        _ => Verdict::yes(&manifest::ACCEPTED, manifest::ACCEPTED.meaning),
    }
}

/// Faults in one message, with what serves instead.
fn told(refusals: &[&Refusal]) -> String {
    let mut lines: Vec<String> = refusals
        .iter()
        .take(NAMED_FAULTS)
        .map(|refusal| format!("{refusal} {}", refusal.hint))
        .collect();
    if refusals.len() > NAMED_FAULTS {
        lines.push(format!("and {} more", refusals.len() - NAMED_FAULTS));
    }
    lines.push("What was accepted before keeps serving.".to_owned());
    lines.join("\n")
}

fn tenant(
    view: &View<'_>,
    key: &ObjectKey,
    record: &ObjectRecord,
    accepted: &Verdict,
) -> (TenantStatus, Verdict) {
    let name: Option<TenantName> = key.name.parse().ok();
    let desired = name
        .as_ref()
        .and_then(|name| view.desired.tenants.get(name));
    let observed = name
        .as_ref()
        .and_then(|name| view.observed.tenants.get(name));
    let (policies, of) = policies(view, key);
    let policies_ready = if policies == of {
        Verdict::yes(&manifest::READY, "every policy serves")
    } else {
        Verdict::no(
            &manifest::PROGRESSING,
            format!("{policies} of {of} policies serve"),
        )
    };
    let programmed = programmed(view, name.as_ref());
    let suspended = rest::suspended(view, desired, observed);
    let open = rest::open(desired);
    let objects = of_objects(view, key);
    let data_plane = data_plane(view, observed);
    let certificate = certificate(view, name.as_ref());
    let ready = first_no([
        accepted,
        &objects,
        &open,
        &certificate,
        &data_plane,
        &programmed,
        &policies_ready,
    ]);
    let verdicts = [
        ("Accepted", accepted),
        ("Programmed", &programmed),
        ("PoliciesReady", &policies_ready),
        ("CertificateValid", &certificate),
        ("Suspended", &suspended),
        ("Ready", &ready),
    ];
    let verifier = observed.and_then(|observed| observed.child(Program::Verifier));
    let report = verifier.and_then(|state| state.report.as_ref());
    let served = report.and_then(|report| report.served.as_ref());
    let refused = report.and_then(|report| report.refused.as_ref());
    let conditions = conditions(record, &verdicts);
    let status = TenantStatus {
        observed_generation: signed(record.generation),
        phase: Some(TenantPhase::of(&conditions)),
        conditions,
        region: desired.map(|desired| desired.bundle.region.clone()),
        endpoint: None,
        issuer: desired.map(|desired| issuer(&desired.bundle)),
        policies: Some(format!("{policies}/{of}")),
        bundle: served.map(|served| short(&served.digest)),
        served: served.map(|served| ServedBundle {
            version: signed(served.version),
            digest: served.digest.clone(),
        }),
        refused: refused.map(|refused| RefusedBundle {
            digest: refused.digest.clone().unwrap_or_default(),
            reason: refused.reason.chars().take(1024).collect(),
        }),
        data_plane: observed.map(children).unwrap_or_default(),
    };
    (status, ready)
}

/// An issuer without the slash that a URL of no path is shown with.
fn issuer(bundle: &TenantBundle) -> String {
    bundle.issuer.as_str().trim_end_matches('/').to_owned()
}

fn short(digest: &str) -> String {
    digest
        .trim_start_matches("sha-256:")
        .chars()
        .take(7)
        .collect()
}

fn children(observed: &ObservedTenant) -> Vec<ChildStatus> {
    let child = |(program, state): &(Program, crate::host::ChildState)| ChildStatus {
        name: program.name().to_owned(),
        ready: state.is_ready(),
        reason: state
            .trouble()
            .map(|reason| reason.chars().take(1024).collect()),
        version: state.report.as_ref().map(|report| report.version.clone()),
        restarts: signed(state.restarts),
    };
    observed.children.iter().map(child).collect()
}

/// Whether every object of the tenant is accepted.
fn of_objects(view: &View<'_>, key: &ObjectKey) -> Verdict {
    let refused: Vec<&Refusal> = view
        .refusals
        .iter()
        .filter(|refusal| {
            let object = refusal.object.as_ref();
            object.is_some_and(|object| object.tenant_name() == Some(&key.name))
        })
        .collect();
    match refused.first() {
        Some(first) => Verdict {
            holds: false,
            reason: first.code,
            message: told(&refused),
        },
        None => Verdict::yes(&manifest::ACCEPTED, manifest::ACCEPTED.meaning),
    }
}

/// Whether the programs run, and the edge with them.
fn data_plane(view: &View<'_>, observed: Option<&ObservedTenant>) -> Verdict {
    let away = |what: String| Verdict::no(&manifest::DATA_PLANE_UNAVAILABLE, what);
    let Some(observed) = observed else {
        return Verdict::no(&manifest::PROGRESSING, "nothing of the tenant runs yet");
    };
    // In the order they start: what a program waits for explains why it waits.
    for program in Program::OF_TENANT {
        let trouble = observed
            .child(program)
            .and_then(crate::host::ChildState::trouble);
        if let Some(trouble) = trouble {
            return away(format!("{}: {trouble}", program.name()));
        }
    }
    match view.observed.router.trouble() {
        Some(trouble) => away(format!("router: {trouble}")),
        None => Verdict::yes(&manifest::READY, "every program is ready"),
    }
}

/// Whether clients take the server certificate, and will for a while.
fn certificate(view: &View<'_>, name: Option<&TenantName>) -> Verdict {
    let refused = name.and_then(|name| view.observed.refused_certificates.get(name));
    if let Some((entry, why)) = refused {
        return Verdict::no(entry, why.clone());
    }
    let Some(until) = name.and_then(|name| view.observed.certificates.get(name)) else {
        return Verdict::yes(&manifest::READY, "no certificate is shown");
    };
    let left = until.duration_since(view.now);
    if left.is_negative() || left.is_zero() {
        return Verdict::no(
            &manifest::CERTIFICATE_EXPIRED,
            format!("the server certificate ended at {until}"),
        );
    }
    if left < EXPIRY_WARNING {
        return Verdict::yes(
            &manifest::CERTIFICATE_EXPIRING,
            format!("the server certificate ends at {until}"),
        );
    }
    Verdict::yes(&manifest::READY, format!("good until {until}"))
}

/// Whether what is desired is what is served.
fn programmed(view: &View<'_>, name: Option<&TenantName>) -> Verdict {
    let progressing = |message: &str| Verdict::no(&manifest::PROGRESSING, message);
    if let Some(failure) = name.and_then(|name| view.failures.get(name)) {
        return Verdict::no(&manifest::CHANGE_NOT_WRITTEN, failure.clone());
    }
    let Some(digest) = name.and_then(|name| view.digests.get(name)) else {
        return progressing("nothing of the tenant was accepted yet");
    };
    let desired = name.and_then(|name| view.desired.tenants.get(name));
    if desired.is_some_and(|desired| desired.hibernate) {
        return Verdict::no(&manifest::HIBERNATED, "nothing of the tenant is to run");
    }
    let verifier = name
        .and_then(|name| view.observed.tenants.get(name))
        .and_then(|observed| observed.child(Program::Verifier));
    let Some(report) = verifier.and_then(|state| state.report.as_ref()) else {
        return progressing("the verifier does not answer");
    };
    let digest = digest.to_string();
    if let Some(refused) = &report.refused
        && refused
            .digest
            .as_ref()
            .is_none_or(|refused| *refused == digest)
    {
        return Verdict::no(&manifest::BUNDLE_REFUSED, refused.reason.clone());
    }
    if report
        .served
        .as_ref()
        .is_none_or(|served| served.digest != digest)
    {
        return progressing("the verifier does not serve the newest bundle yet");
    }
    if !view.observed.routes_served {
        return progressing("the router does not serve the newest routes yet");
    }
    Verdict::yes(&manifest::READY, format!("serves {digest}"))
}

/// How many policies of a tenant serve as they were last seen, of how many there are.
fn policies(view: &View<'_>, tenant: &ObjectKey) -> (usize, usize) {
    let mut of = 0;
    let mut serving = 0;
    for (key, record) in &view.records.objects {
        if key.kind == Kind::Policy && !record.deleted && key.tenant_name() == Some(&tenant.name) {
            of += 1;
            let accepted = accepted(view, key, record);
            serving += usize::from(served(view, key, &accepted).holds);
        }
    }
    (serving, of)
}

/// Whether an object in a namespace serves as it was last seen.
fn served(view: &View<'_>, key: &ObjectKey, accepted: &Verdict) -> Verdict {
    let name: Option<TenantName> = key.tenant_name().and_then(|name| name.parse().ok());
    let desired = name
        .as_ref()
        .and_then(|name| view.desired.tenants.get(name));
    let open = rest::open(desired);
    let programmed = programmed(view, name.as_ref());
    first_no([accepted, &open, &programmed])
}

fn revision(view: &View<'_>, key: &ObjectKey) -> Option<RevisionStatus> {
    let tenant: TenantName = key.tenant_name()?.parse().ok()?;
    let bundle = &view.desired.tenants.get(&tenant)?.bundle;
    let revision = bundle.policies.get(key.name.as_str())?;
    Some(RevisionStatus {
        number: signed(revision.revision),
        digest: revision.digest.to_string(),
    })
}

//! Dereference, validate and build for one tenant: what its objects come to, or every fault in them.

use jiff::Timestamp;
use kube::core::DynamicObject;
use pavilion_bundle::TenantName;
use pavilion_catalogue::manifest;
use pavilion_crds::{DEFAULT_PLAN, Kind, PlanSpec};
use serde_json::Value;

use super::{
    belongings::{MOST_BYTES, MOST_OBJECTS},
    bounds::{max_spec_bytes, oversized},
    classes::Classes,
    memory::{InForce, Memory, MemoryError},
    objects::{Objects, hosts},
    routes::Held,
    settings::Settings,
    sizing::Sizing,
    wide,
};
use crate::{
    build::build,
    manifests::{ManifestSet, NamedFiles, Object, Source},
    object_key::ObjectKey,
    refusal::Refusal,
    validate::{ValidSet, refused_by_data_plane, validate},
};

/// The metadata of an object that says something about it.
const KEPT: [&str; 4] = ["name", "namespace", "uid", "creationTimestamp"];

/// Reads a tenant's objects and takes note of what they are called and how often they changed.
pub fn dereference(objects: &Objects, tenant: &str, memory: &mut Memory) -> ManifestSet {
    let found = objects.of(tenant);
    for (key, object) in &found {
        let metadata = &object.metadata;
        let uid = metadata.uid.clone().unwrap_or_default();
        let generation = u64::try_from(metadata.generation.unwrap_or(0)).unwrap_or(0);
        memory.records.known(key, &uid, generation);
    }
    ManifestSet {
        objects: found
            .into_iter()
            .map(|(key, object)| Object {
                value: read(key.kind, &object),
                key,
                source: Source::default(),
            })
            .collect(),
        files: NamedFiles::in_a_cluster(),
        ..ManifestSet::default()
    }
}

/// What the objects come to. What is in force is not touched.
///
/// # Errors
/// Every fault.
pub fn judge(
    set: &ManifestSet,
    (others, held): (&Objects, &Held),
    classes: &Classes,
    tenant: &TenantName,
    memory: &Memory,
    settings: &Settings,
    now: Timestamp,
) -> Result<Memory, Vec<Refusal>> {
    let mut too_large = oversized_of(set);
    too_large.extend(beyond(set, others, tenant));
    if !too_large.is_empty() {
        return Err(too_large);
    }
    let valid = validate(set, &memory.records, now)?;
    let claimed = claimed(set, others, held, tenant);
    if !claimed.is_empty() {
        return Err(claimed);
    }
    let mut records = memory.records.clone();
    let mut desired = build(&valid, &mut records, settings.public_port);
    records.forget_contents();
    let known = memory.in_force.iter();
    let known = known
        .map(|before| (tenant.clone(), before.digest))
        .collect();
    let refusals = refused_by_data_plane(set, &desired, &known);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let plan = plan(set, &valid, others, classes, tenant).map_err(|refusal| vec![*refusal])?;
    let before = memory.in_force.as_ref().map(|before| &before.sizing);
    let sizing = Sizing::by(plan, settings.storage_class.as_deref(), before);
    let in_force = desired.tenants.remove(tenant);
    let in_force = in_force.map(|desired| InForce::new(desired, sizing));
    let memory = in_force.transpose().map_err(MemoryError::from);
    let memory = memory.map(|in_force| Memory { records, in_force });
    memory
        .and_then(|memory| memory.data().map(|_| memory))
        .map_err(|error| vec![unkeepable(set, tenant, &error)])
}

/// What is too large to be looked at.
fn oversized_of(set: &ManifestSet) -> Vec<Refusal> {
    let refuse = |object: &Object| {
        let (bytes, most) = (oversized(&object.value)?, max_spec_bytes(object.key.kind));
        let message = format!("spec has {bytes} bytes as JSON, of at most {most}");
        Some(object.refuse("spec", &manifest::BUNDLE_TOO_LARGE, message))
    };
    set.objects.iter().filter_map(refuse).collect()
}

/// That there are more than are looked at.
fn beyond(set: &ManifestSet, others: &Objects, tenant: &TenantName) -> Option<Refusal> {
    let beyond = others.beyond(tenant.as_str());
    let own = ObjectKey::tenant(tenant.as_str());
    let object = set.objects.iter().find(|object| object.key == own)?;
    let message = format!(
        "the tenant's policies, trust anchors and relying parties are more than {MOST_OBJECTS}, or come to more than \
         {MOST_BYTES} bytes: {beyond} of them are not looked at"
    );
    (beyond > 0).then(|| object.refuse("", &manifest::BUNDLE_TOO_LARGE, message))
}

/// What cannot be remembered cannot be in force.
fn unkeepable(set: &ManifestSet, tenant: &TenantName, error: &MemoryError) -> Refusal {
    let entry = match error {
        MemoryError::TooLarge(_) => &manifest::BUNDLE_TOO_LARGE,
        _ => &manifest::BUNDLE_REFUSED,
    };
    let own = ObjectKey::tenant(tenant.as_str());
    let object = set.objects.iter().find(|object| object.key == own);
    match object {
        Some(object) => object.refuse("", entry, error.to_string()),
        None => Refusal::of_file("", entry, error.to_string()),
    }
}

/// The plan that the Tenant names, if it can be had.
fn plan(
    set: &ManifestSet,
    valid: &ValidSet,
    others: &Objects,
    classes: &Classes,
    tenant: &TenantName,
) -> Result<PlanSpec, Box<Refusal>> {
    let own = ObjectKey::tenant(tenant.as_str());
    let name = valid.objects.get(&own).map(|own| plan_of(&own["spec"]));
    let name = name.unwrap_or(DEFAULT_PLAN);
    let found = others.wide_one(&ObjectKey {
        kind: Kind::Plan,
        namespace: None,
        name: name.to_owned(),
    });
    let (entry, message) = match found.map(|plan| wide::plan(others.said(), &plan, classes)) {
        Some(Ok(plan)) => return Ok(plan),
        Some(Err((entry, why))) if *entry == manifest::FIELD_INVALID => {
            (&manifest::PLAN_REFUSED, format!("the Plan {name}: {why}"))
        }
        Some(Err((entry, why))) => (entry, format!("the Plan {name}: {why}")),
        None => (&manifest::PLAN_UNKNOWN, format!("there is no Plan {name}")),
    };
    let object = set.objects.iter().find(|object| object.key == own);
    Err(Box::new(match object {
        Some(object) => object.refuse("spec.plan", entry, message),
        None => Refusal::of_file("", entry, message),
    }))
}

/// The plan that the spec of a Tenant names.
pub fn plan_of(spec: &Value) -> &str {
    spec["plan"].as_str().unwrap_or(DEFAULT_PLAN)
}

/// Hosts that are another tenant's: whoever is served at a host keeps it. Of several that want one which nobody has, the one
/// that was made first gets it; names decide between two that were made in the same second.
fn claimed(set: &ManifestSet, others: &Objects, held: &Held, tenant: &TenantName) -> Vec<Refusal> {
    let own = ObjectKey::tenant(tenant.as_str());
    let Some(object) = set.objects.iter().find(|object| object.key == own) else {
        return Vec::new();
    };
    let refused = hosts(object.spec())
        .enumerate()
        .filter_map(|(index, host)| {
            let holder = host
                .parse()
                .ok()
                .and_then(|host| held.holder(&host, tenant));
            let owner = match holder {
                Some(holder) if holder == *tenant => return None,
                Some(holder) => holder.to_string(),
                None => first_claimant(host, &object.value["metadata"], others)?,
            };
            let message = format!("{host} is already a host of Tenant {owner}");
            let field = format!("spec.ingress.hosts[{index}]");
            Some(object.refuse(field, &manifest::HOST_CLAIMED, message))
        });
    refused.collect()
}

/// The first of those that want a host and were made before the one with this metadata.
fn first_claimant(host: &str, mine: &Value, others: &Objects) -> Option<String> {
    let since = |metadata: &Value| {
        let text = |field: &str| metadata[field].as_str().unwrap_or_default().to_owned();
        (text("creationTimestamp"), text("name"))
    };
    let mine = since(mine);
    let claimants = others.claimants([host].into_iter());
    let claimants = claimants.iter();
    let claims =
        claimants.map(|other| since(&serde_json::to_value(&other.metadata).unwrap_or_default()));
    let first = claims.filter(|other| *other < mine).min();
    first.map(|(_, name)| name)
}

/// An object as a manifest would have it.
pub fn read(kind: Kind, object: &DynamicObject) -> Value {
    let mut value = object.data.clone();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("status");
        fields.insert("apiVersion".to_owned(), pavilion_crds::API_VERSION.into());
        fields.insert("kind".to_owned(), kind.name().into());
        fields.insert("metadata".to_owned(), metadata(object));
    }
    value
}

/// Who it is and since when; the rest is the cluster's.
fn metadata(object: &DynamicObject) -> Value {
    let mut metadata = serde_json::to_value(&object.metadata).unwrap_or_default();
    if let Some(fields) = metadata.as_object_mut() {
        fields.retain(|field, _| KEPT.contains(&field.as_str()));
    }
    metadata
}

/// The region that a Tenant is placed in, as it says.
pub fn region(object: &DynamicObject) -> &str {
    object.data["spec"]["regions"][0]
        .as_str()
        .unwrap_or_default()
}

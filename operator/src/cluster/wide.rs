//! The objects of ours that no tenant has: what they say, and what they are told.

mod said;

use std::time::Duration;

use jiff::Timestamp;
use kube::core::DynamicObject;
use pavilion_catalogue::{Entry, manifest};
use pavilion_crds::{Condition, Kind, PlanSpec, PlanStatus, RegionSpec, RegionStatus};
use serde_json::{Value, json};
use tokio::time::sleep;
use url::Url;

pub use self::said::Said;
use super::{
    classes::Classes,
    judge::{plan_of, region as home},
    objects::Objects,
    reconcile::Context,
    settings::Settings,
};
use crate::{
    object_key::ObjectKey,
    status::{Verdict, signed},
};

/// How often they are looked at although nothing was heard: the edge may have trouble that no object shows.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Changes of many tenants within this time are told at once.
const DEBOUNCE: Duration = Duration::from_secs(1);

/// What a Region says, if it can be so.
///
/// # Errors
/// Why it cannot.
pub fn region(
    said: &Said,
    object: &DynamicObject,
    settings: &Settings,
) -> Result<RegionSpec, Verdict> {
    let spec: RegionSpec = spec(said, Kind::Region, object)
        .map_err(|why| Verdict::no(&manifest::FIELD_INVALID, why))?;
    let Some(endpoint) = &spec.endpoint else {
        return Ok(spec);
    };
    let port = Url::parse(endpoint)
        .ok()
        .and_then(|url| url.port_or_known_default());
    let ours = settings.public_port;
    match port {
        Some(port) if port == ours || object.metadata.name.as_ref() != Some(&settings.region) => {
            Ok(spec)
        }
        Some(port) => Err(Verdict::no(
            &manifest::ENDPOINT_INVALID,
            format!(
                "spec.endpoint: leads to port {port}, and the edge of this cluster is reached at port {ours}"
            ),
        )),
        None => Err(Verdict::no(
            &manifest::ENDPOINT_INVALID,
            "spec.endpoint: leads nowhere: its host or its port is none",
        )),
    }
}

/// What a Plan says, if pods can be made of it.
///
/// # Errors
/// Why they cannot: the stable word, and the same for a person.
pub fn plan(
    said: &Said,
    object: &DynamicObject,
    classes: &Classes,
) -> Result<PlanSpec, (&'static Entry, String)> {
    let spec: PlanSpec =
        spec(said, Kind::Plan, object).map_err(|why| (&manifest::FIELD_INVALID, why))?;
    classes.check(&spec).map(|()| spec)
}

/// The spec of an object that its schema allows.
fn spec<T: serde::de::DeserializeOwned>(
    said: &Said,
    kind: Kind,
    object: &DynamicObject,
) -> Result<T, String> {
    let spec = said.spec(kind, object)?;
    serde_json::from_value(spec).map_err(|error| error.to_string())
}

/// Keeps their statuses true while this replica writes. Never ends.
pub async fn tell(context: &Context) {
    loop {
        let now = Timestamp::now();
        for (key, object) in context.objects.wide() {
            let status = status(&key, &object, context);
            if let Err(error) = context.statuses.write_wide(&key, status, now).await {
                tracing::warn!(%error, "the status of {key} is not as it is to be");
            }
        }
        tokio::select! {
            () = sleep(LOOK_EVERY) => {}
            () = context.objects.wide_changed() => {}
        }
        sleep(DEBOUNCE).await;
    }
}

fn status(key: &ObjectKey, object: &DynamicObject, context: &Context) -> Value {
    let generation = u64::try_from(object.metadata.generation.unwrap_or(0)).unwrap_or(0);
    if key.kind == Kind::Plan {
        return json!(status_of_plan(key, object, generation, context));
    }
    json!(status_of_region(key, object, generation, context))
}

fn status_of_plan(
    key: &ObjectKey,
    object: &DynamicObject,
    generation: u64,
    context: &Context,
) -> PlanStatus {
    let accepted = match plan(context.objects.said(), object, &context.classes) {
        Ok(_) => Verdict::yes(&manifest::ACCEPTED, manifest::ACCEPTED.meaning),
        Err((entry, why)) => Verdict::no(entry, why),
    };
    PlanStatus {
        observed_generation: signed(generation),
        conditions: conditions(&accepted, &accepted, generation),
        tenants: Some(count(&context.objects, |tenant| {
            plan_of(&tenant.data["spec"]) == key.name
        })),
    }
}

fn status_of_region(
    key: &ObjectKey,
    object: &DynamicObject,
    generation: u64,
    context: &Context,
) -> RegionStatus {
    let read = region(context.objects.said(), object, &context.settings);
    let accepted = read
        .err()
        .unwrap_or_else(|| Verdict::yes(&manifest::ACCEPTED, manifest::ACCEPTED.meaning));
    let is_ours = key.name == context.settings.region;
    let ready = if !accepted.holds {
        accepted.clone()
    } else if is_ours {
        let missing = context.front.missing();
        missing.unwrap_or_else(|| edge(context.routers.trouble()))
    } else {
        let here = &context.settings.region;
        let message = format!("this cluster is {here}; by this Region nothing is placed here");
        Verdict::no(&manifest::REGION_ELSEWHERE, message)
    };
    let placed = |tenant: &DynamicObject| home(tenant) == key.name && is_placed(tenant);
    RegionStatus {
        observed_generation: signed(generation),
        conditions: conditions(&accepted, &ready, generation),
        tenants: is_ours.then(|| count(&context.objects, placed)),
    }
}

fn conditions(accepted: &Verdict, ready: &Verdict, generation: u64) -> Vec<Condition> {
    let both = [("Accepted", accepted), ("Ready", ready)];
    both.map(|(type_, verdict)| verdict.condition(type_, generation))
        .into()
}

fn edge(trouble: Option<String>) -> Verdict {
    match trouble {
        None => Verdict::yes(
            &manifest::READY,
            "tenants are placed here, and the edge serves",
        ),
        Some(trouble) => Verdict::no(&manifest::EDGE_UNAVAILABLE, trouble),
    }
}

/// Whether a Tenant is told that it is placed where it wants to be.
fn is_placed(tenant: &DynamicObject) -> bool {
    let conditions = tenant.data["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|one| one["type"] == "Placed" && one["status"] == "True")
}

fn count(objects: &Objects, counts: impl Fn(&DynamicObject) -> bool) -> i64 {
    let tenants = objects.tenants();
    let counted = tenants.iter().filter(|tenant| counts(tenant));
    i64::try_from(counted.count()).unwrap_or(i64::MAX)
}

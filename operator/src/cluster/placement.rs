//! Whether a tenant is placed in this cluster, by the Region that the operator was started for.
//!
//! The Region says whose law holds here. While there is none, or while it is not what a tenant asks for, nothing
//! new of that tenant takes effect here. What serves goes on to serve: the machines are where they were, and a
//! slip in the description of a cluster must not take all of its tenants off the air. Its owner is told, and can
//! still suspend it. The same holds of a Tenant that carries our mark and names another region: what was made for it here
//! while this cluster was called otherwise is looked after, and ends when it is deleted.

use std::collections::BTreeMap;

use kube::core::DynamicObject;
use pavilion_catalogue::manifest;
use pavilion_crds::{RegionSpec, Residency};
use serde_json::{Value, json};

use super::{
    finalizer::is_held,
    judge::region,
    memory::Memory,
    settings::Settings,
    statuses::Extra,
    wide::{self, Said},
};
use crate::{object_key::ObjectKey, status::Verdict};

/// Where a tenant stands with this cluster.
#[derive(Clone, Debug)]
pub struct Placement {
    verdict: Verdict,
    /// Whether this operator looks after it at all.
    is_ours: bool,
    /// Where the edge is that its hosts are to lead to.
    endpoint: Option<String>,
}

impl Placement {
    /// Of a tenant, with the Region of this cluster as it is there.
    pub fn of(
        tenant: &DynamicObject,
        own: Option<&DynamicObject>,
        said: &Said,
        settings: &Settings,
    ) -> Self {
        let (home, here) = (region(tenant), settings.region.as_str());
        if home != here {
            let why = Verdict::no(
                &manifest::PLACED_ELSEWHERE,
                format!("belongs to region {home}; this cluster is {here}"),
            );
            return if is_held(tenant) {
                Self::withheld(why)
            } else {
                Self::elsewhere(why)
            };
        }
        match own.map(|own| wide::region(said, own, settings)) {
            None => {
                let message = format!("this cluster is {here}, and there is no Region {here}");
                Self::withheld(Verdict::no(&manifest::REGION_UNKNOWN, message))
            }
            Some(Err(why)) => {
                let message = format!("the Region {here} is not Accepted: {}", why.message);
                Self::withheld(Verdict::no(&manifest::REGION_REFUSED, message))
            }
            Some(Ok(region)) => match residency(tenant).unmet_by(&region) {
                Some(unmet) => {
                    let message = format!("the region {here}: {unmet}");
                    Self::withheld(Verdict::no(&manifest::RESIDENCY_UNMET, message))
                }
                None => Self::here(here, region),
            },
        }
    }

    fn here(name: &str, region: RegionSpec) -> Self {
        let message = format!("runs in {name} ({})", region.jurisdiction);
        Self {
            verdict: Verdict::yes(&manifest::PLACED, message),
            is_ours: true,
            endpoint: region.endpoint,
        }
    }

    /// Another cluster's, of which nothing is here.
    fn elsewhere(why: Verdict) -> Self {
        let message = format!("{} and does nothing for it", why.message);
        Self {
            verdict: Verdict { message, ..why },
            is_ours: false,
            endpoint: None,
        }
    }

    fn withheld(why: Verdict) -> Self {
        let message = format!(
            "{}. Nothing new takes effect; what was accepted before keeps serving.",
            why.message
        );
        Self {
            verdict: Verdict { message, ..why },
            is_ours: true,
            endpoint: None,
        }
    }

    /// Whether another region's operator looks after it.
    pub fn is_elsewhere(&self) -> bool {
        !self.is_ours
    }

    /// Whether what its objects come to may take effect here.
    pub fn holds(&self) -> bool {
        self.verdict.holds
    }

    /// As a condition.
    pub fn condition(&self) -> Extra {
        Extra::placed(self.verdict.clone())
    }

    /// Tells the tenant where its hosts are to lead.
    pub fn tell(&self, tenant: &str, statuses: &mut BTreeMap<ObjectKey, Value>) {
        let status = statuses.get_mut(&ObjectKey::tenant(tenant));
        if let (Some(status), Some(endpoint)) = (status, &self.endpoint) {
            status["endpoint"] = json!(endpoint);
        }
    }
}

/// What is in force of a tenant that is withheld: what was before, off the air if its owner wants that.
pub fn withheld(mut before: Memory, tenant: &DynamicObject) -> Memory {
    if let Some(in_force) = &mut before.in_force {
        let spec = &tenant.data["spec"];
        in_force.desired.suspend |= spec["suspend"] == true;
        in_force.desired.hibernate |= spec["hibernate"] == true;
    }
    before
}

fn residency(tenant: &DynamicObject) -> Residency {
    // What is no residency is refused with the tenant's other faults.
    serde_json::from_value(tenant.data["spec"]["residency"].clone()).unwrap_or_default()
}

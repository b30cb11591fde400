//! On one host: a tenant that says what the law of its places must be needs a Region that says what it is.
//!
//! In a cluster the operator goes by the Region that it is started for, and a tenant that does not fit is told
//! so by its condition `Placed`.

use pavilion_catalogue::manifest;
use pavilion_crds::{Kind, RegionSpec, TenantSpec};
use serde::de::DeserializeOwned;

use super::ValidSet;
use crate::{manifests::ManifestSet, object_key::ObjectKey, refusal::Refusal};

/// Tenants whose regions are not as they ask, or are not there.
pub fn outside_its_residency(set: &ManifestSet, valid: &ValidSet) -> Vec<Refusal> {
    let refused = set.objects.iter().filter_map(|object| {
        let spec: TenantSpec =
            spec(valid, &object.key).filter(|_| object.key.kind == Kind::Tenant)?;
        let residency = spec.residency?;
        spec.regions.iter().enumerate().find_map(|(index, name)| {
            let region: Option<RegionSpec> = self::spec(valid, &key(name));
            let (entry, message) = match region {
                None => (
                    &manifest::REGION_UNKNOWN,
                    format!("there is no Region {name} that would say what its law is"),
                ),
                Some(region) => {
                    let unmet = residency.unmet_by(&region)?;
                    (
                        &manifest::RESIDENCY_UNMET,
                        format!("the region {name}: {unmet}"),
                    )
                }
            };
            Some(object.refuse(format!("spec.regions[{index}]"), entry, message))
        })
    });
    refused.collect()
}

fn key(region: &str) -> ObjectKey {
    ObjectKey {
        kind: Kind::Region,
        namespace: None,
        name: region.to_owned(),
    }
}

fn spec<T: DeserializeOwned>(valid: &ValidSet, key: &ObjectKey) -> Option<T> {
    serde_json::from_value(valid.objects.get(key)?["spec"].clone()).ok()
}

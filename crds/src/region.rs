//! Region: who a cluster is, in law and on the network.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::{conditions::Condition, jurisdiction::Jurisdiction};

/// A cluster that tenants are placed in. The operator of a cluster goes by the one that it is started for.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "pavilion.dev",
    version = "v1alpha1",
    kind = "Region",
    plural = "regions",
    shortname = "pregion",
    category = "pavilion",
    status = "RegionStatus",
    derive = "PartialEq",
    doc = "A cluster that tenants are placed in: whose law holds there, and where its edge is.",
    validation = Rule::new("self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$')")
        .message("the name is what Tenants write in spec.regions: at most 63 of a-z, 0-9 and -"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Jurisdiction", type_ = "string", json_path = ".spec.jurisdiction"),
    printcolumn(name = "Regimes", type_ = "string", json_path = ".spec.regimes"),
    printcolumn(name = "Tenants", type_ = "integer", json_path = ".status.tenants"),
    printcolumn(name = "Endpoint", type_ = "string", json_path = ".spec.endpoint", priority = "1"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason", priority = "1"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct RegionSpec {
    /// Whose law holds where its machines are: a country of ISO 3166-1 (alpha-2, like `DE`), or `EU` where
    /// they are spread over member states.
    pub jurisdiction: Jurisdiction,
    /// The regimes that it is run under, at most 32, like `GDPR`, `eIDAS` or `ISO27001`. Their names are
    /// compared letter by letter with those that Tenants ask for.
    #[serde(default)]
    #[schemars(
        length(max = 32),
        inner(length(min = 1, max = 63), regex(pattern = "^[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?$")),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub regimes: Vec<String>,
    /// The address of its edge, to which the hosts of its tenants lead: `https://`, a name or an IPv4 address,
    /// and the port if it is not 443. Each Tenant is told it in its status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 9, max = 270),
        regex(pattern = r"^https://[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[1-9][0-9]{0,4})?$")
    )]
    pub endpoint: Option<String>,
}

/// What the law of the places must be where a tenant runs and rests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.jurisdictions.size() + self.regimes.size() > 0")
        .message("ask for jurisdictions, for regimes or for both")
)]
pub struct Residency {
    /// Each region must lie in one of these, at most 32: countries of ISO 3166-1, or `EU` for any member state.
    /// Anywhere when empty.
    #[serde(default)]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "set"))]
    pub jurisdictions: Vec<Jurisdiction>,
    /// Each region must be run under all of these, at most 32, as a Region writes them.
    #[serde(default)]
    #[schemars(
        length(max = 32),
        inner(length(min = 1, max = 63), regex(pattern = "^[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?$")),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub regimes: Vec<String>,
}

impl Residency {
    /// What a region lacks of this, for a person; `None` when it lacks nothing.
    pub fn unmet_by(&self, region: &RegionSpec) -> Option<String> {
        let mut lacks = Vec::new();
        let here = &region.jurisdiction;
        if !self.jurisdictions.is_empty() && !self.jurisdictions.iter().any(|one| here.lies_in(one))
        {
            let asked: Vec<String> = self.jurisdictions.iter().map(ToString::to_string).collect();
            lacks.push(format!("it lies in {here}, not in {}", asked.join(" or ")));
        }
        let missing = self
            .regimes
            .iter()
            .filter(|one| !region.regimes.contains(one));
        let missing: Vec<&str> = missing.map(String::as_str).collect();
        if !missing.is_empty() {
            lacks.push(format!("it is not run under {}", missing.join(", ")));
        }
        (!lacks.is_empty()).then(|| lacks.join("; "))
    }
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegionStatus {
    /// The generation this status was computed from.
    #[schemars(range(min = 0))]
    pub observed_generation: i64,
    /// `Accepted`, `Ready`.
    #[serde(default)]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_owned()]))]
    pub conditions: Vec<Condition>,
    /// How many Tenants are placed here; only where it is this cluster's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub tenants: Option<i64>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;

    fn unmet(residency: Value) -> Option<String> {
        let region = json!({"jurisdiction": "DE", "regimes": ["GDPR", "eIDAS"]});
        let region: RegionSpec = serde_json::from_value(region).unwrap();
        let residency: Residency = serde_json::from_value(residency).unwrap();
        residency.unmet_by(&region)
    }

    #[test]
    fn one_jurisdiction_and_every_regime_must_hold() {
        for met in [
            json!({}),
            json!({"jurisdictions": ["EU"]}),
            json!({"jurisdictions": ["CH", "DE"], "regimes": ["eIDAS"]}),
        ] {
            assert_eq!(unmet(met.clone()), None, "{met}");
        }
    }

    #[test]
    fn what_is_lacking_is_named() {
        let said =
            unmet(json!({"jurisdictions": ["CH", "US"], "regimes": ["GDPR", "HIPAA", "gdpr"]}));
        let expected = "it lies in DE, not in CH or US; it is not run under HIPAA, gdpr";
        assert_eq!(said.unwrap(), expected);
    }
}

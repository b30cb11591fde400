//! The versions of `TLSRoute` that there have been, and which of them a cluster serves.

use kube::core::{ApiResource, DynamicObject};

/// The group of the Gateway API.
pub const GROUP: &str = "gateway.networking.k8s.io";

/// The definition of `TLSRoute`.
pub const DEFINITION: &str = "tlsroutes.gateway.networking.k8s.io";

/// A version of `TLSRoute`. What is said in it is the same in all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// In the standard channel since Gateway API 1.5.
    #[default]
    V1,
    /// In the experimental channel of Gateway API 1.4 and later.
    V1Alpha3,
    /// In the experimental channel from the beginning.
    V1Alpha2,
}

impl Version {
    /// All, the newest first.
    const ALL: [Self; 3] = [Self::V1, Self::V1Alpha3, Self::V1Alpha2];

    /// As in `apiVersion:`.
    const fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V1Alpha3 => "v1alpha3",
            Self::V1Alpha2 => "v1alpha2",
        }
    }

    /// As the API serves it.
    pub fn resource(self) -> ApiResource {
        ApiResource {
            group: GROUP.to_owned(),
            version: self.name().to_owned(),
            api_version: format!("{GROUP}/{}", self.name()),
            kind: "TLSRoute".to_owned(),
            plural: "tlsroutes".to_owned(),
        }
    }

    /// The newest version that is served by this definition of `TLSRoute`; `None` while nothing is, and where all that
    /// is served is unknown here.
    pub fn served_by(definition: &DynamicObject) -> Option<Self> {
        let conditions = definition.data["status"]["conditions"].as_array();
        let mut conditions = conditions.into_iter().flatten();
        let established =
            conditions.any(|one| one["type"] == "Established" && one["status"] == "True");
        let versions = definition.data["spec"]["versions"].as_array()?;
        let serves = |version: &Self| {
            let mut named = versions.iter().filter(|one| one["name"] == version.name());
            named.any(|one| one["served"] == true)
        };
        Self::ALL
            .into_iter()
            .find(|version| established && serves(version))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn served(established: &str, versions: &[(&str, bool)]) -> Option<Version> {
        let versions = versions.iter();
        let versions: Vec<_> = versions
            .map(|(name, served)| json!({"name": name, "served": served}))
            .collect();
        let definition = json!({
            "metadata": {"name": DEFINITION},
            "spec": {"versions": versions},
            "status": {"conditions": [{"type": "Established", "status": established}]},
        });
        Version::served_by(&serde_json::from_value(definition).unwrap())
    }

    #[test]
    fn the_newest_version_that_is_served_is_taken() {
        // Gateway API 1.3, 1.4, and both channels of 1.5.
        assert_eq!(
            served("True", &[("v1alpha2", true)]),
            Some(Version::V1Alpha2)
        );
        let experimental = [("v1alpha2", true), ("v1alpha3", true)];
        assert_eq!(served("True", &experimental), Some(Version::V1Alpha3));
        let standard = [("v1", true), ("v1alpha2", false), ("v1alpha3", false)];
        assert_eq!(served("True", &standard), Some(Version::V1));
        let both = [("v1alpha3", true), ("v1", true)];
        assert_eq!(served("True", &both), Some(Version::V1));
    }

    #[test]
    fn nothing_is_taken_before_it_is_served() {
        assert_eq!(served("False", &[("v1", true)]), None);
        assert_eq!(served("True", &[("v1", false)]), None);
        assert_eq!(served("True", &[("v2", true)]), None);
    }
}

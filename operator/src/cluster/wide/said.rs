//! What the objects say that no tenant has. Every look at a tenant goes by its Plan and by the Region, so each is held
//! against its schema and its rules once, and once more when it changes.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use kube::core::DynamicObject;
use pavilion_crds::{
    Kind,
    admission::{self, Violation},
};
use serde_json::Value;

use crate::cluster::judge::read;

/// Which object, by its uid and its generation, and what became of its spec.
type Judged = (Option<String>, Option<i64>, Result<Value, String>);

/// Of each that is gone by, by kind and name.
#[derive(Debug, Default)]
pub struct Said(Mutex<HashMap<(Kind, String), Judged>>);

impl Said {
    /// The spec of an object with its defaults.
    ///
    /// # Errors
    /// All that is amiss with it.
    pub fn spec(&self, kind: Kind, object: &DynamicObject) -> Result<Value, String> {
        let metadata = &object.metadata;
        let key = (kind, metadata.name.clone().unwrap_or_default());
        // Every change is one call on the map, so a panic elsewhere leaves nothing half made.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.get(&key).filter(|(uid, generation, _)| {
            uid.is_some() && *uid == metadata.uid && *generation == metadata.generation
        });
        if let Some((_, _, said)) = known {
            return said.clone();
        }
        let said = judge(kind, object);
        let judged = (metadata.uid.clone(), metadata.generation, said.clone());
        all.insert(key, judged);
        said
    }
}

fn judge(kind: Kind, object: &DynamicObject) -> Result<Value, String> {
    let judged = admission::judge(kind, &read(kind, object), None);
    let judged = judged.map_err(|violations| {
        let told: Vec<String> = violations.iter().map(Violation::to_string).collect();
        told.join("\n")
    })?;
    Ok(judged["spec"].clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn region(uid: &str, generation: i64, jurisdiction: &str) -> DynamicObject {
        serde_json::from_value(json!({
            "metadata": {"name": "here", "uid": uid, "generation": generation},
            "spec": {"jurisdiction": jurisdiction},
        }))
        .unwrap()
    }

    #[test]
    fn what_an_object_says_is_what_its_newest_generation_says() {
        let said = Said::default();
        let spec = |object: DynamicObject| said.spec(Kind::Region, &object);
        assert_eq!(spec(region("a", 1, "DE")).unwrap()["jurisdiction"], "DE");
        assert!(spec(region("a", 2, "no country")).is_err());
        assert_eq!(spec(region("a", 3, "FR")).unwrap()["jurisdiction"], "FR");
        assert_eq!(spec(region("b", 3, "IT")).unwrap()["jurisdiction"], "IT");
        assert_eq!(spec(region("b", 3, "IT")).unwrap()["jurisdiction"], "IT");
    }
}

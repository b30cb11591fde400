//! What was put right: which object, and what had become of it.

use std::fmt;

use serde_json::{Map, Value};

use super::owned::OwnedKey;

/// How many fields of one object are named.
const NAMED: usize = 3;

/// One object that somebody else changed or deleted, and that is as before again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The object.
    pub key: OwnedKey,
    /// The API that it belongs to.
    pub api_version: String,
    /// What had become of it.
    pub damage: Damage,
}

/// What somebody did to an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Damage {
    /// It was not there any more.
    Deleted,
    /// These of its fields were not ours any more; none is named where it was not seen which.
    Changed(Vec<String>),
}

impl Damage {
    /// The difference between what is applied and what is left of it.
    pub fn between(wanted: &Value, left: &Value) -> Self {
        let (mut lost, mut other) = (Vec::new(), Vec::new());
        compare(wanted, left, "", &mut lost, &mut other);
        // A field that somebody set is theirs. One that is ours and other is mostly the same in another form.
        let mut fields = if lost.is_empty() { other } else { lost };
        fields.truncate(NAMED);
        Self::Changed(fields)
    }

    /// The fields, as a path of the API has them.
    pub fn path(&self) -> Option<String> {
        match self {
            Self::Changed(fields) if !fields.is_empty() => Some(fields.join(", ")),
            Self::Changed(_) | Self::Deleted => None,
        }
    }
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.damage, self.damage.path()) {
            (Damage::Deleted, _) => write!(f, "{} was deleted; it was made again", self.key),
            (Damage::Changed(_), Some(path)) => {
                write!(
                    f,
                    "{path} of {} was changed; it was put back as before",
                    self.key
                )
            }
            (Damage::Changed(_), None) => {
                write!(f, "{} was changed; it was put back as before", self.key)
            }
        }
    }
}

fn compare(
    wanted: &Value,
    left: &Value,
    path: &str,
    lost: &mut Vec<String>,
    other: &mut Vec<String>,
) {
    let (Value::Object(wanted), Value::Object(left)) = (wanted, left) else {
        if wanted != left {
            other.push(path.to_owned());
        }
        return;
    };
    for (name, value) in wanted {
        let dot = if path.is_empty() { "" } else { "." };
        let path = format!("{path}{dot}{name}");
        match left.get(name) {
            Some(left) => compare(value, left, &path, lost, other),
            // Of what is left nothing but the fields is told: one with no field left is not there.
            None if value.as_object().is_some_and(|fields| !fields.is_empty()) => {
                compare(value, &Value::Object(Map::new()), &path, lost, other);
            }
            None => lost.push(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::kinds::OwnedKind;

    fn restored(damage: Damage) -> String {
        let key = OwnedKey {
            kind: OwnedKind::ResourceQuota,
            namespace: Some("pavilion-acme".to_owned()),
            name: "pavilion".to_owned(),
        };
        let api_version = "v1".to_owned();
        let restored = Restored {
            key,
            api_version,
            damage,
        };
        restored.to_string()
    }

    #[test]
    fn the_fields_that_somebody_took_are_named() {
        let wanted = json!({"metadata": {"labels": {"a": "1"}}, "spec": {"hard": {"cpu": "1000m", "pods": "8"}}});
        let left = json!({"metadata": {"labels": {"a": "1"}}, "spec": {"hard": {"cpu": "1"}}});
        let damage = Damage::between(&wanted, &left);
        assert_eq!(damage, Damage::Changed(vec!["spec.hard.pods".to_owned()]));
        assert_eq!(
            restored(damage),
            "spec.hard.pods of ResourceQuota pavilion-acme/pavilion was changed; it was put back as before"
        );
    }

    #[test]
    fn the_only_field_of_a_part_is_named_and_not_the_part() {
        let wanted = json!({"metadata": {}, "spec": {"limits": [{"type": "Container"}]}});
        let damage = Damage::between(&wanted, &json!({"metadata": {}}));
        assert_eq!(damage.path().as_deref(), Some("spec.limits"));
    }

    #[test]
    fn a_field_that_is_still_ours_and_other_is_named_where_none_was_taken() {
        let damage = Damage::between(&json!({"data": {"a": "1"}}), &json!({"data": {"a": "2"}}));
        assert_eq!(damage.path().as_deref(), Some("data.a"));
    }

    #[test]
    fn few_are_named_of_many() {
        let wanted = json!({"data": {"a": "", "b": "", "c": "", "d": ""}});
        let damage = Damage::between(&wanted, &json!({"data": {}}));
        assert_eq!(damage.path().as_deref(), Some("data.a, data.b, data.c"));
        assert!(restored(Damage::Deleted).ends_with("was deleted; it was made again"));
    }
}

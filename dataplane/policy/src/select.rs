//! Finding a claim in a credential (`OpenID4VP` 1.0 section 7, claims path pointer).

use serde_json::{Map, Value};

use crate::model::{Claim, PathElement};

impl Claim {
    /// The claim's value in a credential's processed payload. A claim with many values gives an
    /// array of all that its path selects; `None` if it selects nothing.
    pub fn select(&self, payload: &Map<String, Value>) -> Option<Value> {
        let (first, rest) = self.path.split_first()?;
        let PathElement::Name(name) = first else {
            return None;
        };
        let mut selected = vec![payload.get(name)?];
        for step in rest {
            selected = match step {
                PathElement::Name(name) => selected
                    .iter()
                    .filter_map(|value| value.get(name))
                    .collect(),
                PathElement::Index(index) => {
                    let index = usize::try_from(*index).ok()?;
                    selected
                        .iter()
                        .filter_map(|value| value.get(index))
                        .collect()
                }
                PathElement::Every => selected
                    .iter()
                    .filter_map(|value| value.as_array())
                    .flatten()
                    .collect(),
            };
        }
        match selected.as_slice() {
            [] => None,
            many if self.is_many() => Some(many.iter().copied().cloned().collect()),
            [one, ..] => Some((*one).clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]
    use serde_json::json;

    use super::*;

    fn select(path: Value) -> Option<Value> {
        let payload = json!({
            "birthdate": "2001-02-03",
            "address": {"country": "DE", "0": "not an index"},
            "nationalities": ["DE", "FR"],
            "degrees": [{"type": "BSc"}, {"year": 2020}, {"type": "MSc"}],
        });
        let claim: Claim = serde_json::from_value(json!({"id": "x", "path": path})).unwrap();
        claim.select(payload.as_object().unwrap())
    }

    #[test]
    fn a_path_leads_through_names_indexes_and_every_element() {
        assert_eq!(select(json!(["birthdate"])), Some(json!("2001-02-03")));
        assert_eq!(select(json!(["address", "country"])), Some(json!("DE")));
        assert_eq!(select(json!(["nationalities", 1])), Some(json!("FR")));
        assert_eq!(
            select(json!(["nationalities", null])),
            Some(json!(["DE", "FR"]))
        );
        assert_eq!(
            select(json!(["degrees", null, "type"])),
            Some(json!(["BSc", "MSc"]))
        );
        assert_eq!(select(json!(["degrees", 0, "type"])), Some(json!("BSc")));
    }

    #[test]
    fn a_path_that_leads_nowhere_selects_nothing() {
        for path in [
            json!(["name"]),
            json!(["birthdate", "year"]),
            json!(["address", 0]),
            json!(["nationalities", 2]),
            json!(["birthdate", null]),
            json!([null]),
            json!([]),
        ] {
            assert_eq!(select(path.clone()), None, "{path}");
        }
    }
}

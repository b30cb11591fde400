//! How large an object of our kinds may be: all of them are kept in memory, by every replica.

use kube::core::DynamicObject;
use pavilion_crds::Kind;
use serde_json::{Value, json};

/// In the place of a spec that is too large: its size in bytes.
const OVERSIZED: &str = "oversized";

/// How many bytes of JSON the spec had of an object that is too large to be kept.
pub fn oversized(object: &Value) -> Option<u64> {
    object[OVERSIZED].as_u64()
}

/// How many bytes of JSON the spec of such an object may have. What an object of the API server may hold is some 1.5 MB, and
/// all that a tenant has must come to less than that in its bundle.
pub const fn max_spec_bytes(kind: Kind) -> usize {
    match kind {
        Kind::TrustAnchor => 256 * 1024,
        Kind::Policy => 32 * 1024,
        _ => 64 * 1024,
    }
}

/// An object without its spec where that is too large: whoever may write it could fill the memory of all replicas. And how
/// many bytes of JSON the spec has that is kept.
pub fn within_bounds(kind: Kind, mut object: DynamicObject) -> (DynamicObject, usize) {
    let mut size = Counted(0);
    let written = serde_json::to_writer(&mut size, &object.data["spec"]);
    if written.is_err() || size.0 > max_spec_bytes(kind) {
        let status = object.data["status"].take();
        object.data = json!({OVERSIZED: size.0, "status": status});
        size.0 = 0;
    }
    (object, size.0)
}

/// Counts what is written to it.
struct Counted(usize);

impl std::io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::cluster::{objects::Objects, triggers::triggers, watching::News};

    #[test]
    fn a_spec_that_is_too_large_is_not_kept_and_its_size_is() {
        let (objects, (triggers, _told)) = (Objects::default(), triggers());
        let keep = |version: &str, length: usize| {
            let object = json!({
                "apiVersion": pavilion_crds::API_VERSION, "kind": "Tenant",
                "metadata": {"name": "acme", "uid": "one", "resourceVersion": version},
                "spec": {"regions": ["here"], "plan": "x".repeat(length)},
                "status": {"phase": "Ready"},
            });
            let object = serde_json::from_value(object).unwrap();
            objects.hear(Kind::Tenant, News::Seen(object), &triggers);
            let kept = objects.tenant("acme").unwrap();
            assert_eq!(kept.data["status"]["phase"], "Ready");
            (oversized(&kept.data), kept.data["spec"].is_object())
        };
        let around = json!({"regions": ["here"], "plan": ""}).to_string().len();
        let most = max_spec_bytes(Kind::Tenant) - around;
        assert_eq!(keep("10", most), (None, true));
        let larger = u64::try_from(most + around + 1).ok();
        assert_eq!(keep("11", most + 1), (larger, false));
        assert_eq!(keep("12", most), (None, true));
    }
}

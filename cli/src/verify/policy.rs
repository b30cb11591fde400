//! The revision digest of a policy in a manifest.

use pavilion_crds::manifest_options;
use pavilion_json::Digest;
use pavilion_policy::Policy;
use serde_json::Value;

use crate::args::PolicySource;
use crate::exit::Failure;
use crate::file;

/// Finds the Policy in the manifest and digests it as the broker does.
pub fn digest(source: &PolicySource) -> Result<Digest, Failure> {
    let shown = source.file.display();
    let documents: Vec<Value> =
        serde_saphyr::from_multiple_with_options(&file::text(&source.file)?, manifest_options())
            .map_err(|error| Failure::file(format!("{shown} is not YAML: {error}")))?;
    let named = |document: &&Value| {
        document["kind"] == "Policy" && document["metadata"]["name"] == *source.name
    };
    let mut found = documents.iter().filter(named);
    let missing = || Failure::file(format!("{shown} has no Policy named {}", source.name));
    let document = found.next().ok_or_else(missing)?;
    if found.next().is_some() {
        return Err(Failure::file(format!(
            "{shown} has more than one Policy named {}",
            source.name
        )));
    }
    let policy: Policy = serde_json::from_value(document["spec"].clone()).map_err(|error| {
        Failure::file(format!("Policy {} in {shown}: spec: {error}", source.name))
    })?;
    Ok(pavilion_policy::revision_digest(&policy))
}

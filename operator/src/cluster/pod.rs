//! The pod of a tenant: verifier, signer, auditor and a probe, each with its own user and with no more of the
//! tenant's files than it needs.

mod configs;
mod containers;
mod stateful_set;
mod volumes;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use pavilion_bundle::TenantName;
use pavilion_json::{Digest, JsonError};

use super::{
    kinds::OwnedKind,
    owned::{Owned, metadata},
    settings::Settings,
    sizing::Sizing,
};
use crate::desired::DesiredTenant;

/// The name of the `StatefulSet`; its one pod has the same name and `-0`.
pub const NAME: &str = "data-plane";
/// The container that tries what must be refused.
pub const PROBE_CONTAINER: &str = containers::PROBE.name;
/// The annotation of a pod with the digest of the bundle that it is to serve. Its only use is to change:
/// the kubelet then brings the mounted bundle up to date at once.
pub const BUNDLE_ANNOTATION: &str = "pavilion.dev/bundle";
/// The same with the digest of what its programs are to listen with.
pub const KEYS_ANNOTATION: &str = "pavilion.dev/keys";
/// The `ConfigMap` that the pod reads, and that the operator remembers by.
pub const CONFIG_MAP: &str = "pavilion";

/// What relying parties trust, in that `ConfigMap`.
const AUTHORITY: &str = "ca.crt";

/// The `ConfigMap` with what is remembered of the tenant, what its programs are started with, and the
/// certificate that relying parties trust.
///
/// # Errors
/// A configuration without a JSON form.
pub fn config_map(
    tenant: &TenantName,
    desired: &DesiredTenant,
    settings: &Settings,
    mut memory: BTreeMap<String, String>,
    authority: &str,
) -> Result<Owned, JsonError> {
    memory.extend(configs::files(tenant, desired, settings)?);
    memory.insert(AUTHORITY.to_owned(), authority.to_owned());
    let map = ConfigMap {
        metadata: metadata(tenant, CONFIG_MAP),
        data: Some(memory),
        ..ConfigMap::default()
    };
    Ok(Owned::namespaced(OwnedKind::ConfigMap, tenant, &map))
}

/// The pod's `StatefulSet`, with a pod if the tenant's programs run. It is another one when what the programs are
/// started with is, and the pod is then made anew.
///
/// # Errors
/// A configuration without a JSON form.
pub fn stateful_set(
    tenant: &TenantName,
    desired: &DesiredTenant,
    sizing: &Sizing,
    settings: &Settings,
    runs: bool,
) -> Result<Owned, JsonError> {
    let files = configs::files(tenant, desired, settings)?;
    let configuration = Digest::of(&pavilion_json::canonical(&files)?);
    let set = stateful_set::build(tenant, sizing, settings, configuration, runs);
    Ok(Owned::namespaced(OwnedKind::StatefulSet, tenant, &set))
}

//! What is remembered of a tenant, in its own namespace: the bundle that its verifier serves, the rest
//! of the state in force, and the numbers that must never be given out twice.
//!
//! All of it stands in one `ConfigMap`, beside what the tenant's programs are started with, so that they
//! change in one step. It is read when a tenant is looked at for the first time, and after a look that failed;
//! otherwise the operator knows what it wrote.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use pavilion_bundle::{Document, TenantName};
use pavilion_json::{Digest, JsonError};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;

use super::{apply::REQUEST_TIME_OUT, owned::namespace_of, pod::CONFIG_MAP, sizing::Sizing};
use crate::{desired::DesiredTenant, records::Records};

/// The bundle, as the verifier reads it.
const BUNDLE: &str = "bundle.json";
const IN_FORCE: &str = "in-force.json";
const RECORDS: &str = "records.json";
const SIZING: &str = "sizing.json";
/// The member of the state in force that stands apart.
const BUNDLE_FIELD: &str = "bundle";

/// The largest sum of it, in bytes; the API server takes a little more (1 MiB with everything).
const MAX_BYTES: usize = 1_000_000;

/// What is known of one tenant.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Identities, generations, revisions and versions.
    pub records: Records,
    /// What is in force, if anything ever was.
    pub in_force: Option<InForce>,
}

/// A state that was accepted.
#[derive(Clone, Debug)]
pub struct InForce {
    /// The state.
    pub desired: DesiredTenant,
    /// How much it gets.
    pub sizing: Sizing,
    /// The digest of its bundle.
    pub digest: Digest,
}

/// Why a memory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The API server.
    #[error(transparent)]
    Api(#[from] Box<kube::Error>),
    /// The API server, which said nothing.
    #[error("the API server did not answer in time")]
    Silent,
    /// What is there cannot be read.
    #[error("ConfigMap {CONFIG_MAP}: {0}: {1}")]
    Unreadable(&'static str, serde_json::Error),
    /// It has no JSON form.
    #[error("the tenant's state has no JSON form: {0}")]
    Form(#[from] JsonError),
    /// It is too large.
    #[error(
        "the tenant's policies, trust anchors and relying parties come to {0} bytes of at most {MAX_BYTES}"
    )]
    TooLarge(usize),
}

impl InForce {
    /// A state with the digest of its bundle.
    ///
    /// # Errors
    /// A bundle without a JSON form.
    pub fn new(desired: DesiredTenant, sizing: Sizing) -> Result<Self, JsonError> {
        let (_, digest) = desired.bundle.seal()?;
        Ok(Self {
            desired,
            sizing,
            digest,
        })
    }
}

impl Memory {
    /// Whether the tenant's programs are to run by what is in force.
    pub fn runs(&self) -> bool {
        let in_force = self.in_force.as_ref();
        in_force.is_some_and(|state| !state.desired.hibernate)
    }

    /// The version of the bundle in force.
    pub fn version(&self) -> Option<u64> {
        let in_force = self.in_force.as_ref();
        in_force.map(|state| state.desired.bundle.version)
    }

    /// What was written last, by this operator or one before it; nothing for a new tenant.
    ///
    /// # Errors
    /// The API server, or a `ConfigMap` that no release wrote.
    pub async fn load(client: &Client, tenant: &TenantName) -> Result<Option<Self>, MemoryError> {
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace_of(tenant));
        let found = timeout(REQUEST_TIME_OUT, api.get_opt(CONFIG_MAP)).await;
        let found = found.map_err(|_| MemoryError::Silent)?;
        let Some(found) = found.map_err(Box::new)? else {
            return Ok(None);
        };
        let data = found.data.unwrap_or_default();
        // A release that knew no plans gave every tenant what is now the default.
        let sizing = read(&data, SIZING)?.unwrap_or_default();
        let in_force = in_force(&data)?.map(|desired| InForce::new(desired, sizing));
        Ok(Some(Self {
            records: read(&data, RECORDS)?.unwrap_or_default(),
            in_force: in_force.transpose()?,
        }))
    }

    /// What is kept of it, by name; nothing as long as nothing is in force.
    ///
    /// # Errors
    /// What is too large, or has no JSON form.
    pub fn data(&self) -> Result<BTreeMap<String, String>, MemoryError> {
        let Some(in_force) = &self.in_force else {
            return Ok(BTreeMap::new());
        };
        let (bundle, _) = in_force.desired.bundle.seal()?;
        let rest = pavilion_json::canonical(&without_bundle(&in_force.desired))?;
        let records = pavilion_json::canonical(&self.records)?;
        let sizing = pavilion_json::canonical(&in_force.sizing)?;
        let size = bundle.len() + rest.len() + records.len() + sizing.len();
        if size > MAX_BYTES {
            return Err(MemoryError::TooLarge(size));
        }
        let text = |name: &str, bytes: &[u8]| {
            (name.to_owned(), String::from_utf8_lossy(bytes).into_owned())
        };
        Ok(BTreeMap::from([
            text(BUNDLE, &bundle),
            text(IN_FORCE, &rest),
            text(RECORDS, &records),
            text(SIZING, &sizing),
        ]))
    }
}

/// The bundle has an entry of its own.
fn without_bundle(desired: &DesiredTenant) -> Value {
    let mut rest = serde_json::to_value(desired).unwrap_or_default();
    if let Some(fields) = rest.as_object_mut() {
        fields.remove(BUNDLE_FIELD);
    }
    rest
}

fn in_force(data: &BTreeMap<String, String>) -> Result<Option<DesiredTenant>, MemoryError> {
    let bundle: Option<Value> = read(data, BUNDLE)?;
    let rest: Option<Value> = read(data, IN_FORCE)?;
    let (Some(bundle), Some(mut whole)) = (bundle, rest) else {
        return Ok(None);
    };
    if let Some(fields) = whole.as_object_mut() {
        fields.insert(BUNDLE_FIELD.to_owned(), bundle);
    }
    let desired = serde_json::from_value(whole);
    desired
        .map(Some)
        .map_err(|error| MemoryError::Unreadable(IN_FORCE, error))
}

fn read<T: DeserializeOwned>(
    data: &BTreeMap<String, String>,
    name: &'static str,
) -> Result<Option<T>, MemoryError> {
    let Some(text) = data.get(name) else {
        return Ok(None);
    };
    let value = serde_json::from_str(text);
    value
        .map(Some)
        .map_err(|error| MemoryError::Unreadable(name, error))
}

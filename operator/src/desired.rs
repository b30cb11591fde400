//! What is to be, after `build`: nothing in here can fail any more.

use std::collections::BTreeMap;

use pavilion_bundle::{Closed, HostName, TenantBundle, TenantName};
use serde::{Deserialize, Serialize};

use crate::validate::ServerCertificate;

/// The desired state of this host. Its JSON form is kept as the last good state; private keys are
/// not part of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Desired {
    /// By name.
    pub tenants: BTreeMap<TenantName, DesiredTenant>,
}

/// One tenant.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DesiredTenant {
    /// What its verifier serves.
    pub bundle: TenantBundle,
    /// Where its server certificate comes from.
    pub certificate: CertificateSource,
    /// Age at which a new signing key takes over, in seconds.
    pub rotate_every_seconds: u64,
    /// How long the old key stays published, in seconds.
    pub overlap_seconds: u64,
    /// Whether its requests are refused.
    pub suspend: bool,
    /// Whether its programs are stopped. Written only where it says something: a release that does not know it
    /// reads the state of every other tenant.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hibernate: bool,
}

/// Where a server certificate comes from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum CertificateSource {
    /// From the tenant's own trust root.
    Made,
    /// From the tenant.
    #[serde(skip)]
    Given(ServerCertificate),
    /// From the tenant, as it was written before.
    AsWritten,
    /// From the tenant, in a Secret of its namespace.
    InSecret,
}

impl Desired {
    /// The form that is kept.
    #[must_use]
    pub fn without_keys(&self) -> Self {
        let mut kept = self.clone();
        for tenant in kept.tenants.values_mut() {
            if matches!(tenant.certificate, CertificateSource::Given(_)) {
                tenant.certificate = CertificateSource::AsWritten;
            }
        }
        kept
    }
}

impl DesiredTenant {
    /// Where it is reached.
    pub fn hosts(&self) -> &[HostName] {
        &self.bundle.hosts
    }

    /// Why the edge answers in its place, if it does.
    pub fn closed(&self) -> Option<Closed> {
        match (self.suspend, self.hibernate) {
            (true, _) => Some(Closed::Suspended),
            (false, true) => Some(Closed::Hibernated),
            (false, false) => None,
        }
    }

    /// Whether some relying party proves who it is by certificate.
    pub fn wants_client_certificates(&self) -> bool {
        let mut parties = self.bundle.relying_parties.values();
        parties.any(|party| party.authentication.mutual_tls.is_some())
    }
}

//! Following the bundle file: validate whole, swap at once, or refuse and keep the last good one.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use pavilion_bundle::{MAX_DOCUMENT_BYTES, Named, TenantBundle, TenantName};
use pavilion_json::Digest;
use pavilion_process::watch::WatchError;
use pavilion_process::{Check, Health, watch_document};

use super::Tenant;

/// What is served now. Clones share it.
pub type Served = Arc<ArcSwapOption<Tenant>>;

/// Takes bundles in, one after the other.
pub struct Loader {
    tenant: TenantName,
    served: Served,
    health: Health,
    check: Check,
}

impl Loader {
    /// A loader for the bundles of this tenant. The check `bundle` is well once one is served.
    pub fn new(tenant: TenantName, served: Served, health: Health) -> Self {
        let check = health.register_check("bundle");
        check.set_failed("no bundle was read yet");
        Self {
            tenant,
            served,
            health,
            check,
        }
    }

    /// Follows the file for ever.
    pub async fn follow(self, file: PathBuf) {
        let limit = MAX_DOCUMENT_BYTES as u64;
        self.follow_stream(watch_document(file, limit)).await;
    }

    async fn follow_stream(
        &self,
        mut documents: impl Stream<Item = Result<Bytes, WatchError>> + Unpin,
    ) {
        while let Some(document) = documents.next().await {
            match document {
                Ok(bytes) => self.take(&bytes),
                Err(error) => self.refuse(None, &error.to_string()),
            }
        }
    }

    /// Takes one bundle, or refuses it.
    pub fn take(&self, bytes: &[u8]) {
        match self.admit(bytes) {
            Ok(tenant) => {
                let (version, digest) = (tenant.version, tenant.digest);
                self.served.store(Some(Arc::new(tenant)));
                self.health.set_served(version, digest);
                self.check.set_ok();
                tracing::info!(version, %digest, "serving a new bundle");
            }
            Err(reason) => self.refuse(Some(Digest::of(bytes)), &reason),
        }
    }

    fn admit(&self, bytes: &[u8]) -> Result<Tenant, String> {
        let bundle = Named::<TenantBundle>::read(bytes).map_err(|error| error.to_string())?;
        if bundle.document().tenant != self.tenant {
            return Err("tenant: the bundle is another tenant's".to_owned());
        }
        if let Some(served) = self.served.load().as_deref() {
            let version = bundle.document().version;
            if version < served.version {
                return Err(format!(
                    "version: {version} goes back behind {}",
                    served.version
                ));
            }
            if version == served.version && bundle.digest() != served.digest {
                return Err(format!(
                    "version: another bundle of version {version} is already served"
                ));
            }
        }
        Tenant::prepare(bundle)
    }

    fn refuse(&self, digest: Option<Digest>, reason: &str) {
        tracing::error!(reason, "a bundle is refused");
        self.health.set_refused(digest, reason);
        if self.served.load().is_none() {
            self.check
                .set_failed(format!("no bundle is served: {reason}"));
        }
    }
}

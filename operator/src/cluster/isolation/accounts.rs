//! As whom the tenant's pods run: an account that may do nothing, and whose token no pod gets.

use k8s_openapi::api::core::v1::ServiceAccount;
use pavilion_bundle::TenantName;

use crate::cluster::{
    kinds::OwnedKind,
    owned::{Owned, metadata},
};

/// The account of the pod with verifier, signer and auditor.
pub const DATA_PLANE: &str = "data-plane";

pub(super) fn build(tenant: &TenantName) -> Owned {
    let account = ServiceAccount {
        metadata: metadata(tenant, DATA_PLANE),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    };
    Owned::namespaced(OwnedKind::ServiceAccount, tenant, &account)
}

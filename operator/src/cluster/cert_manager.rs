//! What is asked of cert-manager, and what it says to that.
//!
//! A Plan may name an issuer of cert-manager that vouches for its tenants' authorities. Of each such tenant there is one
//! Certificate beside the operator; what cert-manager makes of it lies in a Secret of the same name ([`supplies`]).
//! Clusters without cert-manager have no such kind, and nothing here waits for one.
//!
//! [`supplies`]: super::supplies

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kube::{Client, core::ApiResource};
use pavilion_bundle::TenantName;
use pavilion_crds::IssuerRef;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{
    apply::REQUEST_TIME_OUT,
    kinds::OwnedKind,
    owned::{Owned, TENANT_LABEL, metadata},
    supplies,
    told::Told,
    triggers::Triggers,
    watching::News,
};

/// The kind's name.
pub const KIND: &str = "Certificate";
const API_VERSION: &str = "cert-manager.io/v1";

/// How long an authority lasts, and how long before its end cert-manager renews it: longer than the 90 days of a leaf, so
/// that none outlives the certificate that vouches for it.
const DURATION: &str = "8760h0m0s";
const RENEW_BEFORE: &str = "2920h0m0s";

/// Between two looks whether there is such a kind by now.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// What cert-manager says of its Certificates.
#[derive(Debug, Default)]
pub struct Certificates {
    served: AtomicBool,
    said: Mutex<HashMap<TenantName, String>>,
}

/// The kind, as the API serves it where cert-manager is installed.
pub fn resource() -> ApiResource {
    ApiResource {
        group: "cert-manager.io".to_owned(),
        version: "v1".to_owned(),
        api_version: API_VERSION.to_owned(),
        kind: KIND.to_owned(),
        plural: "certificates".to_owned(),
    }
}

/// The Certificate that asks for a tenant's authority. It may have authorities below it, because cert-manager has no word
/// for the length of a path; nothing but leaves is ever signed.
pub fn certificate(tenant: &TenantName, issuer: &IssuerRef, namespace: &str) -> Owned {
    let name = supplies::authority_of(tenant);
    let (role, value) = supplies::AUTHORITY_ROLE;
    let object = json!({
        "metadata": metadata(tenant, &name),
        "spec": {
            "secretName": name,
            // Not the label of what is ours: cert-manager is to change it.
            "secretTemplate": {"labels": {role: value, TENANT_LABEL: tenant}},
            "issuerRef": {"name": issuer.name, "kind": issuer.kind, "group": issuer.group},
            "isCA": true,
            "commonName": "Pavilion trust root",
            "subject": {"organizations": [tenant]},
            "usages": ["cert sign", "crl sign"],
            "duration": DURATION,
            "renewBefore": RENEW_BEFORE,
            // What a renewed one signs is believed by who trusts the one before, and the other way round.
            "privateKey": {
                "algorithm": "ECDSA", "size": 256, "encoding": "PKCS8", "rotationPolicy": "Never",
            },
        },
    });
    Owned::beside_the_operator(OwnedKind::Certificate, namespace, &object)
}

/// Whether there is such a kind.
///
/// # Errors
/// The API server does not say.
pub async fn is_served(client: &Client) -> Result<bool, String> {
    match timeout(
        REQUEST_TIME_OUT,
        client.list_api_group_resources(API_VERSION),
    )
    .await
    {
        Ok(Ok(found)) => Ok(found.resources.iter().any(|one| one.kind == KIND)),
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Ok(false),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the API server did not answer in time".to_owned()),
    }
}

/// Completes once there is such a kind.
pub async fn until_served(client: &Client) {
    while is_served(client).await != Ok(true) {
        sleep(LOOK_AGAIN).await;
    }
}

impl Certificates {
    /// Takes note of what the watch tells. Whether there is such a kind only since now.
    pub fn hear(&self, news: &News<Told>, triggers: &Triggers) -> bool {
        match news {
            News::Seen(object) => {
                if let Some((tenant, said)) = look(object) {
                    let before = self.lock().insert(tenant.clone(), said.clone());
                    if before.as_ref() != Some(&said) {
                        triggers.tenant(&tenant);
                    }
                }
                false
            }
            News::Gone(object) => {
                if let Some((tenant, _)) = look(object) {
                    self.lock().remove(&tenant);
                }
                false
            }
            News::Listed(places) => {
                self.lock().retain(|tenant, _| {
                    let name = supplies::authority_of(tenant);
                    places.iter().any(|(_, listed)| *listed == name)
                });
                !self.served.swap(true, Ordering::AcqRel)
            }
        }
    }

    /// There is no such kind.
    pub fn are_unserved(&self) {
        self.served.store(false, Ordering::Release);
    }

    /// A tenant's authority could not even be asked for.
    pub fn refused(&self, tenant: &TenantName, why: &str) {
        let said = format!("the API server did not take what asks for it: {why}");
        self.lock().insert(tenant.clone(), said);
    }

    /// Why a tenant's authority is not there, as far as cert-manager says.
    pub fn said(&self, tenant: &TenantName) -> String {
        if !self.served.load(Ordering::Acquire) {
            return format!(
                "cert-manager is not installed: there is no kind {KIND} of {API_VERSION}"
            );
        }
        let said = self.lock().get(tenant).cloned();
        said.unwrap_or_else(|| "cert-manager has not been asked yet".to_owned())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantName, String>> {
        // Every change is one call on the map, so a panic elsewhere leaves nothing half made.
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose it is, and what cert-manager says of it: a request of it that failed, and otherwise whether it is ready.
fn look(object: &Told) -> Option<(TenantName, String)> {
    let labels = object.metadata.labels.as_ref()?;
    let tenant = labels.get(TENANT_LABEL)?.parse().ok()?;
    let status = object.member("status");
    let conditions = status["conditions"].as_array();
    let find = |type_: &str| {
        let mut conditions = conditions.into_iter().flatten();
        conditions.find(|condition| condition["type"] == type_)
    };
    let failed = find("Issuing").filter(|issuing| issuing["reason"] == "Failed");
    let said = failed.or_else(|| find("Ready")).map(words);
    let silent = || "cert-manager has not said anything yet; its controller may be away".to_owned();
    Some((tenant, said.unwrap_or_else(silent)))
}

fn words(condition: &Value) -> String {
    let text = |field: &str| condition[field].as_str().unwrap_or_default();
    format!("cert-manager says {}: {}", text("reason"), text("message"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use super::*;
    use crate::cluster::{told::tests::told, triggers::triggers};

    fn tenant() -> TenantName {
        "acme".parse().unwrap()
    }

    fn heard(conditions: Value) -> String {
        let (certificates, (triggers, _told)) = (Certificates::default(), triggers());
        let listed = News::Listed(HashSet::from([(None, "root-acme".to_owned())]));
        assert!(certificates.hear(&listed, &triggers));
        assert!(!certificates.hear(&listed, &triggers));
        let object = json!({
            "metadata": {"name": "root-acme", "labels": {TENANT_LABEL: "acme"}},
            "status": {"conditions": conditions},
        });
        certificates.hear(&News::Seen(told(&object)), &triggers);
        certificates.said(&tenant())
    }

    #[test]
    fn why_an_authority_is_not_there_is_told_in_the_words_of_cert_manager() {
        let ready =
            json!({"type": "Ready", "reason": "DoesNotExist", "message": "Issuing certificate"});
        let ready_said = heard(json!([ready]));
        assert_eq!(
            ready_said,
            "cert-manager says DoesNotExist: Issuing certificate"
        );
        let failed = json!({"type": "Issuing", "reason": "Failed", "message": "denied"});
        assert_eq!(
            heard(json!([ready, failed])),
            "cert-manager says Failed: denied"
        );
        assert!(heard(json!([])).contains("has not said anything"));
    }

    #[test]
    fn without_cert_manager_it_is_said_that_it_is_not_installed() {
        let (certificates, (triggers, _told)) = (Certificates::default(), triggers());
        assert!(certificates.said(&tenant()).contains("not installed"));
        certificates.hear(&News::Listed(HashSet::new()), &triggers);
        assert!(certificates.said(&tenant()).contains("not been asked"));
        certificates.refused(&tenant(), "its webhook is away");
        assert!(certificates.said(&tenant()).contains("its webhook is away"));
        certificates.are_unserved();
        assert!(certificates.said(&tenant()).contains("not installed"));
    }
}

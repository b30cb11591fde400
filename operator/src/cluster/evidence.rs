//! What is kept of a log whose tenant is deleted: its last signed checkpoint, with the key that it is checked
//! with. Whoever holds a receipt can still show that it was in this log.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, api::PostParams, core::DynamicObject};
use pavilion_bundle::TenantName;

use super::{
    apply::{ApplyError, REQUEST_TIME_OUT},
    owned::MANAGED_BY,
    reconcile::{Context, RoundError},
    termination::auditor,
};
use crate::host::Report;

/// The label of these `ConfigMap`s, and its value.
const ROLE: (&str, &str) = ("pavilion.dev/role", "evidence");

/// Whether it was kept already.
///
/// # Errors
/// The API server.
pub(super) async fn is_kept(
    object: &DynamicObject,
    tenant: &TenantName,
    context: &Context,
) -> Result<bool, RoundError> {
    let name = name(object, tenant);
    let found = tokio::time::timeout(REQUEST_TIME_OUT, api(context).get_opt(&name)).await;
    match found {
        Ok(Ok(found)) => Ok(found.is_some()),
        Ok(Err(error)) => Err(refused(&name, error.to_string())),
        Err(_) => Err(refused(
            &name,
            "the API server did not answer in time".to_owned(),
        )),
    }
}

/// Keeps it once there is one that covers the whole log. Without patience a note takes its place that there
/// was none, so that its absence is no riddle.
///
/// # Errors
/// The lease, or the API server.
pub(super) async fn keep(
    object: &DynamicObject,
    tenant: &TenantName,
    context: &Context,
    patient: bool,
    now: Timestamp,
) -> Result<(), RoundError> {
    let report = auditor(tenant, context, now).await;
    let Some(mut data) = last_words(report.as_ref()).or_else(|| (!patient).then(none)) else {
        return Ok(());
    };
    data.insert("tenant".to_owned(), tenant.to_string());
    let uid = object.metadata.uid.clone().unwrap_or_default();
    data.insert("tenantUid".to_owned(), uid);
    data.insert("takenAt".to_owned(), now.to_string());
    let name = name(object, tenant);
    let labels = [MANAGED_BY, ROLE].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            labels: Some(labels.into()),
            ..ObjectMeta::default()
        },
        data: Some(data),
        immutable: Some(true),
        ..ConfigMap::default()
    };
    context.applier.fence().check().map_err(ApplyError::from)?;
    match tokio::time::timeout(
        REQUEST_TIME_OUT,
        api(context).create(&PostParams::default(), &map),
    )
    .await
    {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(kube::Error::Api(status))) if status.code == 409 => Ok(()),
        Ok(Err(error)) => Err(refused(&name, error.to_string())),
        Err(_) => Err(refused(
            &name,
            "the API server did not answer in time".to_owned(),
        )),
    }
}

/// A checkpoint of everything in the log, in the auditor's words.
fn last_words(report: Option<&Report>) -> Option<BTreeMap<String, String>> {
    let detail = &report?.detail;
    if detail.get("size")? != detail.get("checkpointSize")? {
        return None;
    }
    let text = |name: &str| Some(detail.get(name)?.as_str()?.to_owned());
    Some(BTreeMap::from([
        ("checkpoint".to_owned(), text("checkpoint")?),
        ("verifierKey".to_owned(), text("verifierKey")?),
        ("origin".to_owned(), text("origin")?),
    ]))
}

fn none() -> BTreeMap<String, String> {
    let words = "the auditor did not tell a checkpoint of the whole log in time";
    BTreeMap::from([("missing".to_owned(), words.to_owned())])
}

fn name(object: &DynamicObject, tenant: &TenantName) -> String {
    let uid = object.metadata.uid.as_deref().unwrap_or_default();
    let begin: String = uid.chars().take(8).collect();
    format!("evidence-{tenant}-{begin}")
}

fn api(context: &Context) -> Api<ConfigMap> {
    Api::namespaced(context.client.clone(), &context.settings.namespace)
}

fn refused(name: &str, why: String) -> RoundError {
    RoundError::Evidence(format!("ConfigMap {name}: {why}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn report(size: u64, checkpoint_size: u64) -> Report {
        let detail = json!({"size": size, "checkpointSize": checkpoint_size, "origin": "o", "checkpoint": "c", "verifierKey": "k"});
        serde_json::from_value(json!({"detail": detail})).unwrap()
    }

    #[test]
    fn only_a_checkpoint_of_the_whole_log_is_kept() {
        let kept = last_words(Some(&report(7, 7))).unwrap();
        assert_eq!(kept["checkpoint"], "c");
        assert!(last_words(Some(&report(7, 6))).is_none());
        assert!(last_words(None).is_none());
    }
}

//! The `StatefulSet` that keeps the one pod of a tenant.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        apps::v1::{
            StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec,
            StatefulSetUpdateStrategy,
        },
        core::v1::{
            LocalObjectReference, PodSecurityContext, PodSpec, PodTemplateSpec, SeccompProfile,
        },
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta},
};
use pavilion_bundle::TenantName;
use pavilion_json::Digest;

use super::{
    NAME,
    containers::{AUDITOR, GROUP, LAME_DUCK_SECONDS, PROBE, SIGNER, VERIFIER},
    volumes,
};
use crate::cluster::{
    isolation::{ACCOUNT, COMPONENT, DATA_PLANE},
    owned::metadata,
    settings::Settings,
    sizing::{self, Sizing},
};

/// The annotation of the pod with the digest of what its programs are started with.
const CONFIG_ANNOTATION: &str = "pavilion.dev/config";

/// Beyond lame duck and drain: for the programs to stop one after the other.
const GRACE_SECONDS: i64 = 10;

pub(super) fn build(
    tenant: &TenantName,
    sizing: &Sizing,
    settings: &Settings,
    configuration: Digest,
    runs: bool,
) -> StatefulSet {
    let selector = BTreeMap::from([(COMPONENT.to_owned(), DATA_PLANE.to_owned())]);
    StatefulSet {
        metadata: metadata(tenant, NAME),
        spec: Some(StatefulSetSpec {
            replicas: Some(i32::from(runs)),
            selector: LabelSelector {
                match_labels: Some(selector),
                ..LabelSelector::default()
            },
            pod_management_policy: Some("Parallel".to_owned()),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                ..StatefulSetUpdateStrategy::default()
            }),
            // The log and the keys stay, whatever becomes of the pod.
            persistent_volume_claim_retention_policy: Some(
                StatefulSetPersistentVolumeClaimRetentionPolicy {
                    when_deleted: Some("Retain".to_owned()),
                    when_scaled: Some("Retain".to_owned()),
                },
            ),
            template: template(tenant, sizing, settings, configuration),
            volume_claim_templates: Some(volumes::claims(sizing, settings)),
            ..StatefulSetSpec::default()
        }),
        status: None,
    }
}

fn template(
    tenant: &TenantName,
    sizing: &Sizing,
    settings: &Settings,
    configuration: Digest,
) -> PodTemplateSpec {
    let Sizing { plan, .. } = sizing;
    let of = &plan.programs;
    let mut labels = metadata(tenant, NAME).labels.unwrap_or_default();
    labels.insert("app.kubernetes.io/name".to_owned(), "pavilion".to_owned());
    labels.insert(COMPONENT.to_owned(), DATA_PLANE.to_owned());
    let annotations = [
        (CONFIG_ANNOTATION, configuration.to_string()),
        (
            "kubectl.kubernetes.io/default-container",
            "verifier".to_owned(),
        ),
    ];
    let annotations = annotations.map(|(name, value)| (name.to_owned(), value));
    let drain = i64::try_from(settings.drain_seconds).unwrap_or(0);
    let grace = LAME_DUCK_SECONDS + drain + GRACE_SECONDS;
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels),
            annotations: Some(annotations.into()),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            service_account_name: Some(ACCOUNT.to_owned()),
            automount_service_account_token: Some(false),
            priority_class_name: plan.priority_class_name.clone(),
            runtime_class_name: plan.runtime_class_name.clone(),
            enable_service_links: Some(false),
            image_pull_secrets: pull_secrets(settings),
            termination_grace_period_seconds: Some(grace),
            security_context: Some(security()),
            // The probe from the first moment on.
            init_containers: Some(vec![
                PROBE.spec(sizing::PROBE, settings),
                SIGNER.spec(of.signer, settings),
                AUDITOR.spec(of.auditor, settings),
            ]),
            containers: vec![VERIFIER.spec(of.verifier, settings)],
            volumes: Some(volumes::volumes(&[VERIFIER, SIGNER, AUDITOR, PROBE])),
            ..PodSpec::default()
        }),
    }
}

fn pull_secrets(settings: &Settings) -> Option<Vec<LocalObjectReference>> {
    let names = settings.image_pull_secrets.iter().cloned();
    let secrets: Vec<_> = names.map(|name| LocalObjectReference { name }).collect();
    (!secrets.is_empty()).then_some(secrets)
}

fn security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        // Of what holds the pod's namespaces; each program has another.
        run_as_user: Some(GROUP),
        run_as_group: Some(GROUP),
        fs_group: Some(GROUP),
        // A log with many tiles is not walked at each start.
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            localhost_profile: None,
        }),
        ..PodSecurityContext::default()
    }
}

//! What lies where in the pod, and who sees it.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{
        ConfigMapVolumeSource, EmptyDirVolumeSource, KeyToPath, PersistentVolumeClaim,
        PersistentVolumeClaimSpec, PersistentVolumeClaimStatus, SecretVolumeSource, Volume,
        VolumeMount, VolumeResourceRequirements,
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta},
};

use pavilion_crds::Bytes;

use super::{CONFIG_MAP, containers::Container};
use crate::cluster::{
    keyring,
    settings::Settings,
    sizing::{Sizing, quantity},
};

/// The socket of the signer. Whoever only calls it sees the folder read-only: nobody can put another
/// socket in its place.
pub(super) const SIGNER_RUN: &str = "/run/signer";
/// The socket of the auditor.
pub(super) const AUDITOR_RUN: &str = "/run/auditor";
/// The configuration of one program.
pub(super) const CONFIG: &str = "/config";
/// The tenant's bundle.
pub(super) const BUNDLE: &str = "/bundle";
/// The certificate for the edge.
pub(super) const TLS: &str = "/tls";
/// The token's PINs.
pub(super) const PIN: &str = "/pin";
/// The token.
pub(super) const TOKEN: &str = "/token";
/// The log.
pub(super) const LOG: &str = "/log";
/// Short-lived state.
pub(super) const STATE: &str = "/state";

/// Where a pod with an account's token has it.
const ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// What is open to one program or another, and closed to any that has no business with it.
pub(super) const CLOSED_TO_OTHERS: [&str; 9] = [
    SIGNER_RUN,
    AUDITOR_RUN,
    BUNDLE,
    TLS,
    PIN,
    TOKEN,
    LOG,
    STATE,
    ACCOUNT_TOKEN,
];

/// Readable by its owner, which is root, and by the group of the pod.
const SECRET_MODE: i32 = 0o440;
const CONFIG_MODE: i32 = 0o444;

/// All volumes but the claims.
pub(super) fn volumes(containers: &[Container]) -> Vec<Volume> {
    let mut volumes = vec![
        sockets("signer-run"),
        sockets("auditor-run"),
        from_config_map("bundle", "bundle.json"),
        from_secret("pin", &[keyring::PIN]),
        from_secret("tls", &keyring::TLS),
    ];
    for container in containers {
        let name = format!("{}-config", container.name);
        volumes.push(from_config_map(&name, &container.config_file()));
    }
    volumes
}

/// What outlives the pod.
pub(super) fn claims(sizing: &Sizing, settings: &Settings) -> Vec<PersistentVolumeClaim> {
    let class = sizing.class(settings.storage_class.as_deref());
    let claim = |(name, size): (&str, Bytes)| {
        let storage = quantity(size);
        PersistentVolumeClaim {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            spec: Some(PersistentVolumeClaimSpec {
                access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
                resources: Some(VolumeResourceRequirements {
                    requests: Some(BTreeMap::from([("storage".to_owned(), storage)])),
                    limits: None,
                }),
                storage_class_name: class.map(str::to_owned),
                volume_mode: Some("Filesystem".to_owned()),
                ..PersistentVolumeClaimSpec::default()
            }),
            // As the API server writes it.
            status: Some(PersistentVolumeClaimStatus {
                phase: Some("Pending".to_owned()),
                ..PersistentVolumeClaimStatus::default()
            }),
        }
    };
    sizing.volumes().map(claim).into()
}

/// A volume in a container.
pub(super) fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        ..VolumeMount::default()
    }
}

/// The same, read-only.
pub(super) fn read_only(name: &str, path: &str) -> VolumeMount {
    VolumeMount {
        read_only: Some(true),
        ..mount(name, path)
    }
}

fn sockets(name: &str) -> Volume {
    Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            medium: Some("Memory".to_owned()),
            size_limit: Some(Quantity("1Mi".to_owned())),
        }),
        ..Volume::default()
    }
}

fn from_config_map(name: &str, file: &str) -> Volume {
    Volume {
        name: name.to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: CONFIG_MAP.to_owned(),
            items: Some(items(&[file])),
            default_mode: Some(CONFIG_MODE),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    }
}

fn from_secret(name: &str, files: &[&str]) -> Volume {
    Volume {
        name: name.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(keyring::POD_SECRET.to_owned()),
            items: Some(items(files)),
            default_mode: Some(SECRET_MODE),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }
}

fn items(files: &[&str]) -> Vec<KeyToPath> {
    let item = |file: &&str| KeyToPath {
        key: (*file).to_owned(),
        path: (*file).to_owned(),
        mode: None,
    };
    files.iter().map(item).collect()
}

//! What the programs in a pod are started with.

use std::collections::BTreeMap;

use pavilion_bundle::TenantName;
use pavilion_json::JsonError;
use serde_json::{Value, json};

use super::{
    containers::{AUDITOR, Container, PROBE, SIGNER, VERIFIER},
    volumes::{AUDITOR_RUN, BUNDLE, CLOSED_TO_OTHERS, LOG, PIN, SIGNER_RUN, STATE, TLS, TOKEN},
};
use crate::{
    cluster::{
        isolation::{API_PORT, LOG_PORT, PROBE_PORT},
        keyring,
        settings::Settings,
    },
    desired::DesiredTenant,
    host::{FEW_WORKER_THREADS, MAX_BODY_BYTES, WORKER_THREADS, token_label},
};

/// Where the signer's image has its PKCS#11 module.
const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// The configuration file of each program, by name.
pub(super) fn files(
    tenant: &TenantName,
    desired: &DesiredTenant,
    settings: &Settings,
) -> Result<BTreeMap<String, String>, JsonError> {
    let configs = [
        (VERIFIER, verifier(tenant, settings)),
        (SIGNER, signer(tenant, desired, settings)),
        (AUDITOR, auditor(tenant, desired, settings)),
        (PROBE, probe(tenant, settings)),
    ];
    let files = configs.into_iter().map(|(container, config)| {
        let bytes = pavilion_json::canonical(&config)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok((container.config_file(), text))
    });
    files.collect()
}

fn process(tenant: &TenantName, container: Container, threads: u16, settings: &Settings) -> Value {
    json!({
        "tenant": tenant,
        "health": format!("tcp:0.0.0.0:{}", container.health_port),
        "drainSeconds": settings.drain_seconds,
        "workerThreads": threads,
        "logLevel": settings.log_level,
    })
}

/// The edge, and nobody else, gets in over TLS.
fn listen(port: u16) -> Value {
    let [certificate, key, authority] = keyring::TLS.map(|file| format!("{TLS}/{file}"));
    json!({
        "address": format!("0.0.0.0:{port}"),
        "certificateFile": certificate,
        "keyFile": key,
        "clientCaFile": authority,
        "clientName": keyring::EDGE_NAME,
    })
}

fn verifier(tenant: &TenantName, settings: &Settings) -> Value {
    json!({
        "process": process(tenant, VERIFIER, WORKER_THREADS, settings),
        "tenant": tenant,
        "listen": listen(API_PORT),
        "bundleFile": format!("{BUNDLE}/bundle.json"),
        "stateFile": format!("{STATE}/state.redb"),
        "signerSocket": format!("{SIGNER_RUN}/signer.sock"),
        "auditorSocket": format!("{AUDITOR_RUN}/auditor.sock"),
        "maxBodyBytes": MAX_BODY_BYTES,
    })
}

fn signer(tenant: &TenantName, desired: &DesiredTenant, settings: &Settings) -> Value {
    json!({
        "process": process(tenant, SIGNER, FEW_WORKER_THREADS, settings),
        "socket": format!("{SIGNER_RUN}/signer.sock"),
        "callers": signer_callers(),
        "module": MODULE,
        "tokenLabel": token_label(tenant),
        "tokenDirectory": format!("{TOKEN}/tokens"),
        "pinFile": format!("{PIN}/{}", keyring::PIN),
        "pinFileGiven": true,
        "keysFile": format!("{TOKEN}/keys.json"),
        "logOrigin": desired.bundle.audit.origin,
        "overlapSeconds": desired.overlap_seconds,
        "rotateEverySeconds": desired.rotate_every_seconds,
    })
}

/// The verifier, which takes requests from outside, can have no checkpoint signed, and so cannot put the
/// log in the wrong; keys are replaced by the signer itself, by their age.
fn signer_callers() -> Value {
    json!([
        {"uid": VERIFIER.user, "may": ["signResults"]},
        {"uid": AUDITOR.user, "may": ["signCheckpoints"]},
    ])
}

fn auditor(tenant: &TenantName, desired: &DesiredTenant, settings: &Settings) -> Value {
    json!({
        "process": process(tenant, AUDITOR, FEW_WORKER_THREADS, settings),
        "socket": format!("{AUDITOR_RUN}/auditor.sock"),
        "allowedUids": [VERIFIER.user],
        "listen": listen(LOG_PORT),
        "signerSocket": format!("{SIGNER_RUN}/signer.sock"),
        "directory": format!("{LOG}/log"),
        "origin": desired.bundle.audit.origin,
    })
}

/// One thread: what it does is mostly to wait.
fn probe(tenant: &TenantName, settings: &Settings) -> Value {
    json!({
        "process": process(tenant, PROBE, 1, settings),
        "listen": format!("0.0.0.0:{PROBE_PORT}"),
        "everySeconds": settings.probe_every_seconds,
        "confined": {
            "user": PROBE.user,
            "closed": CLOSED_TO_OTHERS,
            "noFile": "/trace-of-the-probe",
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use pavilion_signer::callers::{Caller, Callers, Right};

    use super::*;

    #[test]
    fn the_verifier_can_have_no_checkpoint_signed_and_the_auditor_no_answer() {
        let list: Vec<Caller> = serde_json::from_value(signer_callers()).unwrap();
        let callers = Callers::from_config(&list).unwrap();
        for (container, right) in [
            (VERIFIER, Right::SignResults),
            (AUDITOR, Right::SignCheckpoints),
        ] {
            let uid = Some(u32::try_from(container.user).unwrap());
            for asked in [Right::SignResults, Right::SignCheckpoints, Right::Rotate] {
                assert_eq!(
                    callers.check(uid, asked).is_ok(),
                    asked == right,
                    "{asked:?}"
                );
            }
        }
    }
}

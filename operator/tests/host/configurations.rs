//! What the operator writes is what the programs read.

use std::fs;

use pavilion_operator::records::Records;
use serde::de::DeserializeOwned;

use crate::stage::{Stage, desired, now};

fn read<T: DeserializeOwned>(stage: &Stage, file: &str) -> T {
    let bytes = fs::read(stage.state.join(file)).unwrap();
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[tokio::test]
async fn every_program_understands_its_configuration() {
    let stage = Stage::new().await;
    let mut host = stage.host();
    let mut records = Records::default();
    host.start_router(&mut records, |_| Ok(())).unwrap();
    let failed = host.apply(desired(&mut records, |text| text), now());
    assert!(failed.is_empty(), "{failed:?}");
    let router: pavilion_router::Config = read(&stage, "router/config.json");
    assert_eq!(router.listen, ["127.0.0.1:8443".parse().unwrap()]);
    let signer: pavilion_signer::Config = read(&stage, "tenants/acme/signer/config.json");
    let settings = signer.settings().unwrap();
    assert_eq!(settings.overlap.as_secs(), 604_800);
    assert!(settings.token_directory.is_some());
    let auditor: pavilion_auditor::Config = read(&stage, "tenants/acme/auditor/config.json");
    auditor.settings().unwrap();
    assert_eq!(auditor.origin, signer.log_origin);
    let verifier: pavilion_verifier::Config = read(&stage, "tenants/acme/verifier/config.json");
    verifier.check().unwrap();
    assert_eq!(verifier.signer_socket, signer.socket);
    assert_eq!(verifier.auditor_socket, auditor.socket);
    host.stop().await;
}

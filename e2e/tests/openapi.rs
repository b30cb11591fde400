//! The published API holds for a fuzzer that knows nothing but its OpenAPI document.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, Instant};

use pavilion_e2e::judges::schemathesis;
use pavilion_e2e::relying_party::{Session, nonce};
use pavilion_e2e::{Broker, Manifests, RelyingParty, Wallet};
use serde_json::json;
use tempfile::TempDir;

#[tokio::test]
async fn a_fuzzer_that_reads_the_openapi_document_finds_nothing_undocumented() {
    let (wallet, shop) = (Wallet::default(), RelyingParty::new("shop"));
    // Not every resolver knows names below localhost, so the tenant has that host too.
    let manifests = Manifests::tenant("acme", &wallet, &shop).changed("Tenant", "acme", |spec| {
        spec["ingress"]["hosts"] = json!(["verify.acme.localhost", "localhost"]);
    });
    let broker = Broker::start(&manifests);
    let session = Session::open(&broker, "acme", &shop).await;
    fill_the_log(&session, &wallet).await;
    let folder = TempDir::new().unwrap();
    let document = folder.path().join("openapi.json");
    std::fs::write(&document, session.get("/openapi.json").await.bytes).unwrap();

    let set = |name, value: &str| std::env::var(name).unwrap_or_else(|_| value.to_owned());
    let examples = set("PAVILION_FUZZ_EXAMPLES", "30");
    let seed = set("PAVILION_SEED", "7");
    let authority = broker.state().join("tenants/acme/tls/ca.pem");
    let output = schemathesis()
        .arg("--config-file")
        .arg(pavilion_e2e::root().join("e2e/judges/py/schemathesis.toml"))
        .arg("run")
        .arg(&document)
        .args([
            "--url",
            &format!("https://localhost:{}", broker.address().port()),
            "--tls-verify",
        ])
        .arg(&authority)
        .args([
            "--phases",
            "examples,coverage,fuzzing,stateful",
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance,negative_data_rejection,unsupported_method,ignored_auth",
            "--max-examples",
            &examples,
            "--seed",
            &seed,
            "--no-color",
            "--workers",
            "1",
        ])
        .args([
            "--header",
            &format!("Authorization: Bearer {}", session.bearer().unwrap()),
        ])
        .env(
            "HYPOTHESIS_STORAGE_DIRECTORY",
            folder.path().join("hypothesis"),
        )
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// One answer, so that the tile of the document's examples is there to be read.
async fn fill_the_log(session: &Session, wallet: &Wallet) {
    let nonce = nonce();
    let presentation = wallet.write(&wallet.born("1990-05-17", session.server(), &nonce));
    let question = json!({
        "policy": "over18", "purpose": "age-restricted-sale", "nonce": nonce,
        "presentations": [{"evidence": "pid", "presentation": presentation}],
    });
    let answered = session.post("/v1/verifications", &question).await;
    assert_eq!(answered.status, 201, "{}", answered.text());
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let tile = session.get("/log/tile/0/000.p/1").await;
        if tile.status == 200 {
            assert_eq!(tile.content_type, "application/octet-stream");
            return;
        }
        assert!(Instant::now() < deadline, "{}", tile.text());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

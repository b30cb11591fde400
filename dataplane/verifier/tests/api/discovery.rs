//! What everybody may read.

use crate::neighbours::Neighbours;
use crate::world::{ISSUER, World};

const CONFIGURATION: &str = "/.well-known/pavilion-configuration";
const KEYS: &str = "/.well-known/jwks.json";
const API: &str = "/openapi.json";

#[tokio::test]
async fn the_configuration_names_endpoints_formats_and_the_log() {
    let world = World::new();
    let _neighbours = Neighbours::serve(world.folder.path());
    let watch = tokio::spawn(world.app.peers.clone().watch(&world.health));
    while !world.health.is_ready() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    watch.abort();
    let answered = world.get("x", CONFIGURATION).await;
    assert_eq!(answered.headers["cache-control"], "public, max-age=60");
    let found = answered.ok(200);
    assert_eq!(found["issuer"], ISSUER);
    assert_eq!(found["token_endpoint"], format!("{ISSUER}/oauth/token"));
    assert_eq!(found["jwks_uri"], format!("{ISSUER}/.well-known/jwks.json"));
    assert_eq!(found["result_signing_alg"], "ES256");
    assert_eq!(found["log"]["origin"], "log.example/7f3a");
    assert_eq!(found["log"]["verifier_key"], "log+00000000+AA");
    assert_eq!(found["credential_formats_supported"][0], "dc+sd-jwt");
}

#[tokio::test]
async fn the_configuration_is_there_while_the_signer_is_away() {
    let world = World::new();
    let found = world.get("x", CONFIGURATION).await.ok(200);
    assert!(found.get("result_signing_alg").is_none());
    assert!(found["log"].get("verifier_key").is_none());
    world
        .get("x", KEYS)
        .await
        .refused(503, "signer_unavailable");
    world.app.served.store(None);
    world
        .get("x", CONFIGURATION)
        .await
        .refused(503, "not_configured");
}

#[tokio::test]
async fn keys_configuration_and_api_document_can_be_kept_and_asked_after() {
    let world = World::new();
    let _neighbours = Neighbours::serve(world.folder.path());
    for (path, kind, caching) in [
        (KEYS, "application/jwk-set+json", "public, max-age=300"),
        (CONFIGURATION, "application/json", "public, max-age=60"),
        (API, "application/json", "public, max-age=300"),
    ] {
        let first = world.get("x", path).await;
        assert_eq!(first.status, 200);
        assert_eq!(first.headers["content-type"], kind);
        assert_eq!(first.headers["cache-control"], caching);
        let tag = first.headers["etag"].to_str().unwrap().to_owned();
        assert!(tag.starts_with("\"sha-256:") && tag.ends_with('"'), "{tag}");
        let weak = format!("W/{tag}");
        let list = format!("\"another\", {weak}");
        for known in [tag.as_str(), weak.as_str(), list.as_str(), "*"] {
            let same = world.get_with("x", path, &[("if-none-match", known)]).await;
            assert_eq!((same.status.as_u16(), same.text.as_str()), (304, ""));
            assert_eq!(same.headers["etag"], tag.as_str());
            assert_eq!(same.headers["cache-control"], caching);
            assert!(!same.headers.contains_key("content-type"));
        }
        let fields = [("if-none-match", "\"another\""), ("if-none-match", &tag)];
        assert_eq!(world.get_with("x", path, &fields).await.status, 304);
        let other = world.get_with("x", path, &[("if-none-match", "\"another\"")]);
        assert_eq!(other.await.text, first.text);
    }
}

#[tokio::test]
async fn the_keys_are_read_again_by_and_by() {
    let world = World::new();
    let neighbours = Neighbours::serve(world.folder.path());
    let first = world.get("x", KEYS).await;
    neighbours.rotate();
    assert_eq!(world.get("x", KEYS).await.text, first.text);
}

#[tokio::test]
async fn the_api_document_is_served_as_it_is_committed() {
    let world = World::new();
    let served = world.get("x", API).await.ok(200);
    assert_eq!(served["openapi"], "3.1.0");
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json"));
    let committed: serde_json::Value = serde_json::from_str(&committed.unwrap()).unwrap();
    assert_eq!(served, committed);
}

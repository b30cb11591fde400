//! Taking bundles in.

use pavilion_json::Digest;
use serde_json::{Value, json};

use crate::world::{World, sealed};

#[tokio::test]
async fn a_newer_bundle_takes_effect_at_once_and_is_reported() {
    let world = World::new();
    let bytes = sealed(&world.bundle(2));
    world.loader.take(&bytes);
    let status = world.health.status();
    let served = status.served.unwrap();
    assert_eq!(
        (served.version, served.digest),
        (2, Digest::of(&bytes).to_string())
    );
    assert_eq!(world.app.served.load_full().unwrap().version, 2);
}

#[tokio::test]
async fn a_bundle_that_is_wrong_is_refused_and_the_last_good_one_stays() {
    let world = World::new();
    world.load(&world.bundle(2));
    let changed = |pointer: &str, value: Value| {
        let mut bundle = world.bundle(3);
        *bundle.pointer_mut(pointer).unwrap() = value;
        bundle
    };
    let mut other_content = world.bundle(2);
    other_content["region"] = json!("eu-west");
    let mut no_ca = world.bundle(3);
    no_ca["relyingParties"]["shop"]["authentication"]["mutualTls"] =
        json!({"caBundle": "nothing", "sanDns": ["a.example"]});
    for (bundle, word) in [
        (world.bundle(1), "goes back"),
        (other_content, "already served"),
        (changed("/tenant", json!("beta")), "another tenant"),
        (
            changed("/issuer", json!("http://verify.acme.example")),
            "https",
        ),
        (
            changed("/policies/over18/digest", json!(Digest::of(b"x"))),
            "digest",
        ),
        (changed("/trustAnchors/pids/issuers", json!([])), "issuers"),
        (no_ca, "caBundle"),
    ] {
        let bytes = sealed(&bundle);
        world.loader.take(&bytes);
        let refused = world.health.status().refused.unwrap();
        assert!(refused.reason.contains(word), "{}", refused.reason);
        assert_eq!(refused.digest, Some(Digest::of(&bytes).to_string()));
        assert_eq!(world.app.served.load_full().unwrap().version, 2);
    }
    world.loader.take(b"{}");
    assert!(world.health.status().refused.is_some());
    world.load(&world.bundle(4));
    assert_eq!(world.health.status().refused, None);
}

#[tokio::test]
async fn the_same_bundle_again_is_no_news() {
    let world = World::new();
    world.load(&world.bundle(1));
    assert_eq!(world.health.status().refused, None);
}

#[tokio::test]
async fn the_file_is_followed() {
    let world = World::new();
    let file = world.folder.path().join("bundle.json");
    let served = world.app.served.clone();
    served.store(None);
    let (one, two) = (sealed(&world.bundle(1)), sealed(&world.bundle(2)));
    let health = world.health.clone();
    tokio::spawn(world.loader.follow(file.clone()));
    let wait = async |version: u64| {
        while served
            .load()
            .as_ref()
            .is_none_or(|tenant| tenant.version != version)
        {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    while health.status().refused.is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    for (version, bytes) in [(1, one), (2, two)] {
        let fresh = world.folder.path().join("fresh");
        std::fs::write(&fresh, bytes).unwrap();
        std::fs::rename(&fresh, &file).unwrap();
        wait(version).await;
    }
}

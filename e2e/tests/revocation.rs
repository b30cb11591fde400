//! Revocation from the relying party's side: a status list that says so, or that cannot be had.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pavilion_e2e::World;
use pavilion_e2e::relying_party::{Session, nonce, now};
use pavilion_e2e::status_lists::StatusLists;
use serde_json::{Value, json};

/// Entries of every list: valid, invalid, suspended, and a value without a meaning.
const ENTRIES: [u8; 4] = [0, 1, 2, 3];

fn strict() -> World {
    World::start_with(|manifests| {
        manifests.changed("TrustAnchor", "test-issuers", |spec| {
            spec["status"] = json!({"required": true, "allowPrivateAddresses": true});
        })
    })
}

/// What comes of a list that says nothing.
fn unknown(code: &str) -> [&str; 3] {
    ["indeterminate", code, "unknown"]
}

/// The verdict, and code and status of the check of the credential.
async fn outcome(world: &World, session: &Session, status: Option<Value>) -> [String; 3] {
    let nonce = nonce();
    let mut presentation = world.wallet.born("1990-05-17", session.server(), &nonce);
    if let Some(status) = status {
        presentation.open.insert("status".to_owned(), status);
    }
    let question = json!({
        "policy": "over18", "purpose": "age-restricted-sale", "nonce": nonce,
        "presentations": [{"evidence": "pid", "presentation": world.wallet.write(&presentation)}],
    });
    let reply = session.post("/v1/verifications", &question).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let verification = reply.json();
    let checks = verification["answer"]["checks"].as_array().unwrap();
    let pid = checks.iter().find(|check| check["id"] == "pid").unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let methods = pid["methods"].as_array().unwrap();
    let by_list = methods.contains(&json!("status_list"));
    let age = pid["age_seconds"].as_u64();
    assert_eq!(age.is_some(), by_list, "{pid}");
    // Lists are made for the test, and their age is told in whole minutes.
    assert!(age.is_none_or(|age| age % 60 == 0 && age <= 300), "{pid}");
    [&verification["verdict"], &pid["code"], &pid["status"]].map(text)
}

#[tokio::test]
async fn what_the_list_says_decides_and_a_list_that_cannot_be_had_never_passes() {
    let (world, lists) = (strict(), StatusLists::start().await);
    let session = world.session().await;
    let token = |name: &str, change: fn(&mut Value)| {
        world.wallet.status_list(&lists.uri(name), &ENTRIES, change)
    };
    lists.publish("sound", token("sound", |_| {}));
    lists.publish(
        "stale",
        token("stale", |claims| {
            claims["iat"] = json!(now() - 7200);
            claims["exp"] = json!(now() - 3600);
        }),
    );
    lists.publish("moved", token("elsewhere", |_| {}));
    let stranger = pavilion_e2e::Wallet::default();
    lists.publish(
        "forged",
        stranger.status_list(&lists.uri("forged"), &ENTRIES, |_| {}),
    );
    lists.publish("oversized", vec![b'x'; 20 << 20]);

    let cases = [
        ("sound", 0, ["pass", "", "valid"]),
        ("sound", 1, ["fail", "status_revoked", "revoked"]),
        ("sound", 2, ["fail", "status_suspended", "suspended"]),
        ("sound", 3, unknown("status_value_unknown")),
        ("sound", 40, unknown("status_index_out_of_range")),
        ("absent", 0, unknown("status_list_unreachable")),
        ("stale", 0, unknown("status_list_stale")),
        ("moved", 0, unknown("status_list_invalid")),
        ("forged", 0, unknown("status_list_invalid")),
        ("oversized", 0, unknown("status_list_too_large")),
    ];
    for (name, index, expected) in cases {
        let status = json!({"status_list": {"idx": index, "uri": lists.uri(name)}});
        let came = outcome(&world, &session, Some(status)).await;
        assert_eq!(came, expected, "{name}[{index}]");
    }
    let without = outcome(&world, &session, None).await;
    assert_eq!(without, ["fail", "status_missing", "unstated"]);
}

#[tokio::test]
async fn a_list_at_a_private_address_is_not_fetched_unless_the_anchor_allows_it() {
    let world = World::start_with(|manifests| {
        manifests.changed("TrustAnchor", "test-issuers", |spec| {
            spec["status"] = json!({"required": true, "onUnreachable": "Fail"});
        })
    });
    let lists = StatusLists::start().await;
    let uri = lists.uri("sound");
    lists.publish("sound", world.wallet.status_list(&uri, &ENTRIES, |_| {}));
    let session = world.session().await;
    let status = json!({"status_list": {"idx": 0, "uri": uri}});
    let came = outcome(&world, &session, Some(status)).await;
    assert_eq!(came, ["fail", "status_list_address_refused", "unknown"]);
}

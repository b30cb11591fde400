//! A key is replaced while the tenant answers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use pavilion_e2e::relying_party::{Session, nonce, try_reply};
use pavilion_e2e::{Wallet, World};
use reqwest::Method;
use serde_json::{Value, json};

/// The `kid` and the whole of a signed answer.
async fn signed_answer(session: &Session, wallet: &Wallet) -> (String, String) {
    let nonce = nonce();
    let presentation = wallet.write(&wallet.born("1990-05-17", session.server(), &nonce));
    let question = json!({
        "policy": "over18", "purpose": "age-restricted-sale", "nonce": nonce,
        "presentations": [{"evidence": "pid", "presentation": presentation}],
    });
    let opened = session.post("/v1/verifications", &question).await.json();
    let path = format!(
        "/v1/verifications/{}/result",
        opened["id"].as_str().unwrap()
    );
    let request = session
        .request(Method::GET, &path)
        .header("accept", "application/vnd.pavilion.result+jwt");
    let answer = try_reply(request).await.unwrap().text().trim().to_owned();
    let head = answer.split('.').next().unwrap();
    let head = pavilion_jose::from_base64url(head).unwrap();
    let head: Value = serde_json::from_slice(&head).unwrap();
    (head["kid"].as_str().unwrap().to_owned(), answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_rotated_by_command_signs_and_the_one_before_still_verifies() {
    let world = World::start();
    let session = world.session().await;
    let (before, answer) = signed_answer(&session, &world.wallet).await;
    let output = std::process::Command::new(pavilion_e2e::program("kubectl-pavilion"))
        .args(["rotate", "acme", "-o", "json", "--state"])
        .arg(world.broker.state())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let rotated: Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys = rotated["keys"].as_array().unwrap();
    let named = |current: bool| {
        let key = keys.iter().find(|key| key["current"] == current).unwrap();
        key["keyId"].as_str().unwrap().to_owned()
    };
    assert_eq!((keys.len(), named(false)), (2, before.clone()));
    // The verifier looks for new keys every 30 s, and nobody is refused meanwhile.
    let mut after = before.clone();
    for _ in 0..300 {
        after = signed_answer(&session, &world.wallet).await.0;
        if after != before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(after, named(true), "the new key signs");
    let jwks = session.get("/.well-known/jwks.json").await.json();
    let jwks: pavilion_jose::Jwks = serde_json::from_value(jwks).unwrap();
    let kids: Vec<_> = jwks.keys.iter().map(|key| key.kid().unwrap()).collect();
    assert!(
        kids.contains(&before.as_str()) && kids.contains(&after.as_str()),
        "{kids:?}"
    );
    let old = jwks
        .keys
        .iter()
        .find(|key| key.kid() == Some(before.as_str()));
    let signed = pavilion_jose::CompactJws::parse(&answer).unwrap();
    signed
        .verify(old.unwrap().key(), &[pavilion_jose::Algorithm::Es256])
        .unwrap();
}

//! Reading the answer in the form that is asked for.

use pavilion_jose::{Algorithm, CompactJws, Jwks};
use serde_json::Value;

use crate::neighbours::Neighbours;
use crate::world::{World, one_shot};

const NONCE: &str = "0123456789abcdef";

#[tokio::test]
async fn the_answer_comes_signed_or_plain_as_accept_says() {
    let world = World::new();
    let _neighbours = Neighbours::serve(world.folder.path());
    let token = world.token("shop").await;
    let done = world
        .post(
            &token,
            "/v1/verifications",
            &one_shot(NONCE, &world.adult(NONCE)),
        )
        .await;
    let path = done.headers["location"].to_str().unwrap().to_owned();
    let get = async |accept: &[(&str, &str)]| {
        world
            .get_with(&token, &format!("{path}/result"), accept)
            .await
    };
    for (accept, kind) in [
        (&[][..], "application/jwt"),
        (&[("accept", "*/*")], "application/jwt"),
        (&[("accept", "application/jwt")], "application/jwt"),
        (
            &[("accept", "application/vnd.pavilion.result+jwt")],
            "application/vnd.pavilion.result+jwt",
        ),
        (&[("accept", "application/json")], "application/json"),
        (
            &[
                ("accept", "text/html"),
                ("accept", "application/json;q=0.5"),
            ],
            "application/json",
        ),
    ] {
        let result = get(accept).await;
        assert_eq!(result.status, 200);
        assert_eq!(result.headers["content-type"], kind);
        assert_eq!(result.headers["vary"], "Accept");
        assert_eq!(result.headers["cache-control"], "no-store");
        let signed = kind != "application/json";
        assert_eq!(result.text == done.json()["jws"].as_str().unwrap(), signed);
        assert_eq!(result.text.contains("\"jti\""), !signed);
    }
    get(&[("accept", "text/html")])
        .await
        .refused(406, "not_acceptable");
    let receipt = world.get(&token, &format!("{path}/receipt")).await;
    assert_eq!(receipt.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(receipt.text, "receipt of 0\n");
}

#[tokio::test]
async fn the_signed_answer_verifies_under_the_published_keys_and_holds_the_plain_one() {
    let world = World::new();
    let _neighbours = Neighbours::serve(world.folder.path());
    let token = world.token("shop").await;
    let sent = one_shot(NONCE, &world.adult(NONCE));
    let done = world.post(&token, "/v1/verifications", &sent).await.ok(201);
    let keys = world.get("x", "/.well-known/jwks.json").await;
    let keys: Jwks = serde_json::from_str(&keys.text).unwrap();
    let jws = CompactJws::parse(done["jws"].as_str().unwrap()).unwrap();
    assert_eq!(jws.header().typ.as_deref(), Some("pvr+jwt"));
    let key = keys
        .find(jws.header().kid.as_deref())
        .next()
        .unwrap()
        .clone();
    let verified = jws.clone().verify(key.key(), &[Algorithm::Es256]).unwrap();
    let payload: Value = serde_json::from_slice(verified.payload()).unwrap();
    assert_eq!(payload, done["answer"]);
}

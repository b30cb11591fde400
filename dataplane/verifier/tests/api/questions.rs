//! Asking: what a created verification says, and which questions are refused.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::world::{ISSUER, World, question};

const PATH: &str = "/v1/verifications";

#[tokio::test]
async fn a_question_gets_an_id_a_nonce_and_the_evidence_that_is_wanted() {
    let world = World::new();
    let token = world.token("shop").await;
    let asked = world.post(&token, PATH, &question()).await;
    let body = asked.ok(201);
    let id = body["id"].as_str().unwrap();
    assert_eq!(asked.headers["location"], format!("{PATH}/{id}"));
    assert_eq!(asked.headers["cache-control"], "no-store");
    assert_eq!(body["state"], "awaiting_evidence");
    assert_eq!(body["audience"], ISSUER);
    assert_eq!(body["nonce"].as_str().unwrap().len(), 43);
    assert_eq!(body["createdAt"], "2026-11-22T12:00:00Z");
    assert_eq!(body["expiresAt"], "2026-11-22T12:10:00Z");
    assert_eq!(body["evidence"][0]["id"], "pid");
    assert_eq!(body["evidence"][0]["format"], "dc+sd-jwt");
    assert_eq!(body["evidence"][0]["optional"], false);
    assert_eq!(
        body["evidence"][0]["claims"][1],
        json!({"id": "country", "path": ["address", "country"]})
    );
    let read = world.get(&token, &format!("{PATH}/{id}")).await.ok(200);
    assert_eq!(read, body);
}

#[tokio::test]
async fn a_question_that_may_not_be_asked_is_refused_before_any_evidence() {
    let world = World::new();
    let (shop, rival) = (world.token("shop").await, world.token("rival").await);
    let ask = async |token: &str, body: Value| world.post(token, PATH, &body).await;
    ask(&shop, json!({"policy": "none", "purpose": "sale"}))
        .await
        .refused(404, "policy_unknown");
    ask(&shop, json!({"policy": "secret", "purpose": "sale"}))
        .await
        .refused(403, "policy_not_registered");
    ask(&rival, json!({"policy": "two", "purpose": "sale"}))
        .await
        .refused(403, "policy_not_registered");
    ask(&shop, json!({"policy": "over18", "purpose": "fun"}))
        .await
        .refused(403, "purpose_not_registered");
    let greedy =
        json!({"policy": "over18", "purpose": "sale", "result": {"disclose": ["pid.birthdate"]}});
    let problem = ask(&shop, greedy).await.refused(403, "over_asking");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("pid.birthdate"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_body_that_does_not_fit_names_the_member() {
    let world = World::new();
    let token = world.token("shop").await;
    let nonce = "0123456789abcdef";
    let present = |count: usize| {
        let one = json!({"evidence": "pid", "presentation": "x"});
        json!({"policy": "over18", "purpose": "sale", "nonce": nonce, "presentations": vec![one; count]})
    };
    let with = |member: &str, value: Value| {
        let mut body = question();
        body[member] = value;
        body
    };
    for (body, code, field) in [
        (json!({"purpose": "sale"}), "body_invalid", ""),
        (with("colour", json!(1)), "body_invalid", "colour"),
        (with("policy", json!(1)), "body_invalid", "policy"),
        (with("policy", json!("")), "body_invalid", "policy"),
        (
            with("purpose", json!("p".repeat(254))),
            "body_invalid",
            "purpose",
        ),
        (with("nonce", json!(null)), "body_invalid", "nonce"),
        (with("nonce", json!("short")), "body_invalid", "nonce"),
        (
            with("nonce", json!("with space in it…")),
            "body_invalid",
            "nonce",
        ),
        (
            with("nonce", json!("n".repeat(129))),
            "body_invalid",
            "nonce",
        ),
        (
            with("result", json!({"disclose": ["pid"]})),
            "body_invalid",
            "result.disclose[0]",
        ),
        (
            with("result", json!({"disclose": vec!["pid.a"; 65]})),
            "body_invalid",
            "result.disclose",
        ),
        (
            with("presentations", json!([])),
            "evidence_empty",
            "presentations",
        ),
        (
            with("presentations", present(1)["presentations"].clone()),
            "nonce_required",
            "nonce",
        ),
        (present(17), "body_invalid", "presentations"),
    ] {
        let problem = world.post(&token, PATH, &body).await.refused(422, code);
        assert_eq!(
            problem["field"].as_str().unwrap_or_default(),
            field,
            "{problem}"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_no_plain_json_is_refused_for_what_it_is() {
    let world = World::with(&json!({"maxBodyBytes": 2048}));
    let token = world.token("shop").await;
    let send = async |kind: &str, body: Vec<u8>| {
        let request = Request::post(PATH)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", kind)
            .body(Body::from(body));
        world.send(request.unwrap()).await
    };
    let json = "application/json";
    send("text/plain", b"{}".to_vec())
        .await
        .refused(415, "content_type_unsupported");
    send("", b"{}".to_vec())
        .await
        .refused(415, "content_type_unsupported");
    send(json, b"{".to_vec())
        .await
        .refused(400, "body_malformed");
    send(json, b"\xff".to_vec())
        .await
        .refused(400, "body_malformed");
    send(json, br#"{"policy":"a","policy":"b"}"#.to_vec())
        .await
        .refused(400, "body_malformed");
    let deep = format!("{}{}", "[".repeat(33), "]".repeat(33));
    send(json, deep.into_bytes())
        .await
        .refused(400, "body_malformed");
    let refused = send(json, vec![b' '; 2049]).await;
    let problem = refused.refused(413, "body_too_large");
    assert!(
        problem["detail"].as_str().unwrap().contains("2048"),
        "{problem}"
    );
    let good = question().to_string().into_bytes();
    send("Application/JSON; charset=utf-8", good).await.ok(201);
}

#[tokio::test]
async fn the_limit_of_the_body_is_reached_before_the_limits_of_presentations() {
    let world = World::new();
    let token = world.token("shop").await;
    let (path, _) = world.ask(&token).await;
    let send = async |count: usize, bytes: usize| {
        let one = json!({"evidence": "pid", "presentation": "x".repeat(bytes)});
        let body = json!({"presentations": vec![one; count]});
        world.post(&token, &format!("{path}/evidence"), &body).await
    };
    let problem = send(4, 64 * 1024).await.refused(413, "body_too_large");
    assert!(problem["detail"].as_str().unwrap().contains("262144"));
    send(16, 16 * 1024).await.refused(413, "body_too_large");
    send(17, 1).await.refused(422, "body_invalid");
    send(3, 64 * 1024).await.refused(422, "evidence_unknown");
    send(1, 64 * 1024 + 1)
        .await
        .refused(422, "presentation_too_large");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up() {
    let world = World::new();
    let token = world.token("shop").await;
    let never = Body::from_stream(futures::stream::pending::<
        Result<bytes::Bytes, std::io::Error>,
    >());
    let request = Request::post(PATH)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(never);
    world
        .send(request.unwrap())
        .await
        .refused(408, "body_too_slow");
    let broken = Body::from_stream(futures::stream::iter([Err::<bytes::Bytes, _>(
        std::io::Error::other("x"),
    )]));
    let request = Request::post(PATH)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(broken);
    world
        .send(request.unwrap())
        .await
        .refused(400, "body_malformed");
}

/// A body of which nothing comes for so long, and then its end.
fn ends_after(time: Duration) -> Body {
    Body::from_stream(futures::stream::once(async move {
        tokio::time::sleep(time).await;
        Ok::<_, std::io::Error>(bytes::Bytes::new())
    }))
}

#[tokio::test(start_paused = true)]
async fn a_refusal_waits_for_a_body_that_comes_soon_and_not_for_one_that_does_not() {
    let world = World::new();
    let soon = Duration::from_millis(1_500);
    for (comes, waited) in [(soon, soon), (Duration::MAX, Duration::from_secs(2))] {
        let begun = Instant::now();
        let request = Request::post(PATH).header("content-type", "application/json");
        let request = request.body(ends_after(comes)).unwrap();
        world.send(request).await.refused(401, "token_missing");
        let taken = begun.elapsed();
        assert!(
            (waited..waited + Duration::from_millis(10)).contains(&taken),
            "{taken:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_form_that_never_ends_is_given_up_sooner_than_a_question() {
    let world = World::new();
    let begun = Instant::now();
    let request = Request::post("/oauth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(ends_after(Duration::MAX));
    let refused = world.send(request.unwrap()).await;
    refused.refused(408, "body_too_slow");
    let taken = begun.elapsed();
    assert!(taken < Duration::from_secs(13), "{taken:?}");
}

#[tokio::test]
async fn a_party_may_leave_only_so_many_questions_open() {
    let world = World::new();
    let (shop, rival) = (world.token("shop").await, world.token("rival").await);
    let (path, _) = world.ask(&shop).await;
    let world = world.restarted();
    let id = ulid::Ulid::from_string(path.rsplit('/').next().unwrap()).unwrap();
    let row = world.app.store.verification(id).unwrap().unwrap();
    let now = world.clock.second();
    // The one from before the restart counts.
    let others = (1..10_000_u128).map(ulid::Ulid::from);
    let entered: Vec<_> = others
        .map(|id| world.app.open.enter(id, &row, now))
        .collect();
    assert!(entered.iter().all(Result::is_ok));
    let refused = world.post(&shop, PATH, &question()).await;
    refused.refused(429, "verification_limit_reached");
    assert_eq!(refused.headers["retry-after"], "30");
    world.ask(&rival).await;
    assert_eq!(world.delete(&shop, &path).await.status, 204);
    world.ask(&shop).await;
    world
        .post(&shop, PATH, &question())
        .await
        .refused(429, "verification_limit_reached");
    world.clock.advance(600);
    world.ask(&renewed(&world).await).await;
}

#[tokio::test]
async fn a_nonce_counts_once_in_the_whole_tenant() {
    let world = World::new();
    let (shop, rival) = (world.token("shop").await, world.token("rival").await);
    let mut body = question();
    body["nonce"] = json!("0123456789abcdef");
    world.post(&shop, PATH, &body).await.ok(201);
    world
        .post(&shop, PATH, &body)
        .await
        .refused(422, "nonce_reused");
    world
        .post(&rival, PATH, &body)
        .await
        .refused(422, "nonce_reused");
}

#[tokio::test]
async fn an_idempotency_key_gets_the_same_response_and_serves_one_body() {
    let world = World::new();
    let (shop, rival) = (world.token("shop").await, world.token("rival").await);
    let body = question().to_string();
    let send = async |token: &str, key: &str, body: &str| {
        world
            .post_with(token, PATH, &[("idempotency-key", key)], body)
            .await
    };
    let first = send(&shop, "k1", &body).await;
    let second = send(&shop, "k1", &body).await;
    assert_eq!(first.ok(201), second.ok(201));
    assert_eq!(first.headers["location"], second.headers["location"]);
    send(&shop, "k1", &format!("{body} "))
        .await
        .refused(422, "idempotency_key_reused");
    assert_ne!(
        send(&shop, "k2", &body).await.ok(201)["id"],
        first.json()["id"]
    );
    assert_ne!(
        send(&rival, "k1", &body).await.ok(201)["id"],
        first.json()["id"]
    );
    for bad in ["", "with space", &"x".repeat(129)] {
        send(&shop, bad, &body)
            .await
            .refused(400, "idempotency_key_invalid");
    }
    let world = world.restarted();
    let third = world
        .post_with(&shop, PATH, &[("idempotency-key", "k1")], &body)
        .await;
    assert_eq!(first.json(), third.ok(201));
}

#[tokio::test]
async fn a_refused_request_leaves_its_idempotency_key_free() {
    let world = World::new();
    let token = world.token("shop").await;
    let send = async |body: Value| {
        let headers = [("idempotency-key", "k")];
        world
            .post_with(&token, PATH, &headers, &body.to_string())
            .await
    };
    send(json!({"policy": "none", "purpose": "sale"}))
        .await
        .refused(404, "policy_unknown");
    send(question()).await.ok(201);
}

#[tokio::test]
async fn a_verification_expires_can_be_called_off_and_is_forgotten() {
    let world = World::new();
    let token = world.token("shop").await;
    let (path, _) = world.ask(&token).await;
    let (other, _) = world.ask(&token).await;
    assert_eq!(world.delete(&token, &other).await.status, 204);
    let cancelled = world.get(&token, &other).await.ok(200);
    assert_eq!(cancelled["state"], "cancelled");
    assert!(cancelled.get("evidence").is_none());
    world
        .get(&token, &format!("{other}/result"))
        .await
        .refused(409, "state_conflict");
    assert_eq!(world.delete(&token, &other).await.status, 204);
    world.get(&token, &other).await.refused(404, "not_found");

    world
        .get(&token, &format!("{path}/result"))
        .await
        .refused(409, "result_not_ready");
    world
        .get(&token, &format!("{path}/receipt"))
        .await
        .refused(409, "result_not_ready");
    world.clock.advance(600);
    let token = renewed(&world).await;
    assert_eq!(world.get(&token, &path).await.ok(200)["state"], "expired");
    let refused = world.get(&token, &format!("{path}/result")).await;
    assert_eq!(
        refused.refused(410, "verification_expired")["instance"],
        path
    );
    world.clock.advance(900);
    let token = renewed(&world).await;
    world.get(&token, &path).await.refused(404, "not_found");
}

async fn renewed(world: &World) -> String {
    let exp = world.clock.second() + 60;
    let text = crate::world::assertion(&world.shop, "shop", &json!({"exp": exp, "iat": exp - 60}));
    let got = world
        .request_token(&crate::world::form(&text))
        .await
        .ok(200);
    got["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_anothers_looks_like_what_does_not_exist() {
    let world = World::new();
    let (shop, rival) = (world.token("shop").await, world.token("rival").await);
    let (path, _) = world.ask(&shop).await;
    let strip = |mut problem: Value| {
        problem.as_object_mut().unwrap().remove("instance");
        problem
    };
    let evidence = json!({"presentations": [{"evidence": "pid", "presentation": "x"}]});
    for ending in ["", "/result", "/receipt"] {
        let theirs = world
            .get(&rival, &format!("{path}{ending}"))
            .await
            .refused(404, "not_found");
        let nobodys = world
            .get(
                &rival,
                &format!("/v1/verifications/01J00000000000000000000000{ending}"),
            )
            .await;
        assert_eq!(strip(theirs), strip(nobodys.refused(404, "not_found")));
    }
    world
        .post(&rival, &format!("{path}/evidence"), &evidence)
        .await
        .refused(404, "not_found");
    world.delete(&rival, &path).await.refused(404, "not_found");
    world.get(&shop, &path).await.ok(200);
    for strange in ["x", "01j00000000000000000000000", "..", "%00", "%ff"] {
        world
            .get(&shop, &format!("/v1/verifications/{strange}"))
            .await
            .refused(404, "not_found");
    }
}

//! Everything that is wrong with a request or a presentation is refused with its own code.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pavilion_e2e::relying_party::{Session, nonce, now, reply};
use pavilion_e2e::wallet::Presentation;
use pavilion_e2e::{RelyingParty, World};
use pavilion_jose::{Algorithm, SigningKey};
use reqwest::Method;
use serde_json::{Value, json};

/// Presents and returns the code that came back: the problem's, or that of the check that failed.
async fn outcome(session: &Session, nonce: &str, presentation: &str) -> String {
    let question = json!({
        "policy": "over18", "purpose": "age-restricted-sale", "nonce": nonce,
        "presentations": [{"evidence": "pid", "presentation": presentation}],
    });
    let reply = session.post("/v1/verifications", &question).await;
    if reply.status >= 400 {
        assert_eq!(
            reply.content_type,
            "application/problem+json",
            "{}",
            reply.text()
        );
        return reply.code();
    }
    let verification = reply.json();
    let checks = verification["answer"]["checks"].as_array().unwrap();
    let credential = checks.iter().find(|check| check["id"] == "pid").unwrap();
    credential["code"].as_str().unwrap_or("pass").to_owned()
}

/// A change that spoils a presentation, and the code it must earn.
type Spoiled = (&'static str, fn(&mut Presentation));

const SPOILED: &[Spoiled] = &[
    ("pass", |_| {}),
    ("presentation_nonce_mismatch", |p| {
        *p.binding.entry("nonce").or_insert_with(|| json!(null)) = json!("another-nonce-entirely");
    }),
    ("presentation_audience_mismatch", |p| {
        *p.binding.entry("aud").or_insert_with(|| json!(null)) = json!("https://evil.example");
    }),
    ("key_binding_expired", |p| {
        *p.binding.entry("iat").or_insert_with(|| json!(null)) = json!(now() - 86_400);
    }),
    ("key_binding_from_the_future", |p| {
        *p.binding.entry("iat").or_insert_with(|| json!(null)) = json!(now() + 3600);
    }),
    ("key_binding_sd_hash_mismatch", |p| {
        *p.binding.entry("sd_hash").or_insert_with(|| json!(null)) = json!("AAAA");
    }),
    ("credential_expired", |p| {
        *p.open.entry("exp").or_insert_with(|| json!(null)) = json!(now() - 3600);
    }),
    ("credential_not_yet_valid", |p| {
        *p.open.entry("nbf").or_insert_with(|| json!(null)) = json!(now() + 3600);
    }),
    ("credential_type_not_accepted", |p| {
        *p.open.entry("vct").or_insert_with(|| json!(null)) = json!("urn:example:other");
    }),
    ("issuer_not_trusted", |p| {
        *p.open.entry("iss").or_insert_with(|| json!(null)) = json!("https://stranger.example");
    }),
    ("issuer_key_unknown", |p| {
        *p.header.entry("kid").or_insert_with(|| json!(null)) = json!("unknown");
    }),
    ("algorithm_not_allowed", |p| {
        *p.header.entry("alg").or_insert_with(|| json!(null)) = json!("none");
    }),
    ("algorithm_not_allowed", |p| {
        *p.header.entry("alg").or_insert_with(|| json!(null)) = json!("HS256");
    }),
    ("algorithm_not_allowed", |p| {
        *p.binding_header.entry("alg").or_insert_with(|| json!(null)) = json!("none");
    }),
    ("holder_key_missing", |p| {
        p.open.remove("cnf");
    }),
    ("disclosure_reserved_name", |p| {
        p.concealed.insert("_sd".to_owned(), json!([]));
        p.disclose.push("_sd".to_owned());
    }),
];

#[tokio::test]
async fn a_spoiled_presentation_is_refused_with_the_code_of_its_fault() {
    let world = World::start();
    let session = world.session().await;
    for (expected, spoil) in SPOILED {
        let nonce = nonce();
        let mut presentation = world.wallet.born("1990-05-17", session.server(), &nonce);
        spoil(&mut presentation);
        let text = world.wallet.write(&presentation);
        assert_eq!(outcome(&session, &nonce, &text).await, *expected);
    }
}

#[tokio::test]
async fn a_presentation_that_was_changed_after_signing_is_refused() {
    let world = World::start();
    let session = world.session().await;
    let sound = || {
        let nonce = nonce();
        let presentation = world.wallet.born("1990-05-17", session.server(), &nonce);
        (nonce, presentation)
    };

    let (fresh, presentation) = sound();
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
    let stolen = world.wallet.write_with(&presentation, &stranger);
    let code = outcome(&session, &fresh, &stolen).await;
    assert_eq!(code, "key_binding_signature_invalid");

    let (fresh, presentation) = sound();
    let text = world.wallet.write(&presentation);
    let disclosure = text.split('~').nth(1).unwrap();
    let forged =
        pavilion_jose::base64url(br#"["c2FsdHNhbHRzYWx0c2FsdA","birthdate","1970-01-01"]"#);
    let tampered = text.replacen(disclosure, &forged, 1);
    let code = outcome(&session, &fresh, &tampered).await;
    assert_eq!(code, "disclosure_digest_unmatched");

    let (fresh, presentation) = sound();
    let unbound = world
        .wallet
        .write(&presentation)
        .rsplit_once('~')
        .unwrap()
        .0
        .to_owned()
        + "~";
    assert_eq!(
        outcome(&session, &fresh, &unbound).await,
        "key_binding_missing"
    );
}

#[tokio::test]
async fn a_presentation_that_does_not_belong_here_leaves_the_nonce_usable_once() {
    let world = World::start();
    let session = world.session().await;
    let fresh = nonce();
    let text = world
        .wallet
        .write(&world.wallet.born("1990-05-17", session.server(), &fresh));
    assert_eq!(
        outcome(&session, &fresh, "not-a-presentation").await,
        "presentation_malformed"
    );
    assert_eq!(outcome(&session, &fresh, &text).await, "pass");
    assert_eq!(
        outcome(&session, &fresh, &text).await,
        "presentation_replayed"
    );
}

// On two threads, so that the client sees the edge drain while the test waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_is_refused_after_a_restart_too() {
    let mut world = World::start();
    let fresh = nonce();
    let session = world.session().await;
    let text = world
        .wallet
        .write(&world.wallet.born("1990-05-17", session.server(), &fresh));
    assert_eq!(outcome(&session, &fresh, &text).await, "pass");
    assert!(world.broker.stop().success());
    world.broker.restart();
    world.broker.wait_ready("acme");
    assert_eq!(
        outcome(&session, &fresh, &text).await,
        "presentation_replayed",
        "the token outlives a restart, the presentation does not"
    );
}

#[tokio::test]
async fn who_cannot_prove_a_registered_name_gets_no_token() {
    let world = World::start();
    let session = Session::anonymous(&world.broker, "acme");
    let endpoint = session.token_endpoint();
    let code = async |assertion: String| session.token(&assertion).await.code();

    let sound = world.shop.assertion(&endpoint, |_| {});
    assert_eq!(session.token(&sound).await.status, 200);
    assert_eq!(code(sound).await, "assertion_replayed");
    assert_eq!(
        code(world.shop.assertion("https://evil.example", |_| {})).await,
        "client_invalid"
    );
    assert_eq!(
        code(
            world
                .shop
                .assertion(&endpoint, |claims| claims["exp"] = json!(now() - 600))
        )
        .await,
        "client_invalid"
    );
    assert_eq!(
        code(
            world
                .shop
                .assertion(&endpoint, |claims| claims["sub"] = json!("other"))
        )
        .await,
        "client_invalid"
    );
    assert_eq!(
        code(RelyingParty::new("shop").assertion(&endpoint, |_| {})).await,
        "client_invalid"
    );
    assert_eq!(
        code(RelyingParty::new("nobody").assertion(&endpoint, |_| {})).await,
        "client_invalid"
    );
    assert_eq!(code("nonsense".to_owned()).await, "client_invalid");
}

#[tokio::test]
async fn without_a_valid_token_nothing_is_said() {
    let world = World::start();
    let question = json!({"policy": "over18", "purpose": "age-restricted-sale"});
    let anonymous = Session::anonymous(&world.broker, "acme");
    assert_eq!(
        anonymous.post("/v1/verifications", &question).await.code(),
        "token_missing"
    );
    let foreign = anonymous.with_bearer("c29tZWJvZHkgZWxzZSdzIHRva2Vu");
    assert_eq!(
        foreign.post("/v1/verifications", &question).await.code(),
        "token_invalid"
    );
}

#[tokio::test]
async fn a_request_that_cannot_be_read_or_may_not_be_asked_says_why() {
    let world = World::start();
    let session = world.session().await;
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let bytes: &[(&[u8], u16, &str)] = &[
        (b"{", 400, "body_malformed"),
        (b"\xff\xfe", 400, "body_malformed"),
        (deep.as_bytes(), 400, "body_malformed"),
        (
            br#"{"policy": "over18", "policy": "over18", "purpose": "x"}"#,
            400,
            "body_malformed",
        ),
        (
            br#"{"policy": "over18", "purpose": "age-restricted-sale", "extra": 1}"#,
            422,
            "body_invalid",
        ),
        (
            br#"{"policy": 1, "purpose": "age-restricted-sale"}"#,
            422,
            "body_invalid",
        ),
        (
            br#"{"policy": "nope", "purpose": "age-restricted-sale"}"#,
            404,
            "policy_unknown",
        ),
        (
            br#"{"policy": "over18", "purpose": "curiosity"}"#,
            403,
            "purpose_not_registered",
        ),
    ];
    for (body, status, code) in bytes {
        let reply = session.post_bytes("/v1/verifications", body.to_vec()).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (*status, *code),
            "{}",
            String::from_utf8_lossy(body)
        );
    }
    let huge = vec![b' '; 4 << 20];
    let reply = session.post_bytes("/v1/verifications", huge).await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (413, "body_too_large")
    );
}

#[tokio::test]
async fn a_body_that_is_refused_before_it_was_read_gets_its_refusal_all_the_same() {
    let world = World::start();
    let session = world.session().await;
    // Longer than a socket's buffer, so that the edge is still sending when the verifier has decided.
    let long = "x".repeat(250_000);
    for _ in 0..20 {
        let form = session.token(&long).await;
        assert_eq!((form.status, form.code().as_str()), (413, "body_too_large"));
        let nobody = Session::anonymous(&world.broker, "acme");
        let question = json!({"policy": long, "purpose": "x"});
        let unknown = nobody.post("/v1/verifications", &question).await;
        assert_eq!(unknown.code(), "token_missing");
    }
}

#[tokio::test]
async fn an_idempotency_key_makes_a_request_happen_once() {
    let world = World::start();
    let session = world.session().await;
    let send = async |body: &Value| {
        let request = session.request(Method::POST, "/v1/verifications");
        let request = request
            .header("content-type", "application/json")
            .header("idempotency-key", "order-1");
        reply(request.body(body.to_string())).await
    };
    let question = json!({"policy": "over18", "purpose": "age-restricted-sale"});
    let first = send(&question).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let second = send(&question).await;
    assert_eq!(
        (second.status, second.json()["id"].clone()),
        (201, first.json()["id"].clone())
    );
    let other = send(&json!({"policy": "account-opening", "purpose": "account-opening"})).await;
    assert_eq!(
        (other.status, other.code().as_str()),
        (422, "idempotency_key_reused")
    );
}

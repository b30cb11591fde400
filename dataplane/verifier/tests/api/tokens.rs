//! Getting and using access tokens.

use std::time::Duration;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use pavilion_jose::{Algorithm, SigningKey};
use pavilion_verifier::program::{sweep, sweep_once};
use pavilion_verifier::store::TokenRecord;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use serde_json::{Value, json};

use crate::stage::PATH;
use crate::world::{ISSUER, NOW, World, assertion, form, question};

#[tokio::test]
async fn an_assertion_gets_a_token_that_works_once() {
    let world = World::new();
    let body = form(&assertion(&world.shop, "shop", &json!({})));
    let got = world.request_token(&body).await;
    assert_eq!(got.headers["cache-control"], "no-store");
    let got = got.ok(200);
    assert_eq!(got["token_type"], "Bearer");
    assert_eq!(got["expires_in"], 300);
    let token = got["access_token"].as_str().unwrap();
    world
        .get(token, "/v1/verifications/01J00000000000000000000000")
        .await
        .refused(404, "not_found");
    let again = world
        .request_token(&body)
        .await
        .refused(401, "assertion_replayed");
    assert_eq!(again["error"], "invalid_client");
}

#[tokio::test]
async fn an_assertion_that_proves_nothing_is_refused_with_its_reason() {
    let world = World::new();
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
    for (name, changes) in [
        ("expired", json!({"exp": NOW - 60})),
        ("far ahead", json!({"exp": NOW + 3_700})),
        ("no exp", json!({"exp": null})),
        ("from the future", json!({"iat": NOW + 61})),
        ("not yet", json!({"nbf": NOW + 61})),
        (
            "another audience",
            json!({"aud": "https://elsewhere.example"}),
        ),
        ("other audiences", json!({"aud": ["a", "b"]})),
        ("also another audience", json!({"aud": ["x", ISSUER]})),
        ("no audience", json!({"aud": []})),
        ("another issuer", json!({"iss": "rival"})),
        ("no jti", json!({"jti": null})),
        ("empty jti", json!({"jti": ""})),
        ("long jti", json!({"jti": "x".repeat(257)})),
        ("text as exp", json!({"exp": "soon"})),
        ("unknown party", json!({"iss": "nobody", "sub": "nobody"})),
        ("no sub", json!({"sub": null})),
    ] {
        let refused = world
            .request_token(&form(&assertion(&world.shop, "shop", &changes)))
            .await;
        let problem = refused.refused(401, "client_invalid");
        assert_eq!(problem["error"], "invalid_client", "{name}");
        assert!(refused.headers.contains_key("www-authenticate"), "{name}");
    }
    for bad in [
        assertion(&stranger, "shop", &json!({})),
        assertion(&world.rival, "shop", &json!({})),
        "not.a.jwt".to_owned(),
        unsigned(&world),
        typed(&world, "pvr+jwt"),
    ] {
        world
            .request_token(&form(&bad))
            .await
            .refused(401, "client_invalid");
    }
}

#[tokio::test]
async fn an_assertion_within_the_leeway_and_for_the_issuer_counts() {
    let world = World::new();
    for changes in [
        json!({"exp": NOW - 59}),
        json!({"iat": NOW + 60, "nbf": NOW + 60}),
        json!({"aud": ISSUER}),
        json!({"aud": [format!("{ISSUER}/oauth/token"), ISSUER], "exp": 1_795_348_830.5}),
    ] {
        let body = form(&assertion(&world.shop, "shop", &changes));
        world.request_token(&body).await.ok(200);
    }
    let body = form(&typed(&world, "client-authentication+jwt"));
    world.request_token(&body).await.ok(200);
}

fn unsigned(world: &World) -> String {
    let good = assertion(&world.shop, "shop", &json!({}));
    let payload = good.split('.').nth(1).unwrap();
    format!(
        "{}.{payload}.",
        pavilion_jose::base64url(br#"{"alg":"none"}"#)
    )
}

fn typed(world: &World, typ: &str) -> String {
    let good = assertion(&world.shop, "shop", &json!({}));
    let payload = pavilion_jose::from_base64url(good.split('.').nth(1).unwrap()).unwrap();
    world
        .shop
        .sign_compact(&json!({"alg": "ES256", "typ": typ}), &payload)
        .unwrap()
}

#[tokio::test]
async fn a_token_request_of_the_wrong_form_says_what_is_wrong() {
    let world = World::new();
    let good = form(&assertion(&world.shop, "shop", &json!({})));
    for (body, code, error) in [
        (String::new(), "token_request_invalid", "invalid_request"),
        (
            "grant_type=password".to_owned(),
            "grant_unsupported",
            "unsupported_grant_type",
        ),
        (
            "grant_type=client_credentials".to_owned(),
            "token_request_invalid",
            "invalid_request",
        ),
        (
            format!("{good}&grant_type=client_credentials"),
            "token_request_invalid",
            "invalid_request",
        ),
        (
            "grant_type=client_credentials&client_assertion=x".to_owned(),
            "token_request_invalid",
            "invalid_request",
        ),
    ] {
        let problem = world.request_token(&body).await.refused(400, code);
        assert_eq!(problem["error"], error);
    }
    let other_id = format!("{good}&client_id=rival");
    world
        .request_token(&other_id)
        .await
        .refused(401, "client_invalid");
    let json = Request::post("/oauth/token").header("content-type", "application/json");
    let json = world.send(json.body(Body::from("{}")).unwrap()).await;
    json.refused(415, "content_type_unsupported");
    world
        .request_token(&"a".repeat(70_000))
        .await
        .refused(413, "body_too_large");
}

#[tokio::test]
async fn a_request_without_a_live_token_is_refused() {
    let world = World::new();
    let path = "/v1/verifications/01J00000000000000000000000";
    let token = world.token("shop").await;
    let without = world
        .send(Request::get(path).body(Body::empty()).unwrap())
        .await;
    without.refused(401, "token_missing");
    assert_eq!(without.headers["www-authenticate"], "Bearer");
    for bad in [
        "Basic eDp5".to_owned(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Bearer {}", "x".repeat(300)),
        format!("Bearer {token}x"),
    ] {
        let request = Request::get(path)
            .header("authorization", &bad)
            .body(Body::empty())
            .unwrap();
        world.send(request).await.refused(401, "token_invalid");
    }
    let two = Request::get(path)
        .header("authorization", format!("Bearer {token}"))
        .header("authorization", format!("Bearer {token}"));
    world
        .send(two.body(Body::empty()).unwrap())
        .await
        .refused(401, "token_invalid");
    world.clock.advance(300);
    world.get(&token, path).await.refused(401, "token_invalid");
}

#[tokio::test]
async fn a_token_dies_when_its_relying_party_leaves_or_is_made_anew() {
    let world = World::new();
    let token = world.token("shop").await;
    let path = "/v1/verifications/01J00000000000000000000000";
    let mut anew = world.bundle(2);
    anew["relyingParties"]["shop"]["uid"] = json!("u9");
    world.load(&anew);
    world.get(&token, path).await.refused(401, "token_invalid");
    world.load(&world.bundle(3));
    world.get(&token, path).await.refused(404, "not_found");
    let mut gone = world.bundle(4);
    gone["relyingParties"]
        .as_object_mut()
        .unwrap()
        .remove("shop");
    world.load(&gone);
    world.get(&token, path).await.refused(401, "token_invalid");
    let mut moved = world.bundle(5);
    moved["issuer"] = json!("https://elsewhere.example");
    world.load(&moved);
    world.get(&token, path).await.refused(401, "token_invalid");
}

#[tokio::test]
async fn a_token_dies_with_the_key_that_got_it_and_one_got_by_another_key_lives() {
    let world = World::new();
    let second = SigningKey::generate(Algorithm::Es256).unwrap();
    let load = |version: u64, keys: Value| {
        let mut bundle = world.bundle(version);
        bundle["relyingParties"]["shop"]["authentication"]["privateKeyJwt"]["keys"] = keys;
        world.load(&bundle);
    };
    load(2, json!([world.shop.public(), second.public()]));
    let got_by = async |key: &SigningKey| {
        let body = form(&assertion(key, "shop", &json!({})));
        let got = world.request_token(&body).await.ok(200);
        got["access_token"].as_str().unwrap().to_owned()
    };
    let (by_first, by_second) = (got_by(&world.shop).await, got_by(&second).await);
    let earlier = world.app.tokens.issue(record("shop", NOW + 300), None, NOW);
    let earlier = earlier.await.unwrap();
    let path = "/v1/verifications/01J00000000000000000000000";
    world.get(&by_first, path).await.refused(404, "not_found");
    world.get(&by_second, path).await.refused(404, "not_found");
    load(3, json!([second.public()]));
    world
        .get(&by_first, path)
        .await
        .refused(401, "token_invalid");
    world.get(&by_second, path).await.refused(404, "not_found");
    // A release before did not write down by which key.
    world.get(&earlier, path).await.refused(404, "not_found");
    // After the restart only the first key is in the bundle.
    let world = world.restarted();
    world.get(&by_first, path).await.refused(404, "not_found");
    world
        .get(&by_second, path)
        .await
        .refused(401, "token_invalid");
}

#[tokio::test(start_paused = true)]
async fn what_was_used_stays_used_when_the_clock_steps_ahead_and_back() {
    let world = World::new();
    let body = form(&assertion(&world.shop, "shop", &json!({})));
    let got = world.request_token(&body).await.ok(200);
    let token = got["access_token"].as_str().unwrap();
    let mut asked = question();
    asked["nonce"] = json!("0123456789abcdef");
    world.post(token, PATH, &asked).await.ok(201);
    let swept = tokio::spawn(sweep(world.app.clone()));
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.clock.advance(7_200);
    tokio::time::sleep(Duration::from_secs(30)).await;
    world.clock.advance(-7_200);
    world
        .request_token(&body)
        .await
        .refused(401, "assertion_replayed");
    world
        .post(token, PATH, &asked)
        .await
        .refused(422, "nonce_reused");
    swept.abort();
}

#[tokio::test]
async fn a_seen_assertion_never_counts_again_whatever_the_leeway_becomes() {
    let world = World::new();
    let body = form(&assertion(&world.shop, "shop", &json!({})));
    world.request_token(&body).await.ok(200);
    world.clock.advance(200);
    sweep_once(&world.app).await;
    let mut wide = world.bundle(2);
    wide["lifetimes"]["clockLeewaySeconds"] = json!(300);
    world.load(&wide);
    for _ in 0..20 {
        let refused = world.request_token(&body).await;
        assert_eq!(refused.status, 401, "{}", refused.text);
        world.clock.advance(10);
        sweep_once(&world.app).await;
    }
}

#[tokio::test]
async fn tokens_and_seen_assertions_survive_a_restart() {
    let world = World::new();
    let body = form(&assertion(&world.shop, "shop", &json!({})));
    let token = world.request_token(&body).await.ok(200)["access_token"].clone();
    let world = world.restarted();
    let path = "/v1/verifications/01J00000000000000000000000";
    world
        .get(token.as_str().unwrap(), path)
        .await
        .refused(404, "not_found");
    world
        .request_token(&body)
        .await
        .refused(401, "assertion_replayed");
}

#[tokio::test]
async fn before_a_bundle_came_nobody_is_served() {
    let world = World::new();
    world.app.served.store(None);
    let refused = world.request_token("grant_type=client_credentials").await;
    let problem = refused.refused(503, "not_configured");
    assert_eq!(problem["error"], "temporarily_unavailable");
    assert!(refused.headers.contains_key("retry-after"));
}

/// An authority, and a bundle in which `shop` may come by its certificates.
struct Certified {
    world: World,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Certified {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let world = World::new();
        let mut bundle = world.bundle(2);
        bundle["relyingParties"]["shop"]["authentication"] = json!({
            "mutualTls": {"caBundle": authority.pem(), "sanDns": ["client.shop.example"]},
        });
        world.load(&bundle);
        Self { world, authority }
    }

    fn certificate(&self, name: &str) -> String {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        format!(":{}:", STANDARD.encode(certificate.der()))
    }

    async fn request(&self, certificate: &str, client: &str) -> crate::world::Answered {
        let request = Request::post("/oauth/token")
            .header(
                "content-type",
                "application/x-www-form-urlencoded; charset=utf-8",
            )
            .header("client-cert", certificate)
            .body(Body::from(format!(
                "grant_type=client_credentials&client_id={client}"
            )));
        self.world.send(request.unwrap()).await
    }
}

#[tokio::test]
async fn a_client_certificate_gets_a_token_that_only_this_certificate_can_use() {
    let certified = Certified::new();
    let own = certified.certificate("client.shop.example");
    let token = certified.request(&own, "shop").await.ok(200)["access_token"].clone();
    let path = "/v1/verifications/01J00000000000000000000000";
    let use_with = async |headers: &[(&str, &str)]| {
        certified
            .world
            .get_with(token.as_str().unwrap(), path, headers)
            .await
    };
    use_with(&[("client-cert", &own)])
        .await
        .refused(404, "not_found");
    use_with(&[])
        .await
        .refused(401, "token_certificate_mismatch");
    let other = certified.certificate("client.shop.example");
    use_with(&[("client-cert", &other)])
        .await
        .refused(401, "token_certificate_mismatch");
}

#[tokio::test]
async fn a_certificate_of_another_name_party_or_authority_gets_none() {
    let certified = Certified::new();
    let own = certified.certificate("client.shop.example");
    let wrong_name = certified.certificate("other.example");
    let foreign = Certified::new().certificate("client.shop.example");
    for (certificate, client) in [
        (wrong_name.as_str(), "shop"),
        (foreign.as_str(), "shop"),
        (own.as_str(), "rival"),
        (own.as_str(), "nobody"),
        ("rubbish", "shop"),
    ] {
        certified
            .request(certificate, client)
            .await
            .refused(401, "client_invalid");
    }
}

#[tokio::test]
async fn a_token_dies_with_the_authority_name_or_way_that_its_certificate_counted_by() {
    let certified = Certified::new();
    let world = &certified.world;
    let own = certified.certificate("client.shop.example");
    let token = certified.request(&own, "shop").await.ok(200)["access_token"].clone();
    let after = async |version: u64, authentication: Value| {
        let mut bundle = world.bundle(version);
        bundle["relyingParties"]["shop"]["authentication"] = authentication;
        world.load(&bundle);
        let path = "/v1/verifications/01J00000000000000000000000";
        let shown = [("client-cert", own.as_str())];
        world.get_with(token.as_str().unwrap(), path, &shown).await
    };
    let by_certificate = |authorities: &str, name: &str| json!({"mutualTls": {"caBundle": authorities, "sanDns": [name]}});
    let (known, other) = (certified.authority.pem(), Certified::new().authority.pem());
    let name = "client.shop.example";
    let both = by_certificate(&(other.clone() + &known), name);
    after(3, both.clone()).await.refused(404, "not_found");
    let by_key = world.bundle(3)["relyingParties"]["shop"]["authentication"].clone();
    for (version, changed) in [
        (4, by_certificate(&other, name)),
        (5, by_certificate(&known, "other.example")),
        (6, by_key),
    ] {
        after(version, changed).await.refused(401, "token_invalid");
    }
    after(7, both).await.refused(404, "not_found");
}

/// What a release wrote that did not say by which key a token was got.
fn record(name: &str, second: i64) -> TokenRecord {
    let record = json!({
        "relying_party": name, "relying_party_uid": "u1", "audience": ISSUER, "expires_at": second,
    });
    serde_json::from_value(record).unwrap()
}

#[tokio::test]
async fn live_tokens_of_one_party_are_bounded_and_make_room_when_they_expire() {
    let world = World::new();
    let issue = |second: i64, now: i64| world.app.tokens.issue(record("shop", second), None, now);
    let issued = futures::future::join_all((0..2_010).map(|_| issue(NOW + 10, NOW))).await;
    let (got, refused): (Vec<_>, Vec<_>) = issued.into_iter().partition(Result::is_ok);
    assert_eq!((got.len(), refused.len()), (2_000, 10));
    let refused = refused[0].as_ref().unwrap_err();
    assert_eq!(refused.code(), "token_limit_reached");
    let refused = refused.problem();
    assert_eq!(
        (refused.status, refused.retry_after_seconds),
        (429, Some(30))
    );
    let others = world.app.tokens.issue(record("rival", NOW + 10), None, NOW);
    assert!(others.await.is_ok());
    assert!(issue(NOW + 20, NOW + 10).await.is_ok());
}

#[tokio::test]
async fn nothing_of_a_token_is_kept_but_its_digest() {
    let world = World::new();
    let token = world.token("shop").await;
    let kept = std::fs::read(world.folder.path().join("state.redb")).unwrap();
    let found = kept
        .windows(token.len())
        .any(|window| window == token.as_bytes());
    assert!(!found);
}

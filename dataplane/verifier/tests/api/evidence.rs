//! Evidence: what fails a verification, and what refuses the request and may be tried again.

use pavilion_jose::{Algorithm, SigningKey};
use pavilion_proofs::sd_jwt::StatusReference;
use pavilion_proofs::wallet::{Holder, Session};
use pavilion_verifier::program::sweep_once;
use serde_json::{Value, json};

use crate::neighbours::Neighbours;
use crate::world::{ISSUER, NOW, World, adult, one_shot, over18, pid, revision};

const PATH: &str = "/v1/verifications";
const NONCE: &str = "0123456789abcdef";

fn served() -> (World, Neighbours) {
    let world = World::new();
    let neighbours = Neighbours::serve(world.folder.path());
    (world, neighbours)
}

#[tokio::test]
async fn a_question_with_its_evidence_is_answered_at_once() {
    let (world, log) = served();
    let token = world.token("shop").await;
    let sent = one_shot(NONCE, &world.adult(NONCE));
    let headers = [("x-request-id", "01JTIE")];
    let done = world
        .post_with(&token, PATH, &headers, &sent.to_string())
        .await
        .ok(201);
    assert_eq!(done["state"], "completed");
    assert_eq!(done["verdict"], "pass");
    let answer = &done["answer"];
    assert_eq!(answer["iss"], ISSUER);
    assert_eq!(answer["aud"], "https://shop.example");
    assert_eq!(answer["jti"], done["id"]);
    assert_eq!(answer["nonce"], NONCE);
    assert_eq!(
        (&answer["iat"], &answer["exp"]),
        (&json!(NOW), &json!(NOW + 300))
    );
    assert_eq!(answer["claims"], json!({"pid.country": "DE"}));
    assert_eq!(answer["evidence"]["index"], 0);
    assert_eq!(answer["checks"][0]["id"], "pid");
    assert_eq!(answer["checks"][0]["verdict"], "pass");
    assert_eq!(answer["checks"][0]["issuer"], "https://pid.example");
    assert_eq!(answer["checks"][0]["assurance"], "substantial");
    let digest = pavilion_json::Digest::of(sent.to_string().as_bytes());
    assert_eq!(answer["req_digest"], json!(digest));
    assert_eq!(done["receipt"], "receipt of 0\n");
    assert_eq!(log.request_ids(), ["01JTIE"]);
    let entry = String::from_utf8(log.entries().remove(0)).unwrap();
    assert!(
        !entry.contains("DE\"") && !entry.contains("2001"),
        "{entry}"
    );
    assert!(world.metric("pavilion_verdicts_total{verdict=\"pass\"} 1"));
    assert!(world.metric("pavilion_evaluations_running 0"));
}

#[tokio::test]
async fn evidence_comes_with_the_question_only_where_the_policy_takes_it() {
    let (world, log) = served();
    let mut strict = over18();
    strict["evidenceWithRequest"] = json!("Refused");
    let mut bundle = world.bundle(2);
    bundle["policies"]["over18"] = revision(&strict);
    world.load(&bundle);
    let token = world.token("shop").await;
    let sent = one_shot(NONCE, &world.adult(NONCE));
    let refused = world.post(&token, PATH, &sent).await;
    let problem = refused.refused(403, "evidence_with_request_refused");
    assert_eq!(problem["field"], "presentations");
    assert!(log.entries().is_empty());
    let (path, nonce) = world.ask(&token).await;
    let body = json!({"presentations": pid(&world.adult(&nonce))});
    world
        .post(&token, &format!("{path}/evidence"), &body)
        .await
        .ok(200);
}

#[tokio::test]
async fn evidence_sent_later_ends_the_verification_once() {
    let (world, _log) = served();
    let token = world.token("shop").await;
    let (path, nonce) = world.ask(&token).await;
    let body = json!({"presentations": pid(&world.adult(&nonce))});
    let done = world
        .post(&token, &format!("{path}/evidence"), &body)
        .await
        .ok(200);
    assert_eq!(done["verdict"], "pass");
    let again = world.post(&token, &format!("{path}/evidence"), &body).await;
    assert_eq!(again.refused(409, "state_conflict")["instance"], path);
    let read = world.get(&token, &path).await.ok(200);
    assert_eq!(
        (&read["state"], &read["verdict"]),
        (&json!("completed"), &json!("pass"))
    );
    assert!(read.get("answer").is_none() && read.get("evidence").is_none());
}

#[tokio::test]
async fn a_finding_about_the_credential_completes_the_verification_with_a_fail() {
    let (world, log) = served();
    let token = world.token("shop").await;
    let minor = world.present(json!({"birthdate": "2020-01-01"}), NONCE, ISSUER);
    let done = world
        .post(&token, PATH, &one_shot(NONCE, &minor))
        .await
        .ok(201);
    assert_eq!(done["verdict"], "fail");
    assert_eq!(done["answer"]["claims"], json!({}));
    let clause = &done["answer"]["checks"][1];
    assert_eq!(
        (&clause["kind"], &clause["code"]),
        (&json!("clause"), &json!("clause_not_met"))
    );
    assert!(clause["because"].is_string());

    let stranger = World::new();
    let nonce = "fedcba9876543210";
    let forged = stranger.adult(nonce);
    let done = world
        .post(&token, PATH, &one_shot(nonce, &forged))
        .await
        .ok(201);
    assert_eq!(done["verdict"], "fail");
    let check = &done["answer"]["checks"][0];
    assert_eq!(
        (&check["id"], &check["kind"], &check["verdict"]),
        (&json!("pid"), &json!("credential"), &json!("fail"))
    );
    assert!(
        check["code"].is_string() && check["because"].is_string(),
        "{check}"
    );
    assert!(check.get("issuer").is_none());
    assert_eq!(log.entries().len(), 2);
}

#[tokio::test]
async fn a_tampered_presentation_names_its_fault() {
    let (world, _log) = served();
    let token = world.token("shop").await;
    let good = world.adult(NONCE);
    let (bound, _) = good.rsplit_once('~').unwrap();
    let without_binding = format!("{bound}~");
    let done = world
        .post(&token, PATH, &one_shot(NONCE, &without_binding))
        .await
        .ok(201);
    assert_eq!(done["answer"]["checks"][0]["code"], "key_binding_missing");
}

#[tokio::test]
async fn a_presentation_for_somebody_else_is_refused_and_may_be_tried_again() {
    let (world, log) = served();
    let token = world.token("shop").await;
    let (path, nonce) = world.ask(&token).await;
    let huge = format!("{}~", "x".repeat(70_000));
    for (presentation, code) in [
        (
            world.adult("another-nonce-00"),
            "presentation_nonce_mismatch",
        ),
        (
            world.present(adult(), &nonce, "https://else.example"),
            "presentation_audience_mismatch",
        ),
        ("rubbish".to_owned(), "presentation_malformed"),
        (huge, "presentation_too_large"),
    ] {
        let body = json!({"presentations": pid(&presentation)});
        let refused = world.post(&token, &format!("{path}/evidence"), &body).await;
        let problem = refused.refused(422, code);
        assert_eq!(
            (&problem["evidence"], &problem["instance"]),
            (&json!("pid"), &json!(path))
        );
        assert_eq!(
            world.get(&token, &path).await.ok(200)["state"],
            "awaiting_evidence"
        );
    }
    assert!(log.entries().is_empty(), "nothing was decided");
    let body = json!({"presentations": pid(&world.adult(&nonce))});
    world
        .post(&token, &format!("{path}/evidence"), &body)
        .await
        .ok(200);
}

#[tokio::test]
async fn evidence_that_the_policy_does_not_know_or_that_stands_twice_is_refused() {
    let (world, _log) = served();
    let token = world.token("shop").await;
    let (path, nonce) = world.ask(&token).await;
    let one = |id: &str| json!({"evidence": id, "presentation": world.adult(&nonce)});
    let send = async |presentations: Value| {
        world
            .post(
                &token,
                &format!("{path}/evidence"),
                &json!({"presentations": presentations}),
            )
            .await
    };
    let problem = send(json!([one("other")]))
        .await
        .refused(422, "evidence_unknown");
    assert_eq!(problem["field"], "presentations[0].evidence");
    assert!(
        problem.get("evidence").is_none(),
        "the caller's word is not repeated"
    );
    send(json!([one("pid"), one("pid")]))
        .await
        .refused(422, "evidence_unknown");
    send(json!([])).await.refused(422, "evidence_empty");
    for odd in ["", "Pid", "p d", &"p".repeat(64)] {
        let problem = send(json!([one("pid"), one(odd)]))
            .await
            .refused(422, "body_invalid");
        assert_eq!(problem["field"], "presentations[1].evidence");
        assert!(problem.get("evidence").is_none());
    }
    send(json!([one("pid")])).await.ok(200);
}

#[tokio::test]
async fn optional_evidence_may_be_left_out_and_the_stricter_obligation_counts() {
    let (world, _log) = served();
    let token = world.token("shop").await;
    let mut sent = one_shot(NONCE, &world.adult(NONCE));
    sent["policy"] = json!("two");
    sent["presentations"][0]["evidence"] = json!("other");
    let done = world.post(&token, PATH, &sent).await.ok(201);
    assert_eq!(done["verdict"], "pass", "{done}");
    assert_eq!(
        done["answer"]["exp"],
        NOW + 120,
        "the policy's obligation is the stricter one"
    );
    assert_eq!(done["keptUntil"], "2026-11-22T12:01:00Z");
    world.clock.advance(60);
    let path = format!("{PATH}/{}", done["id"].as_str().unwrap());
    world.get(&token, &path).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_replayed_presentation_is_refused_by_name_everywhere() {
    let (world, _log) = served();
    let (shop, rival) = (world.token("shop").await, world.token("rival").await);
    let presentation = world.adult(NONCE);
    world
        .post(&shop, PATH, &one_shot(NONCE, &presentation))
        .await
        .ok(201);
    for token in [&shop, &rival] {
        let refused = world
            .post(token, PATH, &one_shot(NONCE, &presentation))
            .await;
        assert_eq!(
            refused.refused(422, "presentation_replayed")["evidence"],
            "pid"
        );
        // Another presentation of the same nonce is not a replay, but the nonce is used up.
        let fresh = world.present(json!({"birthdate": "1990-01-01"}), NONCE, ISSUER);
        world
            .post(token, PATH, &one_shot(NONCE, &fresh))
            .await
            .refused(422, "nonce_reused");
    }
    let (path, _) = world.ask(&shop).await;
    let body = json!({"presentations": pid(&presentation)});
    let refused = world.post(&shop, &format!("{path}/evidence"), &body).await;
    refused.refused(422, "presentation_nonce_mismatch");
    let world = world.restarted();
    let refused = world
        .post(&shop, PATH, &one_shot(NONCE, &presentation))
        .await;
    refused.refused(422, "presentation_replayed");
}

#[tokio::test]
async fn what_was_answered_never_counts_again_whatever_the_lifetimes_become() {
    let (world, _log) = served();
    let presentation = world.adult(NONCE);
    let token = world.token("shop").await;
    let (path, pending) = world.ask(&token).await;
    let evidence = world.adult(&pending);
    let body = json!({"presentations": pid(&evidence)});
    world
        .post(&token, &format!("{path}/evidence"), &body)
        .await
        .ok(200);
    world
        .post(&token, PATH, &one_shot(NONCE, &presentation))
        .await
        .ok(201);
    let mut long = world.bundle(2);
    long["lifetimes"]["verificationSeconds"] = json!(86_400);
    long["lifetimes"]["tokenSeconds"] = json!(3_600);
    long["lifetimes"]["clockLeewaySeconds"] = json!(300);
    world.load(&long);
    let token = world.token("shop").await;
    for _ in 0..35 {
        for (nonce, shown) in [(NONCE, &presentation), (pending.as_str(), &evidence)] {
            let again = world.post(&token, PATH, &one_shot(nonce, shown)).await;
            let passed = again.status == 201 && again.json()["verdict"] == "pass";
            assert!(!passed, "{}", again.text);
        }
        world.clock.advance(100);
        sweep_once(&world.app).await;
    }
}

#[tokio::test]
async fn a_presentation_is_fresh_for_minutes_or_since_its_nonce_was_handed_out() {
    let (world, _log) = served();
    let mut long = world.bundle(2);
    long["lifetimes"]["verificationSeconds"] = json!(3_600);
    long["lifetimes"]["tokenSeconds"] = json!(3_600);
    world.load(&long);
    let token = world.token("shop").await;
    let early = world.adult("chosen-beforehand");
    let (in_time, late) = (world.adult(NONCE), world.adult("fedcba9876543210"));
    world.clock.advance(360);
    world
        .post(&token, PATH, &one_shot(NONCE, &in_time))
        .await
        .ok(201);
    world.clock.advance(1);
    let done = world
        .post(&token, PATH, &one_shot("fedcba9876543210", &late))
        .await
        .ok(201);
    let check = &done["answer"]["checks"][0];
    assert_eq!(check["code"], "key_binding_expired");
    let because = check["because"].as_str().unwrap();
    assert!(because.contains("iat lies too far back"), "{because}");
    // A stored verification: what was signed before it was asked does not count, what was signed
    // since does, however long ago.
    let mut body = json!({"policy": "over18", "purpose": "sale", "nonce": "chosen-beforehand"});
    let asked = world.post(&token, PATH, &body).await;
    let path = asked.headers["location"].to_str().unwrap().to_owned();
    body = json!({"presentations": pid(&early)});
    let done = world
        .post(&token, &format!("{path}/evidence"), &body)
        .await
        .ok(200);
    assert_eq!(done["answer"]["checks"][0]["code"], "key_binding_expired");
    let (path, nonce) = world.ask(&token).await;
    body = json!({"presentations": pid(&world.adult(&nonce))});
    world.clock.advance(2_000);
    let done = world
        .post(&token, &format!("{path}/evidence"), &body)
        .await
        .ok(200);
    assert_eq!(done["verdict"], "pass");
}

#[tokio::test]
async fn a_presentation_of_a_pending_verification_cannot_be_taken_by_another_party() {
    let (world, _log) = served();
    let (shop, rival) = (world.token("shop").await, world.token("rival").await);
    let (path, nonce) = world.ask(&shop).await;
    let presentation = world.adult(&nonce);
    world
        .post(&rival, PATH, &one_shot(&nonce, &presentation))
        .await
        .refused(422, "nonce_reused");
    let body = json!({"presentations": pid(&presentation)});
    world
        .post(&shop, &format!("{path}/evidence"), &body)
        .await
        .ok(200);
    world
        .post(&rival, PATH, &one_shot(&nonce, &presentation))
        .await
        .refused(422, "presentation_replayed");
}

#[tokio::test]
async fn an_expired_or_cancelled_verification_takes_no_evidence() {
    let (world, log) = served();
    let token = world.token("shop").await;
    let (path, nonce) = world.ask(&token).await;
    let body = json!({"presentations": pid(&world.adult(&nonce))});
    world.delete(&token, &path).await;
    world
        .post(&token, &format!("{path}/evidence"), &body)
        .await
        .refused(409, "state_conflict");
    let mut short = world.bundle(2);
    short["lifetimes"]["verificationSeconds"] = json!(100);
    world.load(&short);
    let (path, nonce) = world.ask(&token).await;
    let body = json!({"presentations": pid(&world.adult(&nonce))});
    world.clock.advance(100);
    world
        .post(&token, &format!("{path}/evidence"), &body)
        .await
        .refused(410, "verification_expired");
    assert!(log.entries().is_empty());
}

#[tokio::test]
async fn a_one_shot_under_an_idempotency_key_is_answered_once_and_repeated_to_the_byte() {
    let (world, log) = served();
    let token = world.token("shop").await;
    let body = one_shot(NONCE, &world.adult(NONCE)).to_string();
    let send = async |world: &World| {
        world
            .post_with(&token, PATH, &[("idempotency-key", "k")], &body)
            .await
    };
    let first = send(&world).await;
    first.ok(201);
    assert_eq!(send(&world).await.text, first.text);
    let world = world.restarted();
    assert_eq!(send(&world).await.text, first.text);
    assert_eq!(log.entries().len(), 1);
    let path = first.headers["location"].to_str().unwrap();
    assert_eq!(world.delete(&token, path).await.status, 204);
    send(&world).await.refused(404, "not_found");
}

#[tokio::test]
async fn evidence_under_an_idempotency_key_is_judged_once_and_repeated_to_the_byte() {
    let (world, log) = served();
    let token = world.token("shop").await;
    let (path, nonce) = world.ask(&token).await;
    let evidence = format!("{path}/evidence");
    let body = json!({"presentations": pid(&world.adult(&nonce))}).to_string();
    let send = async |world: &World, key: &str, body: &str| {
        let headers = [("idempotency-key", key)];
        world.post_with(&token, &evidence, &headers, body).await
    };
    let odd = json!({"presentations": pid("rubbish")}).to_string();
    send(&world, "k", &odd)
        .await
        .refused(422, "presentation_malformed");
    let first = send(&world, "k", &body).await;
    first.ok(200);
    assert_eq!(send(&world, "k", &body).await.text, first.text);
    send(&world, "k", &odd)
        .await
        .refused(422, "idempotency_key_reused");
    send(&world, "other", &body)
        .await
        .refused(409, "state_conflict");
    send(&world, "a b", &body)
        .await
        .refused(400, "idempotency_key_invalid");
    let world = world.restarted();
    assert_eq!(send(&world, "k", &body).await.text, first.text);
    assert_eq!(log.entries().len(), 1);
    // The same key names another request under another path.
    let (path, _) = world.ask(&token).await;
    let headers = [("idempotency-key", "k")];
    world
        .post_with(&token, &format!("{path}/evidence"), &headers, &body)
        .await
        .refused(422, "presentation_nonce_mismatch");
}

#[tokio::test]
async fn an_idempotency_key_outlives_a_result_that_is_kept_shorter() {
    let (world, _log) = served();
    let mut long = world.bundle(2);
    long["lifetimes"]["tokenSeconds"] = json!(3_600);
    world.load(&long);
    let token = world.token("shop").await;
    let mut sent = one_shot(NONCE, &world.adult(NONCE));
    sent["policy"] = json!("two");
    let sent = sent.to_string();
    let headers = [("idempotency-key", "k")];
    let first = world.post_with(&token, PATH, &headers, &sent).await;
    first.ok(201);
    for seconds in [61, 538] {
        world.clock.advance(seconds);
        sweep_once(&world.app).await;
        let again = world.post_with(&token, PATH, &headers, &sent).await;
        again.refused(404, "not_found");
    }
    world.clock.advance(1);
    sweep_once(&world.app).await;
    let again = world.post_with(&token, PATH, &headers, &sent).await;
    again.refused(422, "presentation_replayed");
}

#[tokio::test]
async fn what_the_asker_did_not_ask_for_does_not_leave() {
    let (world, _log) = served();
    let token = world.token("shop").await;
    let mut sent = one_shot(NONCE, &world.adult(NONCE));
    sent["result"] = json!({"disclose": []});
    let done = world.post(&token, PATH, &sent).await.ok(201);
    assert_eq!(done["answer"]["claims"], json!({}));
}

#[tokio::test]
async fn a_number_that_json_would_round_is_not_signed_as_another() {
    let (world, log) = served();
    let token = world.token("shop").await;
    let claims =
        json!({"birthdate": "2001-02-03", "address": {"country": 9_007_199_254_740_993_u64}});
    let sent = one_shot(NONCE, &world.present(claims, NONCE, ISSUER));
    let problem = world
        .post(&token, PATH, &sent)
        .await
        .refused(422, "claim_not_exact");
    assert_eq!(problem["evidence"], "pid");
    assert!(log.entries().is_empty());
}

#[tokio::test]
async fn evidence_without_holder_binding_is_taken_where_the_policy_says_so() {
    let (world, _log) = served();
    let token = world.token("shop").await;
    let credential = world.credential(adult());
    let mut sent = one_shot(NONCE, &credential);
    sent["policy"] = json!("unbound");
    let done = world.post(&token, PATH, &sent).await.ok(201);
    assert_eq!(done["verdict"], "pass", "{done}");
}

#[tokio::test]
async fn a_large_presentation_is_judged_the_same() {
    let (world, _log) = served();
    let token = world.token("shop").await;
    let mut claims = adult();
    claims["filler"] = json!("x".repeat(20_000));
    let sent = one_shot(NONCE, &world.present(claims, NONCE, ISSUER));
    let done = world.post(&token, PATH, &sent).await.ok(201);
    assert_eq!(done["verdict"], "pass");
}

#[tokio::test]
async fn a_policy_that_left_the_bundle_refuses_evidence_and_keeps_the_verification() {
    let (world, _log) = served();
    let token = world.token("shop").await;
    let (path, nonce) = world.ask(&token).await;
    let mut without = world.bundle(2);
    without["policies"]
        .as_object_mut()
        .unwrap()
        .remove("over18");
    without["relyingParties"]["shop"]["policies"] = json!(["two"]);
    without["relyingParties"]["rival"]["policies"] = json!([]);
    world.load(&without);
    let body = json!({"presentations": pid(&world.adult(&nonce))});
    world
        .post(&token, &format!("{path}/evidence"), &body)
        .await
        .refused(404, "policy_unknown");
    assert!(
        world
            .get(&token, &path)
            .await
            .ok(200)
            .get("evidence")
            .is_none()
    );
    world.load(&world.bundle(3));
    world
        .post(&token, &format!("{path}/evidence"), &body)
        .await
        .ok(200);
}

#[tokio::test]
async fn required_evidence_that_is_missing_is_a_check_that_fails() {
    let (world, _log) = served();
    let token = world.token("shop").await;
    let mut sent = one_shot(NONCE, &world.adult(NONCE));
    sent["policy"] = json!("both");
    let done = world.post(&token, PATH, &sent).await.ok(201);
    assert_eq!(done["verdict"], "fail");
    let checks = done["answer"]["checks"].as_array().unwrap();
    let about = |id: &str| {
        checks
            .iter()
            .filter(|check| check["id"] == id)
            .collect::<Vec<_>>()
    };
    assert_eq!(about("pid").len(), 1);
    assert_eq!(about("other").len(), 1);
    assert_eq!(about("other")[0]["kind"], "credential");
    assert_eq!(about("other")[0]["code"], "evidence_missing");
}

#[tokio::test]
async fn one_credential_does_not_stand_for_two_pieces_of_evidence() {
    let (world, _log) = served();
    let token = world.token("shop").await;
    let session = Session {
        nonce: NONCE,
        audience: ISSUER,
        now: world.now(),
    };
    let credential = world.credential(adult());
    let once = || world.holder.present(&credential, &[], session).unwrap();
    let both = |other: String| {
        let mut sent = one_shot(NONCE, &once());
        sent["policy"] = json!("both");
        let presentations = sent["presentations"].as_array_mut().unwrap();
        presentations.push(json!({"evidence": "other", "presentation": other}));
        sent
    };
    let refused = world.post(&token, PATH, &both(once())).await;
    let problem = refused.refused(422, "presentation_credential_reused");
    assert_eq!(problem["evidence"], "other");

    // Wallets keep a key for each credential: another key is no other person.
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let mut draft = world.draft(adult());
    draft.holder = Some(key.public());
    let another = world.issuer.issue(&draft).unwrap();
    let another = Holder::new(key).present(&another, &[], session).unwrap();
    let done = world.post(&token, PATH, &both(another)).await.ok(201);
    assert_eq!(done["verdict"], "pass", "{done}");
}

#[tokio::test]
async fn a_status_that_cannot_be_known_is_indeterminate_and_discloses_nothing() {
    pavilion_process::crypto::install();
    let (world, _log) = served();
    let token = world.token("shop").await;
    let mut draft = world.draft(adult());
    draft.status = Some(StatusReference {
        uri: "https://127.0.0.1:1/list".to_owned(),
        index: 0,
    });
    let credential = world.issuer.issue(&draft).unwrap();
    let session = Session {
        nonce: NONCE,
        audience: ISSUER,
        now: world.now(),
    };
    let presentation = world.holder.present(&credential, &[], session).unwrap();
    let done = world
        .post(&token, PATH, &one_shot(NONCE, &presentation))
        .await
        .ok(201);
    assert_eq!(done["verdict"], "indeterminate", "{done}");
    let check = &done["answer"]["checks"][0];
    assert_eq!(check["verdict"], "indeterminate");
    assert!(
        check["code"].as_str().unwrap().starts_with("status_list_"),
        "{check}"
    );
    assert_eq!(done["answer"]["claims"], json!({}));
}

//! Evidence: when it is taken, and what refuses the request and may be tried again.

use pavilion_jose::{Algorithm, SigningKey};
use pavilion_proofs::wallet::{Holder, Session};
use serde_json::{Value, json};

use crate::stage::{NONCE, PATH, served};
use crate::world::{ISSUER, NOW, adult, one_shot, over18, pid, revision};

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
    assert_eq!(
        answer["checks"][0]["methods"],
        json!(["issuer_signature", "key_binding"])
    );
    assert_eq!(answer["checks"][0]["status"], "unstated");
    assert_eq!(answer["retention"], json!({"result_seconds": 900}));
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

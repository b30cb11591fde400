//! What is found about a credential or its holder: the verification completes and its checks say it.

use pavilion_proofs::sd_jwt::StatusReference;
use pavilion_proofs::wallet::Session;
use serde_json::json;

use crate::stage::{NONCE, PATH, served};
use crate::world::{ISSUER, NOW, World, adult, one_shot};

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
    assert_eq!(
        clause["hint"],
        "See the clause's sentence for what it wants."
    );

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
    assert_eq!(check["code"], "issuer_key_unknown");
    assert_eq!(
        check["hint"],
        "The trust anchor may lack a rotated key; tell the tenant."
    );
    let because = check["because"].as_str().unwrap();
    assert!(!because.contains("tell the tenant"), "{because}");
    for member in ["issuer", "methods", "status", "age_seconds"] {
        assert!(check.get(member).is_none(), "{member}: nothing is verified");
    }
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
    assert_eq!(
        about("other")[0]["hint"],
        "Present the evidence that the check names."
    );
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
    assert_eq!(check["status"], "unknown");
    assert_eq!(check["methods"], json!(["issuer_signature", "key_binding"]));
    assert!(check.get("age_seconds").is_none(), "no list said anything");
    assert_eq!(done["answer"]["claims"], json!({}));
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
    assert_eq!(done["answer"]["retention"], json!({"result_seconds": 60}));
    world.clock.advance(60);
    let path = format!("{PATH}/{}", done["id"].as_str().unwrap());
    world.get(&token, &path).await.refused(404, "not_found");
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
    let check = &done["answer"]["checks"][0];
    assert_eq!(check["methods"], json!(["issuer_signature"]));
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
async fn what_the_asker_did_not_ask_for_does_not_leave() {
    let (world, _log) = served();
    let token = world.token("shop").await;
    let mut sent = one_shot(NONCE, &world.adult(NONCE));
    sent["result"] = json!({"disclose": []});
    let done = world.post(&token, PATH, &sent).await.ok(201);
    assert_eq!(done["answer"]["claims"], json!({}));
}

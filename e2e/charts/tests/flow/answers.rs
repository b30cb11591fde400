//! What a newcomer does, and sees.

use std::fs;

use crate::{
    command::kubectl,
    shop::{Shop, fresh_nonce, verify},
    stage::{Stage, TENANT},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_applied_answers_at_its_ingress_and_the_answer_can_be_checked() {
    let _stage = Stage::set().await;
    let shop = Shop::open();
    let (asked, answer) = shop.ask("1990-05-17");
    assert!(asked.succeeded, "{}{}", asked.printed, asked.said);
    assert!(asked.printed.contains("PASS over18"), "{}", asked.printed);
    let verified = verify(&answer);
    assert!(verified.succeeded, "{}{}", verified.printed, verified.said);

    let receipt = answer.join("receipt.tlog-proof");
    let mut bytes = fs::read(&receipt).unwrap();
    bytes[60] ^= 1;
    fs::write(&receipt, bytes).unwrap();
    assert!(!verify(&answer).succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_who_is_too_young_and_a_presentation_that_was_used_are_refused() {
    let _stage = Stage::set().await;
    let shop = Shop::open();
    let (asked, _) = shop.ask("2015-05-17");
    assert!(!asked.succeeded);
    assert!(asked.printed.contains("FAIL over18"), "{}", asked.printed);

    let nonce = fresh_nonce();
    assert!(shop.ask_with("1990-05-17", &nonce).0.succeeded);
    let presentation = shop.path(&format!("{nonce}.presentation"));
    let (again, _) = shop.send(&presentation, &nonce);
    let said = format!("{}{}", again.printed, again.said);
    assert!(said.contains("presentation_replayed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_of_kubectl_say_how_a_tenant_is() {
    let _stage = Stage::set().await;
    let table = kubectl("get ptenant -o wide");
    let heading = table.lines().next().unwrap();
    let row = table.lines().find(|line| line.starts_with(TENANT)).unwrap();
    let cell = |column: &str| {
        let from = heading.find(column).unwrap_or_else(|| panic!("{table}"));
        row[from..].split_whitespace().next().unwrap()
    };
    for (column, told) in [
        ("READY", "True"),
        ("PHASE", "Ready"),
        ("REGION", "eu-central"),
        ("POLICIES", "2/2"),
    ] {
        assert_eq!(cell(column), told, "{table}");
    }
    let served = kubectl("get tenant acme -o jsonpath={.status.bundle}");
    assert_eq!(cell("SERVED"), served, "{table}");
    // Tried a moment ago, or about to be.
    assert!(["True", "Unknown"].contains(&cell("ISOLATION")), "{table}");
    assert!(heading.contains("AGE"), "{table}");
}

//! How long a status list is kept, and for whom.

use std::time::Duration;

use jiff::Timestamp;
use pavilion_catalogue::status;
use pavilion_proofs::status::{StatusLists, StatusOptions, StatusOutcome};
use pavilion_proofs::wallet::ListDraft;

use crate::status_lists::{LEEWAY, Listed, unknown};
use crate::status_network::Reply;
use crate::world::{now, reference, seconds};

#[tokio::test]
async fn a_kept_list_is_used_within_its_time_to_live_and_then_asked_for_again() {
    let listed = Listed::new().await;
    listed.publish(|draft| draft.ttl_seconds = Some(100));
    assert_eq!(listed.check(1).await, StatusOutcome::Revoked);
    listed.publish(|draft| draft.values[1] = 0);
    assert_eq!(
        listed.check_at(1, now() + seconds(74)).await,
        StatusOutcome::Revoked
    );
    assert_eq!(listed.server.asked(), 1);
    assert_eq!(
        listed.check_at(1, now() + seconds(100)).await,
        StatusOutcome::Valid
    );
    assert_eq!(listed.server.asked(), 2);
}

#[tokio::test]
async fn past_its_time_to_live_a_list_that_cannot_be_fetched_says_nothing() {
    for ttl in [0, 1, 60] {
        let listed = Listed::new().await;
        listed.publish(|draft| draft.ttl_seconds = Some(ttl));
        assert_eq!(listed.check(0).await, StatusOutcome::Valid);
        listed.server.reply(Reply::status(500));
        let past = now() + seconds(i64::try_from(ttl.max(1)).unwrap());
        assert_eq!(
            listed.check_at(0, past).await,
            unknown(&status::LIST_UNREACHABLE),
            "ttl {ttl}"
        );
    }
}

/// Waits until the server was asked so often and its answer is used.
async fn refreshed(listed: &Listed, index: u64, at: Timestamp, wanted: StatusOutcome) {
    for _ in 0..500 {
        if listed.check_at(index, at).await == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the refreshed list is never used");
}

#[tokio::test]
async fn while_a_copy_may_be_used_nobody_waits_for_a_fresh_one() {
    let listed = Listed::new().await;
    listed.publish(|draft| draft.ttl_seconds = Some(100));
    assert_eq!(listed.check(1).await, StatusOutcome::Revoked);
    listed.publish(|draft| draft.values[1] = 0);
    // Nothing is answered until it is let go on; who waited for the server would never end.
    let hold = listed.server.hold().await;
    let at = now() + seconds(75);
    for _ in 0..8 {
        assert_eq!(listed.check_at(1, at).await, StatusOutcome::Revoked);
    }
    drop(hold);
    refreshed(&listed, 1, at, StatusOutcome::Valid).await;
    assert_eq!(listed.server.asked(), 2);
}

#[tokio::test]
async fn a_kept_list_is_never_used_beyond_the_age_that_the_anchor_allows() {
    let mut listed = Listed::new().await;
    listed.world.anchor.status.max_age_seconds = 120;
    assert_eq!(listed.check(0).await, StatusOutcome::Valid);
    listed.server.reply(Reply::status(500));
    assert_eq!(
        listed.check_at(0, now() + seconds(119)).await,
        StatusOutcome::Valid
    );
    assert_eq!(
        listed.check_at(0, now() + seconds(120)).await,
        unknown(&status::LIST_UNREACHABLE)
    );
}

#[tokio::test]
async fn a_kept_list_that_may_still_be_used_bridges_an_outage() {
    let listed = Listed::new().await;
    listed.publish(|draft| draft.ttl_seconds = Some(60));
    assert_eq!(listed.check(1).await, StatusOutcome::Revoked);
    listed.server.reply(Reply::status(500));
    for second in [46, 50, 59] {
        let outcome = listed.check_at(1, now() + seconds(second)).await;
        assert_eq!(outcome, StatusOutcome::Revoked);
    }
    assert_eq!(
        listed.check_at(1, now() + seconds(61)).await,
        unknown(&status::LIST_UNREACHABLE)
    );
}

#[tokio::test]
async fn a_kept_list_ends_with_its_own_expiry() {
    let listed = Listed::new().await;
    listed.publish(|draft| draft.expires_at = Some(now() + seconds(100)));
    assert_eq!(listed.check(0).await, StatusOutcome::Valid);
    assert_eq!(
        listed.check_at(0, now() + seconds(160)).await,
        unknown(&status::LIST_STALE)
    );
}

#[tokio::test]
async fn a_failure_is_remembered_for_a_while_and_then_tried_again() {
    let listed = Listed::new().await;
    listed.server.reply(Reply::status(500));
    for second in [0, 5, 9] {
        let outcome = listed.check_at(0, now() + seconds(second)).await;
        assert_eq!(outcome, unknown(&status::LIST_UNREACHABLE));
    }
    assert_eq!(listed.server.asked(), 1);
    listed.publish(|_| {});
    assert_eq!(
        listed.check_at(0, now() + seconds(10)).await,
        StatusOutcome::Valid
    );
}

#[tokio::test]
async fn many_who_need_one_list_make_one_request() {
    let listed = Listed::new().await;
    listed.server.delay(Duration::from_millis(100));
    let credential = listed.credential(1);
    let checks = (0..32).map(|_| listed.lists.check(&credential, now(), LEEWAY));
    let found = futures::future::join_all(checks).await;
    assert!(
        found
            .iter()
            .all(|finding| finding.outcome == StatusOutcome::Revoked)
    );
    assert_eq!(listed.server.asked(), 1);
}

#[tokio::test]
async fn who_gives_up_waiting_does_not_keep_others_from_asking() {
    let listed = Listed::new().await;
    listed.server.delay(Duration::from_millis(200));
    let given_up = tokio::time::timeout(Duration::from_millis(50), listed.check(1)).await;
    assert!(given_up.is_err());
    assert_eq!(listed.check(1).await, StatusOutcome::Revoked);
}

#[tokio::test]
async fn what_was_found_out_under_one_anchor_does_not_count_under_another() {
    let mut listed = Listed::new().await;
    assert_eq!(listed.check(0).await, StatusOutcome::Valid);
    listed.world.anchor.status.max_age_seconds = 60;
    assert_eq!(listed.check(0).await, StatusOutcome::Valid);
    assert_eq!(listed.server.asked(), 2);
}

#[tokio::test]
async fn the_lists_that_are_kept_are_bounded_in_number_and_in_bytes() {
    for options in [
        StatusOptions {
            max_cached_lists: 2,
            ..StatusOptions::default()
        },
        StatusOptions {
            max_cached_bytes: 40,
            ..StatusOptions::default()
        },
    ] {
        let mut listed = Listed::new().await;
        listed.lists = StatusLists::new(options);
        let ask = async |path: &str| {
            let uri = listed.server.uri(path);
            let draft = ListDraft::new(uri.clone(), 64, now());
            listed.server.reply(Reply::list(
                listed.world.issuer.status_list(&draft).unwrap(),
            ));
            let mut draft = listed.world.draft();
            draft.status = Some(reference(&uri, 0));
            let credential = listed
                .world
                .verify(&listed.world.presentation_of(&draft))
                .unwrap();
            assert_eq!(
                listed.lists.check(&credential, now(), LEEWAY).await.outcome,
                StatusOutcome::Valid
            );
            listed.server.asked()
        };
        assert_eq!(ask("/a").await, 1);
        assert_eq!(ask("/b").await, 2);
        assert_eq!(ask("/a").await, 2);
        assert_eq!(ask("/c").await, 3);
        assert_eq!(ask("/a").await, 3);
        assert_eq!(ask("/b").await, 4);
    }
}

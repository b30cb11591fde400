//! What a status list says, and what is made of one that says nothing.

use std::time::Duration;

use jiff::Timestamp;
use pavilion_catalogue::{Entry, status};
use pavilion_proofs::sd_jwt::Credential;
use pavilion_proofs::status::{StatusLists, StatusOptions, StatusOutcome, parse_list};
use pavilion_proofs::wallet::{Issuer, ListDraft};
use pavilion_proofs::{OnUnreachable, Verified};
use serde_json::{Value, json};

use crate::certificates::{authority, believes, dns};
use crate::status_network::{Reply, Server};
use crate::world::{World, copy, key, now, reference, seconds};

pub const LEEWAY: Duration = Duration::from_mins(1);

/// An outcome that says nothing, by its code.
#[derive(Debug)]
pub enum NotKnown {
    Indeterminate(&'static Entry),
    Failed(&'static Entry),
}

impl PartialEq<NotKnown> for StatusOutcome {
    fn eq(&self, other: &NotKnown) -> bool {
        match (self, other) {
            (Self::Indeterminate(reason), NotKnown::Indeterminate(code))
            | (Self::Failed(reason), NotKnown::Failed(code)) => {
                reason.code == *code && reason.detail.ends_with('.')
            }
            _ => false,
        }
    }
}

pub fn unknown(code: &'static Entry) -> NotKnown {
    NotKnown::Indeterminate(code)
}

fn failed(code: &'static Entry) -> NotKnown {
    NotKnown::Failed(code)
}

/// A world with a list of 64 entries at a server of its own.
pub struct Listed {
    pub world: World,
    pub server: Server,
    pub lists: StatusLists,
}

impl Listed {
    pub async fn new() -> Self {
        Self::of(World::new()).await
    }

    async fn of(world: World) -> Self {
        let listed = Self {
            server: Server::start().await,
            world,
            lists: StatusLists::default(),
        };
        listed.publish(|_| {});
        listed
    }

    pub fn uri(&self) -> String {
        self.server.uri("/lists/1")
    }

    /// Publishes the list that `change` makes of one with the entries valid, revoked, suspended,
    /// reserved.
    pub fn publish(&self, change: impl FnOnce(&mut ListDraft)) {
        let mut draft = ListDraft::new(self.uri(), 64, now() - seconds(30));
        draft.values[..4].copy_from_slice(&[0, 1, 2, 3]);
        draft.expires_at = Some(now() + seconds(86_400));
        change(&mut draft);
        self.server
            .reply(Reply::list(self.world.issuer.status_list(&draft).unwrap()));
    }

    /// Publishes a list token with a payload or header changed by hand.
    pub fn publish_raw(&self, change: impl FnOnce(&mut Value, &mut Value)) {
        let mut header = json!({"alg": "ES256", "typ": "statuslist+jwt", "kid": self.world.issuer_key.public().kid()});
        let mut payload = json!({
            "sub": self.uri(),
            "iat": now().as_second(),
            "exp": now().as_second() + 600,
            "status_list": {"bits": 1, "lst": "eNrbuRgAAhcBXQ"},
        });
        change(&mut header, &mut payload);
        let token = self
            .world
            .issuer_key
            .sign_compact(&header, payload.to_string().as_bytes());
        self.server.reply(Reply::list(token.unwrap()));
    }

    pub fn credential(&self, index: u64) -> Verified<Credential> {
        let mut draft = self.world.draft();
        draft.status = Some(reference(&self.uri(), index));
        self.world
            .verify(&self.world.presentation_of(&draft))
            .unwrap()
    }

    pub async fn check(&self, index: u64) -> StatusOutcome {
        self.check_at(index, now()).await
    }

    pub async fn check_at(&self, index: u64, at: Timestamp) -> StatusOutcome {
        self.lists
            .check(&self.credential(index), at, LEEWAY)
            .await
            .outcome
    }
}

#[tokio::test]
async fn a_list_says_valid_revoked_or_suspended_and_anything_else_says_nothing() {
    let listed = Listed::new().await;
    assert_eq!(listed.check(0).await, StatusOutcome::Valid);
    assert_eq!(listed.check(1).await, StatusOutcome::Revoked);
    assert_eq!(listed.check(2).await, StatusOutcome::Suspended);
    assert_eq!(listed.check(3).await, unknown(&status::VALUE_UNKNOWN));
    assert_eq!(listed.check(63).await, StatusOutcome::Valid);
    assert_eq!(listed.server.asked(), 1);
}

#[tokio::test]
async fn what_a_list_says_is_as_old_as_the_list_and_what_none_says_has_no_age() {
    let listed = Listed::new().await;
    let issued_at = async |index, at| {
        let credential = listed.credential(index);
        let found = listed.lists.check(&credential, at, LEEWAY).await;
        found.list_issued_at
    };
    let made = Some(now() - seconds(30));
    assert_eq!(issued_at(0, now()).await, made);
    assert_eq!(issued_at(1, now() + seconds(600)).await, made);
    assert_eq!(issued_at(3, now()).await, None, "a value without meaning");
    assert_eq!(issued_at(64, now()).await, None, "beyond the list");
}

#[test]
fn every_outcome_but_a_pass_has_a_code() {
    let codes = [
        StatusOutcome::Valid,
        StatusOutcome::Unstated,
        StatusOutcome::Revoked,
        StatusOutcome::Suspended,
    ]
    .map(|outcome| outcome.code().map(|entry| entry.code));
    assert_eq!(
        codes,
        [None, None, Some("status_revoked"), Some("status_suspended")]
    );
}

#[tokio::test]
async fn what_is_not_known_has_a_code_and_a_sentence_that_names_no_address() {
    let listed = Listed::new().await;
    listed.server.reply(Reply::status(500));
    let outcome = listed.check(0).await;
    assert_eq!(outcome.code(), Some(&status::LIST_UNREACHABLE));
    let detail = outcome.detail().unwrap();
    assert!(detail.contains("another status than 200"), "{detail}");
    assert!(!detail.contains("127.0.0.1") && !detail.contains("lists/1"));
    assert_eq!(StatusOutcome::Revoked.detail(), None);
}

#[tokio::test]
async fn an_index_beyond_the_list_says_nothing() {
    let listed = Listed::new().await;
    for index in [64, 1 << 40, u64::MAX] {
        assert_eq!(
            listed.check(index).await,
            unknown(&status::INDEX_OUT_OF_RANGE)
        );
    }
}

#[test]
fn the_published_vectors_read_as_they_should() {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/status-list.json")).unwrap();
    for vector in vectors["lists"].as_array().unwrap() {
        let payload = json!({"sub": "s", "iat": 1, "status_list": {"bits": vector["bits"], "lst": vector["lst"]}});
        let list = parse_list(payload.to_string().as_bytes(), 1 << 20)
            .unwrap()
            .list;
        for pair in vector["values"].as_array().unwrap() {
            let (index, value) = (pair[0].as_u64().unwrap(), pair[1].as_u64().unwrap());
            assert_eq!(
                list.get(index).map(u64::from),
                Some(value),
                "{} at {index}",
                vector["bits"]
            );
        }
        let mentioned = vector["values"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|pair| pair[1] != 0)
            .count();
        let set = (0..1 << 20)
            .filter(|index| list.get(*index) != Some(0))
            .count();
        assert_eq!(set, mentioned);
        assert_eq!(list.get(1 << 20), None);
    }
}

#[tokio::test]
async fn a_credential_without_status_fails_where_one_is_demanded_and_only_there() {
    let mut listed = Listed::new().await;
    let unstated = |world: &World| {
        world
            .verify(&world.presentation_of(&world.draft()))
            .unwrap()
    };
    let credential = unstated(&listed.world);
    assert_eq!(
        listed.lists.check(&credential, now(), LEEWAY).await.outcome,
        StatusOutcome::Unstated
    );
    listed.world.anchor.status.required = true;
    let credential = unstated(&listed.world);
    assert_eq!(
        listed.lists.check(&credential, now(), LEEWAY).await.outcome,
        failed(&status::MISSING)
    );
}

#[tokio::test]
async fn a_status_by_another_mechanism_says_nothing() {
    let listed = Listed::new().await;
    let presentation = listed.world.with_payload(|payload| {
        payload["status"] =
            json!({"identifier_list": {"id": "aa", "uri": "https://status.example/ids"}});
    });
    let credential = listed.world.verify(&presentation).unwrap();
    assert_eq!(
        listed.lists.check(&credential, now(), LEEWAY).await.outcome,
        unknown(&status::MECHANISM_UNSUPPORTED)
    );
}

#[test]
fn a_status_reference_that_is_malformed_makes_the_credential_invalid() {
    let world = World::new();
    for status in [
        json!("x"),
        json!({"status_list": {"idx": -1, "uri": "https://a.example"}}),
        json!({"status_list": {"idx": 1.5, "uri": "https://a.example"}}),
        json!({"status_list": {"idx": "1", "uri": "https://a.example"}}),
        json!({"status_list": {"idx": 1}}),
        json!({"status_list": []}),
    ] {
        let presentation = world.with_payload(|payload| payload["status"] = status);
        assert_eq!(world.refusal(&presentation), "credential_invalid");
    }
}

#[tokio::test]
async fn a_list_that_was_not_signed_by_the_issuer_says_nothing() {
    let listed = Listed::new().await;
    let forger = Issuer::new(crate::world::ISSUER, key());
    let draft = ListDraft::new(listed.uri(), 64, now());
    listed
        .server
        .reply(Reply::list(forger.status_list(&draft).unwrap()));
    assert_eq!(listed.check(0).await, unknown(&status::LIST_INVALID));
}

#[tokio::test]
async fn a_list_that_was_signed_by_the_right_kid_and_the_wrong_key_says_nothing() {
    let mut listed = Listed::new().await;
    let credential = listed.credential(0);
    let kid = listed.world.issuer_key.public().kid().unwrap().to_owned();
    listed.world.issuer_key = key();
    listed.publish_raw(|header, _| header["kid"] = json!(kid));
    let outcome = listed.lists.check(&credential, now(), LEEWAY).await.outcome;
    assert_eq!(outcome, unknown(&status::LIST_INVALID));
}

#[tokio::test]
async fn a_list_is_held_to_every_rule_of_its_format() {
    type Change = fn(&mut Value, &mut Value);
    let changes: [Change; 17] = [
        |header, _| header["typ"] = json!("JWT"),
        |header, _| header["typ"] = json!("text/statuslist+jwt"),
        |header, _| header["kid"] = json!("unknown"),
        |_, payload| payload["sub"] = json!("https://other.example/lists/1"),
        |_, payload| payload["iss"] = json!("https://other.example"),
        |_, payload| payload["iat"] = json!(now().as_second() + 61),
        |_, payload| payload["iat"] = json!("today"),
        |_, payload| payload["exp"] = json!("tomorrow"),
        |_, payload| payload["ttl"] = json!(-1),
        |_, payload| payload["ttl"] = json!("long"),
        |_, payload| payload["status_list"]["bits"] = json!(3),
        |_, payload| payload["status_list"]["bits"] = json!("1"),
        |_, payload| payload["status_list"]["lst"] = json!("not base64!"),
        |_, payload| payload["status_list"]["lst"] = json!("AAAA"),
        |_, payload| payload["status_list"]["lst"] = json!("eNrbuRgAAhcB"),
        |_, payload| payload["status_list"]["lst"] = json!("eNrbuRgAAhcBXQAA"),
        |_, payload| *payload = json!([]),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let listed = Listed::new().await;
        listed.publish_raw(change);
        assert_eq!(
            listed.check(0).await,
            unknown(&status::LIST_INVALID),
            "change {number}"
        );
    }
    let listed = Listed::new().await;
    listed.publish_raw(|header, payload| {
        header["typ"] = json!("application/StatusList+jwt");
        payload["iss"] = json!(crate::world::ISSUER);
        payload["ttl"] = json!(43_200.5);
        payload["aggregation_uri"] = json!("https://status.example/all");
    });
    assert_eq!(listed.check(0).await, StatusOutcome::Revoked);
}

#[tokio::test]
async fn a_list_that_no_one_signed_says_nothing() {
    let listed = Listed::new().await;
    listed
        .server
        .reply(Reply::list("eyJhbGciOiJub25lIn0.e30.".to_owned()));
    assert_eq!(listed.check(0).await, unknown(&status::LIST_INVALID));
}

#[tokio::test]
async fn an_expired_list_is_stale() {
    let listed = Listed::new().await;
    listed.publish(|draft| draft.expires_at = Some(now() - seconds(60)));
    assert_eq!(listed.check(0).await, unknown(&status::LIST_STALE));
}

#[tokio::test]
async fn a_list_is_stale_by_its_age_whatever_its_expiry() {
    for expires_at in [None, Some(now() + seconds(86_400))] {
        for (age, outcome) in [(659, None), (660, Some(&status::LIST_STALE))] {
            let mut listed = Listed::new().await;
            listed.world.anchor.status.max_age_seconds = 600;
            listed.publish(|draft| {
                draft.expires_at = expires_at;
                draft.issued_at = now() - seconds(age);
            });
            assert_eq!(
                listed.check(0).await.code(),
                outcome,
                "{age} {expires_at:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_list_that_inflates_beyond_the_limit_is_refused_without_inflating_it() {
    let mut listed = Listed::new().await;
    let bounded = |max_list_bytes| {
        StatusLists::new(StatusOptions {
            max_list_bytes,
            ..StatusOptions::default()
        })
    };
    listed.publish(|draft| draft.values = vec![0; 4_000_000]);
    listed.lists = bounded(999_999);
    assert_eq!(listed.check(0).await, unknown(&status::LIST_TOO_LARGE));
    listed.lists = bounded(1_000_000);
    assert_eq!(listed.check(0).await, StatusOutcome::Valid);
}

#[tokio::test]
async fn an_anchor_may_say_that_an_unknown_status_fails() {
    let mut listed = Listed::new().await;
    listed.world.anchor.status.on_unreachable = OnUnreachable::Fail;
    listed.server.reply(Reply::status(503));
    assert_eq!(listed.check(0).await, failed(&status::LIST_UNREACHABLE));
}

#[tokio::test]
async fn a_list_of_an_issuer_with_certificates_is_signed_under_the_same_name() {
    let root = authority("root");
    let mut anchor = believes(&root, None, &["*.pid.example"], &[]);
    anchor.status.allow_private_addresses = true;
    let world = crate::certificates::world(anchor, None, |key| {
        vec![crate::certificates::leaf(
            key,
            vec![dns("a.pid.example")],
            &root,
        )]
    });
    let listed = Listed::of(world).await;
    assert_eq!(listed.check(1).await, StatusOutcome::Revoked);

    let other = key();
    let chain = vec![crate::certificates::leaf(
        &other,
        vec![dns("b.pid.example")],
        &root,
    )];
    let other = Issuer::with_certificates(None, copy(&other), chain);
    let draft = ListDraft::new(listed.uri(), 64, now());
    listed
        .server
        .reply(Reply::list(other.status_list(&draft).unwrap()));
    let fresh = StatusLists::default();
    assert_eq!(
        fresh
            .check(&listed.credential(1), now(), LEEWAY)
            .await
            .outcome,
        unknown(&status::LIST_INVALID)
    );
}

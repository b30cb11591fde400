//! The store against a plain model of it, and against damaged or foreign files.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use pavilion_json::Digest;
use pavilion_process::{Health, Identity};
use proptest::prelude::*;
use tempfile::TempDir;
use ulid::Ulid;

use super::database::VERSION;
use super::tables::{FORMAT, META};
use super::*;

const IDENTITY: Identity = Identity {
    name: "pavilion-verifier",
    version: "0",
    about: "",
};

fn health() -> Health {
    Health::new(IDENTITY)
}

fn open(path: &Path) -> Result<Store, Exit> {
    let check = health().register_check("state");
    Store::open(path, check, StoreMetrics::default())
}

/// Opens a file that the thread of an earlier store may not have let go of yet.
fn reopen(path: &Path) -> Store {
    loop {
        match open(path) {
            Ok(store) => return store,
            Err(Exit::Unavailable(_)) => std::thread::yield_now(),
            Err(exit) => panic!("{exit}"),
        }
    }
}

fn fresh() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("state.redb")).unwrap();
    (folder, store)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

fn row(kept_until: i64) -> StoredVerification {
    StoredVerification {
        relying_party: "shop".to_owned(),
        relying_party_uid: "u".to_owned(),
        policy: "p".to_owned(),
        purpose: "s".to_owned(),
        nonce: "n".to_owned(),
        disclose: None,
        req_digest: Digest::of(b"r"),
        created_at: 0,
        expires_at: kept_until,
        kept_until,
        outcome: None,
    }
}

fn opening(id: u8, nonce: u8, until: i64) -> Opening {
    Opening {
        id: Ulid::from(u128::from(id)),
        verification: row(until),
        nonce: [nonce; 32],
        nonce_use: NonceUse::default(),
        nonce_until: until,
        idempotency: None,
    }
}

fn token(key: u8, assertion: Option<u8>, until: i64) -> IssuedToken {
    IssuedToken {
        digest: [key; 32],
        token: TokenRecord {
            relying_party: "shop".to_owned(),
            relying_party_uid: "u".to_owned(),
            audience: "a".to_owned(),
            expires_at: until,
            certificate: None,
            authority: None,
            key: None,
        },
        assertion: assertion.map(|id| ([id; 32], until)),
    }
}

/// Something done to the store; ids and times are few, so that they collide.
#[derive(Clone, Debug)]
enum Step {
    Open {
        id: u8,
        nonce: u8,
        until: i64,
    },
    End {
        id: u8,
        until: i64,
    },
    Remove {
        id: u8,
    },
    Issue {
        key: u8,
        assertion: Option<u8>,
        until: i64,
    },
    Sweep {
        now: i64,
    },
    Restart,
}

fn any_step() -> impl Strategy<Value = Step> {
    let small = || 0_u8..6;
    let time = || 0_i64..20;
    prop_oneof![
        4 => (small(), small(), time()).prop_map(|(id, nonce, until)| Step::Open { id, nonce, until }),
        3 => (small(), time()).prop_map(|(id, until)| Step::End { id, until }),
        1 => small().prop_map(|id| Step::Remove { id }),
        2 => (small(), prop::option::of(small()), time())
            .prop_map(|(key, assertion, until)| Step::Issue { key, assertion, until }),
        2 => time().prop_map(|now| Step::Sweep { now }),
        1 => Just(Step::Restart),
    ]
}

/// What the store should hold.
#[derive(Default)]
struct Model {
    /// Whether each has ended, and until when it is kept.
    verifications: BTreeMap<u8, (bool, i64)>,
    nonces: BTreeMap<u8, i64>,
    assertions: BTreeMap<u8, i64>,
    tokens: BTreeMap<u8, i64>,
}

impl Model {
    fn sweep(&mut self, now: i64) {
        self.verifications.retain(|_, (_, until)| *until > now);
        for rows in [&mut self.nonces, &mut self.assertions, &mut self.tokens] {
            rows.retain(|_, until| *until > now);
        }
    }

    /// Takes a step in both and compares what they say.
    async fn step(&mut self, store: &Store, step: &Step) {
        match *step {
            Step::Open { id, nonce, until } => {
                let taken = self.nonces.contains_key(&nonce);
                let outcome = store
                    .open_verification(opening(id, nonce, until))
                    .await
                    .unwrap();
                assert_eq!(outcome.is_err(), taken);
                if !taken {
                    self.nonces.insert(nonce, until);
                    self.verifications.insert(id, (false, until));
                }
            }
            Step::End { id, until } => {
                let ending = Ending {
                    outcome: Outcome::Cancelled,
                    kept_until: until,
                    nonce: None,
                    idempotency: None,
                };
                let id_there = Ulid::from(u128::from(id));
                let outcome = store.end_verification(id_there, ending).await.unwrap();
                let awaiting = self.verifications.get(&id).is_some_and(|(ended, _)| !ended);
                assert_eq!(outcome.is_ok(), awaiting);
                if awaiting {
                    self.verifications.insert(id, (true, until));
                }
            }
            Step::Remove { id } => {
                store
                    .remove_verification(Ulid::from(u128::from(id)))
                    .await
                    .unwrap();
                self.verifications.remove(&id);
            }
            Step::Issue {
                key,
                assertion,
                until,
            } => {
                let seen = assertion.is_some_and(|id| self.assertions.contains_key(&id));
                let outcome = store
                    .issue_token(token(key, assertion, until))
                    .await
                    .unwrap();
                assert_eq!(outcome.is_err(), seen);
                if !seen {
                    self.assertions.extend(assertion.map(|id| (id, until)));
                    self.tokens.insert(key, until);
                }
            }
            Step::Sweep { now } => {
                while store.sweep(now, 3, |_| false).await.unwrap() == 3 {}
                self.sweep(now);
            }
            Step::Restart => {}
        }
    }

    fn compare(&self, store: &Store) {
        for id in 0..6 {
            let there = store.verification(Ulid::from(u128::from(id))).unwrap();
            let found = there.map(|row| (row.outcome.is_some(), row.kept_until));
            assert_eq!(found, self.verifications.get(&id).copied());
            let nonce = store.nonce(&[id; 32]).unwrap();
            assert_eq!(nonce.is_some(), self.nonces.contains_key(&id));
        }
        let tokens: BTreeSet<u8> = store
            .tokens()
            .unwrap()
            .iter()
            .map(|(key, _)| key[0])
            .collect();
        assert_eq!(tokens, self.tokens.keys().copied().collect());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_store_does_what_a_plain_map_would_and_forgets_nothing_at_a_restart(
        steps in prop::collection::vec(any_step(), 1..40)
    ) {
        let (folder, mut store) = fresh();
        let mut model = Model::default();
        for step in &steps {
            if matches!(step, Step::Restart) {
                drop(store);
                store = reopen(&folder.path().join("state.redb"));
            }
            runtime().block_on(model.step(&store, step));
            model.compare(&store);
        }
    }
}

#[tokio::test]
async fn of_many_requests_with_one_nonce_at_the_same_time_one_wins() {
    let (_folder, store) = fresh();
    let racers = (0..50).map(|id| store.open_verification(opening(id, 1, 10)));
    let outcomes = futures::future::join_all(racers).await;
    let won = outcomes
        .into_iter()
        .filter(|outcome| matches!(outcome, Ok(Ok(()))));
    assert_eq!(won.count(), 1);
}

#[tokio::test]
async fn an_assertion_gets_one_token_however_many_ask_at_once() {
    let (_folder, store) = fresh();
    let racers = (0..50).map(|key| store.issue_token(token(key, Some(1), 10)));
    let outcomes = futures::future::join_all(racers).await;
    let won = outcomes
        .into_iter()
        .filter(|outcome| matches!(outcome, Ok(Ok(()))));
    assert_eq!(won.count(), 1);
    assert_eq!(store.tokens().unwrap().len(), 1);
}

#[test]
fn the_file_is_for_its_owner_only_and_for_one_process() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, _store) = fresh();
    let path = folder.path().join("state.redb");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(open(&path).err().unwrap().code(), 69);
}

#[test]
fn a_file_of_a_newer_version_is_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    for (version, word) in [(VERSION + 1, "state_newer"), (0, "no release wrote")] {
        let database = redb::Database::create(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction
            .open_table(META)
            .unwrap()
            .insert(FORMAT, version)
            .unwrap();
        transaction.commit().unwrap();
        drop(database);
        let exit = open(&path).err().unwrap();
        assert_eq!(exit.code(), 65);
        assert!(exit.to_string().contains(word), "{exit}");
    }
}

#[test]
fn a_file_that_is_no_state_is_refused_and_a_folder_that_is_missing_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    std::fs::write(
        &path,
        "this is not a database, and never was one".repeat(200),
    )
    .unwrap();
    assert_eq!(open(&path).err().unwrap().code(), 65);
    let missing = open(&folder.path().join("no/such/folder/state.redb"))
        .err()
        .unwrap();
    assert_eq!(missing.code(), 73);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_an_error_and_not_an_absence() {
    let (_folder, store) = fresh();
    let id = Ulid::from(1_u128);
    let spoil = |tables: &mut Tables<'_>| {
        tables.put(
            tables::Kind::Verification,
            &Ulid::from(1_u128).to_bytes(),
            9,
            b"rubbish",
        )
    };
    store.write(spoil).await.unwrap();
    assert!(store.verification(id).is_err());
    // A change that meets it fails; one that shares its transaction does not.
    let ending = Ending {
        outcome: Outcome::Cancelled,
        kept_until: 9,
        nonce: None,
        idempotency: None,
    };
    let (broken, sound) = tokio::join!(
        store.end_verification(id, ending),
        store.open_verification(opening(2, 2, 10)),
    );
    assert!(broken.is_err());
    sound.unwrap().unwrap();
}

#[tokio::test]
async fn a_panic_of_the_writing_thread_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let health = health();
    let check = health.register_check("state");
    let path = folder.path().join("state.redb");
    let store = Store::open(&path, check, StoreMetrics::default()).unwrap();
    let lost = store.write(|_| -> Result<(), Fault> { panic!("called up by a test") });
    assert!(lost.await.is_err());
    store.ended().await;
    assert!(!health.is_ready());
    assert!(store.sweep(1, 1, |_| false).await.is_err());
}

#[tokio::test]
async fn rows_whose_keys_are_lost_are_an_error_and_not_an_absence() {
    let (folder, store) = fresh();
    let path = folder.path().join("state.redb");
    store
        .issue_token(token(1, None, 10))
        .await
        .unwrap()
        .unwrap();
    store
        .open_verification(opening(1, 1, 10))
        .await
        .unwrap()
        .unwrap();
    drop(store);
    drop(reopen(&path));
    std::fs::remove_file(folder.path().join("state.keys")).unwrap();
    let store = reopen(&path);
    assert!(store.nonce(&[1; 32]).is_err());
    assert!(store.tokens().is_err());
}

#[tokio::test]
async fn a_failed_write_is_told_to_everybody_in_it_and_the_next_one_works() {
    let folder = tempfile::tempdir().unwrap();
    let health = health();
    let check = health.register_check("state");
    let path = folder.path().join("state.redb");
    let store = Store::open(&path, check, StoreMetrics::default()).unwrap();
    let broken = store.write(|_| Err::<(), _>(redb::Error::Corrupted("a test".to_owned()).into()));
    assert!(broken.await.is_err());
    while health.is_ready() {
        tokio::task::yield_now().await;
    }
    store
        .open_verification(opening(1, 1, 10))
        .await
        .unwrap()
        .unwrap();
    assert!(health.is_ready());
    assert!(store.verification(Ulid::from(1_u128)).unwrap().is_some());
}

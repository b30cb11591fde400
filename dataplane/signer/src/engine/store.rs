//! Which keys there are: made, recorded, replaced, destroyed, in an order that survives a crash at
//! any point.
//!
//! | crash | the next start finds | and does |
//! | --- | --- | --- |
//! | while a key pair is made | half of it, unrecorded | destroys the half, or leaves what cannot be used |
//! | before it is recorded | a key that signs, unrecorded | records it: it is the newest, so it is current |
//! | before the old key's leaving is recorded | two recorded keys | works it out from the successor's age |
//! | while a key is destroyed | a record that says so | finishes |
//!
//! A recorded key that still is promised to verifiers but is not in the token stops the start: the
//! token was exchanged or set back, and going on would hide it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use cryptoki::object::ObjectClass;
use cryptoki::session::Session;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::keys_file::{KeysFile, Record, Records, Sealed};
use super::ring::{Custody, Key, Ring};
use super::{Class, KeyLabel, Purpose, SignerError, StartError, TokenError, files, objects, sign};

/// Result keys that may be published at once; a key set is fetched by every relying party.
const MAX_PUBLISHED: usize = 16;

/// The keys and their record.
pub(super) struct KeyStore {
    file: KeysFile,
    records: Records,
    ring: Arc<Ring>,
    overlap: Duration,
    token_directory: Option<PathBuf>,
    ed25519_in_token: bool,
}

impl KeyStore {
    /// Brings token and record into agreement and makes the keys that are missing.
    pub(super) fn reconcile(
        session: &Session,
        (file, records): (KeysFile, Records),
        (overlap, token_directory): (Duration, Option<PathBuf>),
        ed25519_in_token: bool,
        now: Timestamp,
    ) -> Result<Self, StartError> {
        let ring = Arc::default();
        let mut store = Self {
            file,
            records,
            ring,
            overlap,
            token_directory,
            ed25519_in_token,
        };
        if let Err(error) = store.finish_destruction(session) {
            tracing::warn!(%error, "a replaced key is not destroyed yet; trying again later");
        }
        let mut keys = store.load_recorded(session, now)?;
        keys.extend(store.adopt_unrecorded(session)?);
        for purpose in Purpose::PUBLISHED {
            if !keys.iter().any(|key| key.label.purpose() == purpose) {
                keys.push(store.make(session, purpose, now, None)?);
            }
        }
        store.settle(keys);
        store
            .save()
            .map_err(|error| files::cannot_write(store.file.path(), &error))?;
        for purpose in Purpose::PUBLISHED {
            store.prove(session, purpose)?;
        }
        Ok(store)
    }

    /// The keys as they are now.
    pub(super) fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring)
    }

    /// Makes a new result key the current one.
    pub(super) fn rotate(
        &mut self,
        session: &Session,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<(), SignerError> {
        if purpose != Purpose::Result {
            return Err(SignerError::RotationRefused(
                "the checkpoint key is the log's identity",
            ));
        }
        let results = self
            .ring
            .published(now)
            .into_iter()
            .filter(|key| key.purpose == purpose);
        if results.count() >= MAX_PUBLISHED {
            return Err(SignerError::RotationRefused(
                "too many replaced keys are still published",
            ));
        }
        let before = self.ring.current(purpose).map(|key| key.label);
        let key = self
            .make(session, purpose, now, before.as_ref())
            .map_err(|error| self.full_or(error))?;
        let (records, ring) = (self.records.clone(), self.ring());
        let keys = ring
            .keys()
            .map(|(key, _)| Arc::clone(key))
            .chain([Arc::clone(&key)])
            .collect();
        self.settle(keys);
        if let Err(error) = self.save() {
            (self.records, self.ring) = (records, ring);
            // If this fails too, the next start takes the key for the newest, which does no harm.
            let _ = objects::destroy(session, &key.label);
            return Err(SignerError::Unavailable(format!(
                "{}: {error}",
                self.file.path().display()
            )));
        }
        tracing::info!(purpose = purpose.name(), key_id = key.kid, "key rotated");
        Ok(())
    }

    /// Destroys the keys that have left the published set, and replaces a result key of the age `every`.
    pub(super) fn maintain(
        &mut self,
        session: &Session,
        every: Option<Duration>,
        now: Timestamp,
    ) -> Result<(), SignerError> {
        self.sweep(session, now)?;
        // Looked at here, where keys are changed: who asked may have seen the ring before a change.
        let due = self.ring.rotation_due(every);
        if due.is_some_and(|due| due <= now) {
            self.rotate(session, Purpose::Result, now)?;
        }
        Ok(())
    }

    fn sweep(&mut self, session: &Session, now: Timestamp) -> Result<(), SignerError> {
        let retired = self.ring.retired(now);
        if retired.is_empty() && !self.records.keys.iter().any(|record| record.destroying) {
            return Ok(());
        }
        for record in &mut self.records.keys {
            record.destroying |= retired.contains(&record.label);
        }
        let kept = self
            .ring
            .keys()
            .filter(|(key, _)| !retired.contains(&key.label));
        self.ring = Arc::new(Ring::new(
            kept.map(|(key, leaves)| (Arc::clone(key), leaves))
                .collect(),
            self.overlap,
        ));
        let unsaved = |error: std::io::Error| SignerError::Unavailable(error.to_string());
        self.save().map_err(unsaved)?;
        self.finish_destruction(session)?;
        self.save().map_err(unsaved)?;
        tracing::info!(keys = retired.len(), "replaced keys destroyed");
        Ok(())
    }

    /// Destroys what is marked for it; what resists stays marked.
    fn finish_destruction(&mut self, session: &Session) -> Result<(), TokenError> {
        let mut outcome = Ok(());
        self.records.keys.retain(|record| {
            if !record.destroying {
                return true;
            }
            let destroyed = objects::destroy(session, &record.label);
            let resists = destroyed.is_err();
            if resists {
                outcome = destroyed;
            }
            resists
        });
        outcome
    }

    fn load_recorded(
        &mut self,
        session: &Session,
        now: Timestamp,
    ) -> Result<Vec<Arc<Key>>, StartError> {
        let path = self.file.path().display().to_string();
        let mut keys = Vec::new();
        let mut gone = Vec::new();
        for record in self.records.keys.iter().filter(|record| !record.destroying) {
            let loaded = match load(session, &record.label, record.sealed.as_ref()) {
                // A sealed key that does not open is as lost as one that is not there.
                Err(error) if record.sealed.is_some() && !error.class.needs_recovery() => None,
                other => other?,
            };
            match loaded {
                Some(key) if key.kid == record.key_id => keys.push(Arc::new(key)),
                None if record.retires_at.is_some_and(|at| at <= now) => {
                    gone.push(record.label);
                }
                _ => {
                    let id = &record.key_id;
                    let text = format!(
                        "{path} promises the key {id}, but the token does not hold it; restore the token that goes with this record"
                    );
                    return Err(StartError::KeysRefused(text));
                }
            }
        }
        self.records
            .keys
            .retain(|record| !gone.contains(&record.label));
        Ok(keys)
    }

    /// Keys that a crash left without a record: those that sign are taken, halves destroyed. One
    /// that has both halves and does not sign is left alone, in case the fault is the token's today.
    fn adopt_unrecorded(&self, session: &Session) -> Result<Vec<Arc<Key>>, StartError> {
        let mut adopted = Vec::new();
        for (label, classes) in objects::list(session)? {
            let recorded = self.records.keys.iter().any(|record| record.label == label);
            if recorded || label.purpose() == Purpose::Seal {
                continue;
            }
            tracing::warn!(%label, "a key without a record: an earlier start or rotation was cut short");
            let halves = [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY];
            if !halves.iter().all(|half| classes.contains(half)) {
                if let Err(error) = objects::destroy(session, &label) {
                    tracing::warn!(%label, %error, "half a key is not destroyed");
                }
                continue;
            }
            let key = load(session, &label, None).ok().flatten();
            adopted.extend(key.filter(|key| sign::proves(session, key)).map(Arc::new));
        }
        Ok(adopted)
    }

    /// Makes a key of the purpose and brings it to disk; it is not recorded yet.
    fn make(
        &mut self,
        session: &Session,
        purpose: Purpose,
        now: Timestamp,
        after: Option<&KeyLabel>,
    ) -> Result<Arc<Key>, TokenError> {
        let label = new_label(purpose, now, after)?;
        let made = match purpose {
            Purpose::Checkpoint if !self.ed25519_in_token => {
                return self.make_wrapped(session, label, now);
            }
            Purpose::Checkpoint => objects::make_ed25519(session, &label),
            _ => objects::make_p256(session, &label),
        };
        let key = made.and_then(|()| self.synced(load(session, &label, None)?));
        match key {
            Ok(Some(key)) if sign::proves(session, &key) => Ok(Arc::new(key)),
            other => {
                let _ = objects::destroy(session, &label);
                Err(other.err().unwrap_or_else(|| unusable(&label)))
            }
        }
    }

    /// Makes an Ed25519 key in memory and records it sealed; only then may it be used.
    fn make_wrapped(
        &mut self,
        session: &Session,
        label: KeyLabel,
        now: Timestamp,
    ) -> Result<Arc<Key>, TokenError> {
        let by = self.sealing_key(session, now)?;
        let mut seed = Zeroizing::new([0_u8; 32]);
        rand::fill(seed.as_mut_slice()).map_err(|_| unusable(&label))?;
        let sealed = objects::seal(session, &by, &label, seed.as_slice())?;
        let key = load(session, &label, Some(&sealed))?.ok_or_else(|| unusable(&label))?;
        self.records.keys.push(record(&key, Some(sealed)));
        Ok(Arc::new(key))
    }

    /// The newest sealing key; one that a crash left unused is as good as a new one.
    fn sealing_key(&self, session: &Session, now: Timestamp) -> Result<KeyLabel, TokenError> {
        let mut labels = objects::list(session)?.into_keys();
        if let Some(by) = labels.rfind(|label| label.purpose() == Purpose::Seal) {
            return Ok(by);
        }
        let by = new_label(Purpose::Seal, now, None)?;
        objects::make_seal(session, &by)?;
        self.synced(by)
    }

    /// Builds the ring of `keys` and the records that go with it.
    fn settle(&mut self, keys: Vec<Arc<Key>>) {
        let recorded: BTreeMap<_, _> = self
            .records
            .keys
            .iter()
            .map(|record| (&record.label, record.retires_at))
            .collect();
        let timed = keys.into_iter().map(|key| {
            let leaves = recorded.get(&key.label).copied().flatten();
            (key, leaves)
        });
        let ring = Ring::new(timed.collect(), self.overlap);
        for (key, leaves) in ring.keys() {
            let known = self
                .records
                .keys
                .iter_mut()
                .position(|record| record.label == key.label);
            let index = known.unwrap_or_else(|| {
                self.records.keys.push(record(key, None));
                self.records.keys.len() - 1
            });
            self.records.keys[index].retires_at = leaves;
        }
        self.ring = Arc::new(ring);
    }

    fn save(&self) -> std::io::Result<()> {
        self.file.write(&self.records)
    }

    /// `made`, once the token's files are on disk, where this program looks after them.
    fn synced<T>(&self, made: T) -> Result<T, TokenError> {
        if let Some(folder) = &self.token_directory {
            let failed =
                |error| TokenError::new(Class::Resources, format!("{}: {error}", folder.display()));
            files::sync_tree(folder).map_err(failed)?;
        }
        Ok(made)
    }

    fn prove(&self, session: &Session, purpose: Purpose) -> Result<(), StartError> {
        let current = self.ring.current(purpose);
        if current.is_some_and(|key| sign::proves(session, key)) {
            return Ok(());
        }
        let purpose = purpose.name();
        let text = format!("the current {purpose} key does not make signatures that verify");
        Err(StartError::KeysRefused(text))
    }

    /// A soft token on a full disk says only that something failed.
    fn full_or(&self, error: TokenError) -> SignerError {
        let space = self
            .token_directory
            .as_ref()
            .and_then(|folder| rustix::fs::statvfs(folder).ok());
        match space {
            Some(space) if space.f_bavail == 0 || space.f_favail == 0 => SignerError::TokenFull,
            _ => error.into(),
        }
    }
}

/// The key as the token, or its sealed form, has it. `None` when a part is missing.
fn load(
    session: &Session,
    label: &KeyLabel,
    sealed: Option<&Sealed>,
) -> Result<Option<Key>, TokenError> {
    if let Some(sealed) = sealed {
        let seed = objects::open(session, label, sealed)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| unusable(label))?;
        let point = pair.public_key().as_ref().to_vec();
        return Ok(Key::new(*label, point, Custody::Wrapped(Box::new(pair))));
    }
    if objects::find(session, label, ObjectClass::PRIVATE_KEY)?.is_none() {
        return Ok(None);
    }
    let length = if label.purpose() == Purpose::Result {
        65
    } else {
        32
    };
    let point = objects::public_point(session, label, length)?;
    Ok(point.and_then(|point| Key::new(*label, point, Custody::Token)))
}

fn record(key: &Key, sealed: Option<Sealed>) -> Record {
    Record {
        label: key.label,
        key_id: key.kid.clone(),
        retires_at: None,
        destroying: false,
        sealed,
    }
}

fn new_label(
    purpose: Purpose,
    now: Timestamp,
    after: Option<&KeyLabel>,
) -> Result<KeyLabel, TokenError> {
    KeyLabel::new(purpose, now, after)
        .ok_or_else(|| TokenError::new(Class::Other, "no random numbers"))
}

fn unusable(label: &KeyLabel) -> TokenError {
    TokenError::new(
        Class::Other,
        format!("the token made the key {label}, but it cannot be used"),
    )
}

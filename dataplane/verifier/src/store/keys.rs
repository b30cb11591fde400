//! Why a deleted row cannot be read from the disk any more.
//!
//! The database writes every change to fresh pages, and a deleted row stays in a page that is free
//! now. So each row is sealed (AES-256-GCM) under a key of the minute in which it expires, and when
//! nothing of a minute is left its key is overwritten: after that its rows are noise, wherever copies
//! of them lie in the file. Keys stand in a small file of their own, in slots that are written in
//! place and synced, so that overwriting reaches the same bytes of the disk.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use pavilion_json::Digest;
use zeroize::Zeroizing;

use super::fault::Fault;

/// How long the rows of one key may expire apart, in seconds: so much later than the first of them,
/// all of them are unreadable.
const SPAN: u64 = 60;

const KEY: usize = 32;
const MINUTE: usize = 8;
const CHECK: usize = 16;

/// A slot: a minute, its key, the beginning of their digest, and zeros. Slots lie within sectors, so
/// that a crash leaves a slot as it was, or new, or one that its digest gives away.
const SLOT: usize = 64;

/// More slots than two days have minutes, the longest that any row is kept.
const MOST_SLOTS: usize = 16_384;

/// The minute in which an expiry lies.
pub(super) fn minute(expires_at: u64) -> u64 {
    expires_at / SPAN
}

/// The keys of the minutes that are not over, to read with. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Keys(Arc<RwLock<BTreeMap<u64, RandomizedNonceKey>>>);

/// The keys, held: none is forgotten until this is dropped.
pub(super) struct HeldKeys<'k>(RwLockReadGuard<'k, BTreeMap<u64, RandomizedNonceKey>>);

impl Keys {
    /// Holds the keys. Take them before a transaction begins to read: what it finds can be opened.
    pub(super) fn hold(&self) -> HeldKeys<'_> {
        HeldKeys(self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self) -> RwLockWriteGuard<'_, BTreeMap<u64, RandomizedNonceKey>> {
        // Every change is one call on the map, so a panic elsewhere leaves it whole.
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeldKeys<'_> {
    /// Opens what was sealed for this expiry and place.
    pub(super) fn open(
        &self,
        expires_at: u64,
        place: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, Fault> {
        let key = self.0.get(&minute(expires_at)).ok_or(Fault::Row)?;
        let (nonce, content) = sealed.split_at_checked(NONCE_LEN).ok_or(Fault::Row)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Fault::Row)?;
        let mut content = content.to_vec();
        let opened = key.open_in_place(nonce, bound_to(expires_at, place), &mut content);
        let length = opened.map_err(|_| Fault::Row)?.len();
        content.truncate(length);
        Ok(content)
    }
}

/// The file of the keys; the writing thread has it.
pub(super) struct KeyFile {
    file: File,
    /// Whose key stands in each slot.
    slots: Vec<Option<u64>>,
    keys: Keys,
}

impl KeyFile {
    /// Opens the file, or makes it with mode 0600.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        // The file's name must be as durable as the rows that need it.
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        let mut bytes = Zeroizing::new(Vec::new());
        (&file)
            .take((MOST_SLOTS * SLOT) as u64)
            .read_to_end(&mut bytes)?;
        let keys = Keys::default();
        let mut slots = Vec::new();
        for slot in bytes.chunks_exact(SLOT) {
            let known = read_slot(slot);
            slots.push(known.as_ref().map(|(minute, _)| *minute));
            keys.change().extend(known);
        }
        Ok(Self { file, slots, keys })
    }

    /// The keys, for those who read.
    pub(super) fn keys(&self) -> Keys {
        self.keys.clone()
    }

    /// Seals content for its expiry and place. The key is on disk before what it seals.
    pub(super) fn seal(
        &mut self,
        expires_at: u64,
        place: &[u8],
        content: &[u8],
    ) -> Result<Vec<u8>, Fault> {
        self.ensure(minute(expires_at))?;
        let keys = self.keys.hold();
        let key = keys.0.get(&minute(expires_at)).ok_or(Fault::Row)?;
        let mut sealed = content.to_vec();
        let nonce = key
            .seal_in_place_append_tag(bound_to(expires_at, place), &mut sealed)
            .map_err(no_randomness)?;
        Ok([nonce.as_ref(), sealed.as_slice()].concat())
    }

    /// Overwrites the keys of all minutes before this one.
    pub(super) fn forget_before(&mut self, minute: u64) -> io::Result<()> {
        let mut keys = self.keys.change();
        let later = keys.split_off(&minute);
        *keys = later;
        drop(keys);
        let old = |slot: &Option<u64>| slot.is_some_and(|known| known < minute);
        let spent: Vec<usize> = (0..self.slots.len())
            .filter(|index| old(&self.slots[*index]))
            .collect();
        if spent.is_empty() {
            return Ok(());
        }
        for index in &spent {
            self.file.write_all_at(&[0; SLOT], offset(*index))?;
        }
        self.file.sync_all()?;
        for index in spent {
            self.slots[index] = None;
        }
        Ok(())
    }

    /// Makes the key of a minute, unless it is there.
    fn ensure(&mut self, minute: u64) -> Result<(), Fault> {
        if self.keys.hold().0.contains_key(&minute) {
            return Ok(());
        }
        let mut secret = Zeroizing::new([0; KEY]);
        aws_lc_rs::rand::fill(secret.as_mut()).map_err(no_randomness)?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, secret.as_ref()).map_err(no_randomness)?;
        let free = self.slots.iter().position(Option::is_none);
        let index = free.unwrap_or(self.slots.len());
        if index >= MOST_SLOTS {
            return Err(io::Error::other("the file of the keys is full").into());
        }
        let slot = write_slot(minute, &secret);
        self.file.write_all_at(slot.as_ref(), offset(index))?;
        self.file.sync_all()?;
        match self.slots.get_mut(index) {
            Some(slot) => *slot = Some(minute),
            None => self.slots.push(Some(minute)),
        }
        self.keys.change().insert(minute, key);
        Ok(())
    }
}

/// A sealed row counts only where and until when it was written.
fn bound_to(expires_at: u64, place: &[u8]) -> Aad<Vec<u8>> {
    Aad::from([&expires_at.to_be_bytes(), place].concat())
}

fn offset(index: usize) -> u64 {
    (index * SLOT) as u64
}

fn no_randomness(_: aws_lc_rs::error::Unspecified) -> Fault {
    io::Error::other("the system has no randomness to give").into()
}

fn write_slot(minute: u64, secret: &[u8; KEY]) -> Zeroizing<[u8; SLOT]> {
    let mut slot = Zeroizing::new([0; SLOT]);
    slot[..MINUTE].copy_from_slice(&minute.to_be_bytes());
    slot[MINUTE..MINUTE + KEY].copy_from_slice(secret);
    let check = Digest::of(&slot[..MINUTE + KEY]);
    slot[MINUTE + KEY..MINUTE + KEY + CHECK].copy_from_slice(&check.as_bytes()[..CHECK]);
    slot
}

/// What stands in a slot; nothing if it is free or a crash cut it short: no row was sealed then.
fn read_slot(slot: &[u8]) -> Option<(u64, RandomizedNonceKey)> {
    let (content, rest) = slot.split_at_checked(MINUTE + KEY)?;
    if Digest::of(content).as_bytes()[..CHECK] != rest[..CHECK] {
        return None;
    }
    let minute = u64::from_be_bytes(*content.first_chunk()?);
    let key = RandomizedNonceKey::new(&AES_256_GCM, &content[MINUTE..]).ok()?;
    Some((minute, key))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_sealed_opens_again_in_its_place_and_until_its_key_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let mut keys = KeyFile::open(&path).unwrap();
        let early = keys.seal(119, b"place", b"content").unwrap();
        let late = keys.seal(120, b"place", b"content").unwrap();
        drop(keys);
        let mut keys = KeyFile::open(&path).unwrap();
        let read = keys.keys();
        let open = |at, place: &[u8], sealed: &[u8]| read.hold().open(at, place, sealed).ok();
        assert_eq!(open(119, b"place", &early).unwrap(), b"content");
        assert!(open(118, b"place", &early).is_none());
        assert!(open(119, b"other", &early).is_none());
        assert!(open(119, b"place", &early[..20]).is_none());
        keys.forget_before(2).unwrap();
        assert!(open(119, b"place", &early).is_none());
        assert_eq!(open(120, b"place", &late).unwrap(), b"content");
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes[..SLOT], [0; SLOT], "the slot is overwritten");
        // And used again.
        keys.seal(240, b"place", b"content").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 2 * SLOT as u64);
    }

    #[test]
    fn a_slot_that_a_crash_cut_short_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let mut keys = KeyFile::open(&path).unwrap();
        let sealed = keys.seal(60, b"p", b"content").unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let torn: Vec<u8> = bytes[..30].to_vec();
        bytes.extend(torn);
        bytes.extend([7; 60]);
        std::fs::write(&path, bytes).unwrap();
        let mut keys = KeyFile::open(&path).unwrap();
        assert_eq!(keys.slots, [Some(1), None]);
        let again = keys.seal(120, b"p", b"more").unwrap();
        let keys = KeyFile::open(&path).unwrap().keys();
        assert_eq!(keys.hold().open(60, b"p", &sealed).unwrap(), b"content");
        assert_eq!(keys.hold().open(120, b"p", &again).unwrap(), b"more");
    }
}

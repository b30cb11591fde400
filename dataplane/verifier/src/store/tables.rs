//! The tables, and the index that every expiry stands in.

use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction};

use super::Key;

pub(super) const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// The member of [`META`] that holds the format's version.
pub(super) const FORMAT: &str = "format";

type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;

const VERIFICATIONS: Rows = TableDefinition::new("verifications");
const NONCES: Rows = TableDefinition::new("nonces");
const ASSERTIONS: Rows = TableDefinition::new("assertions");
const IDEMPOTENCY: Rows = TableDefinition::new("idempotency");
const TOKENS: Rows = TableDefinition::new("tokens");
/// (expiry in seconds since the epoch, kind, key). An entry may be older than the row's own expiry;
/// the row decides.
const EXPIRIES: TableDefinition<(u64, u8, &[u8]), ()> = TableDefinition::new("expiries");

/// Which table a row stands in. The numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Verification = 1,
    Nonce = 2,
    Assertion = 3,
    Idempotency = 4,
    Token = 5,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Verification,
        Self::Nonce,
        Self::Assertion,
        Self::Idempotency,
        Self::Token,
    ];

    const fn definition(self) -> Rows {
        match self {
            Self::Verification => VERIFICATIONS,
            Self::Nonce => NONCES,
            Self::Assertion => ASSERTIONS,
            Self::Idempotency => IDEMPOTENCY,
            Self::Token => TOKENS,
        }
    }

    const fn index(self) -> usize {
        self as usize - 1
    }
}

/// All tables of one write transaction. A row is its expiry (8 bytes, big-endian) and its content.
pub(super) struct Tables<'t> {
    rows: [Table<'t, &'static [u8], &'static [u8]>; 5],
    expiries: Table<'t, (u64, u8, &'static [u8]), ()>,
}

/// The expiry in front of a row.
const EXPIRY: usize = 8;

impl<'t> Tables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, redb::Error> {
        let table = |kind: Kind| transaction.open_table(kind.definition());
        Ok(Self {
            rows: [
                table(Kind::ALL[0])?,
                table(Kind::ALL[1])?,
                table(Kind::ALL[2])?,
                table(Kind::ALL[3])?,
                table(Kind::ALL[4])?,
            ],
            expiries: transaction.open_table(EXPIRIES)?,
        })
    }

    /// The content of a row.
    pub(super) fn get(&self, kind: Kind, key: &[u8]) -> Result<Option<Vec<u8>>, redb::Error> {
        let row = self.rows[kind.index()].get(key)?;
        Ok(row.map(|row| content(row.value()).to_vec()))
    }

    /// Writes a row over what was there.
    pub(super) fn put(
        &mut self,
        kind: Kind,
        key: &[u8],
        expires_at: u64,
        content: &[u8],
    ) -> Result<(), redb::Error> {
        let mut row = Vec::with_capacity(EXPIRY + content.len());
        row.extend_from_slice(&expires_at.to_be_bytes());
        row.extend_from_slice(content);
        self.rows[kind.index()].insert(key, row.as_slice())?;
        self.expiries.insert((expires_at, kind as u8, key), ())?;
        Ok(())
    }

    /// Deletes a row; its entry in the index goes with the sweep.
    pub(super) fn remove(&mut self, kind: Kind, key: &[u8]) -> Result<(), redb::Error> {
        self.rows[kind.index()].remove(key)?;
        Ok(())
    }

    /// Deletes up to `limit` rows whose expiry is not after `now`, except those that are spared; says
    /// how many entries it took.
    pub(super) fn sweep(
        &mut self,
        now: u64,
        limit: usize,
        spared: &dyn Fn(Kind, &[u8]) -> bool,
    ) -> Result<usize, redb::Error> {
        let mut due = Vec::new();
        for entry in self.expiries.range(..(now.saturating_add(1), 0, &[][..]))? {
            if due.len() == limit {
                break;
            }
            let (key, _) = entry?;
            let (at, number, row) = key.value();
            let kind = Kind::ALL.into_iter().find(|kind| *kind as u8 == number);
            if !kind.is_some_and(|kind| spared(kind, row)) {
                due.push((at, number, kind, row.to_vec()));
            }
        }
        for (at, number, kind, key) in &due {
            self.expiries.remove((*at, *number, key.as_slice()))?;
            let Some(kind) = kind else {
                continue;
            };
            let rows = &mut self.rows[kind.index()];
            // The row may have been given a later expiry since; then another entry names it.
            let passed = rows
                .get(key.as_slice())?
                .is_some_and(|row| expiry(row.value()) <= now);
            if passed {
                rows.remove(key.as_slice())?;
            }
        }
        Ok(due.len())
    }
}

/// Reads the content of one row of what is committed.
pub(super) fn read(
    transaction: &ReadTransaction,
    kind: Kind,
    key: &[u8],
) -> Result<Option<Vec<u8>>, redb::Error> {
    let rows = transaction.open_table(kind.definition())?;
    let row = rows.get(key)?;
    Ok(row.map(|row| content(row.value()).to_vec()))
}

/// Reads every row of one table of what is committed.
pub(super) fn read_all(
    transaction: &ReadTransaction,
    kind: Kind,
) -> Result<Vec<(Key, Vec<u8>)>, redb::Error> {
    let rows = transaction.open_table(kind.definition())?;
    let mut all = Vec::new();
    for row in rows.range::<&[u8]>(..)? {
        let (key, row) = row?;
        if let Ok(key) = key.value().try_into() {
            all.push((key, content(row.value()).to_vec()));
        }
    }
    Ok(all)
}

fn content(row: &[u8]) -> &[u8] {
    row.get(EXPIRY..).unwrap_or_default()
}

fn expiry(row: &[u8]) -> u64 {
    row.first_chunk::<EXPIRY>()
        .map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

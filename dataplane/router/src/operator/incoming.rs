//! Puts the parts of a state together, within limits.

use bytes::Bytes;
use pavilion_bundle::MAX_DOCUMENT_BYTES;
use pavilion_json::Digest;
use pavilion_rpc::routes::part::Part as Kind;
use pavilion_rpc::routes::{MAX_FILE_BYTES, Part, Seen};

use super::store::Store;

/// The most bytes of files in one state; a thousand tenants have some 6 MB.
const MAX_STATE_BYTES: usize = 256 * 1024 * 1024;

/// What came of a state so far.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    table: Vec<u8>,
    file_bytes: usize,
}

/// A whole state.
#[derive(Debug)]
pub(super) struct State {
    /// Of its table.
    pub(super) digest: Digest,
    /// Empty when the router has it.
    pub(super) table: Vec<u8>,
    /// Which changes it is made of.
    pub(super) seen: Seen,
}

impl Incoming {
    /// Takes the next part; a state when that was the last of it.
    ///
    /// # Errors
    /// What the operator may not send, or why a file cannot be kept.
    pub(super) fn take(&mut self, part: Part, store: &mut Store) -> Result<Option<State>, String> {
        match part.part {
            Some(Kind::Files(files)) => self.files(&files.contents, store).map(|()| None),
            Some(Kind::Table(piece)) => self.piece(&piece).map(|()| None),
            Some(Kind::State(state)) => {
                let digest = <[u8; 32]>::try_from(&state.table[..])
                    .map_err(|_| "the operator sent a digest that is none")?;
                self.file_bytes = 0;
                Ok(Some(State {
                    digest: digest.into(),
                    table: std::mem::take(&mut self.table),
                    seen: state.seen.unwrap_or_default(),
                }))
            }
            // Of a newer release.
            None => Ok(None),
        }
    }

    fn files(&mut self, contents: &[Bytes], store: &mut Store) -> Result<(), String> {
        for content in contents {
            if content.is_empty() || content.len() > MAX_FILE_BYTES {
                let size = content.len();
                return Err(format!("the operator sent a file of {size} bytes"));
            }
            self.file_bytes += content.len();
            if self.file_bytes > MAX_STATE_BYTES {
                return Err("the operator sent more files than a state may have".to_owned());
            }
            store
                .put(content)
                .map_err(|error| format!("a file cannot be kept: {error}"))?;
        }
        Ok(())
    }

    fn piece(&mut self, piece: &[u8]) -> Result<(), String> {
        if self.table.len() + piece.len() > MAX_DOCUMENT_BYTES {
            return Err("the operator sent a route table of more than 16 MiB".to_owned());
        }
        self.table.extend_from_slice(piece);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use pavilion_rpc::routes::{Files, State as Last};

    use super::*;

    fn take(incoming: &mut Incoming, kind: Kind) -> Result<Option<State>, String> {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        incoming.take(Part { part: Some(kind) }, &mut store)
    }

    fn files(contents: Vec<Vec<u8>>) -> Kind {
        let contents = contents.into_iter().map(Bytes::from).collect();
        Kind::Files(Files { contents })
    }

    #[test]
    fn a_table_comes_in_pieces() {
        let mut incoming = Incoming::default();
        for piece in ["one ", "table"] {
            let piece = Kind::Table(Bytes::from_static(piece.as_bytes()));
            assert!(take(&mut incoming, piece).unwrap().is_none());
        }
        let last = || {
            Kind::State(Last {
                table: super::super::bytes_of(Digest::of(b"one table")),
                seen: None,
            })
        };
        let state = take(&mut incoming, last()).unwrap().unwrap();
        assert_eq!(
            (&state.table[..], state.digest),
            (&b"one table"[..], Digest::of(b"one table"))
        );
        assert!(
            take(&mut incoming, last())
                .unwrap()
                .unwrap()
                .table
                .is_empty()
        );
    }

    #[test]
    fn what_is_too_much_or_makes_no_sense_ends_the_stream() {
        let mut incoming = Incoming::default();
        let large = files(vec![vec![0; MAX_FILE_BYTES + 1]]);
        assert!(
            take(&mut incoming, large)
                .unwrap_err()
                .contains("65537 bytes")
        );
        assert!(take(&mut incoming, files(vec![Vec::new()])).is_err());
        let piece = || Kind::Table(vec![b'x'; 4 * 1024 * 1024].into());
        for _ in 0..4 {
            take(&mut incoming, piece()).unwrap();
        }
        assert!(take(&mut incoming, piece()).unwrap_err().contains("16 MiB"));
        let odd = Kind::State(Last {
            table: Bytes::from_static(b"short"),
            seen: None,
        });
        assert!(take(&mut incoming, odd).unwrap_err().contains("digest"));
        incoming.file_bytes = MAX_STATE_BYTES;
        assert!(take(&mut incoming, files(vec![b"x".to_vec()])).is_err());
    }
}

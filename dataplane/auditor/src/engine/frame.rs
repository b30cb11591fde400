//! The bytes of the write-ahead log: a segment header, then one frame for each batch.
//!
//! A frame is what one fsync made durable. Its checksum is SHA-256 over the segment's header, the
//! frame's own header and the leaf hashes of its entries; since a leaf hash covers an entry, every
//! byte is covered, and the leaf hashes are needed anyway. Batches are written one after the
//! other, each after the fsync of the one before, so only the last frame of the last segment can
//! be torn. [`read`] therefore tells two things apart: bytes at the end that are no whole frame
//! and are followed by none (a torn tail, which nobody was told about), and anything else (damage).
//! The salt in a segment's header keeps frames of a recycled file's earlier life, and frames that
//! somebody wrote into an entry, from ever counting as frames of this segment.

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use pavilion_tlog::{Hash, leaf_hash, push_entry};

/// Bytes of a segment's header: magic, first index, SHA-256 of the origin, salt, checksum.
pub(crate) const SEGMENT_HEADER: usize = 8 + 8 + 32 + SALT + 32;
/// Bytes of a segment's salt: with it nobody can put a frame of ours into an entry.
pub(crate) const SALT: usize = 16;
/// Bytes of a frame's header: magic, payload length, first index, entries, checksum.
pub(crate) const FRAME_HEADER: usize = 4 + 4 + 8 + 4 + 32;
/// The longest payload a frame may have; a batch is cut long before.
pub(crate) const MAX_PAYLOAD: usize = 8 * 1024 * 1024;

const SEGMENT_MAGIC: &[u8; 8] = b"PVLWAL1\n";
const FRAME_MAGIC: &[u8; 4] = b"PVLB";

/// An entry with its leaf hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub entry: Bytes,
    pub hash: Hash,
}

impl Leaf {
    pub fn new(entry: Bytes) -> Self {
        let hash = leaf_hash(&entry);
        Self { entry, hash }
    }
}

/// A segment as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Read {
    /// Index of the first entry.
    pub first: u64,
    /// The entries of every whole frame, in order.
    pub leaves: Vec<Leaf>,
    /// Where the last whole frame ends.
    pub whole: usize,
}

/// Why a segment cannot be read as far as it claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    /// The header is not whole: a segment that was just being made.
    #[error("the segment's header is not whole")]
    NoHeader,
    /// The header is of another log.
    #[error("the segment belongs to a log with another origin")]
    OtherLog,
    /// A frame is damaged and a whole one follows it.
    #[error("a record in the middle of the write-ahead log is damaged")]
    Damaged,
}

/// A segment's header, and the seed of the checksums in it.
pub(crate) fn segment_header(first: u64, origin: &str, salt: [u8; SALT]) -> [u8; SEGMENT_HEADER] {
    let mut header = [0; SEGMENT_HEADER];
    header[..8].copy_from_slice(SEGMENT_MAGIC);
    header[8..16].copy_from_slice(&first.to_be_bytes());
    header[16..48].copy_from_slice(&sha256(&[origin.as_bytes()]));
    header[48..48 + SALT].copy_from_slice(&salt);
    let checksum = sha256(&[&header[..48 + SALT]]);
    header[48 + SALT..].copy_from_slice(&checksum);
    header
}

/// Writes one batch as a frame after what is in `out`.
pub(crate) fn write<'a>(
    out: &mut Vec<u8>,
    segment: &[u8; SEGMENT_HEADER],
    first: u64,
    leaves: impl ExactSizeIterator<Item = &'a Leaf> + Clone,
) {
    let start = out.len();
    let count = u32::try_from(leaves.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&[0; FRAME_HEADER]);
    for leaf in leaves.clone() {
        // An entry that does not fit was refused before it was queued.
        let fitted = push_entry(out, &leaf.entry);
        debug_assert!(fitted.is_ok());
    }
    let payload = u32::try_from(out.len() - start - FRAME_HEADER).unwrap_or(u32::MAX);
    let header = &mut out[start..start + FRAME_HEADER];
    header[..4].copy_from_slice(FRAME_MAGIC);
    header[4..8].copy_from_slice(&payload.to_be_bytes());
    header[8..16].copy_from_slice(&first.to_be_bytes());
    header[16..20].copy_from_slice(&count.to_be_bytes());
    let checksum = frame_checksum(segment, &header[..20], leaves.map(|leaf| &leaf.hash));
    header[20..].copy_from_slice(&checksum);
}

/// Reads a segment: every whole frame, and where they end. Bytes after that are a torn tail.
pub(crate) fn read(bytes: &Bytes, origin: &str) -> Result<Read, FrameError> {
    let header: &[u8; SEGMENT_HEADER] = bytes.first_chunk().ok_or(FrameError::NoHeader)?;
    let first = u64::from_be_bytes(array(&header[8..16]));
    let checksum = sha256(&[&header[..48 + SALT]]);
    if header[48 + SALT..] != checksum || &header[..8] != SEGMENT_MAGIC {
        return Err(FrameError::NoHeader);
    }
    if header[16..48] != sha256(&[origin.as_bytes()]) {
        return Err(FrameError::OtherLog);
    }
    let mut found = Read {
        first,
        leaves: Vec::new(),
        whole: SEGMENT_HEADER,
    };
    while let Some((leaves, end)) = frame(bytes, found.whole, header) {
        let index = u64::from_be_bytes(array(&bytes[found.whole + 8..found.whole + 16]));
        if index != first + found.leaves.len() as u64 {
            return Err(FrameError::Damaged);
        }
        found.leaves.extend(leaves);
        found.whole = end;
    }
    if is_torn_tail(
        bytes,
        found.whole,
        header,
        first + found.leaves.len() as u64,
    ) {
        Ok(found)
    } else {
        Err(FrameError::Damaged)
    }
}

/// Whether no whole frame begins after `start`: what is there is the rest of one batch that was
/// never acknowledged, or what the file held in an earlier life.
fn is_torn_tail(bytes: &Bytes, start: usize, segment: &[u8; SEGMENT_HEADER], next: u64) -> bool {
    let later = bytes[start..]
        .windows(FRAME_MAGIC.len())
        .enumerate()
        .skip(1);
    let mut marks = later.filter(|(_, window)| window == FRAME_MAGIC);
    !marks.any(|(at, _)| {
        let index = bytes.get(start + at + 8..start + at + 16);
        // Frames of an earlier life have lower indices: most need not be hashed.
        index.is_some_and(|index| u64::from_be_bytes(array(index)) >= next)
            && frame(bytes, start + at, segment).is_some()
    })
}

/// The frame at `start` if it is whole: its entries, and where it ends.
fn frame(
    bytes: &Bytes,
    start: usize,
    segment: &[u8; SEGMENT_HEADER],
) -> Option<(Vec<Leaf>, usize)> {
    let header = bytes.get(start..start + FRAME_HEADER)?;
    let length = usize::try_from(u32::from_be_bytes(array(&header[4..8]))).ok()?;
    if &header[..4] != FRAME_MAGIC || length > MAX_PAYLOAD {
        return None;
    }
    let (begin, end) = (start + FRAME_HEADER, start + FRAME_HEADER + length);
    bytes.get(begin..end)?;
    let leaves = entries(bytes, begin, end)?;
    let count = u32::from_be_bytes(array(&header[16..20]));
    let hashes = leaves.iter().map(|leaf| &leaf.hash);
    let whole = leaves.len() as u64 == u64::from(count)
        && frame_checksum(segment, &header[..20], hashes) == header[20..];
    whole.then_some((leaves, end))
}

/// The length-prefixed entries that fill `begin..end` exactly.
fn entries(bytes: &Bytes, mut begin: usize, end: usize) -> Option<Vec<Leaf>> {
    let mut leaves = Vec::new();
    while begin < end {
        let length = bytes.get(begin..begin + 2)?;
        let length = usize::from(u16::from_be_bytes(array(length)));
        begin += 2;
        if begin + length > end {
            return None;
        }
        leaves.push(Leaf::new(bytes.slice(begin..begin + length)));
        begin += length;
    }
    Some(leaves)
}

fn frame_checksum<'a>(
    segment: &[u8; SEGMENT_HEADER],
    header: &[u8],
    hashes: impl Iterator<Item = &'a Hash>,
) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(segment);
    context.update(header);
    hashes.for_each(|hash| context.update(hash.as_ref()));
    array(context.finish().as_ref())
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    array(context.finish().as_ref())
}

/// The first bytes of a slice that is known to be long enough.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const ORIGIN: &str = "example.com/log";

    /// A segment with these batches, and where each frame ends.
    fn segment(first: u64, batches: &[Vec<Vec<u8>>]) -> (Vec<u8>, Vec<usize>) {
        let header = segment_header(first, ORIGIN, [5; SALT]);
        let (mut bytes, mut ends, mut index) = (header.to_vec(), Vec::new(), first);
        for batch in batches {
            let leaves: Vec<Leaf> = batch.iter().map(|e| Leaf::new(e.clone().into())).collect();
            write(&mut bytes, &header, index, leaves.iter());
            index += leaves.len() as u64;
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn batches() -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
        let entry = prop::collection::vec(any::<u8>(), 1..40);
        prop::collection::vec(prop::collection::vec(entry, 1..6), 1..6)
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(first in 0..1_u64 << 40, batches in batches()) {
            let (bytes, _) = segment(first, &batches);
            let read = read(&bytes.clone().into(), ORIGIN).unwrap();
            let entries: Vec<Vec<u8>> = read.leaves.iter().map(|leaf| leaf.entry.to_vec()).collect();
            prop_assert_eq!((read.first, entries, read.whole), (first, batches.concat(), bytes.len()));
        }

        #[test]
        fn a_tail_cut_anywhere_leaves_exactly_the_whole_frames(batches in batches(), at in any::<prop::sample::Index>()) {
            let (mut bytes, ends) = segment(7, &batches);
            bytes.truncate(SEGMENT_HEADER + at.index(bytes.len() - SEGMENT_HEADER));
            let whole = ends.iter().copied().filter(|end| *end <= bytes.len()).max();
            let read = read(&bytes.into(), ORIGIN).unwrap();
            prop_assert_eq!(read.whole, whole.unwrap_or(SEGMENT_HEADER));
        }

        #[test]
        fn a_flipped_byte_is_damage_unless_it_is_in_the_last_frame(batches in batches(), at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
            let (mut bytes, ends) = segment(7, &batches);
            let at = SEGMENT_HEADER + at.index(bytes.len() - SEGMENT_HEADER);
            bytes[at] ^= flip;
            let last = if ends.len() == 1 { SEGMENT_HEADER } else { ends[ends.len() - 2] };
            match read(&bytes.into(), ORIGIN) {
                Ok(read) => prop_assert!(at >= last && read.whole == last),
                Err(error) => prop_assert!(at < last && error == FrameError::Damaged),
            }
        }

        #[test]
        fn no_bytes_make_the_reader_panic(tail in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = segment_header(0, ORIGIN, [5; SALT]).to_vec();
            bytes.extend(FRAME_MAGIC);
            bytes.extend(tail);
            let _ = read(&bytes.into(), ORIGIN);
        }
    }

    #[test]
    fn a_header_that_is_cut_or_of_another_log_is_told_apart() {
        let header = segment_header(3, ORIGIN, [5; SALT]);
        let cut = Bytes::copy_from_slice(&header[..SEGMENT_HEADER - 1]);
        assert_eq!(read(&cut, ORIGIN), Err(FrameError::NoHeader));
        let mut changed = header;
        changed[9] ^= 1;
        assert_eq!(
            read(&changed.to_vec().into(), ORIGIN),
            Err(FrameError::NoHeader)
        );
        let other = Bytes::copy_from_slice(&header);
        assert_eq!(read(&other, "example.com/other"), Err(FrameError::OtherLog));
    }

    #[test]
    fn frames_of_a_recycled_file_s_earlier_life_are_neither_read_nor_taken_for_damage() {
        let batches = vec![vec![b"old".to_vec()], vec![b"older".to_vec()]];
        let (mut bytes, ends) = segment(0, &batches);
        let header = segment_header(2, ORIGIN, [6; SALT]);
        bytes[..SEGMENT_HEADER].copy_from_slice(&header);
        let again = Bytes::from(bytes.clone());
        assert_eq!(read(&again, ORIGIN).unwrap().whole, SEGMENT_HEADER);
        let mut fresh = Vec::new();
        write(
            &mut fresh,
            &header,
            2,
            [Leaf::new(Bytes::from_static(b"new"))].iter(),
        );
        assert_eq!(SEGMENT_HEADER + fresh.len(), ends[0]);
        bytes[SEGMENT_HEADER..ends[0]].copy_from_slice(&fresh);
        let read = read(&bytes.into(), ORIGIN).unwrap();
        assert_eq!((read.first, read.leaves.len(), read.whole), (2, 1, ends[0]));
    }

    #[test]
    fn a_frame_moved_in_from_elsewhere_is_not_accepted() {
        let batches = vec![vec![b"one".to_vec()], vec![b"two".to_vec()]];
        let (bytes, ends) = segment(0, &batches);
        let (other, _) = segment(9, &batches);
        // The second frame of another segment, and the first frame in the place of the second.
        let moved = [&bytes[..ends[0]], &other[ends[0]..]].concat();
        assert_eq!(read(&moved.into(), ORIGIN).unwrap().whole, ends[0]);
        let repeated = [&bytes[..ends[0]], &bytes[SEGMENT_HEADER..ends[0]]].concat();
        assert_eq!(read(&repeated.into(), ORIGIN), Err(FrameError::Damaged));
    }
}

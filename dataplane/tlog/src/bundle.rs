//! Entry bundles ([C2SP tlog-tiles], "Log entries"): up to 256 entries, each after its length as
//! a big-endian 16-bit number.
//!
//! [C2SP tlog-tiles]: https://c2sp.org/tlog-tiles

use crate::tile::TILE_WIDTH;

/// The longest entry, in bytes: its length has 16 bits in a bundle.
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// Why bytes are not an entry bundle, or an entry does not fit into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The entry is longer than [`MAX_ENTRY_BYTES`].
    #[error("the entry is longer than 65,535 bytes")]
    EntryTooLong,
    /// The bundle ends within an entry.
    #[error("the entry bundle ends within an entry")]
    Truncated,
    /// The bundle has more than 256 entries.
    #[error("the entry bundle has more than 256 entries")]
    TooMany,
}

/// Writes one entry after those already in `bundle`.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), BundleError> {
    let length = u16::try_from(entry.len()).map_err(|_| BundleError::EntryTooLong)?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The entries of a whole bundle, in order.
pub fn split_entries(mut bundle: &[u8]) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bundle.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, rest) = rest
            .split_at_checked(length)
            .ok_or(BundleError::Truncated)?;
        if entries.len() == usize::from(TILE_WIDTH) {
            return Err(BundleError::TooMany);
        }
        entries.push(entry);
        bundle = rest;
    }
    if bundle.is_empty() {
        Ok(entries)
    } else {
        Err(BundleError::Truncated)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn entries_come_back_in_order_whatever_their_length() {
        let longest = vec![7; MAX_ENTRY_BYTES];
        let entries: [&[u8]; 4] = [b"one", b"", &longest, b"\x00\x01"];
        let mut bundle = Vec::new();
        for entry in entries {
            push_entry(&mut bundle, entry).unwrap();
        }
        assert_eq!(split_entries(&bundle).unwrap(), entries);
        assert_eq!(split_entries(&[]).unwrap(), Vec::<&[u8]>::new());
    }

    #[test]
    fn a_bundle_that_is_cut_or_too_long_is_refused() {
        assert_eq!(split_entries(&[0]), Err(BundleError::Truncated));
        assert_eq!(split_entries(&[0, 2, 1]), Err(BundleError::Truncated));
        assert_eq!(
            split_entries(&[0, 0].repeat(257)),
            Err(BundleError::TooMany)
        );
        assert_eq!(split_entries(&[0, 0].repeat(256)).unwrap().len(), 256);
        let long = vec![0; MAX_ENTRY_BYTES + 1];
        assert_eq!(
            push_entry(&mut Vec::new(), &long),
            Err(BundleError::EntryTooLong)
        );
    }
}

//! The compressed byte array of a status list (draft-ietf-oauth-status-list, "Compressed Byte
//! Array").

use std::io::Read;

use flate2::bufread::ZlibDecoder;
use pavilion_jose::from_base64url;

use super::StatusReason;

/// An inflated status list.
#[derive(Clone, PartialEq, Eq)]
pub struct StatusList {
    bits: Bits,
    bytes: Vec<u8>,
}

/// The bits of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bits {
    One,
    Two,
    Four,
    Eight,
}

impl Bits {
    fn of(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::One),
            2 => Some(Self::Two),
            4 => Some(Self::Four),
            8 => Some(Self::Eight),
            _ => None,
        }
    }

    fn count(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
            Self::Eight => 8,
        }
    }
}

impl StatusList {
    /// Inflates `lst`, entries of `bits` bits each, into at most `max_bytes`. Not one byte more is
    /// inflated, so a bomb costs no more than a list of the greatest allowed size.
    pub(super) fn inflate(bits: u64, lst: &str, max_bytes: usize) -> Result<Self, StatusReason> {
        let bits =
            Bits::of(bits).ok_or_else(|| invalid("The list's bits are not 1, 2, 4 or 8."))?;
        let compressed = from_base64url(lst)
            .map_err(|_| invalid("The list is not base64url without padding."))?;
        let mut decoder = ZlibDecoder::new(compressed.as_slice());
        let mut bytes = Vec::new();
        let limit = u64::try_from(max_bytes)
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        Read::take(&mut decoder, limit)
            .read_to_end(&mut bytes)
            .map_err(|_| invalid("The list is not ZLIB data."))?;
        if bytes.len() > max_bytes {
            return Err(StatusReason::too_large(
                "The list inflates beyond the allowed size.",
            ));
        }
        if !decoder.into_inner().is_empty() {
            return Err(invalid("Something follows the list's ZLIB data."));
        }
        bytes.shrink_to_fit();
        Ok(Self { bits, bytes })
    }

    /// The value at `index`, counted from the least significant bits of the first byte; `None`
    /// beyond the end.
    pub fn get(&self, index: u64) -> Option<u8> {
        let width = self.bits.count();
        let per_byte = u64::from(8 / width);
        let byte = self.bytes.get(usize::try_from(index / per_byte).ok()?)?;
        let position = u8::try_from(index % per_byte).ok()?;
        let mask = u8::MAX >> (8 - width);
        Some((byte >> (position * width)) & mask)
    }

    /// Its size in memory, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.bytes.len()
    }
}

impl std::fmt::Debug for StatusList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatusList")
            .field("bits", &self.bits.count())
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

fn invalid(detail: &'static str) -> StatusReason {
    StatusReason::invalid(detail)
}

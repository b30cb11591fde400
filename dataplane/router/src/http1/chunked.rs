//! Chunked bodies (RFC 9112 section 7.1), followed byte by byte.

use super::head::{Refusal, malformed};

/// The most digits of a chunk's size: 2^60 bytes are enough.
const MAX_SIZE_DIGITS: u8 = 15;

/// The most bytes of chunk extensions in one body; nothing here reads them.
const MAX_EXTENSION_BYTES: u16 = 1_024;

/// The most bytes of trailers in one body; nothing here reads them.
const MAX_TRAILER_BYTES: u16 = 4_096;

/// Where in a chunked body the next byte falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunked {
    state: State,
    extension_bytes: u16,
    trailer_bytes: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size { size: u64, digits: u8 },
    Extension { size: u64 },
    SizeEnd { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
    Done,
}

/// What [`Chunked::follow`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// How many of the bytes belong to this body.
    pub length: usize,
    /// Whether the body ends with them.
    pub done: bool,
}

impl Default for Chunked {
    fn default() -> Self {
        Self {
            state: FIRST_SIZE,
            extension_bytes: 0,
            trailer_bytes: 0,
        }
    }
}

const FIRST_SIZE: State = State::Size { size: 0, digits: 0 };

impl Chunked {
    /// Follows the framing through `bytes`.
    ///
    /// # Errors
    /// The first byte that does not fit: what came before it may already have been passed on.
    pub fn follow(&mut self, bytes: &[u8]) -> Result<Part, Refusal> {
        let mut at = 0;
        while at < bytes.len() && self.state != State::Done {
            if let State::Data { left } = &mut self.state {
                let take = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len() - at);
                at += take;
                *left -= take as u64;
                if *left == 0 {
                    self.state = State::DataCr;
                }
            } else {
                self.state = self.step(bytes[at])?;
                at += 1;
            }
        }
        Ok(Part {
            length: at,
            done: self.state == State::Done,
        })
    }

    fn step(&mut self, byte: u8) -> Result<State, Refusal> {
        Ok(match (self.state, byte) {
            (State::Size { size, digits }, _) => next_size(size, digits, byte)?,
            (State::Extension { size }, b'\r') => State::SizeEnd { size },
            (State::Extension { size }, _) if is_text(byte) => {
                count(&mut self.extension_bytes, MAX_EXTENSION_BYTES)?;
                State::Extension { size }
            }
            (State::SizeEnd { size: 0 } | State::TrailerLf, b'\n') => State::TrailerStart,
            (State::SizeEnd { size }, b'\n') => State::Data { left: size },
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => FIRST_SIZE,
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::Trailer, b'\r') => State::TrailerLf,
            (State::TrailerStart, b' ' | b'\t') => return Err(BROKEN),
            (State::TrailerStart | State::Trailer, _) if is_text(byte) => {
                count(&mut self.trailer_bytes, MAX_TRAILER_BYTES)?;
                State::Trailer
            }
            (State::EndLf, b'\n') => State::Done,
            _ => return Err(BROKEN),
        })
    }
}

/// One more digit of a chunk's size, or its end.
fn next_size(size: u64, digits: u8, byte: u8) -> Result<State, Refusal> {
    match (byte, digits) {
        (b'\r', 1..) => Ok(State::SizeEnd { size }),
        (b';', 1..) => Ok(State::Extension { size }),
        (_, 0..MAX_SIZE_DIGITS) => {
            let digit = char::from(byte).to_digit(16).ok_or(BROKEN)?;
            Ok(State::Size {
                size: size * 16 + u64::from(digit),
                digits: digits + 1,
            })
        }
        _ => Err(BROKEN),
    }
}

const BROKEN: Refusal = malformed("a chunk of the body is framed wrongly");

fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

fn count(counter: &mut u16, limit: u16) -> Result<(), Refusal> {
    *counter += 1;
    if *counter > limit {
        return Err(BROKEN);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    /// Feeds `bytes` in pieces of `step`; the length of the body, or `None` if it does not end.
    fn length(bytes: &[u8], step: usize) -> Result<Option<usize>, Refusal> {
        let mut chunked = Chunked::default();
        let mut total = 0;
        for piece in bytes.chunks(step) {
            let part = chunked.follow(piece)?;
            total += part.length;
            if part.done {
                return Ok(Some(total));
            }
        }
        Ok(None)
    }

    #[test]
    fn a_body_ends_where_it_ends_however_it_is_cut() {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "a;x=\"y\"\r\n0123456789\r\n1\r\nz\r\n000\r\n\r\n",
            "1\r\na\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n",
        ] {
            let bytes = format!("{body}GET / HTTP/1.1\r\n").into_bytes();
            for step in 1..=bytes.len() {
                assert_eq!(
                    length(&bytes, step),
                    Ok(Some(body.len())),
                    "{body:?} by {step}"
                );
            }
        }
    }

    #[test]
    fn a_body_that_is_cut_off_does_not_end() {
        assert_eq!(length(b"5\r\nhel", 3), Ok(None));
        assert_eq!(length(b"0\r\n", 1), Ok(None));
    }

    #[test]
    fn framing_that_another_reader_might_forgive_is_refused() {
        for body in [
            "5\nhello\r\n0\r\n\r\n",
            "5\r\nhelloX\r\n0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5 \r\nhello\r\n0\r\n\r\n",
            " 5\r\nhello\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "-5\r\nhello\r\n0\r\n\r\n",
            "\r\n",
            ";\r\n",
            "5;a\nb\r\nhello\r\n0\r\n\r\n",
            "1111111111111111\r\n",
            "0\r\n\n",
            "0\r\n folded: x\r\n\r\n",
            "0\r\nA: b\n\r\n",
        ] {
            assert!(length(body.as_bytes(), 4).is_err(), "{body:?}");
        }
    }

    #[test]
    fn extensions_and_trailers_cannot_go_on_for_ever() {
        let extension = format!("1;{}\r\na\r\n", "x".repeat(2_000));
        assert!(length(extension.as_bytes(), 100).is_err());
        let trailer = format!("0\r\nA: {}\r\n\r\n", "x".repeat(5_000));
        assert!(length(trailer.as_bytes(), 100).is_err());
    }
}

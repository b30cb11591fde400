//! What a program writes, line by line, into the operator's own stream.

use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use tokio::io::AsyncRead;
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};

use super::ChildId;
use crate::talk::{self, LogFormat};

/// The longest line that is passed on, in bytes.
const MAX_LINE: usize = 64 * 1024;

/// The newest thing a program said, to explain its end.
#[derive(Clone, Debug, Default)]
pub(super) struct LastWords {
    line: Arc<Mutex<Option<String>>>,
}

impl LastWords {
    pub(super) fn get(&self) -> Option<String> {
        self.line
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, line: &str) {
        *self.line.lock().unwrap_or_else(PoisonError::into_inner) = Some(talk::message_of(line));
    }
}

/// Passes on every line until the program closes the pipe.
pub(super) async fn pump(
    pipe: impl AsyncRead + Unpin,
    child: ChildId,
    format: LogFormat,
    words: LastWords,
) {
    let mut lines = FramedRead::new(pipe, LinesCodec::new_with_max_length(MAX_LINE));
    while let Some(line) = lines.next().await {
        match line {
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => {
                words.set(&line);
                talk::relay(format, &child, &line);
            }
            // The rest of a line that is too long, or not UTF-8, is left out.
            Err(LinesCodecError::MaxLineLengthExceeded) => {
                tracing::warn!(program = %child, "left out a line of more than 64 KiB");
            }
            Err(LinesCodecError::Io(error)) if error.kind() == std::io::ErrorKind::InvalidData => {}
            Err(LinesCodecError::Io(_)) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::host::Program;

    #[tokio::test]
    async fn long_lines_and_bytes_that_are_no_text_do_not_stop_the_stream() {
        let mut input = vec![b'x'; MAX_LINE + 10];
        input.extend_from_slice(b"\n\xff\xfe\n\n{\"message\":\"last words\"}\n");
        let child = ChildId {
            tenant: None,
            program: Program::Router,
        };
        let words = LastWords::default();
        pump(&input[..], child, LogFormat::Json, words.clone()).await;
        assert_eq!(words.get().unwrap(), "last words");
    }
}

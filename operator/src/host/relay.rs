//! What a program writes, line by line, into the operator's own stream.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

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
        if let Some(words) = talk::last_words(line) {
            *self.line.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
        }
    }
}

/// Passes on every line until the program closes the pipe. What is no text is shown as far as it is.
pub(super) async fn pump(
    pipe: impl AsyncRead + Unpin,
    child: ChildId,
    format: LogFormat,
    words: LastWords,
) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    while read_line(&mut pipe, &mut line).await {
        if line.last() != Some(&b'\n') && line.len() >= MAX_LINE {
            tracing::warn!(program = %child, "left out a line of more than 64 KiB");
            while line.last() != Some(&b'\n') && read_line(&mut pipe, &mut line).await {}
            continue;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if !text.is_empty() {
            words.set(text);
            talk::relay(format, &child, text);
        }
    }
}

/// A line, or as much of it as fits; whether there was any.
async fn read_line(pipe: &mut (impl AsyncBufRead + Unpin), line: &mut Vec<u8>) -> bool {
    line.clear();
    let mut bounded = pipe.take(MAX_LINE as u64);
    bounded
        .read_until(b'\n', line)
        .await
        .is_ok_and(|read| read > 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::host::Program;

    #[tokio::test]
    async fn long_lines_and_bytes_that_are_no_text_do_not_stop_the_stream() {
        let mut input = vec![b'x'; 3 * MAX_LINE + 10];
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

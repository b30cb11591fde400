//! What the edge's guard lets through of a connection does not depend on how it came in pieces, and
//! hyper's parser finds the same heads in it.
#![no_main]

use std::io;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pavilion_router::http1::{Framing, Guard, HeadLimits, Refusal, check};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::runtime::{Builder, Runtime};

const LIMITS: HeadLimits = HeadLimits {
    bytes: 4_096,
    fields: 32,
};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime")
});

/// A connection that brings so many bytes at a time.
struct Pieces<'a> {
    rest: &'a [u8],
    length: usize,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let pieces = self.get_mut();
        let length = pieces.length.min(pieces.rest.len()).min(out.remaining());
        let (piece, rest) = pieces.rest.split_at(length);
        out.put_slice(piece);
        pieces.rest = rest;
        Poll::Ready(Ok(()))
    }
}

/// What comes through, why a head was refused, and whether the connection failed.
fn through(bytes: &[u8], length: usize) -> (Vec<u8>, Option<Refusal>, bool) {
    let refusal = Arc::new(OnceLock::new());
    let pieces = Pieces {
        rest: bytes,
        length,
    };
    let mut seen = Vec::new();
    let failed = RUNTIME.block_on(async {
        let time_out = Duration::from_hours(1);
        let mut guard = Guard::new(pieces, LIMITS, time_out, Arc::clone(&refusal));
        guard.read_to_end(&mut seen).await.is_err()
    });
    (seen, refusal.get().copied(), failed)
}

/// The second reader must see one whole head, as long as the first one found it.
fn agree(head: &[u8]) {
    let mut fields = [httparse::EMPTY_HEADER; LIMITS.fields];
    let mut request = httparse::Request::new(&mut fields);
    assert_eq!(
        request.parse(head),
        Ok(httparse::Status::Complete(head.len()))
    );
    let named = |name| {
        request
            .headers
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name))
    };
    assert_eq!(named("host").count(), 1);
    let framing = check(head, LIMITS).expect("a head that came through");
    let lengths: Vec<&[u8]> = named("content-length").map(|field| field.value).collect();
    match framing {
        Framing::Chunked => assert!(lengths.is_empty()),
        Framing::None | Framing::Length(_) => {
            assert!(lengths.len() <= 1 && named("transfer-encoding").count() == 0);
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let (whole, refusal, failed) = through(bytes, usize::MAX);
    assert!(bytes.starts_with(&whole));
    if refusal.is_some() {
        assert!(failed);
    }
    for length in [1, 7] {
        let (seen, again, _) = through(bytes, length);
        assert_eq!(again, refusal);
        // A body that breaks off in its framing is passed on up to the break, piece by piece.
        assert!(seen.starts_with(&whole) || whole.starts_with(&seen));
        if refusal.is_some() || !failed {
            assert_eq!(seen, whole);
        }
    }
    if let Some(end) = whole.windows(4).position(|four| four == b"\r\n\r\n") {
        agree(&whole[..end + 4]);
    }
});

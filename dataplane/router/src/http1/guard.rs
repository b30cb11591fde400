//! The guard: a reader that lets only well-framed requests through.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use pavilion_catalogue::edge;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::io::poll_read_buf;

use super::chunked::Chunked;
use super::head::{Framing, HeadLimits, Refusal, check, too_large};

/// How much is read at a time.
const READ_BYTES: usize = 8 * 1024;

/// Wraps a connection that speaks HTTP/1; what is written passes through untouched.
pub struct Guard<IO> {
    io: IO,
    limits: HeadLimits,
    state: State,
    /// What has been read and not handed on.
    pending: BytesMut,
    /// How many of the pending bytes have been checked and may be handed on.
    released: usize,
    /// How many of the pending bytes have been searched for the end of a head.
    searched: usize,
    header_time_out: Duration,
    /// Runs while a head is incomplete; set from the start for a connection's first head.
    timer: Option<Pin<Box<Sleep>>>,
    refusal: Arc<OnceLock<Refusal>>,
    /// How many heads were let through.
    passed: usize,
    /// Something that was to be written is still waiting for the client.
    backed_up: bool,
}

enum State {
    Head,
    Length(u64),
    Chunked(Chunked),
}

impl<IO> Guard<IO> {
    /// Guards `io`. Why a head is refused is put into `refusal` before the read fails; a body that
    /// is framed wrongly only fails, because its request is already being answered.
    pub fn new(
        io: IO,
        limits: HeadLimits,
        header_time_out: Duration,
        refusal: Arc<OnceLock<Refusal>>,
    ) -> Self {
        let deadline = Instant::now() + header_time_out;
        Self {
            io,
            limits,
            state: State::Head,
            pending: BytesMut::new(),
            released: 0,
            searched: 0,
            header_time_out,
            timer: Some(Box::pin(sleep_until(deadline))),
            refusal,
            passed: 0,
            backed_up: false,
        }
    }

    /// How many heads of requests were let through.
    pub fn passed(&self) -> usize {
        self.passed
    }

    /// True while something that was to be written is still waiting for the client.
    pub fn is_backed_up(&self) -> bool {
        self.backed_up
    }

    /// The connection itself, to say something in place of the server behind the guard.
    pub fn into_inner(self) -> IO {
        self.io
    }

    /// Checks what is pending; more of it may be handed on afterwards.
    fn advance(&mut self) -> Result<(), Refusal> {
        if self.pending.is_empty() {
            return Ok(());
        }
        match &mut self.state {
            State::Head => self.advance_head(),
            State::Length(left) => {
                let length = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(self.pending.len());
                *left -= length as u64;
                self.released = length;
                if *left == 0 {
                    self.state = State::Head;
                }
                Ok(())
            }
            State::Chunked(chunked) => {
                let part = chunked.follow(&self.pending)?;
                self.released = part.length;
                if part.done {
                    self.state = State::Head;
                }
                Ok(())
            }
        }
    }

    fn advance_head(&mut self) -> Result<(), Refusal> {
        if self.timer.is_none() {
            let deadline = Instant::now() + self.header_time_out;
            self.timer = Some(Box::pin(sleep_until(deadline)));
        }
        let from = self.searched.saturating_sub(3);
        let end = self.pending[from..]
            .windows(4)
            .position(|four| four == b"\r\n\r\n");
        let Some(end) = end.map(|end| from + end + 4) else {
            self.searched = self.pending.len();
            if self.pending.len() > self.limits.bytes {
                return Err(too_large());
            }
            return Ok(());
        };
        self.state = match check(&self.pending[..end], self.limits)? {
            Framing::None => State::Head,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Chunked(Chunked::default()),
        };
        self.released = end;
        self.searched = 0;
        self.timer = None;
        self.passed += 1;
        Ok(())
    }

    fn poll_timer(&mut self, context: &mut Context<'_>) -> Result<(), Refusal> {
        let over = |timer: &mut Pin<Box<Sleep>>| timer.as_mut().poll(context).is_ready();
        if self.timer.as_mut().is_some_and(over) {
            return Err(Refusal {
                entry: &edge::HEADERS_TOO_SLOW,
                detail: edge::HEADERS_TOO_SLOW.meaning,
            });
        }
        Ok(())
    }

    fn refuse(&self, refusal: Refusal) -> io::Error {
        if matches!(self.state, State::Head) {
            // Only the first one counts: nothing is read after it.
            let _ = self.refusal.set(refusal);
        }
        io::Error::new(io::ErrorKind::InvalidData, refusal.detail)
    }

    fn hand_on(&mut self, out: &mut ReadBuf<'_>) {
        let length = self.released.min(out.remaining());
        out.put_slice(&self.pending[..length]);
        self.pending.advance(length);
        self.released -= length;
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Guard<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        loop {
            if guard.released == 0 {
                guard.advance().map_err(|refusal| guard.refuse(refusal))?;
            }
            if guard.released > 0 {
                guard.hand_on(out);
                return Poll::Ready(Ok(()));
            }
            guard.pending.reserve(READ_BYTES);
            match poll_read_buf(Pin::new(&mut guard.io), context, &mut guard.pending) {
                // The end, perhaps in the middle of a head: that part is never handed on.
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    guard
                        .poll_timer(context)
                        .map_err(|refusal| guard.refuse(refusal))?;
                    return Poll::Pending;
                }
            }
        }
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Guard<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.backed_up |= written.is_pending();
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(context);
        self.backed_up = flushed.is_pending();
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(context, bytes);
        self.backed_up |= written.is_pending();
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const LIMITS: HeadLimits = HeadLimits {
        bytes: 200,
        fields: 5,
    };

    /// What comes through of `bytes` sent in pieces of `step`, and the refusal.
    async fn through(bytes: &str, step: usize) -> (String, Option<&'static str>) {
        let (mut client, server) = duplex(step);
        let refusal = Arc::new(OnceLock::new());
        let mut guard = Guard::new(server, LIMITS, Duration::from_secs(5), Arc::clone(&refusal));
        let bytes = bytes.to_owned();
        let send = tokio::spawn(async move {
            // The guard may hang up before all is sent.
            let _ = client.write_all(bytes.as_bytes()).await;
        });
        let mut seen = Vec::new();
        let _ = guard.read_to_end(&mut seen).await;
        drop(guard);
        send.await.unwrap();
        let code = refusal.get().map(|refusal: &Refusal| refusal.entry.code);
        (String::from_utf8(seen).unwrap(), code)
    }

    const TWO: &str = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: a\r\n\r\n";

    #[tokio::test]
    async fn well_framed_requests_come_through_unchanged_however_they_are_cut() {
        let chunked =
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        for text in [
            TWO.to_owned(),
            chunked.to_owned(),
            format!("{chunked}{TWO}"),
        ] {
            for step in [1, 2, 3, 7, 1_000] {
                assert_eq!(
                    through(&text, step).await,
                    (text.clone(), None),
                    "by {step}"
                );
            }
        }
    }

    #[tokio::test]
    async fn nothing_of_a_bad_head_comes_through() {
        let bad = "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
        let (seen, code) = through(&format!("{TWO}{bad}"), 11).await;
        assert_eq!((seen.as_str(), code), (TWO, Some("request_malformed")));
    }

    #[tokio::test]
    async fn half_a_head_never_comes_through() {
        assert_eq!(
            through("GET / HTTP/1.1\r\nHost: a\r\n", 5).await,
            (String::new(), None)
        );
    }

    #[tokio::test]
    async fn a_head_without_end_is_refused_at_the_limit() {
        let (seen, code) = through(&"a".repeat(10_000), 64).await;
        assert_eq!((seen.as_str(), code), ("", Some("headers_too_large")));
    }

    #[tokio::test]
    async fn a_head_that_dawdles_is_refused_when_its_time_is_over() {
        let (mut client, server) = duplex(100);
        let refusal = Arc::new(OnceLock::new());
        let limit = Duration::from_millis(20);
        let mut guard = Guard::new(server, LIMITS, limit, Arc::clone(&refusal));
        client.write_all(b"GET / HT").await.unwrap();
        assert!(guard.read(&mut [0; 10]).await.is_err());
        assert_eq!(refusal.get().unwrap().entry.code, "headers_too_slow");
    }

    #[tokio::test]
    async fn time_between_requests_is_not_time_for_a_head() {
        let (mut client, server) = duplex(100);
        let refusal = Arc::new(OnceLock::new());
        let limit = Duration::from_millis(20);
        let mut guard = Guard::new(server, LIMITS, limit, Arc::clone(&refusal));
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        client.write_all(head).await.unwrap();
        let mut seen = [0; 27];
        guard.read_exact(&mut seen).await.unwrap();
        let waited = tokio::time::timeout(limit * 3, guard.read(&mut seen)).await;
        assert!(waited.is_err(), "still waiting, not refused");
        assert_eq!(refusal.get(), None);
    }
}

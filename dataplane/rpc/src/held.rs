//! Connections of which only so many are open at once.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::stream;
use pavilion_process::socket::Listener;
use pavilion_process::stream::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::transport::server::Connected;

/// The connections to a socket; beyond `limit` the next one waits until another ends.
pub(crate) fn connections(
    listener: Listener,
    limit: usize,
) -> impl futures::Stream<Item = io::Result<Held<UnixStream>>> + Send {
    limited(listener, accept_from_socket, limit)
}

async fn accept_from_socket(listener: Listener) -> (UnixStream, Listener) {
    (listener.accept().await, listener)
}

/// The connections that `accept` takes from `listener`; beyond `limit` the next one waits until another
/// ends.
pub(crate) fn limited<L, C, F>(
    listener: L,
    accept: impl Fn(L) -> F + Copy + Send,
    limit: usize,
) -> impl futures::Stream<Item = io::Result<Held<C>>> + Send
where
    L: Send,
    C: Send,
    F: Future<Output = (C, L)> + Send,
{
    let slots = Arc::new(Semaphore::new(limit));
    stream::unfold((listener, slots), move |(listener, slots)| async move {
        // Nobody closes the semaphore.
        let slot = Arc::clone(&slots).acquire_owned().await.ok()?;
        let (stream, listener) = accept(listener).await;
        let held = Held {
            stream,
            _slot: slot,
        };
        Some((Ok(held), (listener, slots)))
    })
}

/// A connection, and its place.
pub(crate) struct Held<S> {
    stream: S,
    _slot: OwnedSemaphorePermit,
}

/// Who is at the other end of a connection, as far as the system knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The user its process runs as; `None` for another machine.
    pub(crate) uid: Option<u32>,
}

/// A connection whose other end can be told.
pub(crate) trait Peered {
    fn peer(&self) -> Peer;
}

impl Peered for UnixStream {
    fn peer(&self) -> Peer {
        let uid = self.peer_cred().ok().map(|peer| peer.uid());
        Peer { uid }
    }
}

impl Peered for Stream {
    fn peer(&self) -> Peer {
        match self {
            Self::Unix(stream) => stream.peer(),
            Self::Tls(_) => Peer { uid: None },
        }
    }
}

impl<S: Peered> Connected for Held<S> {
    /// Who may come was settled before; what it may ask for can depend on who it is.
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.stream.peer()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Held<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, out)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Held<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

//! Handshakes that are under way, and how many there may be.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

use super::outcome::{Outcome, Outcomes};
use crate::stream::Stream;

/// Handshakes under way at once; each has some 20 kB.
pub(super) const MAX_HANDSHAKES: usize = 128;

/// How long a handshake may take.
const TIME_OUT: Duration = Duration::from_secs(10);

/// How long it may take while others wait for its place. One that gets on needs a few milliseconds; a
/// peer that says nothing holds its place no longer than this.
const TIME_OUT_WHEN_FULL: Duration = Duration::from_millis(500);

/// The handshakes of one listener. Dropping it ends them.
#[derive(Debug)]
pub(super) struct Handshakes {
    tasks: JoinSet<Option<Stream>>,
    /// Oldest first.
    under_way: VecDeque<UnderWay>,
    outcomes: Outcomes,
}

#[derive(Debug)]
struct UnderWay {
    begun: Instant,
    peer: SocketAddr,
    task: AbortHandle,
}

impl Handshakes {
    pub(super) fn new(outcomes: Outcomes) -> Self {
        Self {
            tasks: JoinSet::new(),
            under_way: VecDeque::new(),
            outcomes,
        }
    }

    /// The next one that ended, with its connection if the peer got through. Never completes while
    /// none is under way.
    pub(super) async fn ended(&mut self) -> Option<Stream> {
        match self.tasks.join_next().await {
            Some(Ok(shaken)) => shaken,
            // Displaced, or ended by a fault, which is logged where it happens.
            Some(Err(_)) => None,
            None => std::future::pending().await,
        }
    }

    /// When the next one may begin: now, or when the oldest has had its time.
    pub(super) fn room_at(&mut self) -> Option<Instant> {
        self.under_way.retain(|one| !one.task.is_finished());
        let oldest = self.under_way.front()?;
        let full = self.under_way.len() >= MAX_HANDSHAKES;
        full.then(|| oldest.begun + TIME_OUT_WHEN_FULL)
    }

    /// Begins one. If there is still no room the oldest makes it.
    pub(super) fn begin(&mut self, stream: TcpStream, peer: SocketAddr, config: Arc<ServerConfig>) {
        if self.room_at().is_some()
            && let Some(oldest) = self.under_way.pop_front()
        {
            oldest.task.abort();
            self.outcomes.count(Outcome::Displaced, oldest.peer);
        }
        let outcomes = self.outcomes.clone();
        let task = self.tasks.spawn(async move {
            let shaken = timeout(TIME_OUT, TlsAcceptor::from(config).accept(stream)).await;
            let (outcome, stream) = match shaken {
                Ok(Ok(stream)) => (Outcome::Ok, Some(Stream::Tls(Box::new(stream.into())))),
                Ok(Err(error)) => (Outcome::of(&error), None),
                Err(_) => (Outcome::TimedOut, None),
            };
            outcomes.count(outcome, peer);
            stream
        });
        self.under_way.push_back(UnderWay {
            begun: Instant::now(),
            peer,
            task,
        });
    }
}

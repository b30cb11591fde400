//! The router as a whole: its addresses, its connections, its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use pavilion_process::{Check, Context, Exit, files};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::connection;
use crate::metrics::Metrics;
use crate::operator::Follower;
use crate::proxy::Edge;
use crate::reload::Reload;

/// How long to wait after the system refused an accept (no file handles left, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long before the end of the drain the answers still due are given up.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Files that stay free for everything but connections: listeners, certificates, the log.
const RESERVED_FILES: u64 = 128;

/// Files that a connection needs: its own socket and one to the tenant.
const FILES_PER_CONNECTION: u64 = 2;

/// A router whose addresses are bound.
#[derive(Debug)]
pub struct Router {
    edge: Arc<Edge>,
    context: Context,
    check: Check,
    /// The operator, if routes come from one.
    follower: Option<Follower>,
    listeners: Vec<TcpListener>,
    slots: Arc<Semaphore>,
    connections: TaskTracker,
}

/// Runs the router until it is told to stop and its last request is answered.
///
/// # Errors
/// [`Exit::ConfigRefused`] without an address or with an operator that cannot be asked, [`Exit::Unavailable`]
/// naming an address that cannot be bound, [`Exit::CannotWrite`] when what an operator sends cannot be kept.
pub async fn serve(config: Config, context: Context) -> Result<(), Exit> {
    Router::bind(config, context).await?.run().await;
    Ok(())
}

impl Router {
    /// Binds every address of the configuration.
    ///
    /// # Errors
    /// As [`serve`].
    pub async fn bind(config: Config, context: Context) -> Result<Self, Exit> {
        if config.listen.is_empty() {
            return Err(Exit::ConfigRefused("listen: holds no address".to_owned()));
        }
        let mut listeners = Vec::new();
        for address in &config.listen {
            listeners.push(bind(*address).await?);
        }
        let slots = Arc::new(Semaphore::new(affordable(config.limits.max_connections)));
        let metrics = context.metrics.register(Metrics::register);
        let edge = Arc::new(Edge {
            config,
            live: crate::table::Live::default(),
            metrics,
            give_up: CancellationToken::new(),
        });
        let check = context.health.register_check("routes");
        let follower = Follower::new(&edge.config, &context)?;
        Ok(Self {
            edge,
            context,
            check,
            follower,
            listeners,
            slots,
            connections: TaskTracker::new(),
        })
    }

    /// The bound addresses, in the order of the configuration; where it says port 0, the one chosen.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect()
    }

    /// Serves until told to stop, then finishes what is in flight.
    pub async fn run(mut self) {
        let reload = Reload::new(
            Arc::clone(&self.edge),
            self.context.health.clone(),
            self.check.clone(),
        );
        let reload = match self.follower.take() {
            Some(follower) => tokio::spawn(follower.follow(reload)),
            None => tokio::spawn(reload.follow()),
        };
        let listeners = std::mem::take(&mut self.listeners);
        tokio::select! {
            _ = join_all(listeners.iter().map(|listener| self.accept(listener))) => {}
            () = self.context.shutdown.requested() => {}
        }
        drop(listeners);
        self.connections.close();
        tokio::select! {
            () = self.connections.wait() => {}
            () = self.give_up_in_time() => self.connections.wait().await,
        }
        reload.abort();
    }

    /// What is still waiting for its tenant when the time to finish is nearly over gets an answer
    /// rather than a broken connection.
    async fn give_up_in_time(&self) {
        let drain = self.edge.config.process.drain();
        tokio::time::sleep(drain.saturating_sub(LAST_ANSWERS.min(drain / 4))).await;
        self.edge.give_up.cancel();
    }

    /// Takes connections from one address. Never ends.
    async fn accept(&self, listener: &TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, address)) => self.take(stream, address),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn take(&self, stream: TcpStream, address: SocketAddr) {
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            self.edge.metrics.connections_refused.inc();
            return;
        };
        let edge = Arc::clone(&self.edge);
        let shutdown = self.context.shutdown.clone();
        self.connections.spawn(async move {
            let open = Open::new(&edge);
            connection::serve(Arc::clone(&edge), stream, address, shutdown).await;
            drop((open, slot));
        });
    }
}

/// Counts a connection as open while it lives.
struct Open<'a>(&'a Edge);

impl<'a> Open<'a> {
    fn new(edge: &'a Edge) -> Self {
        edge.metrics.connections.inc();
        Self(edge)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.metrics.connections.dec();
    }
}

/// As many connections as are wanted, or as the limit of open files leaves room for.
fn affordable(wanted: usize) -> usize {
    let Some(files) = files::limit() else {
        return wanted;
    };
    let affordable = affordable_with(files, wanted);
    if affordable < wanted {
        tracing::warn!(
            wanted,
            affordable,
            open_files = files,
            "the limit of open files allows fewer connections than limits.maxConnections; raise it (ulimit -n, LimitNOFILE=)"
        );
    }
    affordable
}

fn affordable_with(files: u64, wanted: usize) -> usize {
    let room = files.saturating_sub(RESERVED_FILES) / FILES_PER_CONNECTION;
    usize::try_from(room)
        .unwrap_or(usize::MAX)
        .clamp(1, wanted.max(1))
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Exit> {
    TcpListener::bind(address).await.map_err(|error| {
        let why = if error.kind() == std::io::ErrorKind::AddrInUse {
            "port_taken: another program listens there".to_owned()
        } else {
            error.to_string()
        };
        Exit::Unavailable(format!("cannot listen on {address}: {why}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_cut_to_what_the_limit_of_open_files_allows() {
        assert_eq!(affordable_with(1_048_576, 10_000), 10_000);
        assert_eq!(affordable_with(1_024, 10_000), 448);
        assert_eq!(affordable_with(64, 10_000), 1);
    }
}

//! The order to stop: the first signal drains, the second ends at once.

use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::exit::Exit;
use crate::standard_error;

/// Tells a program that it is to stop taking work. Clones share the order.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    token: CancellationToken,
}

impl Shutdown {
    /// Completes once the program is to stop taking work and finish what it has.
    pub fn requested(&self) -> WaitForCancellationFutureOwned {
        self.token.clone().cancelled_owned()
    }

    /// True once [`Shutdown::requested`] has completed.
    pub fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Gives the order from inside.
    pub fn request(&self) {
        self.token.cancel();
    }

    /// For code that takes a token.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }
}

/// SIGTERM and SIGINT, caught from the moment of creation.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Catches them from now on. Call it inside a runtime.
    ///
    /// # Errors
    /// [`Exit::Unavailable`] when the system refuses.
    pub fn catch() -> Result<Self, Exit> {
        let catch = |kind| {
            signal(kind)
                .map_err(|error| Exit::Unavailable(format!("cannot catch signals: {error}")))
        };
        Ok(Self {
            terminate: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
        })
    }

    /// Gives the order on the first signal, ends the process on the second.
    pub(crate) async fn obey(mut self, shutdown: Shutdown) {
        let name = self.next().await.1;
        tracing::info!(
            signal = name,
            "stopping: no new work, finishing what is in flight"
        );
        shutdown.request();
        let (number, name) = self.next().await;
        tracing::warn!(signal = name, "second signal: ending at once");
        standard_error::finish();
        process::exit(128 + number);
    }

    /// The number and name of the next one.
    pub async fn next(&mut self) -> (i32, &'static str) {
        tokio::select! {
            _ = self.terminate.recv() => (SignalKind::terminate().as_raw_value(), "SIGTERM"),
            _ = self.interrupt.recv() => (SignalKind::interrupt().as_raw_value(), "SIGINT"),
        }
    }
}

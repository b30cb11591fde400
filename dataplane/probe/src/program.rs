//! The probe as a process.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use pavilion_process::{Context, Exit, Identity, run};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use crate::config::{Config, Confined};
use crate::confinement;
use crate::http::{self, Desk};
use crate::knock::knock;
use crate::metrics::ProbeMetrics;

/// Who this program is.
pub const IDENTITY: Identity = Identity {
    name: "pavilion-probe",
    version: env!("CARGO_PKG_VERSION"),
    about: "Tries what must be refused, again and again, and tells how that went.",
};

/// Addresses tried at once; further ones wait.
const AT_ONCE: usize = 256;
/// How long to rest while nothing is asked.
const REST: Duration = Duration::from_mins(1);

/// The whole program.
pub fn main() -> ExitCode {
    run(IDENTITY, serve)
}

async fn serve(config: Config, context: Context) -> Result<(), Exit> {
    let every = config.every()?;
    let check = context.health.register_check("questions");
    let metrics = context.metrics.register(ProbeMetrics::register);
    let desk = Desk::new(every);
    let listener = bind(config.listen).await?;
    if let Some(door) = config.door {
        tokio::spawn(let_in(bind(door).await?));
    }
    context
        .health
        .set_detail("everySeconds", json!(every.as_secs()));
    if let Some(confined) = config.confined {
        tokio::spawn(look_at_oneself(confined, desk.clone(), every));
    }
    tokio::spawn(http::serve(listener, desk.clone()));
    check.set_ok();
    tokio::select! {
        () = try_all(desk, metrics) => Ok(()),
        () = context.shutdown.requested() => Ok(()),
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Exit> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| Exit::Unavailable(format!("{address}: {error}")))
}

/// A door that everybody may come in by, and is put out again.
async fn let_in(door: TcpListener) {
    loop {
        drop(http::accept(&door).await);
    }
}

/// Tries how the probe itself is confined, at once and in each round.
async fn look_at_oneself(confined: Confined, desk: Desk, every: Duration) {
    let confined = Arc::new(confined);
    let mut rounds = tokio::time::interval(every);
    loop {
        rounds.tick().await;
        let confined = Arc::clone(&confined);
        // Without an outcome the one before grows old, which is told.
        if let Ok(own) = spawn_blocking(move || confinement::attempt(&confined)).await {
            desk.set_own(own);
        }
    }
}

/// Tries whatever is due, for good.
async fn try_all(desk: Desk, metrics: ProbeMetrics) {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        for job in desk.with_book(|book| book.due(Instant::now())) {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                return;
            };
            let (desk, metrics) = (desk.clone(), metrics.clone());
            tokio::spawn(async move {
                let (outcome, because) = knock(job.address).await;
                metrics.tried(outcome);
                desk.with_book(|book| book.note(&job, outcome, because, Instant::now()));
                drop(slot);
                // What comes next may be earlier than what is waited for.
                desk.asked.notify_one();
            });
        }
        let next = desk.with_book(|book| book.next());
        tokio::select! {
            () = sleep_until(next.unwrap_or_else(|| Instant::now() + REST)) => {}
            () = desk.asked.notified() => {}
        }
    }
}

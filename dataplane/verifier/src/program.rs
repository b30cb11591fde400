//! The verifier as a process.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use pavilion_process::{Context, Exit, Identity};
use pavilion_proofs::status::StatusLists;
use tokio::time::Instant;

use crate::app::{App, router};
use crate::clock::Clock;
use crate::config::Config;
use crate::horizon::Horizon;
use crate::metrics::VerifierMetrics;
use crate::oauth::AccessTokens;
use crate::peers::Peers;
use crate::pool::Pool;
use crate::reservations::Reservations;
use crate::serve::serve;
use crate::store::Store;
use crate::tenant::load::{Loader, Served};
use crate::verifications::OpenVerifications;

const IDENTITY: Identity = Identity {
    name: "pavilion-verifier",
    version: env!("CARGO_PKG_VERSION"),
    about: "Serves the relying-party API of one tenant: questions in, signed and logged answers out.",
};

/// How often what has expired is deleted.
const SWEEP: Duration = Duration::from_secs(10);

/// Rows deleted in one transaction.
const SWEEP_BATCH: usize = 1_000;

/// Runs the program from its command line to its exit code.
pub fn main() -> ExitCode {
    pavilion_process::run(IDENTITY, verify)
}

/// The program's work, in its frame.
///
/// # Errors
/// Why it could not start.
pub async fn verify(config: Config, context: Context) -> Result<(), Exit> {
    config.check()?;
    let app = Arc::new(assemble(&config, &context)?);
    let entrance = config.places().bind(&context).await?;
    let loader = Loader::new(
        config.tenant,
        Arc::clone(&app.served),
        context.health.clone(),
    );
    let followed = tokio::spawn(loader.follow(config.bundle_file));
    let watched = tokio::spawn(app.peers.clone().watch(&context.health));
    let swept = tokio::spawn(sweep(Arc::clone(&app)));
    let store = app.store.clone();
    let outcome = tokio::select! {
        () = serve(entrance, router(app), &context.shutdown) => Ok(()),
        // The supervisor starts another one, which can write.
        () = store.ended() => Err(Exit::Bug(
            "the thread that writes short-lived state has ended".to_owned(),
        )),
    };
    for task in [followed, watched, swept] {
        task.abort();
    }
    outcome
}

/// Everything that handlers need, out of a configuration.
///
/// # Errors
/// Why the state cannot be used.
pub fn assemble(config: &Config, context: &Context) -> Result<App, Exit> {
    let metrics = context.metrics.register(VerifierMetrics::register);
    let check = context.health.register_check("state");
    let store = Store::open(&config.state_file, check, metrics.store.clone())?;
    let tokens = AccessTokens::load(store.clone()).map_err(|_| unreadable(config))?;
    let open = OpenVerifications::load(&store).map_err(|_| unreadable(config))?;
    Ok(App {
        open,
        served: Served::default(),
        store,
        tokens,
        peers: Peers::new(&config.signer_socket, &config.auditor_socket),
        status: StatusLists::default(),
        pool: Pool::new(config.evaluations, config.queue_limit, metrics.pool.clone()),
        metrics,
        clock: Clock::system(),
        max_body_bytes: config.max_body_bytes,
        nonces: Reservations::default(),
        verifications: Reservations::default(),
        idempotency_keys: Reservations::default(),
    })
}

fn unreadable(config: &Config) -> Exit {
    let (rows, keys) = (&config.state_file, config.state_file.with_extension("keys"));
    Exit::DataRefused(format!(
        "{}: its rows cannot be read with the keys in {}; they belong together, so restore both, or \
         remove both and wait 75 minutes, because the memory of what was used goes with them",
        rows.display(),
        keys.display()
    ))
}

/// Deletes what has expired, again and again, and follows a clock that steps ahead slowly.
pub async fn sweep(app: Arc<App>) {
    let mut horizon = Horizon::new(app.clock.second(), Instant::now());
    loop {
        let until = horizon.follow(app.clock.second(), Instant::now());
        sweep_until(&app, until).await;
        tokio::time::sleep(SWEEP).await;
    }
}

/// Deletes everything that has expired by now, for whoever knows that the clock is right.
pub async fn sweep_once(app: &App) {
    sweep_until(app, app.clock.second()).await;
}

async fn sweep_until(app: &App, until: i64) {
    // Both hold what the store holds, and forget with it.
    app.tokens.prune(until);
    app.open.prune(until);
    let sweep = || {
        let verifications = app.verifications.clone();
        let in_use = move |id| verifications.is_reserved(id);
        app.store.sweep(until, SWEEP_BATCH, in_use)
    };
    // A failure is logged where it happens; the next round tries again.
    while matches!(sweep().await, Ok(taken) if taken == SWEEP_BATCH) {}
}

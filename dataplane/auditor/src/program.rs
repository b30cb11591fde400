//! The auditor as a process: configuration, log, sockets, and an orderly end.

use std::process::ExitCode;
use std::time::Duration;

use pavilion_process::{Check, Context, Exit, Health, Identity, run};
use pavilion_rpc::auditor::auditor_server::AuditorServer;
use pavilion_rpc::socket::{self, Peers};
use serde_json::json;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::config::Config;
use crate::engine::{Conditions, Log, OpenError};
use crate::http;
use crate::metrics::LogMetrics;
use crate::service::{AuditorService, MAX_REQUEST};
use crate::signer::Signer;

/// Who this program is.
pub const IDENTITY: Identity = Identity {
    name: "pavilion-auditor",
    version: env!("CARGO_PKG_VERSION"),
    about: "Keeps a tenant's transparency log: durable appends, checkpoints, receipts, tiles.",
};

/// How often `/status` and the gauges are refreshed.
const SHOW_EVERY: Duration = Duration::from_secs(1);
/// How long the end waits for a checkpoint over the last entries.
const LAST_CHECKPOINT: Duration = Duration::from_secs(1);

/// The whole program.
pub fn main() -> ExitCode {
    run(IDENTITY, serve)
}

async fn serve(config: Config, context: Context) -> Result<(), Exit> {
    let settings = config.settings()?;
    let checks = Checks::register(&context.health);
    let metrics = context.metrics.register(LogMetrics::register);
    let opening = {
        let metrics = metrics.clone();
        spawn_blocking(move || Log::open(settings, metrics))
    };
    let log = opening
        .await
        .map_err(|error| Exit::Bug(error.to_string()))?
        .map_err(|error| exit_of(&error))?;
    let grpc = socket::bind(&config.socket, Peers::from_config(&config.allowed_uids))?;
    let tiles = config.places().bind(&context).await?;
    let signer = Signer::new(&config.signer_socket, &config.origin);
    let chores = [
        tokio::spawn(make_checkpoints(log.clone(), signer.clone())),
        tokio::spawn(checks.follow(log.clone())),
        tokio::spawn(show(
            log.clone(),
            signer.clone(),
            config.origin.clone(),
            context.health.clone(),
            metrics,
        )),
    ];
    tracing::info!(
        origin = config.origin,
        entries = log.status().size,
        "keeping the log"
    );
    let service = AuditorService::new(log.clone(), &config.origin, signer);
    let service = AuditorServer::new(service).max_decoding_message_size(MAX_REQUEST);
    let serving = async {
        tokio::join!(
            socket::serve(grpc, service, context.shutdown.requested()),
            http::serve(tiles, log.clone(), context.shutdown.requested()),
        )
    };
    let fault = log.fault();
    let (served, ()) = tokio::select! {
        served = serving => served,
        reason = fault.told() => return Err(Exit::Bug(reason)),
    };
    if !log.settle(LAST_CHECKPOINT).await {
        tracing::warn!("the last entries are durable, but no checkpoint covers them yet");
    }
    chores.iter().for_each(JoinHandle::abort);
    let closed = spawn_blocking(move || log.close()).await;
    closed.map_err(|error| Exit::Bug(error.to_string()))?;
    served.map_err(|error| Exit::Unavailable(error.to_string()))
}

async fn make_checkpoints(log: Log, signer: Signer) {
    let sign = |text| {
        let signer = signer.clone();
        async move { signer.sign(text).await }
    };
    log.make_checkpoints(sign).await;
}

/// What must be well for the auditor to be ready.
struct Checks {
    writer: Check,
    sealer: Check,
    signer: Check,
}

impl Checks {
    fn register(health: &Health) -> Self {
        Self {
            writer: health.register_check("entries"),
            sealer: health.register_check("tiles"),
            signer: health.register_check("checkpoints"),
        }
    }

    /// Keeps the checks at what the log says.
    async fn follow(self, log: Log) {
        let mut conditions = log.conditions();
        loop {
            let Conditions {
                writer,
                sealer,
                signer,
            } = conditions.borrow_and_update().clone();
            for (check, condition) in [
                (&self.writer, writer),
                (&self.sealer, sealer),
                (&self.signer, signer),
            ] {
                match condition {
                    Ok(()) => check.set_ok(),
                    Err(reason) => check.set_failed(reason),
                }
            }
            if conditions.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Keeps `/status` and the gauges fresh.
async fn show(log: Log, signer: Signer, origin: String, health: Health, metrics: LogMetrics) {
    let mut ticks = tokio::time::interval(SHOW_EVERY);
    loop {
        ticks.tick().await;
        let status = log.status();
        metrics.queue(status.queued);
        health.set_detail("origin", json!(origin));
        health.set_detail(
            "verifierKey",
            json!(signer.verifier_key().map(|key| key.to_string())),
        );
        health.set_detail("size", json!(status.size));
        health.set_detail("checkpointSize", json!(status.checkpoint_size));
        health.set_detail("queued", json!(status.queued));
        // Public, and what is kept of a log whose tenant is deleted.
        let checkpoint = log.checkpoint();
        let text = checkpoint.as_ref().map(|checkpoint| &checkpoint.text);
        health.set_detail("checkpoint", json!(text));
    }
}

fn exit_of(error: &OpenError) -> Exit {
    let words = error.to_string();
    match error {
        OpenError::Locked(_) => Exit::Unavailable(words),
        OpenError::Newer { .. } | OpenError::Broken { .. } => Exit::DataRefused(words),
        OpenError::Origin => Exit::ConfigRefused(words),
        OpenError::Io { .. } => Exit::CannotWrite(words),
    }
}

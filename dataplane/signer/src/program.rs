//! The signer as a process: configuration, token, socket, and an orderly end.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use pavilion_process::{Check, Context, Exit, Health, Identity, run};
use pavilion_rpc::signer::signer_server::SignerServer;
use pavilion_rpc::socket;
use serde_json::json;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval};

use crate::config::Config;
use crate::engine::{Clock, Engine, EngineMetrics};
use crate::service::{MAX_REQUEST, SignerService};

/// Who this program is.
pub const IDENTITY: Identity = Identity {
    name: "pavilion-signer",
    version: env!("CARGO_PKG_VERSION"),
    about: "Signs answers and checkpoints with keys that stay in a PKCS#11 token.",
};

/// How often replaced keys are looked for, and metrics that age refreshed.
const MAINTAIN_EVERY: Duration = Duration::from_secs(10);

/// The whole program.
pub fn main() -> ExitCode {
    run(IDENTITY, serve)
}

async fn serve(config: Config, context: Context) -> Result<(), Exit> {
    let settings = config.settings()?;
    let callers = config.callers()?;
    let check = context.health.register_check("token");
    let metrics = context.metrics.register(EngineMetrics::register);
    let starting = spawn_blocking(|| Engine::start(settings, Clock::system(), metrics));
    let engine = starting
        .await
        .map_err(|error| Exit::Bug(error.to_string()))??;
    let engine = Arc::new(engine);
    let listener = socket::bind(&config.socket, callers.peers())?;
    let chores = [
        tokio::spawn(show(Arc::clone(&engine), check, context.health.clone())),
        tokio::spawn(maintain(Arc::clone(&engine), context.health.clone())),
    ];
    tracing::info!(socket = %config.socket.display(), token = config.token_label.as_str(), "signing");
    let service = SignerServer::new(SignerService::new(Arc::clone(&engine), callers))
        .max_decoding_message_size(MAX_REQUEST);
    let fault = engine.fault();
    let served = tokio::select! {
        served = socket::serve(listener, service, context.shutdown.requested()) => served,
        reason = fault.told() => {
            engine.stop();
            return Err(Exit::Unavailable(reason));
        }
    };
    chores.iter().for_each(JoinHandle::abort);
    let stopped = spawn_blocking(move || engine.stop()).await;
    stopped.map_err(|error| Exit::Bug(error.to_string()))?;
    served.map_err(|error| Exit::Unavailable(error.to_string()))
}

/// Keeps the check and `/status` at what the engine says.
async fn show(engine: Arc<Engine>, check: Check, health: Health) {
    let mut readiness = engine.readiness();
    loop {
        // The detail first: who sees it ready may read it.
        detail(&engine, &health);
        match readiness.borrow_and_update().clone() {
            None => check.set_ok(),
            Some(reason) => check.set_failed(reason),
        }
        if readiness.changed().await.is_err() {
            return;
        }
    }
}

async fn maintain(engine: Arc<Engine>, health: Health) {
    let mut ticks = interval(MAINTAIN_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = engine.maintain().await {
            tracing::warn!(code = error.code(), %error, "keys not looked after; trying again");
        }
        detail(&engine, &health);
    }
}

fn detail(engine: &Engine, health: &Health) {
    let status = engine.status();
    let keys = engine.public_keys().into_iter().map(|key| {
        json!({
            "keyId": key.key_id,
            "purpose": key.purpose.name(),
            "current": key.current,
            "custody": key.custody,
            "created": key.created,
            "retires": key.retires,
        })
    });
    health.set_detail("keys", keys.collect());
    health.set_detail("module", json!(status.module));
    health.set_detail("tokenLabel", json!(status.token_label));
    health.set_detail("mechanisms", json!(status.mechanisms));
    health.set_detail("custody", json!(status.custody));
    health.set_detail("sessionsOpen", json!(status.sessions_open));
    health.set_detail("queueDepth", json!(status.queue_depth));
}

//! `standalone`: everything on this host, kept as the manifests say.

mod retry;
mod round;

use std::{
    io,
    net::TcpListener,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use pavilion_catalogue::host as codes;
use pavilion_process::{
    Check, Exit, Health, Identity, Metrics, Signals, crypto, files, standard_error,
};
use tokio::{
    runtime::Runtime,
    sync::Notify,
    time::{MissedTickBehavior, interval},
};

use crate::{
    arguments::Standalone,
    health,
    host::{Host, Ledger, Platform, Programs, StateDir, Surroundings, find_module},
    manifests::{self, ManifestSet},
    metrics::OperatorMetrics,
    status::{OperatorFacts, StatusWriter},
    talk::{self, LogFormat},
    watch::FolderWatch,
};
use round::Rounds;

const IDENTITY: Identity = Identity {
    name: "pavilion-operator",
    version: env!("CARGO_PKG_VERSION"),
    about: "Turns manifests into a running data plane.",
};

/// How often certificates are looked at for renewal.
const RENEWAL_LOOK: Duration = Duration::from_mins(10);

/// Runs until SIGTERM or SIGINT, then stops everything in order. A second signal ends at once.
///
/// # Errors
/// What keeps it from starting: an unusable state directory, a taken port, a missing program or
/// module, or manifests that are refused when there is no earlier state to serve.
pub fn run(options: &Standalone) -> Result<(), Exit> {
    talk::start(
        options.log_format.unwrap_or_else(LogFormat::fitting),
        options.log_level,
    );
    crypto::install();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Exit::Unavailable(format!("cannot start threads: {error}")))?;
    let outcome = drive(&runtime, options);
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

fn drive(runtime: &Runtime, options: &Standalone) -> Result<(), Exit> {
    runtime.block_on(async {
        let begin = Instant::now();
        files::raise_limit();
        tokio::spawn(standard_error::tell_of_drops());
        let mut signals = Signals::catch()?;
        let mut operator = Operator::prepare(options, begin).await?;
        let outcome = operator.serve(&mut signals).await;
        tracing::info!("stopping: the edge first, then each tenant");
        tokio::select! {
            () = operator.rounds.stop() => tracing::info!("everything is stopped"),
            _ = signals.next() => tracing::warn!("second signal: ending at once"),
        }
        outcome
    })
}

struct Operator {
    folder: PathBuf,
    rounds: Rounds,
    changed: Arc<Notify>,
    ready: Check,
    /// Until everything was ready for the first time.
    begin: Option<Instant>,
    /// The newest set that was looked at.
    seen: Option<pavilion_json::Digest>,
    announced: bool,
}

impl Operator {
    async fn prepare(options: &Standalone, begin: Instant) -> Result<Self, Exit> {
        let programs = Programs::find(options.bin_dir.as_deref())?;
        let module = find_module(options.pkcs11_module.as_deref())?;
        let folder =
            std::path::absolute(&options.manifests).unwrap_or_else(|_| options.manifests.clone());
        let state = Arc::new(StateDir::open(&options.state)?);
        let ledger = Arc::new(Ledger::open(Arc::clone(&state)).await);
        port_is_free(options)?;
        let (own_health, metrics) = (Health::new(IDENTITY), Metrics::new(&IDENTITY));
        let (listen, own) = (&options.health, own_health.clone());
        health::serve(listen, &state, own, metrics.clone()).await?;
        let changed = Arc::new(Notify::new());
        let surroundings = Surroundings {
            ledger,
            changed: Arc::clone(&changed),
            format: options.log_format.unwrap_or_else(LogFormat::fitting),
        };
        let platform = Platform {
            listen: options.listen,
            allow_tls12: options.allow_tls12,
            module,
            drain_seconds: options.drain.as_seconds(),
            otlp: options.otlp.as_ref().map(ToString::to_string),
            log_level: options.log_level,
        };
        let facts = OperatorFacts {
            version: IDENTITY.version.to_owned(),
            pid: std::process::id(),
            listen: options.listen.to_string(),
            manifests: folder.display().to_string(),
            ..OperatorFacts::default()
        };
        let rounds = Rounds::open(
            Arc::clone(&state),
            Host::new(Arc::clone(&state), platform, programs, surroundings),
            StatusWriter::open(state),
            metrics.register(OperatorMetrics::register),
            facts,
            options,
        )?;
        Ok(Self {
            folder,
            rounds,
            changed,
            ready: own_health.register_check("objects"),
            begin: Some(begin),
            seen: None,
            announced: false,
        })
    }

    /// Looks, applies, tells, until a signal comes.
    async fn serve(&mut self, signals: &mut Signals) -> Result<(), Exit> {
        let mut watch = FolderWatch::start(&self.folder);
        self.rounds.start_router()?;
        let first = self.read().await?;
        self.seen = first.digest;
        self.rounds.begin(&first, Timestamp::now())?;
        let mut renewal = interval(RENEWAL_LOOK);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        renewal.reset();
        loop {
            self.tell();
            tokio::select! {
                _ = signals.next() => return Ok(()),
                () = self.changed.notified() => {}
                () = watch.changed() => {
                    if let Some(set) = self.look().await? {
                        self.rounds.take(&set, Timestamp::now());
                    }
                }
                _ = renewal.tick() => self.rounds.renew(Timestamp::now()),
                () = self.rounds.due() => self.rounds.try_again(Timestamp::now()),
            }
        }
    }

    /// The manifests, when they are other than at the last look.
    async fn look(&mut self) -> Result<Option<ManifestSet>, Exit> {
        let set = self.read().await?;
        if set.digest == self.seen {
            return Ok(None);
        }
        self.seen = set.digest;
        Ok(Some(set))
    }

    async fn read(&self) -> Result<ManifestSet, Exit> {
        let folder = self.folder.clone();
        tokio::task::spawn_blocking(move || manifests::dereference(&folder))
            .await
            .map_err(|error| Exit::Bug(format!("the manifests: {error}")))
    }

    fn tell(&mut self) {
        let ready = self.rounds.settle(Timestamp::now());
        match ready {
            Ok(()) => self.ready.set_ok(),
            Err(reason) => self.ready.set_failed(reason),
        }
        let ready = self.rounds.is_ready();
        if ready && !self.announced {
            let after = match self.begin.take() {
                Some(begin) => format!("after {:.2} s", begin.elapsed().as_secs_f64()),
                None => "again".to_owned(),
            };
            tracing::info!(issuers = self.rounds.issuers(), "ready {after}");
        }
        self.announced = ready;
    }
}

/// A clear word at once is better than a router that falls again and again.
fn port_is_free(options: &Standalone) -> Result<(), Exit> {
    let listen = options.listen;
    if listen.port() == 0 {
        return Err(Exit::ConfigRefused(
            "--listen needs a port other than 0: it is part of the issuer's name".to_owned(),
        ));
    }
    TcpListener::bind(listen).map(drop).map_err(|error| {
        let entry = match error.kind() {
            io::ErrorKind::AddrInUse => &codes::PORT_TAKEN,
            _ => return Exit::Unavailable(format!("cannot listen on {listen}: {error}")),
        };
        Exit::Unavailable(format!(
            "{listen} is in use [{}]. {}",
            entry.code, entry.hint
        ))
    })
}

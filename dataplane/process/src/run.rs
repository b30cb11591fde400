//! The frame of a program.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::Runtime;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::arguments::{self, Arguments};
use crate::config::{ProcessConfig, ProgramConfig, read_config};
use crate::crypto;
use crate::exit::Exit;
use crate::files;
use crate::health::Health;
use crate::health_server::HealthServer;
use crate::log::{self, JsonLines};
use crate::metrics::Metrics;
use crate::shutdown::{Shutdown, Signals};
use crate::standard_error;
use crate::traces::Exporter;

/// How long the runtime waits at the end for work that cannot be cancelled.
const RUNTIME_GRACE: Duration = Duration::from_secs(1);

/// Who a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name, as in `pavilion-router`.
    pub name: &'static str,
    /// Its version: `env!("CARGO_PKG_VERSION")`.
    pub version: &'static str,
    /// One sentence for `--help`.
    pub about: &'static str,
}

impl Identity {
    /// `<version> (<commit>)`, as `--version` prints it.
    pub(crate) fn version_line(&self) -> String {
        format!("{} ({})", self.version, crate::COMMIT)
    }
}

/// What a program's own code gets from its frame.
#[derive(Clone, Debug)]
pub struct Context {
    /// What it says about itself.
    pub health: Health,
    /// Where its metrics are registered.
    pub metrics: Metrics,
    /// When it is to stop.
    pub shutdown: Shutdown,
}

/// Runs a program from its command line to its exit code.
///
/// `main` starts with the health endpoint already answering (`/readyz` is 503 until its checks are
/// well) and returns when its work is done; after [`Shutdown::requested`] it has `drainSeconds` to
/// return, then it is dropped and the program ends with [`Exit::Unfinished`].
pub fn run<C, F, W>(identity: Identity, main: F) -> ExitCode
where
    C: ProgramConfig,
    F: FnOnce(C, Context) -> W,
    W: Future<Output = Result<(), Exit>>,
{
    let arguments = match arguments::parse(&identity, std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(said) => {
            // A closed standard output leaves nobody to tell.
            let _ = said.print();
            return ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(2));
        }
    };
    crypto::install();
    let _finish = standard_error::FinishOnDrop;
    match start(&identity, &arguments, main) {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => ExitCode::from(&exit),
    }
}

fn start<C, F, W>(identity: &Identity, arguments: &Arguments, main: F) -> Result<(), Exit>
where
    C: ProgramConfig,
    F: FnOnce(C, Context) -> W,
    W: Future<Output = Result<(), Exit>>,
{
    let config: C =
        read_config(&arguments.config).inspect_err(|exit| say_plainly(identity, exit))?;
    let process = effective(config.process(), arguments);
    let runtime = runtime(&process).inspect_err(|exit| say_plainly(identity, exit))?;
    let exporter = {
        let _in = runtime.enter();
        start_logging(identity, &process).inspect_err(|exit| say_plainly(identity, exit))?
    };
    let outcome = runtime.block_on(supervise(*identity, &process, config, main));
    match &outcome {
        Ok(()) => tracing::info!("stopped"),
        Err(exit) => tracing::error!(reason = exit.reason(), code = exit.code(), "{exit}"),
    }
    if let Some(exporter) = exporter {
        exporter.stop();
    }
    runtime.shutdown_timeout(RUNTIME_GRACE);
    outcome
}

/// The configuration with what the command line overrides.
fn effective(process: &ProcessConfig, arguments: &Arguments) -> ProcessConfig {
    let mut process = process.clone();
    if let Some(level) = arguments.log_level {
        process.log_level = level;
    }
    if let Some(collector) = &arguments.otlp {
        process.otlp = Some(collector.clone());
    }
    process
}

fn runtime(process: &ProcessConfig) -> Result<Runtime, Exit> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(usize::from(process.worker_threads))
        .enable_all()
        .build()
        .map_err(|error| Exit::Unavailable(format!("cannot start threads: {error}")))
}

fn start_logging(identity: &Identity, process: &ProcessConfig) -> Result<Option<Exporter>, Exit> {
    let exporter = process
        .otlp
        .as_ref()
        .map(|collector| Exporter::start(collector, identity))
        .transpose()?;
    let traces = exporter.as_ref().map(|exporter| {
        tracing_opentelemetry::layer()
            .with_tracer(exporter.tracer())
            .with_filter(log::filter(process.log_level))
    });
    let lines = JsonLines::on_standard_error(identity.name, process.tenant.clone())
        .with_filter(log::filter(process.log_level));
    tracing_subscriber::registry()
        .with(traces)
        .with(lines)
        .try_init()
        .map_err(|error| Exit::Bug(error.to_string()))?;
    std::panic::set_hook(Box::new(|panic| {
        // Only where, never what: a panic's message may quote data.
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "panic: a fault of this program");
    }));
    Ok(exporter)
}

async fn supervise<C, F, W>(
    identity: Identity,
    process: &ProcessConfig,
    config: C,
    main: F,
) -> Result<(), Exit>
where
    C: ProgramConfig,
    F: FnOnce(C, Context) -> W,
    W: Future<Output = Result<(), Exit>>,
{
    let context = Context {
        health: Health::new(identity),
        metrics: Metrics::new(&identity),
        shutdown: Shutdown::default(),
    };
    let signals = Signals::catch()?;
    let server = HealthServer::bind(&process.health).await?;
    tracing::info!(version = identity.version, commit = crate::COMMIT, health = %process.health, "started");
    files::raise_limit();
    tokio::spawn(standard_error::tell_of_drops());
    tokio::spawn(signals.obey(context.shutdown.clone()));
    let health = tokio::spawn(server.serve(context.health.clone(), context.metrics.clone()));
    let (shutdown, status) = (context.shutdown.clone(), context.health.clone());
    let outcome = tokio::select! {
        outcome = main(config, context) => outcome,
        exit = drained(&shutdown, process.drain(), &status) => Err(exit),
    };
    health.abort();
    // Waits for the abort, so that the socket's file is gone before the process is.
    let _ = health.await;
    outcome
}

/// Completes when the time to finish work in flight is over.
async fn drained(shutdown: &Shutdown, limit: Duration, health: &Health) -> Exit {
    shutdown.requested().await;
    health
        .register_check("accepting_work")
        .set_failed("draining");
    tokio::time::sleep(limit).await;
    Exit::Unfinished(format!(
        "work was left {} s after the order to stop; it is dropped",
        limit.as_secs()
    ))
}

/// Says why before there is a log to say it in.
fn say_plainly(identity: &Identity, exit: &Exit) {
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(std::io::stderr(), "{}: {exit}", identity.name);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::path::Path;
    use std::sync::mpsc;

    use bytes::Bytes;
    use http_body_util::BodyExt;
    use hyper::body::Incoming;
    use hyper::server::conn::http2;
    use hyper::service::service_fn;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use rustix::process::{Signal, getpid, kill_process};
    use serde::Deserialize;

    use super::*;

    const IDENTITY: Identity = Identity {
        name: "pavilion-test",
        version: "1.2.3",
        about: "Tests.",
    };

    #[derive(Deserialize)]
    struct Config {
        process: ProcessConfig,
        greeting: String,
    }

    impl ProgramConfig for Config {
        fn process(&self) -> &ProcessConfig {
            &self.process
        }
    }

    /// A collector that takes any OTLP/gRPC export and hands out what it got.
    fn collector() -> (String, mpsc::Receiver<(String, Bytes)>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                listener.set_nonblocking(true).unwrap();
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let (stream, _) = listener.accept().await.unwrap();
                let service = service_fn(move |request: http::Request<Incoming>| {
                    let tell = tell.clone();
                    async move {
                        let path = request.uri().path().to_owned();
                        let body = request.into_body().collect().await?.to_bytes();
                        tell.send((path, body)).unwrap();
                        Ok::<_, hyper::Error>(exported())
                    }
                });
                let _ = http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        });
        (url, told)
    }

    /// An empty gRPC message, and no error.
    fn exported() -> http::Response<http_body_util::Full<Bytes>> {
        http::Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", "0")
            .body(Bytes::from_static(&[0; 5]).into())
            .unwrap()
    }

    fn arguments(folder: &Path, collector: &str) -> Arguments {
        let path = folder.join("config.json");
        let health = folder.join("health.sock");
        let config = serde_json::json!({
            "greeting": "hello",
            "process": { "health": format!("unix:{}", health.display()), "drainSeconds": 0 },
        });
        std::fs::write(&path, config.to_string()).unwrap();
        Arguments {
            config: path,
            otlp: Some(collector.parse().unwrap()),
            log_level: Some(crate::config::LogLevel::Error),
        }
    }

    // One test, because the log of a process can only be set once.
    #[test]
    fn a_program_runs_until_it_is_told_to_stop_and_is_dropped_when_its_time_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let (url, told) = collector();
        let arguments = arguments(folder.path(), &url);
        let socket = folder.path().join("health.sock");
        let seen = socket.clone();
        let outcome = start(
            &IDENTITY,
            &arguments,
            async move |config: Config, context| {
                assert_eq!(config.greeting, "hello");
                assert!(seen.exists(), "health answers before the work starts");
                assert!(!context.health.is_ready(), "it has registered no check");
                let traced = tracing::error_span!("work");
                let mut headers = Vec::new();
                crate::traces::inject(&traced, &mut |name, _| headers.push(name.to_owned()));
                assert!(headers.contains(&"traceparent".to_owned()), "{headers:?}");
                kill_process(getpid(), Signal::TERM).unwrap();
                context.shutdown.requested().await;
                assert!(context.shutdown.is_requested());
                std::future::pending::<()>().await;
                Ok(())
            },
        );
        assert_eq!(outcome.unwrap_err().code(), 75, "it did not finish");
        assert!(!socket.exists(), "the socket goes with the program");
        let (path, body) = told
            .recv_timeout(Duration::from_secs(10))
            .expect("spans arrive");
        assert_eq!(
            path,
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        );
        let has = |text: &str| body.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(
            has("pavilion-test") && has("work"),
            "the program and its span are named"
        );
    }

    #[test]
    fn a_missing_configuration_is_exit_code_66() {
        let arguments = Arguments {
            config: "/does/not/exist.json".into(),
            otlp: None,
            log_level: None,
        };
        let outcome = start(&IDENTITY, &arguments, async |_: Config, _| Ok(()));
        assert_eq!(outcome.unwrap_err().code(), 66);
    }
}

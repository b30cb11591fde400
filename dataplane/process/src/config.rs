//! The part of a configuration file that all programs share, and how a file is read.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use pavilion_json::Limits;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::exit::Exit;

/// The largest configuration file, in bytes.
const MAX_CONFIG_BYTES: u64 = 1024 * 1024;

/// A program's configuration: a strict serde type with a `process` member.
pub trait ProgramConfig: DeserializeOwned {
    /// The `process` member.
    fn process(&self) -> &ProcessConfig;
}

/// The `process` member of every configuration file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProcessConfig {
    /// Where `/livez /readyz /metrics /status` are served.
    pub health: Listen,
    /// The tenant this process works for, if it works for one; named in every log line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// How much is logged; `info` unless set.
    #[serde(default)]
    pub log_level: LogLevel,
    /// An OTLP/gRPC collector for traces; none unless set. `--otlp` overrides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otlp: Option<Url>,
    /// How long requests in flight may take to finish after the first signal, in seconds; 20 unless set.
    #[serde(default = "default_drain_seconds")]
    pub drain_seconds: u64,
    /// Threads that run asynchronous work, 1 to 1,024; 2 unless set.
    #[serde(default = "default_worker_threads")]
    pub worker_threads: u16,
}

impl ProcessConfig {
    /// The defaults, with the health endpoint at `health`.
    pub fn new(health: Listen) -> Self {
        Self {
            health,
            tenant: None,
            log_level: LogLevel::default(),
            otlp: None,
            drain_seconds: default_drain_seconds(),
            worker_threads: default_worker_threads(),
        }
    }

    /// How long requests in flight may take to finish.
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}

fn default_drain_seconds() -> u64 {
    20
}

fn default_worker_threads() -> u16 {
    2
}

/// An address to listen on: `unix:<path>` or `tcp:<ip>:<port>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Listen {
    /// A unix socket, relative to the working directory.
    Unix(PathBuf),
    /// A TCP address; port 0 lets the system choose.
    Tcp(SocketAddr),
}

/// An address that is neither form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address to listen on is written unix:<path> or tcp:<ip>:<port>")]
pub struct ListenParseError;

impl FromStr for Listen {
    type Err = ListenParseError;

    fn from_str(text: &str) -> Result<Self, ListenParseError> {
        match text.split_once(':') {
            Some(("unix", path)) if !path.is_empty() => Ok(Self::Unix(path.into())),
            Some(("tcp", address)) => address.parse().map(Self::Tcp).map_err(|_| ListenParseError),
            _ => Err(ListenParseError),
        }
    }
}

impl TryFrom<String> for Listen {
    type Error = ListenParseError;

    fn try_from(text: String) -> Result<Self, ListenParseError> {
        text.parse()
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        listen.to_string()
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
            Self::Tcp(address) => write!(out, "tcp:{address}"),
        }
    }
}

/// How much is logged. It applies to this project's own code; libraries only ever log warnings,
/// because what they say at finer levels may quote a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Only what needs a person.
    Error,
    /// And what may need one soon.
    Warn,
    /// And what happened.
    #[default]
    Info,
    /// And how.
    Debug,
    /// And every step.
    Trace,
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "error" => Ok(Self::Error),
            "warn" => Ok(Self::Warn),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            "trace" => Ok(Self::Trace),
            _ => Err("not one of error, warn, info, debug, trace".to_owned()),
        }
    }
}

/// Reads a configuration file strictly: unknown and duplicate members are refused, with their path.
///
/// # Errors
/// [`Exit::InputMissing`] when it cannot be read, [`Exit::ConfigRefused`] when it says something else
/// than it may.
pub fn read_config<C: ProgramConfig>(path: &Path) -> Result<C, Exit> {
    let refuse = |why: &dyn fmt::Display| Exit::ConfigRefused(format!("{}: {why}", path.display()));
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_CONFIG_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| Exit::InputMissing(format!("{}: {error}", path.display())))?;
    if bytes.len() as u64 > MAX_CONFIG_BYTES {
        return Err(refuse(&"larger than 1 MiB"));
    }
    let config: C =
        pavilion_json::read(&bytes, Limits::DOCUMENT).map_err(|error| refuse(&error))?;
    if !(1..=1_024).contains(&config.process().worker_threads) {
        return Err(refuse(&"process.workerThreads: not between 1 and 1024"));
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        process: ProcessConfig,
    }

    impl ProgramConfig for Config {
        fn process(&self) -> &ProcessConfig {
            &self.process
        }
    }

    fn read(text: &str) -> Result<Config, Exit> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, text).unwrap();
        read_config(&path)
    }

    #[test]
    fn what_is_left_out_has_the_stated_default() {
        let config = read(r#"{"process": {"health": "unix:run/health.sock"}}"#).unwrap();
        let expected = ProcessConfig::new(Listen::Unix("run/health.sock".into()));
        assert_eq!(config.process, expected);
        assert_eq!(config.process.drain(), Duration::from_secs(20));
        assert_eq!(config.process.worker_threads, 2);
    }

    #[test]
    fn a_configuration_round_trips() {
        let mut process = ProcessConfig::new(Listen::Tcp("127.0.0.1:9000".parse().unwrap()));
        process.tenant = Some("acme".to_owned());
        process.otlp = Some("http://127.0.0.1:4317".parse().unwrap());
        let text = serde_json::json!({ "process": process }).to_string();
        assert_eq!(read(&text).unwrap().process, process);
    }

    #[test]
    fn a_mistake_is_named_with_its_place() {
        for (text, place) in [
            (
                r#"{"process": {"health": "unix:a", "heath": 1}}"#,
                "process",
            ),
            (r#"{"process": {"health": "nowhere"}}"#, "process.health"),
            (r#"{"process": {"health": "unix:"}}"#, "process.health"),
            (
                r#"{"process": {"health": "tcp:localhost"}}"#,
                "process.health",
            ),
            (
                r#"{"process": {"health": "unix:a", "workerThreads": 0}}"#,
                "process.workerThreads",
            ),
            (
                r#"{"process": {"health": "unix:a"}, "process": {}}"#,
                "config.json",
            ),
            ("{", "config.json"),
        ] {
            let refused = read(text).unwrap_err();
            assert_eq!(refused.code(), 78, "{text}");
            assert!(refused.to_string().contains(place), "{refused}");
        }
    }

    #[test]
    fn a_missing_file_is_exit_code_66_and_a_huge_one_78() {
        let missing = read_config::<Config>(Path::new("/does/not/exist.json")).unwrap_err();
        assert_eq!(missing.code(), 66);
        let huge = read(&" ".repeat(1024 * 1024 + 1)).unwrap_err();
        assert_eq!(huge.code(), 78);
    }
}

//! The router's configuration file.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use pavilion_process::{Listen, ProcessConfig, ProgramConfig};
use serde::{Deserialize, Serialize};

/// `router/config.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// What every program has.
    pub process: ProcessConfig,
    /// The addresses that take HTTPS; at least one.
    pub listen: Vec<SocketAddr>,
    /// The route table's file, relative to the working directory. With `operator` the router writes it
    /// itself, and what the table names in the folder `files` beside it.
    pub routes: PathBuf,
    /// Whom to ask for the route table; without it, whoever writes the file decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Operator>,
    /// The oldest TLS version spoken; 1.3 unless set.
    #[serde(default)]
    pub tls_min_version: TlsMinVersion,
    /// How much of anything is taken.
    #[serde(default)]
    pub limits: Limits,
    /// How long anything may take.
    #[serde(default)]
    pub time_outs: TimeOuts,
}

impl Config {
    /// The defaults.
    pub fn new(health: Listen, listen: Vec<SocketAddr>, routes: impl Into<PathBuf>) -> Self {
        Self {
            process: ProcessConfig::new(health),
            listen,
            routes: routes.into(),
            operator: None,
            tls_min_version: TlsMinVersion::default(),
            limits: Limits::default(),
            time_outs: TimeOuts::default(),
        }
    }

    /// The folder in which the router keeps the files it was sent.
    pub(crate) fn files_folder(&self) -> PathBuf {
        self.routes.with_file_name("files")
    }

    /// The path of a file that the route table names. One that was sent is named by its content.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        match self.operator {
            Some(_) => self.files_folder().join(name),
            None => name.into(),
        }
    }
}

/// Where the operator tells its routes, and how both sides prove who they are. Files are relative to
/// the working directory, may be replaced at any time, and are read at each connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Operator {
    /// `name:port` or `ip:port`. A name is looked up at each connect, and every address behind it
    /// tried.
    pub address: String,
    /// The DNS name that the operator's certificate must carry (`operator.pavilion.internal`).
    pub server_name: String,
    /// PEM certificates of the trust root: one of them, and nothing else, vouches for the operator.
    pub ca_file: PathBuf,
    /// PEM chain shown to the operator, leaf first.
    pub certificate_file: PathBuf,
    /// PEM private key of that chain (PKCS#8), mode 0600.
    pub key_file: PathBuf,
}

impl ProgramConfig for Config {
    fn process(&self) -> &ProcessConfig {
        &self.process
    }
}

/// The oldest TLS version spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsMinVersion {
    /// TLS 1.2 (RFC 5246, with extended master secret) and 1.3.
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3 (RFC 8446) only.
    #[default]
    #[serde(rename = "1.3")]
    Tls13,
}

/// How much of anything is taken. A body's limit is in its route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Connections at once, on all addresses together; 10,000, or as many as the limit of open files
    /// leaves room for.
    pub max_connections: usize,
    /// Header fields in one request; 64.
    pub max_header_count: usize,
    /// Bytes of a request's head; 16,384.
    pub max_header_bytes: u32,
    /// HTTP/2 requests in flight on one connection; 100.
    pub max_concurrent_streams: u32,
    /// HTTP/2 streams a client may reset before the router has looked at them; 20 (rapid reset, CVE-2023-44487).
    pub max_pending_resets: usize,
    /// HTTP/2 streams the router may have to reset on one connection before it closes it; 100.
    pub max_error_resets: usize,
    /// Idle connections kept to one upstream; 32.
    pub max_idle_upstream: usize,
    /// Requests that wait at once for one host, or one upstream, that is away; 256. See `awayMs`.
    pub max_held: usize,
    /// Bytes per second in which a request body must come on average; 1,024. See `bodyGraceMs`.
    pub min_body_rate: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_header_count: 64,
            max_header_bytes: 16 * 1024,
            max_concurrent_streams: 100,
            max_pending_resets: 20,
            max_error_resets: 100,
            max_idle_upstream: 32,
            max_held: 256,
            min_body_rate: 1_024,
        }
    }
}

/// How long anything may take, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TimeOuts {
    /// The whole TLS handshake; 10,000.
    pub handshake_ms: u64,
    /// From the first byte of a request's head (of a new connection: from its start) to the last; 10,000.
    pub header_ms: u64,
    /// Between two parts of a request body; 10,000.
    pub body_progress_ms: u64,
    /// Waiting for a request body altogether, on top of what its size is worth at `minBodyRate`; 30,000.
    pub body_grace_ms: u64,
    /// A connection without a request; 60,000.
    pub idle_ms: u64,
    /// On HTTP/2: silence after which the client is asked whether it is still there. It has `headerMs`
    /// to answer, and cannot answer in the middle of a head; 10,000.
    pub ping_ms: u64,
    /// The client taking some of what is written to it, on HTTP/2 also on each stream; 20,000.
    pub write_ms: u64,
    /// Connecting to an upstream, with TLS its handshake included; 1,000.
    pub connect_ms: u64,
    /// How long a tenant that cannot be reached may be away until its requests are refused, and no longer
    /// wait for it; 20,000. None waits with 0.
    pub away_ms: u64,
    /// From the end of the request to the head of the upstream's answer, and between two parts of its body; 30,000.
    pub response_ms: u64,
}

impl Default for TimeOuts {
    fn default() -> Self {
        Self {
            handshake_ms: 10_000,
            header_ms: 10_000,
            body_progress_ms: 10_000,
            body_grace_ms: 30_000,
            idle_ms: 60_000,
            ping_ms: 10_000,
            write_ms: 20_000,
            connect_ms: 1_000,
            away_ms: 20_000,
            response_ms: 30_000,
        }
    }
}

impl TimeOuts {
    pub(crate) fn handshake(&self) -> Duration {
        Duration::from_millis(self.handshake_ms)
    }

    pub(crate) fn header(&self) -> Duration {
        Duration::from_millis(self.header_ms)
    }

    pub(crate) fn body_progress(&self) -> Duration {
        Duration::from_millis(self.body_progress_ms)
    }

    pub(crate) fn body_grace(&self) -> Duration {
        Duration::from_millis(self.body_grace_ms)
    }

    pub(crate) fn ping(&self) -> Duration {
        Duration::from_millis(self.ping_ms)
    }

    pub(crate) fn idle(&self) -> Duration {
        Duration::from_millis(self.idle_ms)
    }

    pub(crate) fn write(&self) -> Duration {
        Duration::from_millis(self.write_ms)
    }

    pub(crate) fn connect(&self) -> Duration {
        Duration::from_millis(self.connect_ms)
    }

    pub(crate) fn away(&self) -> Duration {
        Duration::from_millis(self.away_ms)
    }

    pub(crate) fn response(&self) -> Duration {
        Duration::from_millis(self.response_ms)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn files_that_an_operator_sent_are_beside_the_table_it_sent() {
        let text = json!({
            "process": {"health": "tcp:0.0.0.0:9100"},
            "listen": ["0.0.0.0:8443"],
            "routes": "/state/routes.json",
            "operator": {
                "address": "pavilion-operator-routes.pavilion-system.svc:9443",
                "serverName": "operator.pavilion.internal",
                "caFile": "/identity/ca.crt", "certificateFile": "/identity/tls.crt",
                "keyFile": "/identity/tls.key",
            },
        });
        let mut config: Config = serde_json::from_value(text).unwrap();
        assert_eq!(config.file("aa"), PathBuf::from("/state/files/aa"));
        config.operator = None;
        assert_eq!(config.file("tls/key.pem"), PathBuf::from("tls/key.pem"));
        let written = serde_json::to_value(&config).unwrap();
        assert!(written.get("operator").is_none());
    }
}

//! The auditor's configuration file, and what becomes of it.

use std::path::PathBuf;
use std::time::Duration;

use pavilion_process::entrance::Places;
use pavilion_process::{Exit, ProcessConfig, ProgramConfig, mutual_tls};
use serde::{Deserialize, Serialize};

use crate::engine::Settings;

/// The auditor's configuration file. Paths are relative to the working directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// What all programs share.
    pub process: ProcessConfig,
    /// The unix socket of the gRPC service.
    pub socket: PathBuf,
    /// The unix socket that serves checkpoint and tiles over HTTP; may be left out where `listen` is
    /// given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_socket: Option<PathBuf>,
    /// An address that serves the same to the edge, and nobody else, over mutual TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<mutual_tls::Settings>,
    /// Users whose processes may connect to either socket; the auditor's own user unless set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_uids: Vec<u32>,
    /// The log's directory; made on first start.
    pub directory: PathBuf,
    /// The log's origin line, 1 to 255 bytes without spaces and plus signs. It is the log's
    /// identity and never changes.
    pub origin: String,
    /// The unix socket of the tenant's signer.
    pub signer_socket: PathBuf,
    /// Bounds and times; each has a default.
    #[serde(default)]
    pub limits: Limits,
}

/// Bounds and times of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Appends that may wait, 1 to 1,000,000; 4,096 unless set.
    pub queue_entries: usize,
    /// Bytes of appends that may wait, 64 KiB to 1 GiB; 32 MiB unless set.
    pub queue_bytes: usize,
    /// How long an append may wait for the disk, 1 to 600,000 ms; 2,000 unless set.
    pub append_deadline_milliseconds: u64,
    /// How long a receipt may wait for its checkpoint, 1 to 600,000 ms; 2,000 unless set.
    pub receipt_deadline_milliseconds: u64,
    /// The least time between two checkpoints, 0 to 60,000 ms; 5 unless set.
    pub checkpoint_spacing_milliseconds: u64,
    /// How long an entry may wait for a checkpoint nobody asks for, 1 to 600,000 ms; 100 unless set.
    pub checkpoint_delay_milliseconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        let engine = Settings::new("", "");
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            queue_entries: engine.queue_entries,
            queue_bytes: engine.queue_bytes,
            append_deadline_milliseconds: milliseconds(engine.append_deadline),
            receipt_deadline_milliseconds: milliseconds(engine.receipt_deadline),
            checkpoint_spacing_milliseconds: milliseconds(engine.checkpoint_spacing),
            checkpoint_delay_milliseconds: milliseconds(engine.checkpoint_delay),
        }
    }
}

impl ProgramConfig for Config {
    fn process(&self) -> &ProcessConfig {
        &self.process
    }
}

impl Config {
    /// Where requests for checkpoint and tiles come in.
    pub(crate) fn places(&self) -> Places<'_> {
        Places {
            member: "httpSocket",
            socket: self.http_socket.as_deref(),
            allowed_uids: &self.allowed_uids,
            listen: self.listen.as_ref(),
        }
    }

    /// The part the engine needs, with every range checked, and that requests can come in.
    ///
    /// # Errors
    /// [`Exit::ConfigRefused`] naming the member.
    pub fn settings(&self) -> Result<Settings, Exit> {
        self.places().check()?;
        let limits = &self.limits;
        within(
            "limits.queueEntries",
            limits.queue_entries as u64,
            1,
            1_000_000,
        )?;
        within(
            "limits.queueBytes",
            limits.queue_bytes as u64,
            64 * 1024,
            1024 * 1024 * 1024,
        )?;
        let (append, receipt) = (
            limits.append_deadline_milliseconds,
            limits.receipt_deadline_milliseconds,
        );
        within("limits.appendDeadlineMilliseconds", append, 1, 600_000)?;
        within("limits.receiptDeadlineMilliseconds", receipt, 1, 600_000)?;
        let (spacing, delay) = (
            limits.checkpoint_spacing_milliseconds,
            limits.checkpoint_delay_milliseconds,
        );
        within("limits.checkpointSpacingMilliseconds", spacing, 0, 60_000)?;
        within("limits.checkpointDelayMilliseconds", delay, 1, 600_000)?;
        Ok(Settings {
            queue_entries: limits.queue_entries,
            queue_bytes: limits.queue_bytes,
            append_deadline: Duration::from_millis(append),
            receipt_deadline: Duration::from_millis(receipt),
            checkpoint_spacing: Duration::from_millis(spacing),
            checkpoint_delay: Duration::from_millis(delay),
            ..Settings::new(&self.directory, &self.origin)
        })
    }
}

fn within(member: &str, value: u64, least: u64, most: u64) -> Result<(), Exit> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Exit::ConfigRefused(format!(
        "{member}: {value} is not between {least} and {most}"
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;

    fn config(limits: &Value) -> Result<Config, serde_json::Error> {
        serde_json::from_value(json!({
            "process": {"health": "unix:run/auditor-health.sock"}, "socket": "run/auditor.sock",
            "httpSocket": "run/log.sock", "directory": "log", "origin": "log.example/acme",
            "signerSocket": "run/signer.sock", "limits": limits
        }))
    }

    #[test]
    fn what_is_not_said_has_the_documented_default() {
        let settings = config(&json!({})).unwrap().settings().unwrap();
        assert_eq!(settings.queue_entries, 4096);
        assert_eq!(settings.checkpoint_spacing, Duration::from_millis(5));
        assert_eq!(settings.checkpoint_delay, Duration::from_millis(100));
        assert_eq!(settings.append_deadline, Duration::from_secs(2));
    }

    #[test]
    fn requests_come_in_by_the_socket_or_the_address_or_both() {
        let mut config = config(&json!({})).unwrap();
        config.http_socket = None;
        let refused = config.settings().unwrap_err();
        assert_eq!(refused.code(), 78);
        assert!(
            refused
                .to_string()
                .starts_with("httpSocket, listen: neither")
        );
        let listen = json!({
            "address": "0.0.0.0:8444", "certificateFile": "tls/tls.crt", "keyFile": "tls/tls.key",
            "clientCaFile": "tls/ca.crt", "clientName": "router.pavilion.internal",
        });
        config.listen = Some(serde_json::from_value(listen).unwrap());
        config.settings().unwrap();
    }

    #[test]
    fn a_value_out_of_range_is_refused_by_name() {
        for (member, value) in [
            ("queueEntries", 0),
            ("queueBytes", 1),
            ("appendDeadlineMilliseconds", 0),
            ("receiptDeadlineMilliseconds", 600_001),
            ("checkpointSpacingMilliseconds", 60_001),
            ("checkpointDelayMilliseconds", 0),
        ] {
            let refused = config(&json!({member: value}))
                .unwrap()
                .settings()
                .unwrap_err();
            assert_eq!(refused.code(), 78);
            assert!(refused.to_string().contains(member), "{refused}");
        }
        assert!(config(&json!({"queueLength": 1})).is_err());
    }
}

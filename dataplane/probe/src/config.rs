//! The probe's configuration file.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use pavilion_process::{Exit, ProcessConfig, ProgramConfig};
use serde::{Deserialize, Serialize};

/// `probe.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// What every program has.
    pub process: ProcessConfig,
    /// Where questions are answered.
    pub listen: SocketAddr,
    /// A port that lets everybody in and then hangs up, for others to be kept from; none unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub door: Option<SocketAddr>,
    /// How often everything is tried, in seconds, 1 to 3,600; 300 unless set.
    #[serde(default = "default_every_seconds")]
    pub every_seconds: u64,
    /// How the probe itself is confined; not tried unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confined: Option<Confined>,
}

/// How a probe in a tenant's pod is confined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Confined {
    /// The user that it runs as.
    pub user: u32,
    /// What it must not be able to open: files, folders and unix sockets.
    pub closed: Vec<PathBuf>,
    /// A file that it must not be able to make.
    pub no_file: PathBuf,
}

impl ProgramConfig for Config {
    fn process(&self) -> &ProcessConfig {
        &self.process
    }
}

impl Config {
    /// How often everything is tried.
    ///
    /// # Errors
    /// [`Exit::ConfigRefused`] for a number out of its bounds.
    pub fn every(&self) -> Result<Duration, Exit> {
        if (1..=3_600).contains(&self.every_seconds) {
            return Ok(Duration::from_secs(self.every_seconds));
        }
        let why = "everySeconds: not between 1 and 3600";
        Err(Exit::ConfigRefused(why.to_owned()))
    }
}

fn default_every_seconds() -> u64 {
    300
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(text: &str) -> Result<Config, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn little_must_be_said_and_nothing_else_may() {
        let process = r#""process": {"health": "tcp:127.0.0.1:0"}, "listen": "127.0.0.1:0""#;
        let config = read(&format!("{{{process}}}")).unwrap();
        assert_eq!(config.every().unwrap(), Duration::from_mins(5));
        assert!(config.door.is_none() && config.confined.is_none());
        assert!(read(&format!(r#"{{{process}, "targets": []}}"#)).is_err());
        let never = read(&format!(r#"{{{process}, "everySeconds": 0}}"#)).unwrap();
        assert_eq!(never.every().unwrap_err().code(), 78);
    }
}

//! The signer's configuration file, and what becomes of it.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use pavilion_process::{Exit, ProcessConfig, ProgramConfig};
use serde::{Deserialize, Serialize};

use crate::callers::{Caller, Callers};
use crate::engine::{Settings, TokenLabel};

/// The most sessions that may be asked for; a soft token gains nothing past its cores, a network
/// token rarely past a few dozen.
const MAX_SESSIONS: usize = 256;

/// The signer's configuration file. Paths are relative to the working directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// What all programs share.
    pub process: ProcessConfig,
    /// The unix socket of the gRPC service.
    pub socket: PathBuf,
    /// Users whose processes may call, and what each may ask for; the signer's own user, who may ask
    /// for everything, unless set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub callers: Vec<Caller>,
    /// The PKCS#11 module, such as `/usr/lib/softhsm/libsofthsm2.so`.
    pub module: PathBuf,
    /// The label of the tenant's token, 1 to 32 visible ASCII characters.
    pub token_label: TokenLabel,
    /// The file with the user PIN on its first line and, only while this program makes a token, the
    /// security officer's on its second. Mode 0600.
    pub pin_file: PathBuf,
    /// Set for a PIN file that is given, such as a mounted Secret: it has both lines from the start, may
    /// be readable by its group (mode 0440), and is never written.
    #[serde(default)]
    pub pin_file_given: bool,
    /// Where `SoftHSM` keeps tokens. Set only for `SoftHSM`: the token is then made on first start, and
    /// `SOFTHSM2_CONF` must name `softhsm2.conf` beside this folder, which the signer writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_directory: Option<PathBuf>,
    /// The record of keys: what was published, and until when. Beside it, with the extension
    /// `checkpoint`, lies the newest checkpoint that was signed.
    pub keys_file: PathBuf,
    /// The origin line of the tenant's log; checkpoints of any other log are not signed.
    pub log_origin: String,
    /// Worker sessions, 1 to 256; as many as cores unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<NonZeroUsize>,
    /// Requests that may wait, 1 to 1,000,000; 1,024 unless set.
    #[serde(default = "default_queue_limit")]
    pub queue_limit: NonZeroUsize,
    /// How long one signature may take, waiting included, 1 to 600,000 ms; 2,000 unless set.
    #[serde(default = "default_deadline")]
    pub deadline_milliseconds: u64,
    /// How long a replaced result key stays published after its last signature, in seconds; 7 days
    /// unless set. It must cover the longest time an answer is valid.
    #[serde(default = "default_overlap")]
    pub overlap_seconds: u64,
    /// The age at which the result key is replaced, in seconds, at least 60; never unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_every_seconds: Option<u64>,
    /// PKCS#11 mechanism names (`CKM_…`) the token offers but that are not to be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub avoid_mechanisms: Vec<String>,
}

impl ProgramConfig for Config {
    fn process(&self) -> &ProcessConfig {
        &self.process
    }
}

impl Config {
    /// Who may call, and for what.
    ///
    /// # Errors
    /// [`Exit::ConfigRefused`] naming the user that is listed twice.
    pub fn callers(&self) -> Result<Callers, Exit> {
        Callers::from_config(&self.callers).map_err(|error| refused(&error.to_string()))
    }

    /// The part the engine needs, with every range checked.
    ///
    /// # Errors
    /// [`Exit::ConfigRefused`] naming the member.
    pub fn settings(&self) -> Result<Settings, Exit> {
        let sessions = self
            .sessions
            .or_else(|| thread::available_parallelism().ok());
        let sessions = sessions.map_or(1, NonZeroUsize::get);
        within("sessions", sessions as u64, 1, MAX_SESSIONS as u64)?;
        within("queueLimit", self.queue_limit.get() as u64, 1, 1_000_000)?;
        within(
            "deadlineMilliseconds",
            self.deadline_milliseconds,
            1,
            600_000,
        )?;
        within("overlapSeconds", self.overlap_seconds, 0, 315_360_000)?;
        if let Some(seconds) = self.rotate_every_seconds {
            within("rotateEverySeconds", seconds, 60, 315_360_000)?;
        }
        if self.log_origin.is_empty() || self.log_origin.chars().any(char::is_control) {
            return Err(refused("logOrigin: empty, or with a control character"));
        }
        Ok(Settings {
            module: self.module.clone(),
            token_label: self.token_label.clone(),
            pin_file: self.pin_file.clone(),
            pin_file_given: self.pin_file_given,
            token_directory: self.token_directory.clone(),
            keys_file: self.keys_file.clone(),
            log_origin: self.log_origin.clone(),
            sessions,
            queue_limit: self.queue_limit.get(),
            deadline: Duration::from_millis(self.deadline_milliseconds),
            overlap: Duration::from_secs(self.overlap_seconds),
            rotate_every: self.rotate_every_seconds.map(Duration::from_secs),
            avoid_mechanisms: self.avoid_mechanisms.clone(),
        })
    }
}

fn within(member: &str, value: u64, least: u64, most: u64) -> Result<(), Exit> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(refused(&format!(
        "{member}: {value} is not between {least} and {most}"
    )))
}

fn refused(why: &str) -> Exit {
    Exit::ConfigRefused(why.to_owned())
}

fn default_queue_limit() -> NonZeroUsize {
    NonZeroUsize::new(1_024).unwrap_or(NonZeroUsize::MIN)
}

fn default_deadline() -> u64 {
    2_000
}

fn default_overlap() -> u64 {
    7 * 24 * 60 * 60
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use serde_json::{Value, json};

    use super::*;

    fn config(member: &str, value: Value) -> Result<Config, serde_json::Error> {
        let mut config = json!({
            "process": {"health": "unix:run/health.sock"}, "socket": "run/signer.sock",
            "module": "/usr/lib/softhsm/libsofthsm2.so", "tokenLabel": "acme", "pinFile": "pin",
            "tokenDirectory": "tokens", "keysFile": "keys.json", "logOrigin": "log.example/acme"
        });
        config[member] = value;
        serde_json::from_value(config)
    }

    #[test]
    fn what_is_not_said_has_a_safe_default() {
        let settings = config("queueLimit", json!(1_024))
            .unwrap()
            .settings()
            .unwrap();
        assert_eq!(settings.deadline, Duration::from_secs(2));
        assert_eq!(settings.overlap, Duration::from_hours(7 * 24));
        assert_eq!(settings.rotate_every, None);
        assert_eq!(
            settings.sessions,
            thread::available_parallelism().unwrap().get()
        );
    }

    #[test]
    fn a_value_out_of_range_is_refused_by_name() {
        for (member, value) in [
            ("sessions", json!(257)),
            ("queueLimit", json!(1_000_001)),
            ("deadlineMilliseconds", json!(0)),
            ("overlapSeconds", json!(315_360_001)),
            ("rotateEverySeconds", json!(59)),
            ("logOrigin", json!("two\nlines")),
            ("logOrigin", json!("")),
        ] {
            let refused = config(member, value).unwrap().settings().unwrap_err();
            assert_eq!(refused.code(), 78);
            assert!(refused.to_string().starts_with(member), "{refused}");
        }
    }

    #[test]
    fn a_token_label_that_pkcs11_cannot_hold_is_refused() {
        for label in ["", "with space", "umläut", &"x".repeat(33)] {
            assert!(config("tokenLabel", json!(label)).is_err(), "{label}");
        }
    }

    #[test]
    fn an_unknown_member_is_refused() {
        assert!(config("pin", json!("1234")).is_err());
    }
}

//! The verifier's configuration file.

use std::path::PathBuf;

use pavilion_bundle::TenantName;
use pavilion_process::entrance::Places;
use pavilion_process::{Exit, ProcessConfig, ProgramConfig, mutual_tls};
use serde::{Deserialize, Serialize};

/// The verifier's configuration file. Paths are relative to the working directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// What all programs share.
    pub process: ProcessConfig,
    /// The tenant; a bundle of another one is refused.
    pub tenant: TenantName,
    /// The unix socket of the relying-party API; may be left out where `listen` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// Users whose processes may connect to it; the verifier's own user unless set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_uids: Vec<u32>,
    /// An address that takes the edge, and nobody else, over mutual TLS. Whoever gets in is trusted as
    /// on the socket: its `x-request-id`, `Client-Cert` and `Forwarded` are taken for true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<mutual_tls::Settings>,
    /// The tenant's bundle, replaced by rename.
    pub bundle_file: PathBuf,
    /// The short-lived state; made on first start, mode 0600.
    pub state_file: PathBuf,
    /// The unix socket of the tenant's signer.
    pub signer_socket: PathBuf,
    /// The unix socket of the tenant's auditor.
    pub auditor_socket: PathBuf,
    /// The largest request body, in bytes, 1 KiB to 16 MiB; 256 KiB unless set.
    #[serde(default = "default_body_bytes")]
    pub max_body_bytes: usize,
    /// Evaluations under way at once, 1 to 4,096; 64 unless set.
    #[serde(default = "default_evaluations")]
    pub evaluations: usize,
    /// Evaluations that may wait, 0 to 65,536; 192 unless set. Beyond, requests get 503.
    #[serde(default = "default_queue_limit")]
    pub queue_limit: usize,
}

impl ProgramConfig for Config {
    fn process(&self) -> &ProcessConfig {
        &self.process
    }
}

impl Config {
    /// Checks every range, and that requests can come in.
    ///
    /// # Errors
    /// [`Exit::ConfigRefused`] naming the member.
    pub fn check(&self) -> Result<(), Exit> {
        within("maxBodyBytes", self.max_body_bytes, 1024, 16 * 1024 * 1024)?;
        within("evaluations", self.evaluations, 1, 4_096)?;
        within("queueLimit", self.queue_limit, 0, 65_536)?;
        self.places().check()
    }

    /// Where requests come in.
    pub(crate) fn places(&self) -> Places<'_> {
        Places {
            member: "socket",
            socket: self.socket.as_deref(),
            allowed_uids: &self.allowed_uids,
            listen: self.listen.as_ref(),
        }
    }
}

fn within(member: &str, value: usize, least: usize, most: usize) -> Result<(), Exit> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let why = format!("{member}: {value} is not between {least} and {most}");
    Err(Exit::ConfigRefused(why))
}

fn default_body_bytes() -> usize {
    256 * 1024
}

fn default_evaluations() -> usize {
    64
}

fn default_queue_limit() -> usize {
    192
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;

    fn config(member: &str, value: Value) -> Result<Config, serde_json::Error> {
        let mut config = json!({
            "process": {"health": "unix:run/health.sock"}, "tenant": "acme",
            "socket": "run/api.sock", "bundleFile": "bundle.json", "stateFile": "state.redb",
            "signerSocket": "run/signer.sock", "auditorSocket": "run/auditor.sock",
        });
        config[member] = value;
        serde_json::from_value(config)
    }

    #[test]
    fn what_is_not_said_has_a_bounded_default() {
        let config = config("allowedUids", json!([7])).unwrap();
        assert_eq!(config.check(), Ok(()));
        assert_eq!((config.evaluations, config.queue_limit), (64, 192));
        assert_eq!(config.max_body_bytes, 262_144);
        assert_eq!(config.process().worker_threads, 2);
    }

    #[test]
    fn a_value_out_of_range_is_refused_by_name() {
        for (member, value) in [
            ("maxBodyBytes", json!(0)),
            ("maxBodyBytes", json!(1_u64 << 40)),
            ("evaluations", json!(0)),
            ("queueLimit", json!(65_537)),
        ] {
            let refused = config(member, value).unwrap().check().unwrap_err();
            assert_eq!(refused.code(), 78);
            assert!(refused.to_string().starts_with(member), "{refused}");
        }
    }

    #[test]
    fn requests_come_in_by_the_socket_or_the_address_or_both() {
        let listen = json!({
            "address": "0.0.0.0:8443", "certificateFile": "tls/tls.crt", "keyFile": "tls/tls.key",
            "clientCaFile": "tls/ca.crt", "clientName": "router.pavilion.internal",
        });
        let mut both = config("listen", listen).unwrap();
        assert_eq!(both.check(), Ok(()));
        both.socket = None;
        assert_eq!(both.check(), Ok(()));
        both.listen = None;
        let refused = both.check().unwrap_err();
        assert_eq!(refused.code(), 78);
        assert!(refused.to_string().starts_with("socket, listen: neither"));
    }

    #[test]
    fn an_unknown_member_or_a_bad_tenant_name_is_refused() {
        assert!(config("signer", json!("x")).is_err());
        assert!(config("tenant", json!("Not A Name")).is_err());
    }
}

//! The command line.

mod peer;

use std::{
    fmt, net::SocketAddr, num::NonZeroU16, ops::RangeInclusive, path::PathBuf, str::FromStr,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use pavilion_crds::GoDuration;
use pavilion_process::{COMMIT, Listen, LogLevel};
use url::Url;

use peer::KUBE_DNS;
pub use peer::Peer;

use crate::talk::LogFormat;

/// Turns manifests into a running data plane.
#[derive(Debug, Parser)]
#[command(name = "pavilion-operator", version = version(), about, long_about = None)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything on this host, from a folder of manifests.
    Standalone(Box<Standalone>),
    /// Run in a cluster: make what each Tenant placed in this region needs, and keep it so.
    Run(Box<Run>),
    /// Print the custom resource definitions as YAML, for `kubectl apply -f -`.
    Crds,
}

/// Run everything on this host.
#[derive(Clone, Debug, Args)]
pub struct Standalone {
    /// The folder with the manifests (*.yaml, *.yml); changes in it take effect at once
    #[arg(long, value_name = "DIR")]
    pub manifests: PathBuf,
    /// The folder for everything that must be kept; made when there is none, mode 0700
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
    /// Take a folder without any object for an order to serve nothing; it is refused otherwise while
    /// tenants are served, because a lost mount looks the same
    #[arg(long)]
    pub allow_empty: bool,
    /// Where HTTPS is taken
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8443")]
    pub listen: SocketAddr,
    /// The port relying parties use, where it is not that of --listen; part of the issuer's name
    #[arg(long, value_name = "PORT")]
    pub public_port: Option<u16>,
    /// The PKCS#11 module; that of softhsm2 where it usually is, if not given
    #[arg(long, value_name = "FILE", env = "PAVILION_PKCS11_MODULE")]
    pub pkcs11_module: Option<PathBuf>,
    /// The folder of the data plane's programs; that of this program, if not given
    #[arg(long, value_name = "DIR")]
    pub bin_dir: Option<PathBuf>,
    /// Where the operator serves /livez /readyz /metrics /status: unix:<path in the state folder> or tcp:<ip>:<port>
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "unix:operator/health.sock"
    )]
    pub health: Listen,
    /// How long requests in flight may take to finish when a program stops
    #[arg(long, value_name = "DURATION", default_value = "20s")]
    pub drain: GoDuration,
    /// Speak TLS 1.2 beside 1.3
    #[arg(long)]
    pub allow_tls12: bool,
    /// Where the data plane's programs send traces (OTLP/gRPC); the operator, which is in no request's
    /// path, sends none
    #[arg(long, value_name = "URL")]
    pub otlp: Option<Url>,
    /// How to talk on standard error; text on a terminal and json elsewhere, if not given
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// How much the operator and all programs say: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log_level: LogLevel,
}

/// Run in a cluster.
#[derive(Clone, Debug, Args)]
pub struct Run {
    /// The region this cluster is; Tenants whose home is another one are left to its operator
    #[arg(long, value_name = "NAME")]
    pub region: String,
    /// The namespace of the operator and the router
    #[arg(long, value_name = "NAME", env = "POD_NAMESPACE")]
    pub namespace: String,
    /// The name of this replica; no other may have it
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pub identity: String,
    /// How long the replica that writes keeps its lease without renewing it, 4s to 1m. Another one takes over after that:
    /// longer where the API server is slow at times
    #[arg(long, value_name = "DURATION", default_value = "4s", value_parser = lease)]
    pub lease: GoDuration,
    /// How to reach the API server; the pod's own service account, or KUBECONFIG, if not given
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The port relying parties use; part of the issuer's name
    #[arg(long, value_name = "PORT", default_value_t = 443)]
    pub public_port: u16,
    /// The Gateway that leads relying parties to the router unopened, and the listener of it if not any; none, if
    /// not given
    #[arg(long, value_name = "NAMESPACE/NAME[/LISTENER]")]
    pub gateway: Option<GatewayName>,
    /// The image of the verifier
    #[arg(long, value_name = "REFERENCE")]
    pub verifier_image: String,
    /// The image of the signer
    #[arg(long, value_name = "REFERENCE")]
    pub signer_image: String,
    /// The image of the auditor
    #[arg(long, value_name = "REFERENCE")]
    pub auditor_image: String,
    /// The image of the probe
    #[arg(long, value_name = "REFERENCE")]
    pub probe_image: String,
    /// How often the isolation of tenants is tried, 1s to 1h
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = period)]
    pub probe_every: GoDuration,
    /// An address that no tenant may reach, beside those that always are tried; may be given again
    #[arg(long, value_name = "IP:PORT")]
    pub closed_address: Vec<SocketAddr>,
    /// When the images of tenants' programs are fetched
    #[arg(long, value_name = "POLICY", default_value = "IfNotPresent")]
    pub image_pull_policy: PullPolicy,
    /// A Secret with which they are, to be there in each tenant's namespace; may be given again
    #[arg(long, value_name = "NAME")]
    pub image_pull_secret: Vec<String>,
    /// Who resolves names for tenants that fetch status lists: a peer of a NetworkPolicy, as JSON; may be given again
    #[arg(long, value_name = "JSON", default_value = KUBE_DNS)]
    pub dns_peer: Vec<Peer>,
    /// A port at which they are asked, by UDP and TCP; may be given again
    #[arg(long, value_name = "PORT", default_value = "53")]
    pub dns_port: Vec<NonZeroU16>,
    /// The storage class of tenants' volumes; the cluster's default, if not given
    #[arg(long, value_name = "NAME")]
    pub storage_class: Option<String>,
    /// How long requests in flight may take to finish when a tenant's program stops
    #[arg(long, value_name = "DURATION", default_value = "20s")]
    pub drain: GoDuration,
    /// Where routers are told their routes, over mutual TLS
    #[arg(long, value_name = "IP:PORT", default_value = "0.0.0.0:9443")]
    pub routes_listen: SocketAddr,
    /// Tenants that are looked at at once, 1 to 256
    #[arg(long, value_name = "NUMBER", default_value = "16", value_parser = workers)]
    pub workers: NonZeroU16,
    /// Where the operator serves /livez /readyz /metrics /status: tcp:<ip>:<port> or unix:<path>
    #[arg(long, value_name = "ADDRESS", default_value = "tcp:0.0.0.0:9100")]
    pub health: Listen,
    /// How to talk on standard error; text on a terminal and json elsewhere, if not given
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// How much the operator says: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log_level: LogLevel,
}

/// A Gateway of the Gateway API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayName {
    /// Where it is.
    pub namespace: String,
    /// What it is called.
    pub name: String,
    /// The only listener of it that is meant, if one is.
    pub section: Option<String>,
}

/// When an image is fetched, as Kubernetes has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum PullPolicy {
    /// At each start of a container.
    Always,
    /// When the node does not have it.
    IfNotPresent,
    /// The node must have it.
    Never,
}

impl PullPolicy {
    /// As in `imagePullPolicy:`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

impl FromStr for GatewayName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let (namespace, name, section) = match parts[..] {
            [namespace, name] => (namespace, name, None),
            [namespace, name, section] => (namespace, name, Some(section)),
            _ => return Err("must be like edge/public or edge/public/tls".to_owned()),
        };
        if parts.contains(&"") {
            return Err("has an empty part".to_owned());
        }
        Ok(Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            section: section.map(str::to_owned),
        })
    }
}

impl fmt::Display for GatewayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

fn workers(text: &str) -> Result<NonZeroU16, String> {
    let number: Option<NonZeroU16> = text.parse().ok();
    let number = number.filter(|number| number.get() <= 256);
    number.ok_or_else(|| "must be a number from 1 to 256".to_owned())
}

fn period(text: &str) -> Result<GoDuration, String> {
    within(text, 1..=3_600).map_err(|()| "must be between 1s and 1h".to_owned())
}

fn lease(text: &str) -> Result<GoDuration, String> {
    within(text, 4..=60).map_err(|()| "must be between 4s and 1m".to_owned())
}

/// A duration of so many seconds.
fn within(text: &str, seconds: RangeInclusive<u64>) -> Result<GoDuration, ()> {
    let duration: GoDuration = text.parse().map_err(|_| ())?;
    let fits = seconds.contains(&duration.as_seconds());
    fits.then_some(duration).ok_or(())
}

impl Standalone {
    /// The port that is part of the issuer's name.
    pub fn public_port(&self) -> u16 {
        self.public_port.unwrap_or(self.listen.port())
    }
}

/// Once per process, and clap wants it to live as long.
fn version() -> &'static str {
    format!("{} ({COMMIT})", env!("CARGO_PKG_VERSION")).leak()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_documented_command_line_is_understood() {
        Arguments::command().debug_assert();
        let line = "pavilion-operator standalone --manifests m --state s --listen 127.0.0.1:9443 --drain 5s --log-format text";
        let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
        let Command::Standalone(standalone) = arguments.command else {
            panic!("another command");
        };
        assert_eq!(standalone.public_port(), 9443);
        assert_eq!(standalone.drain.as_seconds(), 5);
        assert_eq!(standalone.log_format, Some(LogFormat::Text));
        assert_eq!(
            standalone.health,
            Listen::Unix("operator/health.sock".into())
        );
    }

    #[test]
    fn a_cluster_needs_a_region_and_a_name_for_each_replica() {
        let line = "pavilion-operator run --region eu-central --namespace pavilion-system --identity a \
             --verifier-image r/verifier:1 --signer-image r/signer:1 --auditor-image r/auditor:1 --probe-image r/probe:1 \
             --closed-address 10.0.0.1:5432 --closed-address [fd00::1]:443 --gateway edge/public/tls \
             --image-pull-secret one --image-pull-secret other";
        let arguments = Arguments::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Run(run) = arguments.command else {
            panic!("another command");
        };
        assert_eq!((run.public_port, run.workers.get()), (443, 16));
        assert_eq!(run.image_pull_policy, PullPolicy::IfNotPresent);
        assert_eq!(run.probe_every.as_seconds(), 300);
        assert_eq!(run.lease.as_seconds(), 4);
        assert_eq!(run.closed_address.len(), 2);
        assert_eq!(run.image_pull_secret, ["one", "other"]);
        assert_eq!(run.dns_peer, [KUBE_DNS.parse().unwrap()]);
        assert_eq!(run.dns_port.len(), 1);
        let gateway = run.gateway.unwrap();
        assert_eq!(gateway.to_string(), "edge/public");
        assert_eq!(gateway.section.as_deref(), Some("tls"));
        for wrong in [
            "--workers 0",
            "--workers 257",
            "--region",
            "--image-pull-policy no",
            "--probe-every 0s",
            "--probe-every 2h",
            "--lease 3s",
            "--lease 61s",
            "--dns-peer {}",
            "--dns-port 0",
            "--closed-address db.example:5432",
        ] {
            let line = format!("{line} {wrong}");
            assert!(
                Arguments::try_parse_from(line.split_whitespace()).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_gateway_is_named_with_its_namespace() {
        let whole: GatewayName = "edge/public".parse().unwrap();
        assert_eq!(whole.section, None);
        for wrong in ["public", "a/b/c/d", "edge/", "/public", "edge/public/"] {
            assert!(wrong.parse::<GatewayName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_missing_folder_is_a_usage_error() {
        let error = Arguments::try_parse_from(["pavilion-operator", "standalone"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }
}

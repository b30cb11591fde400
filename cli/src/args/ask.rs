//! Arguments of `ask`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use url::Url;

/// Arguments of `ask`.
#[derive(Debug, Args)]
pub struct AskArgs {
    #[command(flatten)]
    /// Whom to ask, and as whom.
    pub client: ClientArgs,
    /// The policy to ask
    #[arg(long, value_name = "NAME", required_unless_present = "continue_id")]
    pub policy: Option<String>,
    /// The registered purpose
    #[arg(long, value_name = "NAME", required_unless_present = "continue_id")]
    pub purpose: Option<String>,
    /// A presentation for one evidence of the policy; may be repeated
    #[arg(long = "presentation", value_name = "EVIDENCE=FILE")]
    pub presentations: Vec<NamedFile>,
    /// The nonce that the presentations are bound to; the broker makes one if there is none
    #[arg(long, conflicts_with = "continue_id")]
    pub nonce: Option<String>,
    /// A claim that the answer should carry (pid.country); may be repeated [default: all that the policy lets out]
    #[arg(
        long = "disclose",
        value_name = "CLAIM",
        conflicts_with = "continue_id"
    )]
    pub disclose: Vec<String>,
    /// What answers to the relying party are addressed to, if that is not its name
    #[arg(long, value_name = "TEXT")]
    pub audience: Option<String>,
    /// Finish the verification with this id
    #[arg(long = "continue", value_name = "ID", conflicts_with_all = ["policy", "purpose"], requires = "presentations")]
    pub continue_id: Option<String>,
    /// The Idempotency-Key; give the one of a lost attempt to get its outcome [default: a new one]
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
    /// Keep request, answer, receipt, checkpoint and keys in this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The form of the result
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: AskFormat,
}

impl AskArgs {
    /// What the answer must be addressed to.
    pub fn audience(&self) -> &str {
        self.audience.as_ref().unwrap_or(&self.client.client_id)
    }
}

/// Whom to ask, and as whom.
#[derive(Debug, Args)]
pub struct ClientArgs {
    /// The tenant's URL (https)
    #[arg(long, value_name = "URL", value_parser = https)]
    pub server: Url,
    /// The relying party's name
    #[arg(long = "as", value_name = "NAME")]
    pub client_id: String,
    /// Private JWK of the relying party, to sign client assertions with
    #[arg(long, value_name = "FILE", required_unless_present = "client_cert")]
    pub key: Option<PathBuf>,
    /// Certificate chain of the relying party (PEM), for mutual TLS
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub client_cert: Option<PathBuf>,
    /// Private key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub client_key: Option<PathBuf>,
    /// Trust only the authorities in this file (PEM) [default: those of the system]
    #[arg(long, value_name = "FILE")]
    pub cacert: Option<PathBuf>,
    /// Connect to this address; the name of --server stays what is asked for and checked
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub connect: Option<SocketAddr>,
    /// Give up after so many seconds, all requests together
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = clap::value_parser!(u64).range(1..=600))]
    pub timeout: u64,
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AskFormat {
    /// For people.
    Table,
    /// The answer's members.
    Json,
    /// The same as YAML.
    Yaml,
    /// The signed form as the broker sent it.
    Jwt,
}

/// `name=file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// The name before the first equals sign.
    pub name: String,
    /// The file after it.
    pub file: PathBuf,
}

impl FromStr for NamedFile {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok(Self {
                name: name.to_owned(),
                file: file.into(),
            }),
            _ => Err("write it as EVIDENCE=FILE"),
        }
    }
}

fn https(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error| format!("{error}"))?;
    if url.scheme() != "https" || url.host_str().is_none() {
        return Err("write it as https://host[:port]".to_owned());
    }
    if url.path() != "/"
        || url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
    {
        return Err("only host and port, nothing after them".to_owned());
    }
    Ok(url)
}

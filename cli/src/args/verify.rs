//! Arguments of `verify`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use jiff::Timestamp;
use pavilion_json::Digest;

use crate::render::Format;

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A folder that `ask --out` wrote; a file given by its own option comes first
    pub dir: Option<PathBuf>,
    /// The answer (compact JWS) [default: DIR/answer.jwt]
    #[arg(long, value_name = "FILE")]
    pub answer: Option<PathBuf>,
    /// The body of the request, byte for byte [default: DIR/request.json]
    #[arg(long, value_name = "FILE")]
    pub request: Option<PathBuf>,
    /// The receipt (tlog-proof) [default: DIR/receipt.tlog-proof]
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
    /// The tenant's keys (JWKS) [default: DIR/jwks.json]
    #[arg(long, value_name = "FILE")]
    pub jwks: Option<PathBuf>,
    /// The log's verifier key [default: DIR/log.vkey]
    #[arg(long, value_name = "FILE")]
    pub log_key: Option<PathBuf>,
    /// Expect the decision of this policy, as it stands in a manifest
    #[arg(long, value_name = "MANIFEST#NAME", conflicts_with = "policy_digest")]
    pub policy: Option<PolicySource>,
    /// Expect this policy revision digest (sha-256:…)
    #[arg(long, value_name = "DIGEST")]
    pub policy_digest: Option<Digest>,
    /// Expect this relying party
    #[arg(long, value_name = "NAME")]
    pub audience: Option<String>,
    /// Expect this tenant URL
    #[arg(long, value_name = "URL")]
    pub issuer: Option<String>,
    /// Expect this nonce
    #[arg(long)]
    pub nonce: Option<String>,
    /// Judge times as of this moment (2027-01-15T08:00:00Z) [default: now]
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// How far the two clocks may differ
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = clap::value_parser!(u32).range(0..=600))]
    pub leeway: u32,
    /// The form of the result
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
}

/// `manifest.yaml#name`: one Policy of a manifest file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySource {
    /// The manifest file.
    pub file: PathBuf,
    /// The policy's name in it.
    pub name: String,
}

impl FromStr for PolicySource {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.rsplit_once('#') {
            Some((file, name)) if !file.is_empty() && !name.is_empty() => Ok(Self {
                file: file.into(),
                name: name.to_owned(),
            }),
            _ => Err("write it as MANIFEST#NAME"),
        }
    }
}

//! Arguments of `dev`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use pavilion_jose::Algorithm;

/// Arguments of `dev`.
#[derive(Debug, Args)]
pub struct DevArgs {
    /// What to make.
    #[command(subcommand)]
    pub command: DevCommand,
}

/// Things for trying out.
#[derive(Debug, Subcommand)]
pub enum DevCommand {
    /// Make a private key, or show the public half of one
    ///
    /// The private JWK goes to --out with mode 0600 and the public one to stdout; without --out the private
    /// one goes to stdout.
    Key(KeyArgs),
    /// Issue an SD-JWT VC and print it
    Issue(IssueArgs),
    /// Present an SD-JWT VC with key binding and print the presentation
    Present(PresentArgs),
}

/// Arguments of `dev key`.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// The signature algorithm: ES256, ES384, ES512 or `EdDSA`
    #[arg(long, default_value = "ES256")]
    pub algorithm: Algorithm,
    /// Where the private JWK goes; a file that exists is not replaced
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Make none: print the public JWK of this private one
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "algorithm"])]
    pub public: Option<PathBuf>,
    /// Print public keys as a JWKS
    #[arg(long)]
    pub jwks: bool,
}

/// Arguments of `dev issue`.
#[derive(Debug, Args)]
pub struct IssueArgs {
    /// Private JWK of the issuer
    #[arg(long, value_name = "FILE")]
    pub issuer_key: PathBuf,
    /// The issuer (iss)
    #[arg(long, value_name = "URL")]
    pub issuer: String,
    /// The credential type (vct)
    #[arg(long = "type", value_name = "VCT")]
    pub credential_type: String,
    /// JWK of the holder, private or public; its public half is bound into the credential
    #[arg(long, value_name = "FILE")]
    pub holder_key: PathBuf,
    /// The claims, a JSON object, or @FILE
    #[arg(long, value_name = "JSON")]
    pub claims: String,
    /// A claim that the holder may keep back, top level or dotted (address.country); may be repeated [default: every top-level claim]
    #[arg(long, value_name = "PATH")]
    pub disclosable: Vec<String>,
    /// When it expires [default: in a year]
    #[arg(long, value_name = "TIME")]
    pub expires: Option<Timestamp>,
    /// Where its status is kept (Token Status List)
    #[arg(long, value_name = "URI#INDEX")]
    pub status_list: Option<StatusReference>,
}

/// Arguments of `dev present`.
#[derive(Debug, Args)]
pub struct PresentArgs {
    /// The SD-JWT VC
    #[arg(long, value_name = "FILE")]
    pub credential: PathBuf,
    /// Private JWK of the holder
    #[arg(long, value_name = "FILE")]
    pub holder_key: PathBuf,
    /// The audience of the verification
    #[arg(long)]
    pub audience: String,
    /// The nonce of the verification
    #[arg(long)]
    pub nonce: String,
    /// A claim to show, top level or dotted; may be repeated [default: all]
    #[arg(long, value_name = "PATH")]
    pub disclose: Vec<String>,
}

/// `uri#index` of a status list entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusReference {
    /// The list's URI.
    pub uri: String,
    /// The entry's index.
    pub index: u64,
}

impl FromStr for StatusReference {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (uri, index) = text.rsplit_once('#').ok_or("write it as URI#INDEX")?;
        let index = index.parse().map_err(|_| "the index is not a number")?;
        Ok(Self {
            uri: uri.to_owned(),
            index,
        })
    }
}

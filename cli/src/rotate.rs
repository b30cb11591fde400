//! `rotate`: a new key for a tenant's answers, over the signer's socket on this host.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use pavilion_rpc::signer::signer_client::SignerClient;
use pavilion_rpc::signer::{PublicKey, PublicKeysRequest, Purpose, RotateRequest};
use pavilion_rpc::{code_of, request, socket};
use serde::Serialize;

use crate::args::RotateArgs;
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::render::{Table, structured};

/// How long the signer may take: a hardware token makes a key in seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is printed: every key that answers can be checked with.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rotated<'a> {
    tenant: &'a str,
    keys: Vec<Key>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    #[serde(rename = "keyId")]
    id: String,
    current: bool,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    retires_at: Option<Timestamp>,
    custody: String,
}

/// Rotates and shows the published keys.
pub fn run(args: &RotateArgs, console: &mut Console) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failure::file(format!("cannot start: {error}")))?;
    let keys = runtime.block_on(rotate(args))?;
    let rotated = Rotated {
        tenant: &args.tenant,
        keys,
    };
    let text = match structured(args.output, &rotated)? {
        Some(text) => text,
        None => table(&rotated),
    };
    console.result(&text)?;
    Ok(Exit::Ok)
}

async fn rotate(args: &RotateArgs) -> Result<Vec<Key>, Failure> {
    let (directory, path) = signer_socket(args)?;
    let mut signer = SignerClient::new(socket::channel(path, PATIENCE));
    let id = ulid::Ulid::generate().to_string();
    let order = RotateRequest {
        purpose: Purpose::Result.into(),
    };
    signer
        .rotate(request(order, &id))
        .await
        .map_err(|status| refused(&args.tenant, &status))?;
    let published = signer
        .public_keys(request(PublicKeysRequest {}, &id))
        .await
        .map_err(|status| refused(&args.tenant, &status))?;
    // The socket was reached through it.
    drop(directory);
    let keys = published.into_inner().keys;
    Ok(keys
        .into_iter()
        .filter(|key| key.purpose() == Purpose::Result)
        .map(Key::from)
        .collect())
}

/// The signer's socket, by a path that stays short however deep the state directory lies: that of a
/// unix socket may have 107 bytes only. Good as long as the directory is open.
fn signer_socket(args: &RotateArgs) -> Result<(File, PathBuf), Failure> {
    let tenant = &args.tenant;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if tenant.is_empty() || !tenant.bytes().all(plain) {
        return Err(Failure::usage(format!(
            "{tenant} is not the name of a tenant"
        )));
    }
    let folder = args.state.join("tenants").join(tenant).join("run");
    let directory = File::open(&folder).map_err(|error| {
        Failure::file(format!("cannot open {}: {error}", folder.display())).note(
            "hint",
            "--state is the directory that pavilion-operator standalone was given; kubectl pavilion status lists its tenants",
        )
    })?;
    let path = format!("/proc/self/fd/{}/signer.sock", directory.as_raw_fd());
    Ok((directory, path.into()))
}

fn refused(tenant: &str, status: &tonic::Status) -> Failure {
    match code_of(status) {
        Some(code) => Failure::new(Exit::Refused, status.message()).note("code", code),
        None => Failure::new(
            Exit::Away,
            format!("the signer of {tenant} does not answer: {}", status.message()),
        )
        .note(
            "hint",
            "does the operator run (kubectl pavilion status), and are you the user that it runs as?",
        ),
    }
}

impl From<PublicKey> for Key {
    fn from(key: PublicKey) -> Self {
        let time = |second| Timestamp::from_second(second).unwrap_or_default();
        Self {
            id: key.key_id,
            current: key.current,
            created_at: time(key.created_at),
            retires_at: (key.retires_at > 0).then(|| time(key.retires_at)),
            custody: key.custody,
        }
    }
}

fn table(rotated: &Rotated<'_>) -> String {
    let mut table = Table::new(&["KEY", "CURRENT", "CREATED", "PUBLISHED UNTIL", "CUSTODY"]);
    for key in &rotated.keys {
        let until = key.retires_at.map(|time| time.to_string());
        table.row([
            (&key.id).into(),
            if key.current { "yes" } else { "no" }.into(),
            key.created_at.to_string().into(),
            until.as_deref().unwrap_or("-").into(),
            (&key.custody).into(),
        ]);
    }
    table.render()
}

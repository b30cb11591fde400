//! Helm, in the two versions that people have.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{chart, objects, tool};

/// The version that a template is rendered for where no cluster says one.
const KUBERNETES: &str = "v1.36.3";

/// One Helm.
#[derive(Clone, Debug)]
pub struct Helm {
    /// `helm3` or `helm4`.
    pub name: &'static str,
    program: PathBuf,
}

/// What a command came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Whether it succeeded.
    pub succeeded: bool,
    /// Its standard output.
    pub printed: String,
    /// Its standard error.
    pub said: String,
}

impl Helm {
    /// Both: those that `HELM3` and `HELM4` name, or the cluster harness built.
    ///
    /// # Errors
    /// One that is not there.
    pub fn both() -> Result<[Self; 2]> {
        Ok([Self::find("helm3")?, Self::find("helm4")?])
    }

    fn find(name: &'static str) -> Result<Self> {
        let program = tool(name)?;
        ensure!(
            program.is_file(),
            "there is no {}: name a Helm in {}, or run `e2e-cluster build`",
            program.display(),
            name.to_uppercase()
        );
        Ok(Self { name, program })
    }

    /// Where it is.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Runs a command. Which cluster it talks to says `KUBECONFIG`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run<A: AsRef<str>>(&self, arguments: &[A]) -> Result<Outcome> {
        let arguments = arguments.iter().map(AsRef::as_ref);
        let output = Command::new(&self.program).args(arguments).output();
        let output = output.with_context(|| format!("cannot run {}", self.program.display()))?;
        Ok(Outcome::from(output))
    }

    /// Runs a command that is to succeed; what it printed.
    ///
    /// # Errors
    /// What it said when it did not.
    pub fn succeed<A: AsRef<str>>(&self, arguments: &[A]) -> Result<String> {
        let outcome = self.run(arguments)?;
        let line: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
        ensure!(
            outcome.succeeded,
            "`{} {}`: {}",
            self.name,
            line.join(" "),
            outcome.said.trim()
        );
        Ok(outcome.printed)
    }

    /// What a chart renders to with some `--set`, in the namespace of the documentation.
    ///
    /// # Errors
    /// What Helm has against it.
    pub fn template(&self, name: &str, settings: &[&str]) -> Result<Vec<Value>> {
        let folder = chart(name).display().to_string();
        let mut arguments = vec!["template", name, &folder, "--namespace", crate::NAMESPACE];
        arguments.extend(["--kube-version", KUBERNETES]);
        arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
        objects(&self.succeed(&arguments)?)
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            succeeded: output.status.success(),
            printed: text(&output.stdout),
            said: text(&output.stderr),
        }
    }
}

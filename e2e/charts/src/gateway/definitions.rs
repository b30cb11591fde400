//! The Gateway API's definitions, as its project publishes them, and Contour's own.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::{Outcome, tool, tools_with};

/// Of everything in it but routes.
pub const VERSION: &str = "gateway.networking.k8s.io/v1";

/// The files that say them.
#[derive(Clone, Debug)]
pub struct Definitions {
    kubectl: PathBuf,
    contours: [PathBuf; 2],
    newer: PathBuf,
}

impl Definitions {
    /// Those that the modules in `e2e/tools` name; `kubectl` is the one that `KUBECTL` names, or the cluster harness built.
    ///
    /// # Errors
    /// What cannot be had.
    pub fn find() -> Result<Self> {
        let contour = tools_with("contour")?;
        let newer = tools_with("gateway-api")?.files("gateway-api", "definitions")?;
        Ok(Self {
            kubectl: tool("kubectl")?,
            contours: [
                contour
                    .files("contour", "gateway-api")?
                    .join("00-crds.yaml"),
                contour
                    .files("contour", "own-definitions")?
                    .join("01-crds.yaml"),
            ],
            newer: newer.join("gateway.networking.k8s.io_tlsroutes.yaml"),
        })
    }

    /// Installs Gateway API 1.3 with its experimental channel, as Contour brings it: its `TLSRoute` is v1alpha2.
    ///
    /// # Errors
    /// What the API server has against it.
    pub fn install(&self) -> Result<()> {
        self.contours.iter().try_for_each(|file| self.apply(file))
    }

    /// Brings `TLSRoute` to Gateway API 1.6, where it is v1.
    ///
    /// # Errors
    /// What the API server has against it.
    pub fn upgrade(&self) -> Result<()> {
        self.apply(&self.newer)
    }

    /// Removes all of it, and with it all that was made of it.
    ///
    /// # Errors
    /// What the API server has against it.
    pub fn remove(&self) -> Result<()> {
        let line = ["delete", "--ignore-not-found", "--wait", "-f"];
        let mut files = self.contours.iter();
        files.try_for_each(|file| self.run(&line, file))
    }

    fn apply(&self, file: &Path) -> Result<()> {
        self.run(&["apply", "--server-side", "--force-conflicts", "-f"], file)
    }

    fn run(&self, line: &[&str], file: &Path) -> Result<()> {
        let output = Command::new(&self.kubectl).args(line).arg(file).output();
        let outcome = Outcome::from(output.context("kubectl cannot be run")?);
        ensure!(outcome.succeeded, "{}: {}", file.display(), outcome.said);
        Ok(())
    }
}

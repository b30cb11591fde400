//! Talking to a cluster as its administrator.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;

use crate::command::Run;
use crate::credentials::Credentials;
use crate::node::MARK;
use crate::tools::Tools;

/// kubectl with the rights of the administrator.
#[derive(Clone, Debug)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    mark: PathBuf,
}

impl Kubectl {
    /// That of a cluster.
    pub fn new(tools: &Tools, pki: &Credentials) -> Result<Self> {
        Ok(Self {
            program: tools.program("kubectl")?,
            kubeconfig: pki.kubeconfig("admin"),
            mark: pki.folder().to_owned(),
        })
    }

    /// A command.
    pub fn run(&self) -> Run {
        // It may wait for a server, and so outlive a harness that is killed.
        Run::new(&self.program)
            .env(MARK, &self.mark)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
    }

    /// Whether the API server says that it is ready.
    pub fn ready(&self) -> bool {
        self.run().args(["get", "--raw", "/readyz"]).succeeds()
    }

    /// Whether the API server knows a node.
    pub fn has_node(&self, name: &str) -> bool {
        self.run().args(["get", "node", name]).succeeds()
    }

    /// Whether a node is ready.
    pub fn node_ready(&self, name: &str) -> bool {
        let path = r#"jsonpath={.status.conditions[?(@.type=="Ready")].status}"#;
        let status = self.run().args(["get", "node", name, "-o", path]).output();
        status.is_ok_and(|status| status == "True")
    }

    /// Applies objects.
    pub fn apply(&self, objects: Vec<Value>) -> Result<()> {
        let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let apply = self.run().args(["apply", "--server-side", "-f", "-"]);
        apply.input(serde_json::to_vec(&list)?).output().map(drop)
    }

    /// Applies every manifest below a folder.
    pub fn apply_folder(&self, folder: &Path) -> Result<()> {
        let apply = self.run().args(["apply", "--server-side", "-R", "-f"]);
        apply.arg(folder).output().map(drop)
    }
}

//! The store of a cluster. It listens in the namespace of the first node alone.

use anyhow::Result;

use crate::credentials::Credentials;
use crate::node::Node;
use crate::process::Program;
use crate::tools::Tools;

/// Where the API server finds it.
pub const CLIENTS: &str = "https://127.0.0.1:2379";
const PEERS: &str = "http://127.0.0.1:2380";

/// etcd, as it runs on the node.
pub fn program(node: &Node, tools: &Tools, pki: &Credentials) -> Result<Program> {
    let arguments = [
        format!("--name={}", node.cluster),
        format!("--data-dir={}", node.path("etcd").display()),
        // A cluster that loses its machine is made anew: nothing in it is worth waiting for the disk.
        "--unsafe-no-fsync".to_owned(),
        format!("--listen-client-urls={CLIENTS}"),
        format!("--advertise-client-urls={CLIENTS}"),
        format!("--listen-peer-urls={PEERS}"),
        format!("--initial-advertise-peer-urls={PEERS}"),
        format!("--initial-cluster={}={PEERS}", node.cluster),
        format!("--cert-file={}", pki.file("etcd.crt")),
        format!("--key-file={}", pki.file("etcd.key")),
        "--client-cert-auth".to_owned(),
        format!("--trusted-ca-file={}", pki.file("ca.crt")),
        "--log-level=warn".to_owned(),
    ];
    Ok(Program::new("etcd", tools.program("etcd")?, arguments))
}

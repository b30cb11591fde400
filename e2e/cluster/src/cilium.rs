//! Cilium: the agent that gives pods their network and enforces what policies say, as a process of the node.
//!
//! There is no operator of it: with the pod ranges that Kubernetes hands out, all that one would do is bring the
//! definitions of its resources, and the harness does that.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::cgroups;
use crate::credentials::Credentials;
use crate::directory::write;
use crate::machine::{self, COMPILER};
use crate::namespaces::mount;
use crate::node::Node;
use crate::plan::Plan;
use crate::process::{Process, Program};
use crate::tools::Tools;

/// The agent, as it runs on the node.
pub fn program(node: &Node, plan: &Plan, tools: &Tools, pki: &Credentials) -> Result<Program> {
    make_folders(node, tools)?;
    let mut arguments = datapath(plan);
    arguments.push(format!(
        "--k8s-kubeconfig-path={}",
        pki.kubeconfig("cilium").display()
    ));
    arguments.extend(cgroup(node)?);
    let mut program = Program::new("cilium-agent", tools.program("cilium-agent")?, arguments);
    let mut path = compiler(node)?.into_os_string();
    if let Some(rest) = std::env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    program.environment = vec![("PATH", path), ("K8S_NODE_NAME", node.name().into())];
    Ok(program)
}

fn datapath(plan: &Plan) -> Vec<String> {
    let mut all = vec![
        format!("--cluster-name={}", plan.name),
        format!("--ipv4-native-routing-cidr={}", plan.pods()),
    ];
    let fixed = [
        "--cluster-id=0",
        "--ipam=kubernetes",
        "--enable-ipv4=true",
        "--enable-ipv6=false",
        "--routing-mode=native",
        "--auto-direct-node-routes=true",
        "--enable-ipv4-masquerade=true",
        "--kube-proxy-replacement=false",
        "--enable-policy=default",
        "--enable-l7-proxy=false",
        "--enable-hubble=false",
        "--enable-health-checking=false",
        "--enable-endpoint-health-checking=false",
        "--identity-allocation-mode=crd",
        "--cni-exclusive=false",
    ];
    all.extend(fixed.map(str::to_owned));
    all
}

/// It wants the top of the unified hierarchy; it gets the node's own part, and what it hangs there goes with that.
fn cgroup(node: &Node) -> Result<Option<String>> {
    let Some(own) = cgroups::unified(&node.cgroup())? else {
        return Ok(None);
    };
    let seen = node.path("cgroup");
    fs::create_dir_all(&seen).context("cannot make the folder for the agent's cgroup")?;
    mount(node, &[&"--bind", &own, &seen])?;
    Ok(Some(format!("--cgroup-root={}", seen.display())))
}

/// The agent's programs for the kernel are compiled from its sources, which it looks for in its library folder.
fn make_folders(node: &Node, tools: &Tools) -> Result<()> {
    let library = node.path("var-lib/cilium");
    fs::create_dir_all(&library).context("cannot make the library folder of the agent")?;
    symlink(tools.files("cilium", "bpf")?, library.join("bpf"))
        .context("cannot link the sources of the agent's programs")?;
    fs::create_dir_all(node.path("run/cilium")).context("cannot make the agent's folder")
}

/// A folder with the compiler under the name that the agent calls it by.
fn compiler(node: &Node) -> Result<PathBuf> {
    let folder = node.path("compiler");
    fs::create_dir_all(&folder).context("cannot make the folder of the compiler")?;
    let found = machine::find(COMPILER)
        .with_context(|| format!("there is no {COMPILER}: run `make e2e-packages`"))?;
    symlink(found, folder.join("clang")).context("cannot link the compiler")?;
    Ok(folder)
}

/// Waits until the agent is well, and only then tells containerd of it: a pod that starts earlier would get a
/// network without an enforcer behind it.
pub fn wait(node: &Node, process: &Process, plugin: &Path) -> Result<()> {
    let socket = node.path("run/cilium/cilium.sock");
    process.wait_until("the agent is well", || Ok(well(&socket)))?;
    let kind = plugin.file_name().context("the CNI plugin has no name")?;
    let list = json!({
        "cniVersion": "0.3.1",
        "name": "cilium",
        "plugins": [{
            "type": kind.to_string_lossy(),
            "enable-debug": false,
            "log-file": node.log("cilium-cni"),
        }],
    });
    let file = node.path("cni/05-cilium.conflist");
    let partial = file.with_extension("partial");
    write(&partial, serde_json::to_vec(&list)?)?;
    fs::rename(&partial, &file).context("cannot name the list of networks")
}

fn well(socket: &Path) -> bool {
    let health = ask(socket).unwrap_or_default();
    health["cilium"]["state"] == "Ok"
}

/// The health of the agent, as it says it itself. By HTTP/1.0 it ends the answer by closing.
fn ask(socket: &Path) -> Result<Value> {
    let mut stream = UnixStream::connect(socket)?;
    let patience = Some(std::time::Duration::from_secs(5));
    stream.set_read_timeout(patience)?;
    stream.write_all(b"GET /v1/healthz HTTP/1.0\r\nhost: localhost\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (_, body) = text
        .split_once("\r\n\r\n")
        .context("an answer without a body")?;
    Ok(serde_json::from_str(body)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::net::UnixListener;

    use super::*;

    fn answered(body: &'static str) -> bool {
        let folder = tempfile::TempDir::new().unwrap();
        let socket = folder.path().join("agent.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let agent = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 12];
            stream.read_exact(&mut request).unwrap();
            write!(stream, "HTTP/1.0 200 OK\r\n\r\n{body}").unwrap();
            // Closed with the rest unread, the answer could be lost.
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let well = well(&socket);
        agent.join().unwrap();
        well
    }

    #[test]
    fn an_agent_is_well_when_it_says_so() {
        assert!(answered(r#"{"cilium":{"state":"Ok"}}"#));
        assert!(!answered(r#"{"cilium":{"state":"Failure"}}"#));
        assert!(!answered("no JSON"));
        assert!(!well(Path::new("/nowhere")));
    }
}

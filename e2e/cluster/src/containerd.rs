//! containerd, from the distribution. Its folders are those it would use anyway: a node has them for itself.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::command::Run;
use crate::directory::write;
use crate::images::reference;
use crate::machine;
use crate::node::{MARK, Node};
use crate::process::{Process, Program};

/// The namespace of images that a kubelet sees.
const NAMESPACE: &str = "k8s.io";
/// Where the distribution puts CNI plugins.
const PLUGINS: &str = "/usr/lib/cni";

/// containerd, as it runs on the node.
pub fn program(node: &Node) -> Result<Program> {
    let configuration = node.path("etc/containerd.toml");
    write(&configuration, text(node)?)?;
    let arguments = ["--config".into(), configuration.into_os_string()];
    Ok(Program::new("containerd", found("containerd")?, arguments))
}

/// Waits until it answers.
pub fn wait(node: &Node, process: &Process) -> Result<()> {
    process.wait_until("containerd answers", || {
        Ok(node.containerd_socket().exists() && ctr(node).arg("version").succeeds())
    })
}

/// Gives the node's pods an image: by the name that the archive says, and by that name and its digest.
pub fn import(node: &Node, archive: &Path) -> Result<()> {
    let run = ctr(node).args(["images", "import"]).arg(archive);
    let said = run.output();
    let said =
        said.with_context(|| format!("{} did not get {}", node.name(), archive.display()))?;
    // A registry answers to both names, and an import gives only the first.
    for (name, pinned) in said.lines().filter_map(imported) {
        let tag = ["images", "tag", "--force", name, &pinned];
        ctr(node).args(tag).output()?;
    }
    Ok(())
}

/// The name of an image in a line of what `ctr images import` says, and the name with the digest in place of the tag.
fn imported(line: &str) -> Option<(&str, String)> {
    let (name, rest) = line.strip_prefix("unpacking ")?.split_once(" (")?;
    let (digest, _) = rest.split_once(')')?;
    let (repository, tag) = name.rsplit_once(':')?;
    (!tag.contains('/')).then(|| (name, format!("{repository}@{digest}")))
}

/// The folder of CNI plugins of a node: those of the distribution that are used, and Cilium's.
pub fn link_plugins(node: &Node, cilium: &Path) -> Result<PathBuf> {
    let folder = node.path("cni-bin");
    fs::create_dir_all(&folder).context("cannot make the folder of CNI plugins")?;
    let distribution = ["loopback", "portmap"].map(|name| Path::new(PLUGINS).join(name));
    for plugin in distribution.iter().map(PathBuf::as_path).chain([cilium]) {
        let name = plugin.file_name().context("a CNI plugin without a name")?;
        std::os::unix::fs::symlink(plugin, folder.join(name))
            .with_context(|| format!("cannot link {}", plugin.display()))?;
    }
    Ok(folder)
}

fn ctr(node: &Node) -> Run {
    Run::new("ctr")
        .env(MARK, node.folder())
        .arg("--address")
        .arg(node.containerd_socket())
        .args(["--namespace", NAMESPACE])
}

fn found(name: &str) -> Result<PathBuf> {
    machine::find(name).with_context(|| format!("there is no {name}: run `make e2e-packages`"))
}

fn text(node: &Node) -> Result<String> {
    let text = format!(
        r#"version = 2
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.internal.v1.tracing",
  "io.containerd.tracing.processor.v1.otlp",
]

[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # With the rest of what a node mounts, in its own view of the machine.
  netns_mounts_under_state_dir = true
  disable_apparmor = true
  # Where root lacks CAP_SYS_RESOURCE, a score below zero makes runc end with "can't get final child's PID from pipe: EOF".
  restrict_oom_score_adj = true
  # A pod binds port 53 or 443 without a capability.
  enable_unprivileged_ports = true
  tolerate_missing_hugetlb_controller = true

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{plugins}"
  conf_dir = "{networks}"

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  BinaryName = "{runc}"
  # As the kubelet does: there is no systemd to ask.
  SystemdCgroup = false
"#,
        pause = reference("pause"),
        plugins = node.path("cni-bin").display(),
        networks = node.path("cni").display(),
        runc = found("runc")?.display(),
    );
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_known_by_its_digest_too() {
        let line = "unpacking here.example:5000/router:0.1.0 (sha256:0a)...done";
        let pinned = "here.example:5000/router@sha256:0a".to_owned();
        assert_eq!(
            imported(line),
            Some(("here.example:5000/router:0.1.0", pinned))
        );
        assert_eq!(
            imported("unpacking here:5000/router (sha256:0a)...done"),
            None
        );
        assert_eq!(imported("done"), None);
    }
}

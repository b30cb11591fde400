//! How a node comes up, step by step.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;

use crate::credentials::Credentials;
use crate::directory::{Directory, private_folder, write};
use crate::images;
use crate::kubectl::Kubectl;
use crate::names::NodeNumber;
use crate::node::Node;
use crate::patience::wait_until;
use crate::plan::Plan;
use crate::process::{Process, recorded};
use crate::report::Clock;
use crate::tools::Tools;
use crate::{
    api_server, cgroups, cilium, containerd, controllers, coredns, etcd, kube_proxy, kubelet,
    namespaces, network, storage,
};

/// Everything that bringing up a node needs to know.
pub struct Site<'a> {
    directory: &'a Directory,
    tools: &'a Tools,
    plan: &'a Plan,
    pki: Credentials,
    kubectl: Kubectl,
    images: Vec<PathBuf>,
    clock: Clock,
}

impl<'a> Site<'a> {
    /// The site of a planned cluster.
    pub fn new(
        directory: &'a Directory,
        tools: &'a Tools,
        plan: &'a Plan,
        clock: Clock,
    ) -> Result<Self> {
        let pki = Credentials::of(directory, &plan.name);
        let kubectl = Kubectl::new(tools, &pki)?;
        Ok(Self {
            directory,
            tools,
            plan,
            pki,
            kubectl,
            images: images::make(directory, tools)?,
            clock,
        })
    }

    /// Whether a node came up whole and is still so.
    pub fn is_up(&self, node: &Node) -> bool {
        node.path(WHOLE).exists()
            && recorded(node).iter().all(|(_, record)| record.lives())
            && self.kubectl.node_ready(&node.name())
    }

    /// Brings up the first node and with it the control plane.
    pub fn bring_up_first(&self, node: &Node) -> Result<()> {
        self.pki.make(self.plan, node.address)?;
        self.prepare(node)?;
        self.start_api_server(node, || {
            let containerd = containerd::program(node)?.start(node)?;
            self.give_images(node, &containerd)
        })?;
        controllers::scheduler(self.tools, &self.pki)?.start(node)?;
        self.apply_rights()?;
        let definitions = self.tools.files("cilium", "crds")?;
        self.kubectl.apply_folder(&definitions)?;
        self.bring_up_agents(node)?;
        self.bring_up_names(node)?;
        finish(node)
    }

    /// Brings up what a cluster without nodes has.
    pub fn bring_up_control_plane(&self, node: &Node) -> Result<()> {
        self.pki.make(self.plan, node.address)?;
        self.prepare(node)?;
        self.start_api_server(node, || Ok(()))
    }

    /// Brings up one more node.
    pub fn bring_up_more(&self, node: &Node) -> Result<()> {
        self.prepare(node)?;
        let containerd = containerd::program(node)?.start(node)?;
        self.give_images(node, &containerd)?;
        self.bring_up_agents(node)?;
        finish(node)
    }

    /// Starts a node again that was up before, with what is on its disk.
    pub fn boot(&self, node: &Node) -> Result<()> {
        self.prepare(node)?;
        if node.number == NodeNumber::FIRST {
            self.start_api_server(node, || Ok(()))?;
            controllers::scheduler(self.tools, &self.pki)?.start(node)?;
        }
        let containerd = containerd::program(node)?.start(node)?;
        containerd::wait(node, &containerd)?;
        self.bring_up_agents(node)
    }

    /// Starts the API server with its store and its controllers. `meanwhile` is done while it comes up.
    fn start_api_server(&self, node: &Node, meanwhile: impl FnOnce() -> Result<()>) -> Result<()> {
        etcd::program(node, self.tools, &self.pki)?.start(node)?;
        let server = api_server::program(node, self.plan, self.tools, &self.pki)?.start(node)?;
        meanwhile()?;
        server.wait_until("the API server is ready", || Ok(self.kubectl.ready()))?;
        self.reached("API server ready", node);
        controllers::manager(self.plan, self.tools, &self.pki)?.start(node)?;
        Ok(())
    }

    /// What must be there before the first program starts.
    fn prepare(&self, node: &Node) -> Result<()> {
        for folder in node.folders() {
            private_folder(&folder)?;
        }
        self.pki.make_node(self.plan, node)?;
        containerd::link_plugins(node, &self.tools.program("cilium-cni")?)?;
        cgroups::make(&node.cgroup())?;
        let anchor = namespaces::make(node, &self.tools.program("pause")?)?;
        network::connect(self.directory, node, self.plan.gateway, anchor)?;
        self.reached("namespaces, network, cgroups", node);
        Ok(())
    }

    fn give_images(&self, node: &Node, containerd: &Process) -> Result<()> {
        containerd::wait(node, containerd)?;
        for image in &self.images {
            containerd::import(node, image)?;
        }
        self.reached("containerd up, images imported", node);
        Ok(())
    }

    /// kube-proxy has a role that comes with Kubernetes, but nobody is given it.
    fn apply_rights(&self) -> Result<()> {
        let group = "rbac.authorization.k8s.io";
        self.kubectl.apply(vec![json!({
            "apiVersion": format!("{group}/v1"),
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "kube-proxy"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "system:node-proxier"},
            "subjects": [{"apiGroup": group, "kind": "User", "name": "system:kube-proxy"}],
        })])
    }

    /// The kubelet, services, and the network of pods.
    fn bring_up_agents(&self, node: &Node) -> Result<()> {
        let kubelet = kubelet::program(node, self.plan, self.tools, &self.pki)?.start(node)?;
        kube_proxy::program(node, self.plan, self.tools, &self.pki)?.start(node)?;
        let name = node.name();
        kubelet.wait_until("the node is known", || Ok(self.kubectl.has_node(&name)))?;
        let agent = cilium::program(node, self.plan, self.tools, &self.pki)?.start(node)?;
        // While the agent comes up.
        self.kubectl.apply(storage::make(node)?)?;
        cilium::wait(node, &agent, &self.tools.program("cilium-cni")?)?;
        self.reached("Cilium well", node);
        kubelet.wait_until("the node is ready", || Ok(self.kubectl.node_ready(&name)))?;
        self.reached("node Ready", node);
        Ok(())
    }

    fn bring_up_names(&self, node: &Node) -> Result<()> {
        self.kubectl.apply(coredns::objects(self.plan))?;
        let rollout = ["-n", "kube-system", "rollout", "status", "--timeout=5s"];
        let deployment = format!("deployment/{}", coredns::NAME);
        wait_until(
            "names resolve: see `kubectl -n kube-system describe pods`",
            || Ok(self.kubectl.run().args(rollout).arg(&deployment).succeeds()),
        )?;
        self.reached("names resolve", node);
        Ok(())
    }

    fn reached(&self, what: &str, node: &Node) {
        self.clock.reached(format_args!("{}: {what}", node.name()));
    }
}

/// In the folder of a node that came up to the end.
const WHOLE: &str = "whole";

fn finish(node: &Node) -> Result<()> {
    write(&node.path(WHOLE), "")
}

//! A cluster as its user sees it: up, down, and how to reach it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::audit::AuditLog;
use crate::bring_up::Site;
use crate::credentials::Credentials;
use crate::directory::{Directory, Lock};
use crate::names::{ClusterName, NodeNumber};
use crate::node::{MARK, Node};
use crate::plan::{self, Plan};
use crate::report::{Clock, say};
use crate::tools::Tools;
use crate::{containerd, images, machine, namespaces, network, take_down};

/// A cluster that is up.
#[derive(Clone, Debug)]
pub struct Cluster {
    directory: Directory,
    plan: Plan,
}

/// Builds the tools that are missing.
pub fn build(directory: &Directory) -> Result<Tools> {
    let lock = directory.lock()?;
    build_locked(directory, &lock)
}

/// Builds a tool that no cluster needs, if it is missing.
pub fn build_also(directory: &Directory, tool: &str) -> Result<Tools> {
    let _lock = directory.lock()?;
    Tools::build_also(directory, tool)
}

/// A program of a tool: the one that a variable of its name in capitals names, or the one that was built here.
pub fn tool(name: &str) -> Result<PathBuf> {
    match std::env::var_os(name.to_uppercase()) {
        Some(program) => Ok(program.into()),
        None => Tools::of(&Directory::usual()?).program(name),
    }
}

/// The image of a program of the tests, made if it is missing.
pub fn image(directory: &Directory, program: &str) -> Result<PathBuf> {
    let _lock = directory.lock()?;
    let program = images::find(program)?;
    images::make_one(directory, &Tools::build_also(directory, program)?, program)
}

fn build_locked(directory: &Directory, _lock: &Lock) -> Result<Tools> {
    take_down::lost(directory)?;
    Tools::build(directory)
}

impl Cluster {
    /// Brings a cluster up, with at least so many nodes. What is up already is left as it is; what a crash left half
    /// up is taken down first.
    pub fn up(directory: &Directory, name: &ClusterName, nodes: u8) -> Result<Self> {
        plan::nodes_fit(nodes)?;
        machine::check()?;
        let lock = directory.lock()?;
        let tools = build_locked(directory, &lock)?;
        let clock = Clock::start();
        let plan = match Self::standing(directory, &tools, name, clock)? {
            Some(plan) => plan,
            None => Self::bring_up(directory, &tools, name, nodes, clock)?,
        };
        let plan = Self::add_nodes(directory, &tools, plan, nodes, clock)?;
        Ok(Self {
            directory: directory.clone(),
            plan,
        })
    }

    /// Brings up etcd, API server and controller manager, always new ones and without a node: whatever is applied
    /// is kept and looked after, and no pod ever runs.
    pub fn control_plane(directory: &Directory, name: &ClusterName) -> Result<Self> {
        machine::check()?;
        let lock = directory.lock()?;
        let tools = build_locked(directory, &lock)?;
        take_down::cluster(directory, name)?;
        let clock = Clock::start();
        let plan = Self::plan_new(directory, name, 1)?;
        let site = Site::new(directory, &tools, &plan, clock)?;
        site.bring_up_control_plane(&plan.node(directory, NodeNumber::FIRST))?;
        Ok(Self {
            directory: directory.clone(),
            plan,
        })
    }

    /// The plan of a cluster whose control plane stands; whatever else there is of it is taken down.
    fn standing(
        directory: &Directory,
        tools: &Tools,
        name: &ClusterName,
        clock: Clock,
    ) -> Result<Option<Plan>> {
        if let Some(plan) = Plan::read(directory, name) {
            let site = Site::new(directory, tools, &plan, clock)?;
            if site.is_up(&plan.node(directory, NodeNumber::FIRST)) {
                return Ok(Some(plan));
            }
            say(format_args!(
                "{name} is not whole: taking down what is there of it"
            ));
        }
        take_down::cluster(directory, name)?;
        Ok(None)
    }

    fn bring_up(
        directory: &Directory,
        tools: &Tools,
        name: &ClusterName,
        nodes: u8,
        clock: Clock,
    ) -> Result<Plan> {
        let plan = Self::plan_new(directory, name, nodes)?;
        let site = Site::new(directory, tools, &plan, clock)?;
        site.bring_up_first(&plan.node(directory, NodeNumber::FIRST))?;
        Ok(plan)
    }

    /// Plans a cluster, and makes the network that it will be in.
    fn plan_new(directory: &Directory, name: &ClusterName, nodes: u8) -> Result<Plan> {
        machine::raise_watches(directory)?;
        let gateway = network::bridge(directory)?;
        let plan = Plan::new(name.clone(), nodes, gateway, &Plan::all(directory))?;
        plan.write(directory)?;
        Ok(plan)
    }

    /// Brings up the nodes that are missing or broken.
    fn add_nodes(
        directory: &Directory,
        tools: &Tools,
        mut plan: Plan,
        nodes: u8,
        clock: Clock,
    ) -> Result<Plan> {
        plan.nodes = plan.nodes.max(nodes);
        plan.write(directory)?;
        let site = Site::new(directory, tools, &plan, clock)?;
        for node in plan.all_nodes(directory).iter().skip(1) {
            if !site.is_up(node) {
                take_down::node(directory, node)?;
                site.bring_up_more(node)?;
            }
        }
        Ok(plan)
    }

    /// A cluster that was brought up before.
    pub fn find(directory: &Directory, name: &ClusterName) -> Result<Self> {
        let plan = Plan::read(directory, name);
        let plan = plan.with_context(|| {
            format!("there is no cluster {name}: bring it up with `e2e-cluster up --name {name}`")
        })?;
        Ok(Self {
            directory: directory.clone(),
            plan,
        })
    }

    /// The kubeconfig of its administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        Credentials::of(&self.directory, &self.plan.name).kubeconfig("admin")
    }

    /// The cluster whose administrator a kubeconfig is, if it is one of the directory's.
    pub fn by_kubeconfig(directory: &Directory, kubeconfig: &Path) -> Option<Self> {
        let mut names = directory.clusters().into_iter();
        names.find_map(|name| {
            let cluster = Self::find(directory, &name).ok()?;
            (cluster.kubeconfig() == kubeconfig).then_some(cluster)
        })
    }

    /// What its API server keeps of who wrote what.
    pub fn audit_log(&self) -> AuditLog {
        AuditLog::of(&self.plan.node(&self.directory, NodeNumber::FIRST))
    }

    /// Cuts the power of a node and boots it again. It keeps what was on its disk and nothing that only ran or lay in
    /// memory; with the first node goes the control plane. What the kernel had not written yet is not lost, as it would
    /// be with a machine.
    ///
    /// # Errors
    /// What did not come back.
    pub fn restart(&self, node: &Node) -> Result<()> {
        let _lock = self.directory.lock()?;
        let clock = Clock::start();
        take_down::power(&self.directory, node)?;
        clock.reached(format_args!("{}: without power", node.name()));
        let tools = Tools::of(&self.directory);
        let site = Site::new(&self.directory, &tools, &self.plan, clock)?;
        site.boot(node)
    }

    /// A program that is to run in the namespaces of a node, and ends with it.
    ///
    /// # Errors
    /// A node that does not run.
    pub fn command_on(&self, node: &Node, program: &Path) -> Result<Command> {
        let mut command = Command::new("nsenter");
        command.args(namespaces::enter(node)?).arg(program);
        command.env(MARK, node.folder());
        Ok(command)
    }

    /// Its nodes, the one with the control plane first.
    pub fn nodes(&self) -> Vec<Node> {
        self.plan.all_nodes(&self.directory)
    }

    /// Its plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Gives every node an image from an archive.
    pub fn load(&self, archive: &Path) -> Result<()> {
        for node in self.nodes() {
            containerd::import(&node, archive)?;
        }
        Ok(())
    }
}

/// Takes a cluster down, or everything of the directory.
pub fn down(directory: &Directory, name: Option<&ClusterName>) -> Result<()> {
    let _lock = directory.lock()?;
    match name {
        Some(name) => take_down::cluster(directory, name),
        None => take_down::everything(directory),
    }
}

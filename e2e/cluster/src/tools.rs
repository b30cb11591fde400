//! The programs of other projects, built from their Go modules: once, and kept by what they were built from.
//!
//! Each has a module of its own in `e2e/tools`, so that none moves the versions under another.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::command::Run;
use crate::directory::{Directory, private_folder, short_digest};
use crate::machine;
use crate::node::MARK;
use crate::report::say;
use crate::scope::BUILDS;
use crate::sources;

/// A tool: a module, and what is built from it.
struct Tool {
    name: &'static str,
    programs: &'static [Program],
    tags: &'static str,
    /// Folders of a module that are needed when the tool runs: the module, the folder, what it is called here.
    files: &'static [(&'static str, &'static str, &'static str)],
}

#[derive(Debug)]
struct Program {
    name: &'static str,
    package: &'static str,
    ldflags: &'static str,
}

const fn program(name: &'static str, package: &'static str) -> Program {
    Program {
        name,
        package,
        ldflags: "",
    }
}

/// Without these a server says v0.0.0-master, and Helm and clients take that for a version.
const KUBERNETES_VERSION: &str = "-X k8s.io/component-base/version.gitVersion=v1.36.3 \
    -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36";

const fn kubernetes(name: &'static str, package: &'static str) -> Program {
    Program {
        name,
        package,
        ldflags: KUBERNETES_VERSION,
    }
}

/// How much the Go compiler's heap grows before it is collected, in per cent. Of its default, 100, a fifth of a
/// build's processor time is collecting (etcd: 86 s, with 400 68 s).
const COLLECT: &str = "400";

const CILIUM: &str = "github.com/cilium/cilium";
const CERT_MANAGER: &str = "github.com/cert-manager/cert-manager";
const CONTOUR: &str = "github.com/projectcontour/contour";

const TOOLS: [Tool; 8] = [
    plain("pause", &[program("pause", ".")]),
    plain("probe", &[program("probe", ".")]),
    plain("etcd", &[program("etcd", "go.etcd.io/etcd/server/v3")]),
    plain(
        "kube",
        &[
            kubernetes("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
            kubernetes(
                "kube-controller-manager",
                "k8s.io/kubernetes/cmd/kube-controller-manager",
            ),
            kubernetes("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
            kubernetes("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
            kubernetes("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
            kubernetes("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
        ],
    ),
    // Its `go mod tidy` fails: two of its requirements cannot be had at the version it names. gobgp is replaced by a
    // tagged release; mcs-api/controllers is imported by Cilium's operator alone, and an empty module stands for it.
    Tool {
        name: "cilium",
        programs: &[
            Program {
                name: "cilium-agent",
                package: "github.com/cilium/cilium/daemon",
                ldflags: "-X github.com/cilium/cilium/pkg/version.ciliumVersion=1.20.2",
            },
            program("cilium-cni", "github.com/cilium/cilium/plugins/cilium-cni"),
        ],
        tags: "osusergo",
        files: &[
            (CILIUM, "bpf", "bpf"),
            (CILIUM, "pkg/k8s/apis/cilium.io/client/crds", "crds"),
        ],
    },
    plain(
        "coredns",
        &[program("coredns", "github.com/coredns/coredns")],
    ),
    plain("helm4", &[program("helm4", "helm.sh/helm/v4/cmd/helm")]),
    plain("helm3", &[program("helm3", "helm.sh/helm/v3/cmd/helm")]),
];

/// What no cluster needs, and single tests do. It is built when it is asked for.
const OF_TESTS: [Tool; 3] = [
    // A controller of the Gateway API; it has Envoy carry what it says (`make judges` brings that).
    Tool {
        name: "contour",
        programs: &[program(
            "contour",
            "github.com/projectcontour/contour/cmd/contour",
        )],
        tags: "",
        files: &[
            (CONTOUR, "examples/contour", "own-definitions"),
            (CONTOUR, "examples/gateway", "gateway-api"),
        ],
    },
    // The definitions alone, of a later version than Contour's.
    Tool {
        name: "gateway-api",
        programs: &[],
        tags: "",
        files: &[(
            "sigs.k8s.io/gateway-api",
            "config/crd/experimental",
            "definitions",
        )],
    },
    Tool {
        files: &[(CERT_MANAGER, "deploy/crds", "crds")],
        ..plain("certmanager", &[program("cert-manager", ".")])
    },
];

/// All that can be built.
fn all() -> impl Iterator<Item = &'static Tool> {
    TOOLS.iter().chain(&OF_TESTS)
}

const fn plain(name: &'static str, programs: &'static [Program]) -> Tool {
    Tool {
        name,
        programs,
        tags: "",
        files: &[],
    }
}

/// The tools of a directory, built.
#[derive(Clone, Debug)]
pub struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Builds what is missing of what each cluster needs. The directory must be locked.
    pub fn build(directory: &Directory) -> Result<Self> {
        let tools = Self::of(directory);
        for tool in &TOOLS {
            tools.make_if_missing(tool, directory)?;
        }
        Ok(tools)
    }

    /// Builds one that no cluster needs, if it is missing. The directory must be locked.
    pub fn build_also(directory: &Directory, name: &str) -> Result<Self> {
        let tools = Self::of(directory);
        tools.make_if_missing(find(name)?, directory)?;
        Ok(tools)
    }

    /// The tools of a directory where they were built before.
    pub fn of(directory: &Directory) -> Self {
        Self {
            folder: directory.tools(),
        }
    }

    /// A built program.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        let has = |tool: &&'static Tool| tool.programs.iter().any(|program| program.name == name);
        let Some(tool) = all().find(has) else {
            bail!("no tool builds {name}: add it to e2e/cluster/src/tools.rs");
        };
        Ok(self.place(tool)?.join(name))
    }

    /// A folder of a tool's files.
    pub fn files(&self, tool: &str, name: &str) -> Result<PathBuf> {
        Ok(self.place(find(tool)?)?.join(name))
    }

    fn make_if_missing(&self, tool: &Tool, directory: &Directory) -> Result<()> {
        if self.place(tool)?.exists() {
            return Ok(());
        }
        self.make(tool, directory)
    }

    /// Where a tool is or will be. The name changes with everything that decides what is built.
    fn place(&self, tool: &Tool) -> Result<PathBuf> {
        let source = sources::digest(&source(tool))?;
        let recipe = format!(
            "{source} {:?} {} {:?}",
            tool.programs, tool.tags, tool.files
        );
        let digest = short_digest(recipe.as_bytes(), 12);
        Ok(self.folder.join(format!("{}-{digest}", tool.name)))
    }

    /// Builds into a folder of another name: what has the right name is whole.
    fn make(&self, tool: &Tool, directory: &Directory) -> Result<()> {
        let since = Instant::now();
        let place = self.place(tool)?;
        let partial = self.folder.join(format!("{}.partial", tool.name));
        self.forget(tool)?;
        private_folder(&partial)?;
        for program in tool.programs {
            tool.build(program, &partial, directory)?;
        }
        for (module, folder, name) in tool.files {
            let module = tool.module(module, directory)?;
            sources::copy(&module.join(folder), &partial.join(name))?;
        }
        fs::rename(&partial, &place).with_context(|| format!("cannot name {}", place.display()))?;
        say(format_args!(
            "built {} in {:.0?}",
            tool.name,
            since.elapsed()
        ));
        Ok(())
    }

    /// Removes what was built of another recipe, and what a crash left half done.
    fn forget(&self, tool: &Tool) -> Result<()> {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let of_tool = name.to_str().and_then(|name| name.strip_prefix(tool.name));
            if of_tool.is_some_and(|rest| rest.starts_with(['-', '.'])) {
                let removed = fs::remove_dir_all(entry.path());
                removed.with_context(|| format!("cannot remove {}", entry.path().display()))?;
            }
        }
        Ok(())
    }
}

fn find(name: &str) -> Result<&'static Tool> {
    match all().find(|tool| tool.name == name) {
        Some(tool) => Ok(tool),
        None => bail!("there is no tool {name}: add it to e2e/cluster/src/tools.rs"),
    }
}

impl Tool {
    fn build(&self, program: &Program, into: &Path, directory: &Directory) -> Result<()> {
        say(format_args!("building {} …", program.name));
        let ldflags = format!("-s -w {}", program.ldflags);
        let arguments = ["build", "-trimpath", "-buildvcs=false", "-mod=readonly"];
        self.go(directory)?
            .args(arguments)
            .args(["-tags", self.tags, "-ldflags", ldflags.trim_end(), "-o"])
            .arg(into.join(program.name))
            .arg(program.package)
            .output()
            .map(drop)
    }

    /// Where the sources of a module that this tool requires are.
    fn module(&self, module: &str, directory: &Directory) -> Result<PathBuf> {
        // Of a tool without a program nothing has brought them yet.
        let download = ["mod", "download", module];
        self.go(directory)?.args(download).output()?;
        let list = ["list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module];
        let text = self.go(directory)?.args(list).output()?;
        Ok(PathBuf::from(text.trim()))
    }

    /// The compiler. It carries a mark too, so that one which outlived its harness is found and ended.
    fn go(&self, directory: &Directory) -> Result<Run> {
        let mark = directory.run().join(BUILDS).join(self.name);
        let go = Run::new(compiler()?).within(&source(self));
        let go = go.env("CGO_ENABLED", "0").env("GOGC", COLLECT);
        Ok(go.env(MARK, mark))
    }
}

/// The Go compiler: `GO`, the one on the path, or the one that the foreign judges brought.
fn compiler() -> Result<PathBuf> {
    let named = std::env::var_os("GO").map(PathBuf::from);
    let judges = sources::checkout().join("target/judges/py/bin/go");
    let judges = judges.is_file().then_some(judges);
    let found = named.or_else(|| machine::find("go")).or(judges);
    found.context("there is no Go compiler: install Go 1.26, name it in GO, or run `make judges`, which brings one")
}

fn source(tool: &Tool) -> PathBuf {
    sources::checkout().join("e2e/tools").join(tool.name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const ONE: Tool = plain("pause", &[program("pause", ".")]);
    const OTHER: Tool = plain("pause", &[program("pause", "./other")]);

    fn tools(folder: &Path) -> Tools {
        Tools {
            folder: folder.to_owned(),
        }
    }

    #[test]
    fn every_tool_has_a_module_and_every_program_a_tool() {
        let tools = tools(Path::new("/cache"));
        for tool in all() {
            assert!(source(tool).join("go.mod").is_file(), "{}", tool.name);
            for program in tool.programs {
                let path = tools.program(program.name).unwrap();
                assert!(path.starts_with("/cache"), "{}", path.display());
            }
        }
        let error = tools.program("kubeadm").unwrap_err().to_string();
        assert!(error.contains("tools.rs"), "{error}");
    }

    #[test]
    fn another_recipe_is_another_place() {
        let tools = tools(Path::new("/cache"));
        assert_eq!(tools.place(&ONE).unwrap(), tools.place(&ONE).unwrap());
        assert_ne!(tools.place(&ONE).unwrap(), tools.place(&OTHER).unwrap());
    }

    #[test]
    fn only_what_is_of_the_tool_is_forgotten() {
        let folder = tempfile::TempDir::new().unwrap();
        for name in ["kube-1", "kube.partial", "kubelike-1", "etcd-1"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        tools(folder.path()).forget(&plain("kube", &[])).unwrap();
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["etcd-1", "kubelike-1"]);
    }
}

//! The crates that are linked into each program.
//!
//! `cargo tree` resolves features for the packages that are built together, as the build does, and leaves out what
//! only runs while building; `cargo metadata` knows the licences, but of every crate that the workspace could need.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use cargo_metadata::MetadataCommand;

use crate::command::output;
use crate::compile::{cargo, target};
use crate::program::{Linking, Program};

/// A crate by its name and version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crate {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What `cargo metadata` says of a crate.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// Under which licences it may be used, an SPDX expression.
    pub license: Option<String>,
    /// Whether it is from the public registry; otherwise it is of this workspace.
    pub is_published: bool,
}

/// Which crate uses which.
type Graph = BTreeMap<Crate, BTreeSet<Crate>>;

/// Which crate uses which in the programs that images are made of.
#[derive(Debug, Default)]
pub struct Crates {
    /// Programs that are built together share the features of a crate, and so what it uses; others do not.
    built_together: BTreeMap<Linking, Graph>,
    origins: BTreeMap<Crate, Origin>,
    compiler: String,
}

impl Crates {
    /// The crates of all programs, in the groups that they are built in.
    pub fn of(checkout: &Path) -> Result<Self> {
        let mut crates = Self {
            origins: origins(checkout)?,
            compiler: compiler(checkout)?,
            ..Self::default()
        };
        for linking in [Linking::Static, Linking::Dynamic] {
            let packages = linking.programs().map(|program| program.binary);
            crates.add(linking, &tree(checkout, packages)?)?;
        }
        Ok(crates)
    }

    /// The version of the compiler, and with it of the standard library.
    pub fn compiler(&self) -> &str {
        &self.compiler
    }

    /// What is known of a crate.
    pub fn origin(&self, of: &Crate) -> Origin {
        self.origins.get(of).cloned().unwrap_or_default()
    }

    /// The crates that a program is linked from, itself among them, each with those that it uses.
    pub fn linked_into(&self, program: &Program) -> Result<BTreeMap<&Crate, &BTreeSet<Crate>>> {
        let unknown = || format!("cargo tree does not name {}", program.binary);
        let graph = self.built_together.get(&program.linking);
        let graph = graph.with_context(unknown)?;
        let root = graph.keys().find(|known| known.name == program.binary);
        let mut open = vec![root.with_context(unknown)?];
        let mut linked = BTreeMap::new();
        while let Some(next) = open.pop() {
            let uses = graph
                .get(next)
                .with_context(|| format!("cargo tree does not show {}", next.name))?;
            if linked.insert(next, uses).is_none() {
                open.extend(uses);
            }
        }
        Ok(linked)
    }

    /// Adds what a tree shows: a line for each crate, the depth before its name. A subtree is shown once.
    fn add(&mut self, linking: Linking, tree: &str) -> Result<()> {
        let graph = self.built_together.entry(linking).or_default();
        let mut above: Vec<Crate> = Vec::new();
        for line in tree.lines().filter(|line| !line.is_empty()) {
            let (depth, of) = parsed(line)
                .with_context(|| format!("cargo tree prints {line:?}, which is not understood"))?;
            if depth > above.len() {
                bail!("cargo tree prints {line:?} below nothing: it is not understood");
            }
            above.truncate(depth);
            if let Some(parent) = above.last() {
                graph.entry(parent.clone()).or_default().insert(of.clone());
            }
            graph.entry(of.clone()).or_default();
            above.push(of);
        }
        Ok(())
    }
}

/// `2serde v1.0.228 (*)`: the depth, the name, the version, and what is of no interest.
fn parsed(line: &str) -> Option<(usize, Crate)> {
    let name_at = line.find(|character: char| !character.is_ascii_digit())?;
    let mut words = line.get(name_at..)?.split(' ');
    let name = words.next()?.to_owned();
    let version = words.next()?.strip_prefix('v')?.to_owned();
    Some((line.get(..name_at)?.parse().ok()?, Crate { name, version }))
}

fn tree(checkout: &Path, packages: impl Iterator<Item = &'static str>) -> Result<String> {
    let mut command = cargo();
    command
        .current_dir(checkout)
        .args(["tree", "--locked", "--quiet", "--target", &target()])
        .args([
            "--edges",
            "normal,no-proc-macro",
            "--prefix",
            "depth",
            "--format",
            "{p}",
        ]);
    for package in packages {
        command.args(["--package", package]);
    }
    output(&mut command)
}

fn origins(checkout: &Path) -> Result<BTreeMap<Crate, Origin>> {
    let arguments = ["--locked", "--filter-platform", &target()].map(str::to_owned);
    let mut command = MetadataCommand::new();
    command.current_dir(checkout).other_options(arguments);
    let metadata = command
        .exec()
        .context("cargo metadata does not describe the workspace")?;
    let origins = metadata.packages.into_iter().map(|package| {
        let of = Crate {
            name: package.name.to_string(),
            version: package.version.to_string(),
        };
        let origin = Origin {
            license: package.license,
            is_published: package.source.is_some(),
        };
        (of, origin)
    });
    Ok(origins.collect())
}

fn compiler(checkout: &Path) -> Result<String> {
    let text = output(Command::new("rustc").current_dir(checkout).arg("--version"))?;
    let version = text.split(' ').nth(1);
    version
        .map(ToOwned::to_owned)
        .with_context(|| format!("rustc says {text:?}, which is no version"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::checkout::folder;
    use crate::program::named;

    fn names(crates: &Crates, program: &str) -> Vec<String> {
        let linked = crates.linked_into(named(program).unwrap()).unwrap();
        linked.keys().map(|known| known.name.clone()).collect()
    }

    #[test]
    fn a_subtree_that_is_shown_once_is_linked_from_everywhere() {
        let tree = "0pavilion-router v0.1.0 (/here)\n1a v1.0.0\n2b v2.0.0+x\n\n\
            0pavilion-auditor v0.1.0 (/here)\n1c v3.0.0\n2a v1.0.0 (*)\n";
        let mut crates = Crates::default();
        crates.add(Linking::Static, tree).unwrap();
        assert_eq!(names(&crates, "router"), ["a", "b", "pavilion-router"]);
        assert_eq!(
            names(&crates, "auditor"),
            ["a", "b", "c", "pavilion-auditor"]
        );
    }

    #[test]
    fn what_a_crate_uses_in_programs_that_are_built_apart_is_not_mixed() {
        let mut crates = Crates::default();
        let tree = "0pavilion-router v0.1.0\n1a v1.0.0\n2b v2.0.0\n";
        crates.add(Linking::Static, tree).unwrap();
        let tree = "0pavilion-signer v0.1.0\n1a v1.0.0\n";
        crates.add(Linking::Dynamic, tree).unwrap();
        assert_eq!(names(&crates, "router"), ["a", "b", "pavilion-router"]);
        assert_eq!(names(&crates, "signer"), ["a", "pavilion-signer"]);
    }

    #[test]
    fn a_line_that_is_not_understood_is_shown() {
        for line in ["serde v1.0.0", "0serde", "1serde v1.0.0"] {
            let error = Crates::default().add(Linking::Static, line).unwrap_err();
            assert!(error.to_string().contains(line), "{error}");
        }
    }

    #[test]
    fn a_program_has_what_it_links_and_not_what_it_is_built_or_tested_with() {
        let crates = Crates::of(&folder()).unwrap();
        let [router, signer] = ["router", "signer"].map(|program| names(&crates, program));
        let has = |names: &[String], name: &str| names.iter().any(|known| known == name);
        assert!(has(&router, "tokio-rustls") && has(&signer, "cryptoki"));
        assert!(!has(&router, "cryptoki"));
        for absent in ["serde_derive", "cc", "tempfile", "rcgen"] {
            assert!(!has(&router, absent), "{absent}");
        }
        for of in crates.linked_into(named("signer").unwrap()).unwrap().keys() {
            assert!(
                crates.origin(of).license.is_some(),
                "{} has no licence",
                of.name
            );
        }
    }
}

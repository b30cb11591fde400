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

/// Which crate links which, over all programs that images are made of.
#[derive(Debug, Default)]
pub struct Crates {
    links: BTreeMap<Crate, BTreeSet<Crate>>,
    origins: BTreeMap<Crate, Origin>,
    compiler: String,
}

impl Crates {
    /// The crates of these programs.
    pub fn of(checkout: &Path, programs: &[&Program]) -> Result<Self> {
        let mut crates = Self {
            origins: origins(checkout)?,
            compiler: compiler(checkout)?,
            ..Self::default()
        };
        for linking in [Linking::Static, Linking::Dynamic] {
            let built_together = programs.iter().filter(|program| program.linking == linking);
            let packages: Vec<&str> = built_together.map(|program| program.binary).collect();
            if !packages.is_empty() {
                crates.add(&tree(checkout, &packages)?)?;
            }
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
        let root = self.links.keys().find(|known| known.name == program.binary);
        let mut open =
            vec![root.with_context(|| format!("cargo tree does not name {}", program.binary))?];
        let mut linked = BTreeMap::new();
        while let Some(next) = open.pop() {
            let uses = self
                .links
                .get(next)
                .with_context(|| format!("cargo tree does not show {}", next.name))?;
            if linked.insert(next, uses).is_none() {
                open.extend(uses);
            }
        }
        Ok(linked)
    }

    /// Adds what a tree shows: a line for each crate, the depth before its name. A subtree is shown once.
    fn add(&mut self, tree: &str) -> Result<()> {
        let mut above: Vec<Crate> = Vec::new();
        for line in tree.lines().filter(|line| !line.is_empty()) {
            let (depth, of) = parsed(line)
                .with_context(|| format!("cargo tree prints {line:?}, which is not understood"))?;
            if depth > above.len() {
                bail!("cargo tree prints {line:?} below nothing: it is not understood");
            }
            above.truncate(depth);
            if let Some(parent) = above.last() {
                self.links
                    .entry(parent.clone())
                    .or_default()
                    .insert(of.clone());
            }
            self.links.entry(of.clone()).or_default();
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

fn tree(checkout: &Path, packages: &[&str]) -> Result<String> {
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

    #[test]
    fn a_subtree_that_is_shown_once_is_linked_from_everywhere() {
        let tree = "0pavilion-router v0.1.0 (/here)\n1a v1.0.0\n2b v2.0.0+x\n\n0pavilion-auditor v0.1.0 (/here)\n1c v3.0.0\n2a v1.0.0 (*)\n";
        let mut crates = Crates::default();
        crates.add(tree).unwrap();
        let names = |program| {
            let linked = crates.linked_into(named(program).unwrap()).unwrap();
            linked
                .keys()
                .map(|known| known.name.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(names("router"), ["a", "b", "pavilion-router"]);
        assert_eq!(names("auditor"), ["a", "b", "c", "pavilion-auditor"]);
    }

    #[test]
    fn a_line_that_is_not_understood_is_shown() {
        for line in ["serde v1.0.0", "0serde", "1serde v1.0.0"] {
            let error = Crates::default().add(line).unwrap_err().to_string();
            assert!(error.contains(line), "{error}");
        }
    }

    #[test]
    fn a_program_has_what_it_links_and_not_what_it_is_built_or_tested_with() {
        let crates = Crates::of(
            &folder(),
            &[named("router").unwrap(), named("signer").unwrap()],
        )
        .unwrap();
        let linked = |program| crates.linked_into(named(program).unwrap()).unwrap();
        let names = |program| {
            linked(program)
                .keys()
                .map(|known| known.name.as_str())
                .collect::<Vec<_>>()
        };
        assert!(names("router").contains(&"tokio-rustls") && names("signer").contains(&"cryptoki"));
        assert!(!names("router").contains(&"cryptoki"));
        for absent in ["serde_derive", "cc", "tempfile", "rcgen"] {
            assert!(!names("router").contains(&absent), "{absent}");
        }
        for of in linked("signer").keys() {
            assert!(
                crates.origin(of).license.is_some(),
                "{} has no licence",
                of.name
            );
        }
    }
}

//! The packages of Debian, or of Ubuntu, that this machine has: whose a file is, and under which licence.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::output;

const FORMAT: &str = "${Package}\t${Version}\t${Architecture}\t${source:Package}\n";

/// The distribution of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debian {
    /// Its short name, like `debian`.
    pub id: String,
    /// Its release, like `12`.
    pub release: String,
}

/// A package that is installed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The kind of machine that it is for.
    pub architecture: String,
    /// The source package that it was built from.
    pub source: String,
}

impl Debian {
    /// The distribution of this machine, which must have Debian's packages.
    pub fn here() -> Result<Self> {
        let path = "/etc/os-release";
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
        Self::read(&text)
    }

    fn read(text: &str) -> Result<Self> {
        let value = |name: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.map(|value| value.trim_matches('"').to_owned())
        };
        let id = value("ID").unwrap_or_default();
        if !["debian", "ubuntu"].contains(&id.as_str()) {
            bail!(
                "images take libraries and certificates from packages of Debian or Ubuntu, and this is \
                 neither: build them with images/Containerfile"
            );
        }
        let release =
            value("VERSION_ID").context("/etc/os-release has no VERSION_ID: this is no release")?;
        Ok(Self { id, release })
    }

    /// The package that a file is of.
    pub fn owner(&self, file: &Path) -> Result<Package> {
        let real =
            fs::canonicalize(file).with_context(|| format!("there is no {}", file.display()))?;
        // A package may name a file by the link /lib to /usr/lib.
        let names = [
            real.clone(),
            Path::new("/").join(real.strip_prefix("/usr").unwrap_or(&real)),
        ];
        for name in names {
            let found = output(Command::new("dpkg-query").arg("--search").arg(&name));
            if let Some(package) = found.ok().as_deref().and_then(first_package) {
                return self.package(package);
            }
        }
        bail!(
            "{} is of no package, so nobody can say what is in it: install it from a package",
            file.display()
        )
    }

    /// A package by its name.
    pub fn package(&self, name: &str) -> Result<Package> {
        let text =
            output(Command::new("dpkg-query").args(["--show", "--showformat", FORMAT, name]))
                .with_context(|| {
                    format!("the package {name} is missing: `make packages` installs it")
                })?;
        let line = text.lines().next().unwrap_or_default();
        let [name, version, architecture, source] = line.split('\t').collect::<Vec<_>>()[..] else {
            bail!(
                "dpkg-query says of {name} {line:?}, which is not four values: is dpkg of this system whole?"
            );
        };
        Ok(Package {
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: architecture.to_owned(),
            source: source.to_owned(),
        })
    }

    /// The files of a package, in the order of their names.
    pub fn files(&self, package: &Package) -> Result<Vec<PathBuf>> {
        let text = output(Command::new("dpkg-query").args(["--listfiles", &package.name]))?;
        let mut files: Vec<PathBuf> = text.lines().map(PathBuf::from).collect();
        files.sort();
        Ok(files)
    }
}

impl Package {
    /// Where its licence is, in every image that has something of it as on every machine.
    pub fn copyright(&self) -> PathBuf {
        Path::new("/usr/share/doc")
            .join(&self.name)
            .join("copyright")
    }
}

/// The first package of what `dpkg-query --search` prints, which may begin with lines about diversions.
fn first_package(text: &str) -> Option<&str> {
    let line = text
        .lines()
        .find(|line| !line.starts_with("diversion by "))?;
    let (packages, _) = line.split_once(": /")?;
    packages.split(", ").next()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_library_is_found_by_any_of_its_names() {
        let debian = Debian::here().unwrap();
        let folder = format!("{}-linux-gnu", std::env::consts::ARCH);
        for place in ["/lib", "/usr/lib"] {
            let library = Path::new(place).join(&folder).join("libc.so.6");
            let package = debian.owner(&library).unwrap();
            assert_eq!(
                (package.name.as_str(), package.source.as_str()),
                ("libc6", "glibc")
            );
            assert!(package.copyright().is_file());
        }
    }

    #[test]
    fn a_file_of_no_package_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Debian::here().unwrap().owner(file.path()).unwrap_err();
        assert!(error.to_string().contains("is of no package"), "{error}");
    }

    #[test]
    fn a_system_without_packages_of_debian_is_told_another_way() {
        let error = Debian::read("ID=fedora\nVERSION_ID=44\n").unwrap_err();
        assert!(
            error.to_string().contains("images/Containerfile"),
            "{error}"
        );
        let ubuntu = Debian::read("NAME=\"Ubuntu\"\nVERSION_ID=\"24.04\"\nID=ubuntu\n").unwrap();
        assert_eq!(ubuntu.release, "24.04");
    }

    #[test]
    fn what_was_diverted_is_of_its_package_still() {
        let text = "diversion by a from: /b\ndiversion by a to: /b.c\nlibd:amd64, libe: /b\n";
        assert_eq!(first_package(text), Some("libd:amd64"));
    }
}

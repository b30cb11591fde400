//! What an image is made of, as a CycloneDX document.
//!
//! It is a file in the image, so that it is under the digest that is pinned and signed, goes wherever the image
//! goes, through mirrors and `ctr images import` too, and is found by scanners that look at files. A registry keeps
//! documents beside an image as well, but only one that an image was pushed to.

mod document;

use std::collections::BTreeSet;

use anyhow::Result;
use packageurl::PackageUrl;

use crate::crates::{Crate, Crates};
use crate::debian::{Debian, Package};
use crate::program::{Program, VERSION};
use document::{Component, Document};

/// The document about a program's image, in JSON.
pub fn of(
    program: &Program,
    crates: &Crates,
    debian: &Debian,
    packages: &BTreeSet<Package>,
) -> Result<Vec<u8>> {
    let linked = crates.linked_into(program)?;
    let image = Component::new("container", &program.repository(), VERSION);
    let mut document = Document::about(image);
    let mut parts = BTreeSet::new();
    for (of, uses) in &linked {
        let component = of_crate(of, program, crates)?;
        if of.name == program.binary {
            parts.insert(component.reference.clone());
        }
        let uses: Result<BTreeSet<String>> = uses
            .iter()
            .map(|of| Ok(of_crate(of, program, crates)?.reference))
            .collect();
        document.add(component, uses?);
    }
    let library = standard_library(crates.compiler())?;
    parts.insert(library.reference.clone());
    document.add(library, BTreeSet::new());
    for package in packages {
        let component = of_package(package, debian)?;
        parts.insert(component.reference.clone());
        document.add(component, BTreeSet::new());
    }
    document.add(
        Component::new("operating-system", &debian.id, &debian.release),
        BTreeSet::new(),
    );
    document.made_of(parts);
    document.json()
}

fn of_crate(of: &Crate, program: &Program, crates: &Crates) -> Result<Component> {
    let kind = if of.name == program.binary {
        "application"
    } else {
        "library"
    };
    let origin = crates.origin(of);
    let mut component = Component::new(kind, &of.name, &of.version);
    // A crate of this workspace is in no registry, and nobody may take one of that name there for it.
    if origin.is_published {
        let mut address = PackageUrl::new("cargo", of.name.as_str())?;
        address.with_version(of.version.as_str())?;
        component = component.with_address(&address);
    }
    Ok(component.with_license(origin.license.as_deref()))
}

fn standard_library(compiler: &str) -> Result<Component> {
    let mut address = PackageUrl::new("generic", "rust-std")?;
    address.with_version(compiler)?;
    let component = Component::new("library", "rust-std", compiler).with_address(&address);
    Ok(component.with_license(Some("MIT OR Apache-2.0")))
}

fn of_package(package: &Package, debian: &Debian) -> Result<Component> {
    let mut address = PackageUrl::new("deb", package.name.as_str())?;
    address.with_namespace(debian.id.as_str())?;
    address.with_version(package.version.as_str())?;
    address.add_qualifier("arch", package.architecture.as_str())?;
    address.add_qualifier("distro", format!("{}-{}", debian.id, debian.release))?;
    // Advisories of Debian are about source packages.
    if package.source != package.name {
        address.add_qualifier("upstream", package.source.as_str())?;
    }
    Ok(Component::new("library", &package.name, &package.version).with_address(&address))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_package_is_named_as_scanners_look_it_up() {
        let package = Package {
            name: "libssl3".to_owned(),
            version: "3.0.19-1~deb12u2+b1".to_owned(),
            architecture: "amd64".to_owned(),
            source: "openssl".to_owned(),
        };
        let debian = Debian {
            id: "debian".to_owned(),
            release: "12".to_owned(),
        };
        let component = of_package(&package, &debian).unwrap();
        assert_eq!(
            component.reference,
            "pkg:deb/debian/libssl3@3.0.19-1~deb12u2%2Bb1?arch=amd64&distro=debian-12&upstream=openssl"
        );
    }
}

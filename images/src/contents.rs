//! Everything that is in the image of a program.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::crates::Crates;
use crate::debian::{Debian, Package};
use crate::elf::Needs;
use crate::files::Files;
use crate::program::{Linking, Program};
use crate::{libraries, links, roots, sbom};

/// The user and the group that programs run as. Nobody: no file of an image is theirs.
pub const USER: u32 = 65_532;

/// Where an image says what it is made of. Scanners of images look for files of this ending.
const SBOM: &str = "/sbom.cdx.json";

/// The files of an image, and what they are made of.
#[derive(Debug)]
pub struct Contents {
    /// The files.
    pub files: Files,
    /// The list of what they are made of, which is also one of them.
    pub sbom: Vec<u8>,
}

impl Contents {
    /// Of a program that was built to `binary`.
    pub fn of(program: &Program, binary: &Path, crates: &Crates, debian: &Debian) -> Result<Self> {
        let mut files = Files::default();
        let mut packages = BTreeSet::new();
        files.program(program.entrypoint(), checked(program, binary)?)?;
        packages.extend(match program.linking {
            Linking::Static => links::packages(debian)?,
            Linking::Dynamic => add_libraries(&mut files, program, binary, debian)?,
        });
        if program.calls_the_world {
            let (certificates, package) = roots::of(debian)?;
            files.data(roots::PLACE, certificates)?;
            packages.insert(package);
        }
        for package in &packages {
            files.data(package.copyright(), read(&package.copyright())?)?;
        }
        let sbom = sbom::of(program, crates, debian, &packages)?;
        files.data(SBOM, sbom.clone())?;
        Ok(Self { files, sbom })
    }
}

/// The program, if it is linked as its image needs it.
fn checked(program: &Program, binary: &Path) -> Result<Vec<u8>> {
    let bytes = read(binary)?;
    let needs = Needs::of(binary, &bytes)?;
    let is_static = program.linking == Linking::Static;
    ensure!(
        needs.are_none() == is_static,
        "{} is {}: build it with `make images`",
        binary.display(),
        if is_static {
            "not linked statically"
        } else {
            "linked statically, and could load no library"
        }
    );
    Ok(bytes)
}

/// Adds what a program loads and all that it needs; the packages that it is from.
fn add_libraries(
    files: &mut Files,
    program: &Program,
    binary: &Path,
    debian: &Debian,
) -> Result<Vec<Package>> {
    let mut packages = Vec::new();
    for loaded in program.loads {
        let path = Path::new(loaded.path);
        ensure!(
            path.is_file(),
            "{} loads {}, which is not here: install the package {}",
            program.name,
            loaded.path,
            loaded.package
        );
        files.data(path, read(path)?)?;
        packages.push(debian.owner(path)?);
    }
    let loaded = program.loads.iter().map(|loaded| Path::new(loaded.path));
    let open: Vec<&Path> = loaded.chain([binary]).collect();
    for library in libraries::of(&open)? {
        packages.push(debian.owner(&library.path)?);
        let bytes = read(&library.path)?;
        if library.is_linker {
            files.program(&library.path, bytes)?;
        } else {
            files.data(&library.path, bytes)?;
        }
    }
    Ok(packages)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

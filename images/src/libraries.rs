//! All libraries that a program and what it loads need, found where the system keeps them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::elf::Needs;

/// A library, or the dynamic linker.
#[derive(Debug)]
pub struct Library {
    /// Where it is, on this machine as in an image.
    pub path: PathBuf,
    /// Whether it is the linker, which the kernel runs.
    pub is_linker: bool,
}

/// The dynamic linker and the libraries of some files, in the order of their names.
pub fn of(files: &[&Path]) -> Result<Vec<Library>> {
    let mut found: BTreeMap<OsString, Library> = BTreeMap::new();
    let mut open = Vec::new();
    for file in files {
        open.push((file.to_path_buf(), needs(file)?));
    }
    // The linker first: libraries name it too, and it is where programs say that it is.
    for (_, needs) in &open {
        if let Some(path) = needs.interpreter.as_ref().map(PathBuf::from) {
            let name = path.file_name().unwrap_or_default().to_owned();
            found.insert(
                name,
                Library {
                    path,
                    is_linker: true,
                },
            );
        }
    }
    while let Some((file, needs_of_file)) = open.pop() {
        for name in needs_of_file.libraries {
            if !found.contains_key(&OsString::from(&name)) {
                let path = find(&name, &file)?;
                open.push((path.clone(), needs(&path)?));
                found.insert(
                    name.into(),
                    Library {
                        path,
                        is_linker: false,
                    },
                );
            }
        }
    }
    Ok(found.into_values().collect())
}

fn needs(file: &Path) -> Result<Needs> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Needs::of(file, &bytes)
}

/// Looks where the dynamic linker of Debian looks without being told.
fn find(name: &str, needed_by: &Path) -> Result<PathBuf> {
    let own = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let places = [own.as_str(), "/usr/lib"].map(|folder| Path::new(folder).join(name));
    let found = places.into_iter().find(|place| place.is_file());
    found.with_context(|| {
        let needed_by = needed_by.display();
        format!("{needed_by} needs {name}, which is in no folder of libraries: install its package")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_program_brings_its_linker_once_and_what_its_libraries_need() {
        let found = of(&[
            Path::new("/bin/sh"),
            Path::new("/usr/lib/softhsm/libsofthsm2.so"),
        ])
        .unwrap();
        let names: Vec<_> = found
            .iter()
            .filter_map(|library| library.path.file_name()?.to_str())
            .collect();
        for name in ["libc.so.6", "libcrypto.so.3", "libstdc++.so.6", "libm.so.6"] {
            assert_eq!(
                names.iter().filter(|known| **known == name).count(),
                1,
                "{names:?}"
            );
        }
        let linkers: Vec<_> = found.iter().filter(|library| library.is_linker).collect();
        assert_eq!(linkers.len(), 1, "{found:?}");
        assert!(
            names
                .iter()
                .filter(|name| name.starts_with("ld-linux"))
                .count()
                == 1,
            "{names:?}"
        );
    }

    #[test]
    fn a_library_that_is_not_there_is_named_with_what_needs_it() {
        let error = find("libnowhere.so.1", Path::new("/program"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("/program needs libnowhere.so.1"), "{error}");
    }
}

//! The certificates of public authorities, as Debian ships them.
//!
//! Not those that this machine trusts: `/etc/ssl/certs` holds what its administrator added, too, and what is in an
//! image must not depend on where it was made.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::debian::{Debian, Package};

/// Where programs look for them.
pub const PLACE: &str = "/etc/ssl/certs/ca-certificates.crt";

const FOLDER: &str = "/usr/share/ca-certificates/mozilla";

/// All of them in one file, and the package that they are from.
pub fn of(debian: &Debian) -> Result<(Vec<u8>, Package)> {
    let package = debian.package("ca-certificates")?;
    let mut all = Vec::new();
    for file in debian.files(&package)? {
        if file.starts_with(FOLDER) && file.extension().is_some_and(|extension| extension == "crt")
        {
            all.extend(fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?);
            if !all.ends_with(b"\n") {
                all.push(b'\n');
            }
        }
    }
    ensure!(
        !all.is_empty(),
        "the package ca-certificates has nothing in {FOLDER}: reinstall it"
    );
    Ok((all, package))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_what_the_package_ships_is_taken() {
        let (all, _) = of(&Debian::here().unwrap()).unwrap();
        let count = |text: &str| text.matches("BEGIN CERTIFICATE").count();
        let shipped = fs::read_dir(FOLDER).unwrap().count();
        assert_eq!(count(&String::from_utf8(all).unwrap()), shipped);
    }
}

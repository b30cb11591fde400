//! What the linker puts of the system into a program that is linked statically.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command::output;
use crate::debian::{Debian, Package};

/// The C library, and what unwinds the stack.
const ARCHIVES: [&str; 2] = ["libc.a", "libgcc_eh.a"];

/// The packages that parts of every such program are from.
pub fn packages(debian: &Debian) -> Result<Vec<Package>> {
    ARCHIVES
        .iter()
        .map(|archive| debian.owner(&find(archive)?))
        .collect()
}

fn find(archive: &str) -> Result<PathBuf> {
    let answer = output(Command::new("cc").arg(format!("-print-file-name={archive}")))
        .context("there is no C compiler: `make packages` installs one")?;
    let path = PathBuf::from(answer.trim());
    // The compiler repeats the name of what it does not find.
    ensure!(
        path != Path::new(archive),
        "the C compiler has no {archive} to link programs statically with: install libc6-dev and gcc"
    );
    Ok(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_c_library_is_from_glibc() {
        let packages = packages(&Debian::here().unwrap()).unwrap();
        assert_eq!(packages[0].source, "glibc");
        let error = find("libnowhere.a").unwrap_err().to_string();
        assert!(error.contains("no libnowhere.a"), "{error}");
    }
}

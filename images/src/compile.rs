//! The programs, built for images: apart from `target/release`, and without this machine's paths in them.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::run;
use crate::labels::Labels;
use crate::program::{Linking, Program};

/// The kind of machine that programs are built for: this one's.
pub fn target() -> String {
    format!("{}-unknown-linux-gnu", env::consts::ARCH)
}

/// Cargo, the one that runs this program if one does.
pub fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Builds programs, with all that are linked like them; where each is.
pub fn build<'a>(
    checkout: &Path,
    programs: &[&'a Program],
    labels: &Labels,
) -> Result<BTreeMap<&'a str, PathBuf>> {
    let mut built = BTreeMap::new();
    for (linking, folder) in [(Linking::Static, "static"), (Linking::Dynamic, "dynamic")] {
        let wanted = programs.iter().filter(|program| program.linking == linking);
        let wanted: Vec<&Program> = wanted.copied().collect();
        if !wanted.is_empty() {
            let folder = checkout.join("target/images-build").join(folder);
            compile(checkout, &folder, linking, labels)?;
            built.extend(taken(&folder.join(target()).join("release"), &wanted));
        }
    }
    Ok(built)
}

/// Where programs are that were built already.
pub fn taken<'a>(folder: &Path, programs: &[&'a Program]) -> BTreeMap<&'a str, PathBuf> {
    programs
        .iter()
        .map(|program| (program.name, folder.join(program.binary)))
        .collect()
}

fn compile(checkout: &Path, folder: &Path, linking: Linking, labels: &Labels) -> Result<()> {
    let mut command = cargo();
    // They would take the place of the flags below.
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_RUSTFLAGS",
    ] {
        command.env_remove(name);
    }
    command
        .current_dir(checkout)
        .env("PAVILION_COMMIT", labels.short_revision())
        .args([
            "build",
            "--locked",
            "--release",
            "--bins",
            "--target",
            &target(),
        ])
        .arg("--target-dir")
        .arg(folder)
        .arg("--config")
        .arg(format!(
            "target.{}.rustflags={}",
            target(),
            serde_json::to_string(&flags(checkout, linking)?)?
        ));
    for program in linking.programs() {
        command.args(["--package", program.binary]);
    }
    run(&mut command)
}

/// The flags beside those of `.cargo/config.toml`.
fn flags(checkout: &Path, linking: Linking) -> Result<Vec<String>> {
    let mut flags = Vec::new();
    if linking == Linking::Static {
        flags.extend(["-C", "target-feature=+crt-static"].map(str::to_owned));
    }
    for (from, to) in [
        (cargo_home()?, "/cargo"),
        (checkout.to_owned(), "/pavilion"),
    ] {
        flags.push(format!("--remap-path-prefix={}={to}", from.display()));
    }
    Ok(flags)
}

fn cargo_home() -> Result<PathBuf> {
    let home = env::home_dir().map(|home| home.join(".cargo"));
    let folder = env::var_os("CARGO_HOME").map(PathBuf::from).or(home);
    folder.context("Cargo has no home: set CARGO_HOME")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_c_library_is_linked_into_all_but_the_signer_and_paths_are_hidden() {
        let checkout = Path::new("/home/me/pavilion");
        let static_ones = flags(checkout, Linking::Static).unwrap();
        assert_eq!(static_ones[..2], ["-C", "target-feature=+crt-static"]);
        let dynamic = flags(checkout, Linking::Dynamic).unwrap();
        assert_eq!(static_ones[2..], dynamic);
        assert_eq!(
            dynamic[1],
            "--remap-path-prefix=/home/me/pavilion=/pavilion"
        );
    }
}

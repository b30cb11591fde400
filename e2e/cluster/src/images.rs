//! Container images of one program each, as docker archives: the same bytes from the same program.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use crate::directory::{Directory, short_digest, write};
use crate::tools::Tools;

/// Where images of the harness would come from, if anybody asked; nobody may, hence `imagePullPolicy: Never`.
const REGISTRY: &str = "e2e.pavilion.local";

/// The programs that run in pods, each called like its tool.
pub const IN_PODS: [&str; 3] = ["pause", "coredns", "probe"];

/// The user that they run as.
const USER: u32 = 65_532;

/// The reference of an image.
pub fn reference(program: &str) -> String {
    format!("{REGISTRY}/{program}:e2e")
}

/// A program that runs in pods, by its name.
pub fn find(name: &str) -> Result<&'static str> {
    match IN_PODS.into_iter().find(|program| *program == name) {
        Some(program) => Ok(program),
        None => bail!(
            "there is no image of {name}, only of {}",
            IN_PODS.join(", ")
        ),
    }
}

/// Writes the images that are missing; where they are.
pub fn make(directory: &Directory, tools: &Tools) -> Result<Vec<PathBuf>> {
    let made = IN_PODS.map(|program| make_one(directory, tools, program));
    made.into_iter().collect()
}

/// Writes the image of a program if it is missing; where it is.
pub fn make_one(directory: &Directory, tools: &Tools, program: &str) -> Result<PathBuf> {
    let folder = directory.images();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let binary = tools.program(program)?;
    // The folder of a tool is named by what it was built from.
    let digest = short_digest(binary.as_os_str().as_encoded_bytes(), 12);
    let archive = folder.join(format!("{program}-{digest}.tar"));
    if !archive.exists() {
        save(&archive, program, &binary)?;
    }
    Ok(archive)
}

fn save(archive: &Path, program: &str, binary: &Path) -> Result<()> {
    let bytes = fs::read(binary).with_context(|| format!("cannot read {}", binary.display()))?;
    let partial = archive.with_extension("partial");
    write(&partial, image(program, &bytes)?)?;
    fs::rename(&partial, archive).with_context(|| format!("cannot name {}", archive.display()))
}

/// The archive: a layer, the image's configuration, and a manifest that names both.
fn image(program: &str, binary: &[u8]) -> Result<Vec<u8>> {
    let layer = layer(program, binary)?;
    let digest = short_digest(&layer, 64);
    let configuration = serde_json::to_vec(&configuration(program, &digest))?;
    let names = [
        format!("{}.json", short_digest(&configuration, 64)),
        format!("{digest}/layer.tar"),
    ];
    let manifest = json!([{
        "Config": names[0],
        "RepoTags": [reference(program)],
        "Layers": [names[1]],
    }]);
    let mut archive = Builder::new(Vec::new());
    file(&mut archive, &names[0], 0o644, &configuration)?;
    file(&mut archive, &names[1], 0o644, &layer)?;
    file(
        &mut archive,
        "manifest.json",
        0o644,
        &serde_json::to_vec(&manifest)?,
    )?;
    Ok(archive.into_inner()?)
}

fn layer(program: &str, binary: &[u8]) -> Result<Vec<u8>> {
    let mut layer = Builder::new(Vec::new());
    let mut header = header(EntryType::Directory, 0o1777, 0);
    layer.append_data(&mut header, "tmp/", &[][..])?;
    file(&mut layer, program, 0o755, binary)?;
    Ok(layer.into_inner()?)
}

fn configuration(program: &str, layer: &str) -> Value {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    json!({
        "architecture": architecture,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "User": format!("{USER}:{USER}"),
            "Entrypoint": [format!("/{program}")],
            "WorkingDir": "/",
            "Env": ["PATH=/"],
        },
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer}")]},
        "history": [{"created_by": "e2e-cluster"}],
    })
}

fn file(archive: &mut Builder<Vec<u8>>, name: &str, mode: u32, bytes: &[u8]) -> Result<()> {
    let size = u64::try_from(bytes.len())?;
    let mut header = header(EntryType::Regular, mode, size);
    archive.append_data(&mut header, name, bytes)?;
    Ok(())
}

/// A header without a time or a name of this machine.
fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Read;

    use super::*;

    /// The files of an archive, by name.
    fn files(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut archive = tar::Archive::new(archive);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (name, bytes)
        });
        entries.collect()
    }

    #[test]
    fn an_image_that_there_is_not_is_refused_with_those_that_there_are() {
        assert_eq!(find("probe").unwrap(), "probe");
        let refused = find("etcd").unwrap_err().to_string();
        assert!(refused.contains("pause, coredns, probe"), "{refused}");
    }

    #[test]
    fn an_image_is_the_same_bytes_every_time() {
        assert_eq!(
            image("pause", b"program").unwrap(),
            image("pause", b"program").unwrap()
        );
        assert_ne!(
            image("pause", b"program").unwrap(),
            image("pause", b"programs").unwrap()
        );
    }

    #[test]
    fn the_manifest_leads_to_the_program() {
        let all = files(&image("pause", b"program").unwrap());
        let find = |name: &str| &all.iter().find(|(known, _)| known == name).unwrap().1;
        let manifest: Value = serde_json::from_slice(find("manifest.json")).unwrap();
        assert_eq!(manifest[0]["RepoTags"][0], "e2e.pavilion.local/pause:e2e");
        let name = manifest[0]["Config"].as_str().unwrap();
        let configuration: Value = serde_json::from_slice(find(name)).unwrap();
        assert_eq!(name, format!("{}.json", short_digest(find(name), 64)));
        assert_eq!(configuration["config"]["User"], "65532:65532");
        let layer = find(manifest[0]["Layers"][0].as_str().unwrap());
        let digest = format!("sha256:{}", short_digest(layer, 64));
        assert_eq!(configuration["rootfs"]["diff_ids"][0], digest);
        assert_eq!(files(layer)[1], ("pause".to_owned(), b"program".to_vec()));
    }
}

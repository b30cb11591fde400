//! An image on disk: an OCI image layout, as a folder and as one archive.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use oci_spec::image::{
    ANNOTATION_REF_NAME, ImageIndex, ImageIndexBuilder, MediaType, OciLayoutBuilder,
};

use crate::archive::Archive;
use crate::image::Image;

/// Where containerd looks for the whole name of an image that it imports.
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// The file beside the layout that has the same bytes as `/sbom.cdx.json` in the image.
const SBOM: &str = "sbom.cdx.json";

/// Writes the layout to `<out>/<program>/` and the archive to `<out>/<program>.tar`. What was there is replaced
/// when the new one is whole.
pub fn write(out: &Path, image: &Image) -> Result<()> {
    let name = image.program.name;
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let documents = documents(image)?;
    let partial = out.join(format!("{name}.partial"));
    remove(&partial)?;
    for (path, bytes) in &documents {
        put(&partial.join(path), bytes)?;
    }
    put(&partial.join(SBOM), &image.sbom)?;
    replace(&partial, &out.join(name))?;
    let partial = out.join(format!("{name}.tar.partial"));
    put(&partial, &archive(&documents)?)?;
    replace(&partial, &out.join(format!("{name}.tar")))
}

/// The files of a layout, by their paths.
fn documents(image: &Image) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let layout = OciLayoutBuilder::default()
        .image_layout_version("1.0.0")
        .build()?;
    let mut documents = BTreeMap::from([
        (PathBuf::from("oci-layout"), serde_jcs::to_vec(&layout)?),
        (
            PathBuf::from("index.json"),
            serde_jcs::to_vec(&index(image)?)?,
        ),
    ]);
    for blob in [&image.layer, &image.configuration, &image.manifest] {
        let path = Path::new("blobs").join(blob.digest.replacen(':', "/", 1));
        documents.insert(path, blob.bytes.clone());
    }
    Ok(documents)
}

fn index(image: &Image) -> Result<ImageIndex> {
    let reference = image.program.reference();
    let names =
        [ANNOTATION_REF_NAME, CONTAINERD_NAME].map(|name| (name.to_owned(), reference.clone()));
    let mut manifest = image.manifest.descriptor()?;
    manifest.set_annotations(Some(HashMap::from(names)));
    let index = ImageIndexBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageIndex)
        .manifests([manifest])
        .build()?;
    Ok(index)
}

fn archive(documents: &BTreeMap<PathBuf, Vec<u8>>) -> Result<Vec<u8>> {
    let mut archive = Archive::new();
    for (path, bytes) in documents {
        archive.file(path, 0o644, bytes)?;
    }
    archive.bytes()
}

fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let parent = path.parent().unwrap_or(path);
    let written = fs::create_dir_all(parent).and_then(|()| fs::write(path, bytes));
    written.with_context(|| format!("cannot write {}", path.display()))
}

fn replace(partial: &Path, whole: &Path) -> Result<()> {
    remove(whole)?;
    fs::rename(partial, whole).with_context(|| format!("cannot name {}", whole.display()))
}

fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() {
        fs::remove_dir_all(path)
    } else if path.exists() {
        fs::remove_file(path)
    } else {
        Ok(())
    };
    removed.with_context(|| format!("cannot remove {}", path.display()))
}

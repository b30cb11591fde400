//! An image: one layer, its configuration, and the manifest that names both.

use std::collections::HashMap;
use std::str::FromStr;

use anyhow::{Result, bail};
use aws_lc_rs::digest::{SHA256, digest};
use oci_spec::image::{
    Arch, ConfigBuilder, Descriptor, HistoryBuilder, ImageConfiguration, ImageConfigurationBuilder,
    ImageManifest, ImageManifestBuilder, MediaType, Os, RootFsBuilder, Sha256Digest,
};
use serde::Serialize;

use crate::contents::{Contents, USER};
use crate::labels::Labels;
use crate::layer;
use crate::program::Program;
use crate::report::megabytes;

/// No image was made at a time: it would be another one every time.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// An image of a program.
#[derive(Debug)]
pub struct Image {
    /// The program.
    pub program: &'static Program,
    /// The files, as they travel.
    pub layer: Blob,
    /// How the program is started.
    pub configuration: Blob,
    /// What names the other two; its digest is the one to pin.
    pub manifest: Blob,
    /// What the image is made of, in CycloneDX.
    pub sbom: Vec<u8>,
    /// The bytes of all its files.
    pub unpacked: u64,
}

/// Bytes, and what they are called.
#[derive(Debug)]
pub struct Blob {
    /// `sha256:` and 64 digits.
    pub digest: String,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// What they are.
    pub media_type: MediaType,
}

impl Image {
    /// The image of a program. One with more in it than the program may have is refused.
    pub fn of(program: &'static Program, contents: &Contents, labels: &Labels) -> Result<Self> {
        let unpacked = contents.files.bytes();
        within(program, unpacked)?;
        let archive = layer::archived(&contents.files)?;
        let layer = Blob::new(MediaType::ImageLayerGzip, layer::compressed(&archive)?);
        let configuration = configuration(program, &name(&archive), labels)?;
        let configuration = Blob::document(MediaType::ImageConfig, &configuration)?;
        let manifest = manifest(&configuration, &layer)?;
        Ok(Self {
            program,
            manifest: Blob::document(MediaType::ImageManifest, &manifest)?,
            layer,
            configuration,
            sbom: contents.sbom.clone(),
            unpacked,
        })
    }

    /// The bytes that travel from a registry to a node.
    pub fn compressed(&self) -> u64 {
        let blobs = [&self.layer, &self.configuration, &self.manifest];
        blobs.iter().map(|blob| blob.bytes.len() as u64).sum()
    }
}

impl Blob {
    fn new(media_type: MediaType, bytes: Vec<u8>) -> Self {
        Self {
            digest: name(&bytes),
            bytes,
            media_type,
        }
    }

    /// A JSON document in its canonical form: the library that knows the fields keeps maps in no order.
    fn document(media_type: MediaType, document: &impl Serialize) -> Result<Self> {
        Ok(Self::new(media_type, serde_jcs::to_vec(document)?))
    }

    /// What names it in another document.
    pub fn descriptor(&self) -> Result<Descriptor> {
        let hex = self.digest.trim_start_matches("sha256:");
        let size = u64::try_from(self.bytes.len())?;
        let digest = Sha256Digest::from_str(hex)?;
        Ok(Descriptor::new(self.media_type.clone(), size, digest))
    }
}

fn within(program: &Program, bytes: u64) -> Result<()> {
    if bytes > program.most {
        bail!(
            "the files of the image of {} have {}, and may have {}: make the program smaller, or raise `most` in \
             images/src/program.rs and say why in the commit",
            program.name,
            megabytes(bytes),
            megabytes(program.most)
        );
    }
    Ok(())
}

fn configuration(program: &Program, layer: &str, labels: &Labels) -> Result<ImageConfiguration> {
    let config = ConfigBuilder::default()
        .user(format!("{USER}:{USER}"))
        .entrypoint([program.entrypoint()])
        .working_dir("/")
        .labels(HashMap::from_iter(labels.of(program)))
        .build()?;
    let rootfs = RootFsBuilder::default()
        .typ("layers")
        .diff_ids([layer.to_owned()])
        .build()?;
    let history = HistoryBuilder::default()
        .created(CREATED)
        .created_by(env!("CARGO_PKG_NAME"))
        .build()?;
    let configuration = ImageConfigurationBuilder::default()
        .created(CREATED)
        .architecture(Arch::default())
        .os(Os::Linux)
        .config(config)
        .rootfs(rootfs)
        .history([history])
        .build()?;
    Ok(configuration)
}

fn manifest(configuration: &Blob, layer: &Blob) -> Result<ImageManifest> {
    let manifest = ImageManifestBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageManifest)
        .config(configuration.descriptor()?)
        .layers([layer.descriptor()?])
        .build()?;
    Ok(manifest)
}

/// How registries name bytes.
pub fn name(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(digest(&SHA256, bytes)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::program::named;

    #[test]
    fn too_large_is_refused_with_what_to_do() {
        for (name, most) in [("router", 40), ("signer", 80)] {
            let program = named(name).unwrap();
            within(program, most * 1_000_000).unwrap();
            let error = within(program, most * 1_000_000 + 1)
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(&format!("{name} have {most}.1 MB")),
                "{error}"
            );
            assert!(error.contains("smaller"), "{error}");
        }
    }
}

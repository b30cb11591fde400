//! Layouts and archives.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex, ImageManifest, OciLayout};
use pavilion_images::{ALL, VERSION, write_layout};

use crate::stage::{entries, files, image, layout, made, unpacked};

fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(digest(&SHA256, bytes)))
}

#[test]
fn every_document_of_a_layout_leads_to_the_next_and_has_the_digest_that_it_is_called_by() {
    for program in ALL {
        let out = layout(program.name);
        let root = out.path().join(program.name);
        let layout = OciLayout::from_file(root.join("oci-layout")).unwrap();
        assert_eq!(layout.image_layout_version(), "1.0.0");
        let blob = |descriptor: &Descriptor| {
            let path = root
                .join("blobs")
                .join(descriptor.digest().to_string().replace(':', "/"));
            let bytes = std::fs::read(path).unwrap();
            assert_eq!(digest_of(&bytes), descriptor.digest().to_string());
            assert_eq!(bytes.len() as u64, descriptor.size());
            bytes
        };
        let index = ImageIndex::from_file(root.join("index.json")).unwrap();
        let [manifest] = index.manifests().as_slice() else {
            panic!("one image in each layout")
        };
        let manifest = ImageManifest::from_reader(blob(manifest).as_slice()).unwrap();
        let configuration =
            ImageConfiguration::from_reader(blob(manifest.config()).as_slice()).unwrap();
        let [layer] = manifest.layers().as_slice() else {
            panic!("one layer in each image")
        };
        blob(layer);
        let archive = unpacked(image(program.name));
        assert_eq!(configuration.rootfs().diff_ids(), &[digest_of(&archive)]);
        assert_eq!(
            files(&root.join("blobs/sha256")).len(),
            3,
            "no blob that nothing names"
        );
    }
}

#[test]
fn the_archive_has_the_layout_and_the_name_that_a_node_knows_the_image_by() {
    let out = layout("verifier");
    let archive = entries(&std::fs::read(out.path().join("verifier.tar")).unwrap());
    let mut folder = files(&out.path().join("verifier"));
    assert_eq!(
        folder.remove(Path::new("sbom.cdx.json")).unwrap(),
        image("verifier").sbom
    );
    assert_eq!(archive, folder);
    let index = ImageIndex::from_reader(archive[Path::new("index.json")].as_slice()).unwrap();
    let annotations = index.manifests()[0].annotations().clone().unwrap();
    for name in [
        "org.opencontainers.image.ref.name",
        "io.containerd.image.name",
    ] {
        assert_eq!(
            annotations[name],
            format!("pavilion.local/verifier:{VERSION}")
        );
    }
}

#[test]
fn the_same_binaries_are_the_same_bytes() {
    for name in ["router", "signer"] {
        let out = layout(name);
        let before = files(out.path());
        write_layout(out.path(), &made(name)).unwrap();
        assert_eq!(files(out.path()), before, "{name}");
    }
}

#[test]
fn an_archive_tells_nothing_of_when_and_where_it_was_made() {
    let archive = unpacked(image("signer"));
    let mut archive = tar::Archive::new(archive.as_slice());
    let mut last = PathBuf::new();
    let mut folders_are_over = false;
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header();
        let path = entry.path().unwrap().into_owned();
        assert_eq!(
            (
                header.mtime().unwrap(),
                header.uid().unwrap(),
                header.gid().unwrap()
            ),
            (0, 0, 0)
        );
        assert_eq!(
            (header.username().unwrap(), header.groupname().unwrap()),
            (Some(""), Some(""))
        );
        assert!(
            header.entry_type().is_file() || header.entry_type().is_dir(),
            "{}",
            path.display()
        );
        assert_eq!(
            header.mode().unwrap() & 0o7022,
            0,
            "{} can be written",
            path.display()
        );
        if header.entry_type().is_file() && !folders_are_over {
            folders_are_over = true;
            last.clear();
        }
        assert!(path > last, "{} is out of order", path.display());
        last = path;
    }
}

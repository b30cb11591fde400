//! What is promised of every image.

#![allow(clippy::unwrap_used)]

mod stage;

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use oci_spec::image::{ImageConfiguration, ImageIndex, ImageManifest, OciLayout};
use pavilion_images::{ALL, Image, Labels, VERSION, named, write_layout};
use stage::{contents, entries, files, image, layout, program, static_program, unpacked};
use tempfile::TempDir;

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
        let blob = |descriptor: &oci_spec::image::Descriptor| {
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
        let archive = unpacked(&image(program.name));
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
        let [one, other] = [layout(name), layout(name)];
        assert_eq!(files(one.path()), files(other.path()), "{name}");
    }
    let out = layout("router");
    let before = files(out.path());
    write_layout(out.path(), &image("router")).unwrap();
    assert_eq!(files(out.path()), before, "written over itself");
}

#[test]
fn an_archive_tells_nothing_of_when_and_where_it_was_made() {
    let archive = unpacked(&image("signer"));
    let mut archive = tar::Archive::new(archive.as_slice());
    let mut last = std::path::PathBuf::new();
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

#[test]
fn a_program_runs_as_nobody_from_the_root_and_says_what_it_is() {
    for program in ALL {
        let bytes = image(program.name).configuration.bytes;
        let configuration = ImageConfiguration::from_reader(bytes.as_slice()).unwrap();
        assert_eq!(
            configuration.created().as_deref(),
            Some("1970-01-01T00:00:00Z")
        );
        let labels = configuration.labels_of_config().unwrap();
        for (name, value) in [
            ("title", program.title),
            ("version", VERSION),
            ("revision", "0123456789abcdef"),
            ("source", "https://code.example/pavilion"),
            ("licenses", "Apache-2.0"),
        ] {
            assert_eq!(labels[&format!("org.opencontainers.image.{name}")], value);
        }
        let config = configuration.config().clone().unwrap();
        assert_eq!(config.user().as_deref(), Some("65532:65532"));
        assert_eq!(config.working_dir().as_deref(), Some("/"));
        assert_eq!(config.entrypoint().clone().unwrap(), [program.entrypoint()]);
        assert_eq!((config.cmd(), config.env()), (&None, &None));
    }
}

#[test]
fn nothing_is_in_an_image_but_what_its_program_needs() {
    const LICENCES: [&str; 2] = [
        "usr/share/doc/libc6-dev/copyright",
        "usr/share/doc/libgcc-*-dev/copyright",
    ];
    let of_certificates = [
        "etc/ssl/certs/ca-certificates.crt",
        "usr/share/doc/ca-certificates/copyright",
    ];
    for program in ALL.iter().filter(|program| program.name != "signer") {
        let mut expected = vec![program.binary, "sbom.cdx.json"];
        expected.extend(LICENCES);
        if ["verifier", "kubectl-pavilion"].contains(&program.name) {
            expected.extend(of_certificates);
        }
        expected.sort_unstable();
        assert_eq!(names(program.name), expected, "{}", program.name);
    }
    let libraries = "usr/lib/*-linux-gnu";
    let mut expected = vec!["pavilion-signer".to_owned(), "sbom.cdx.json".to_owned()];
    expected.extend(["lib*/ld-linux-*.so.*", "usr/lib/softhsm/libsofthsm2.so"].map(str::to_owned));
    expected.extend(
        [
            "libc.so.6",
            "libcrypto.so.3",
            "libgcc_s.so.1",
            "libm.so.6",
            "libstdc++.so.6",
        ]
        .map(|library| format!("{libraries}/{library}")),
    );
    expected.extend(
        [
            "libc6",
            "libgcc-s1",
            "libsofthsm2",
            "libssl3*",
            "libstdc++6",
        ]
        .map(|package| format!("usr/share/doc/{package}/copyright")),
    );
    expected.sort();
    assert_eq!(names("signer"), expected);
}

/// The paths of an image, with what depends on the release of the system or the kind of machine left open.
fn names(name: &str) -> Vec<String> {
    let open = |path: &str| {
        let parts = path.split('/').map(|part| match part {
            "lib64" => "lib*".to_owned(),
            part if part.ends_with("-linux-gnu") => "*-linux-gnu".to_owned(),
            part if part.starts_with("libgcc-") && part.ends_with("-dev") => {
                "libgcc-*-dev".to_owned()
            }
            part if part.starts_with("libssl3") => "libssl3*".to_owned(),
            part if part.starts_with("ld-linux-") => "ld-linux-*.so.*".to_owned(),
            part => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join("/")
    };
    let archive = unpacked(&image(name));
    let mut names: Vec<String> = entries(&archive)
        .keys()
        .map(|path| open(path.to_str().unwrap()))
        .collect();
    names.sort();
    names
}

#[test]
fn an_image_that_is_too_large_is_refused() {
    let router = named("router").unwrap();
    let contents = contents(router, &static_program(40_000_000)).unwrap();
    let error = Image::of(router, &contents, &Labels::new("0", None).unwrap())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("router") && error.contains("may have 40.0 MB"),
        "{error}"
    );
}

#[test]
fn a_program_that_is_linked_otherwise_than_its_image_needs_is_refused() {
    for (name, wrong) in [("router", program("signer")), ("signer", program("router"))] {
        let error = contents(named(name).unwrap(), &wrong)
            .unwrap_err()
            .to_string();
        assert!(error.contains("make images"), "{error}");
    }
}

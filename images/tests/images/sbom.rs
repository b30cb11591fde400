//! What is promised of the list of what an image is made of, which a library of the CycloneDX project reads.

use std::path::Path;

use cyclonedx_bom::models::bom::Bom;
use cyclonedx_bom::validation::Validate;
use pavilion_images::{ALL, VERSION};

use crate::stage::{checkout, entries, image, unpacked};

fn bom(name: &str) -> Bom {
    Bom::parse_from_json_v1_5(image(name).sbom.as_slice()).unwrap()
}

fn addresses(name: &str) -> Vec<String> {
    let components = bom(name).components.unwrap().0;
    let addresses = components
        .into_iter()
        .filter_map(|component| component.purl);
    addresses.map(|address| address.to_string()).collect()
}

#[test]
fn it_is_in_the_image_and_beside_it_and_a_foreign_reader_takes_it() {
    for program in ALL {
        let image = image(program.name);
        assert_eq!(
            entries(&unpacked(image))[Path::new("sbom.cdx.json")],
            image.sbom
        );
        let bom = bom(program.name);
        let result = bom.validate();
        assert!(
            result.passed(),
            "{}: {:?}",
            program.name,
            result.errors().collect::<Vec<_>>()
        );
        let subject = bom.metadata.unwrap().component.unwrap();
        assert_eq!(
            subject.name.to_string(),
            format!("pavilion.local/{}", program.name)
        );
    }
}

#[test]
fn it_names_the_crates_of_the_program_and_the_packages_of_the_system() {
    let has = |name, start: &str| {
        addresses(name)
            .iter()
            .any(|address| address.starts_with(start))
    };
    assert!(has("operator", "pkg:cargo/kube-runtime@"));
    assert!(
        !has("verifier", "pkg:cargo/kube-runtime@"),
        "the verifier knows no Kubernetes"
    );
    assert!(
        has("router", "pkg:deb/debian/libc6-dev@") || has("router", "pkg:deb/ubuntu/libc6-dev@")
    );
    for package in ["libc6", "libssl3", "libsofthsm2", "libstdc++6", "libgcc-s1"] {
        let package = package.replace("++", "%2B%2B");
        let named = |address: &String| {
            address.starts_with("pkg:deb/") && address.contains(&format!("/{package}"))
        };
        assert!(addresses("signer").iter().any(named), "{package}");
    }
    for name in ["router", "signer"] {
        assert!(has(name, "pkg:generic/rust-std@"));
        assert!(
            !has(name, "pkg:cargo/serde_derive@") && !has(name, "pkg:cargo/tempfile@"),
            "{name}"
        );
        assert!(
            !has(name, "pkg:cargo/pavilion-"),
            "a crate of ours is in no registry"
        );
    }
}

#[test]
fn it_says_what_uses_what() {
    let bom = bom("router");
    let dependencies = bom.dependencies.unwrap().0;
    let uses = |reference: &str| {
        let of = dependencies
            .iter()
            .find(|known| known.dependency_ref.starts_with(reference))
            .unwrap();
        of.dependencies.clone()
    };
    let image = uses("pavilion.local/router@");
    assert!(
        image.contains(&format!("pavilion-router@{VERSION}")),
        "{image:?}"
    );
    let program = uses(&format!("pavilion-router@{VERSION}"));
    assert!(
        program.contains(&format!("pavilion-process@{VERSION}")),
        "{program:?}"
    );
}

#[test]
fn it_has_no_path_of_the_machine_that_made_it() {
    for program in ALL {
        let text = String::from_utf8(image(program.name).sbom.clone()).unwrap();
        assert!(
            !text.contains(checkout().to_str().unwrap()),
            "{}",
            program.name
        );
        assert!(
            !text.contains("/home/") && !text.contains("file://"),
            "{}",
            program.name
        );
    }
}

//! What is in an image, and how it is started.

use oci_spec::image::ImageConfiguration;
use pavilion_images::{ALL, Image, Labels, VERSION, named};

use crate::stage::{contents, entries, image, program, static_program, unpacked};

#[test]
fn a_program_runs_as_nobody_from_the_root_and_says_what_it_is() {
    for program in ALL {
        let bytes = &image(program.name).configuration.bytes;
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
    let archive = unpacked(image(name));
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

//! The Containerfile says of each program what an image of ours says.

use std::fs;

use pavilion_images::{ALL, VERSION};

use crate::stage::checkout;

fn text() -> String {
    fs::read_to_string(checkout().join("images/Containerfile")).unwrap()
}

#[test]
fn it_has_a_stage_for_each_program_with_the_same_files_and_the_same_start() {
    let text = text();
    let stages: Vec<&str> = text.split("\nFROM scratch AS ").skip(1).collect();
    assert_eq!(stages.len(), ALL.len());
    for (stage, program) in stages.iter().zip(ALL) {
        let mut lines = stage.lines();
        assert_eq!(lines.next(), Some(program.name));
        let title = format!(
            "LABEL org.opencontainers.image.title=\"{}\" \\",
            program.title
        );
        let version = format!("      org.opencontainers.image.version=\"{VERSION}\" \\");
        let expected = [
            "ARG COMMIT",
            &format!("COPY --from=build /images/{}/ /", program.name),
            &title,
            &version,
            "      org.opencontainers.image.revision=\"${COMMIT}\" \\",
            "      org.opencontainers.image.licenses=\"Apache-2.0\"",
            "USER 65532:65532",
            "WORKDIR /",
            &format!("ENTRYPOINT [\"{}\"]", program.entrypoint()),
        ];
        let said: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        assert_eq!(said, expected, "{}", program.name);
    }
}

#[test]
fn it_builds_with_the_compiler_and_the_packages_of_a_build_here() {
    let text = text();
    let toolchain = fs::read_to_string(checkout().join("rust-toolchain.toml")).unwrap();
    let channel = toolchain
        .lines()
        .find_map(|line| line.strip_prefix("channel = "))
        .unwrap();
    assert!(
        text.contains(&format!("/rust:{}-", channel.trim_matches('"'))),
        "{channel}"
    );
    let makefile = fs::read_to_string(checkout().join("Makefile")).unwrap();
    let packages = makefile
        .lines()
        .find_map(|line| line.strip_prefix("BUILD_PACKAGES := "))
        .unwrap();
    // The image of the compiler has a C compiler.
    for package in packages
        .split(' ')
        .filter(|package| *package != "build-essential")
    {
        assert!(text.contains(&format!(" {package}")), "{package}");
    }
}

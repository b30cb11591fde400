//! The programs that have an image, and what each needs beside itself.

/// Where images come from unless somebody pushes them elsewhere. No such host answers: images are loaded, or renamed.
pub const REGISTRY: &str = "pavilion.local";

/// The version of all programs.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

const MEGABYTE: u64 = 1_000_000;

/// A program, and what its image is made of.
#[derive(Debug)]
pub struct Program {
    /// The name of the image.
    pub name: &'static str,
    /// The name of its package, and of its binary.
    pub binary: &'static str,
    /// What its image says it is.
    pub title: &'static str,
    /// How it is linked.
    pub linking: Linking,
    /// Whether it calls servers of others, whose certificates public authorities vouch for.
    pub calls_the_world: bool,
    /// What it loads while it runs.
    pub loads: &'static [Loaded],
    /// The most bytes that all files of its image may have together.
    pub most: u64,
}

/// How a program is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Linking {
    /// It carries everything; its image holds no library.
    Static,
    /// It loads a library while it runs, so it needs a dynamic linker and the C library of the system.
    Dynamic,
}

/// A library that a program opens by its path.
#[derive(Debug)]
pub struct Loaded {
    /// Its path, on this machine and in the image.
    pub path: &'static str,
    /// The package to install where it is missing.
    pub package: &'static str,
}

impl Linking {
    /// The programs that are linked so. They are built together, whichever of them is wanted: with others beside it a
    /// program has crates with other features, and would be another binary.
    pub fn programs(self) -> impl Iterator<Item = &'static Program> {
        ALL.iter().filter(move |program| program.linking == self)
    }
}

impl Program {
    /// The path of the program in its image.
    pub fn entrypoint(&self) -> String {
        format!("/{}", self.binary)
    }

    /// The name of its images, whatever their version.
    pub fn repository(&self) -> String {
        format!("{REGISTRY}/{}", self.name)
    }

    /// The name under which its image is known to a cluster.
    pub fn reference(&self) -> String {
        format!("{}:{VERSION}", self.repository())
    }
}

const PLAIN: Program = Program {
    name: "",
    binary: "",
    title: "",
    linking: Linking::Static,
    calls_the_world: false,
    loads: &[],
    most: 40 * MEGABYTE,
};

/// All programs that have an image.
pub const ALL: &[Program] = &[
    Program {
        name: "operator",
        binary: "pavilion-operator",
        title: "Pavilion operator",
        ..PLAIN
    },
    Program {
        name: "router",
        binary: "pavilion-router",
        title: "Pavilion router",
        ..PLAIN
    },
    Program {
        name: "verifier",
        binary: "pavilion-verifier",
        title: "Pavilion verifier",
        // It reads status lists of issuers.
        calls_the_world: true,
        ..PLAIN
    },
    Program {
        name: "signer",
        binary: "pavilion-signer",
        title: "Pavilion signer",
        linking: Linking::Dynamic,
        loads: &[Loaded {
            path: "/usr/lib/softhsm/libsofthsm2.so",
            package: "softhsm2",
        }],
        most: 80 * MEGABYTE,
        ..PLAIN
    },
    Program {
        name: "auditor",
        binary: "pavilion-auditor",
        title: "Pavilion auditor",
        ..PLAIN
    },
    Program {
        name: "probe",
        binary: "pavilion-probe",
        title: "Pavilion probe",
        ..PLAIN
    },
    Program {
        name: "kubectl-pavilion",
        binary: "kubectl-pavilion",
        title: "kubectl pavilion",
        // It asks brokers, and demo issuers.
        calls_the_world: true,
        ..PLAIN
    },
];

/// The program of a name.
pub fn named(name: &str) -> Option<&'static Program> {
    ALL.iter().find(|program| program.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entrypoint_is_the_program_at_the_root() {
        let entrypoints: Vec<String> = ALL.iter().map(Program::entrypoint).collect();
        assert_eq!(
            entrypoints,
            [
                "/pavilion-operator",
                "/pavilion-router",
                "/pavilion-verifier",
                "/pavilion-signer",
                "/pavilion-auditor",
                "/pavilion-probe",
                "/kubectl-pavilion"
            ]
        );
    }

    #[test]
    fn a_program_that_loads_a_library_is_linked_dynamically() {
        for program in ALL {
            let loads = !program.loads.is_empty();
            assert_eq!(
                loads,
                program.linking == Linking::Dynamic,
                "{}",
                program.name
            );
        }
    }
}

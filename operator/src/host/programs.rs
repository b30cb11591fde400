//! The programs of the data plane and where they are found.

use std::{
    env, fmt,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use pavilion_bundle::TenantName;
use pavilion_catalogue::host;
use pavilion_process::Exit;
use serde::{Deserialize, Serialize};

/// A program of the data plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Program {
    /// The shared edge.
    Router,
    /// Holds the tenant's keys.
    Signer,
    /// Holds the tenant's log.
    Auditor,
    /// Answers the tenant's relying parties.
    Verifier,
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Router, Self::Signer, Self::Auditor, Self::Verifier];

    /// The programs of one tenant in the order they start; they stop in the opposite one.
    pub const OF_TENANT: [Self; 3] = [Self::Signer, Self::Auditor, Self::Verifier];

    /// Its short name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Router => "router",
            Self::Signer => "signer",
            Self::Auditor => "auditor",
            Self::Verifier => "verifier",
        }
    }

    /// The name of its file.
    pub const fn binary(self) -> &'static str {
        match self {
            Self::Router => "pavilion-router",
            Self::Signer => "pavilion-signer",
            Self::Auditor => "pavilion-auditor",
            Self::Verifier => "pavilion-verifier",
        }
    }
}

/// Which child process: a program, and the tenant it works for. Written `acme/signer` or `router`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChildId {
    /// `None` for the router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantName>,
    /// The program.
    pub program: Program,
}

impl fmt::Display for ChildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tenant) = &self.tenant {
            write!(f, "{tenant}/")?;
        }
        f.write_str(self.program.name())
    }
}

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// All four in `folder`, or beside this executable.
    ///
    /// # Errors
    /// [`Exit::Unavailable`] naming the one that is missing.
    pub fn find(folder: Option<&Path>) -> Result<Self, Exit> {
        let folder = match folder {
            Some(folder) => folder.to_path_buf(),
            None => own_folder()?,
        };
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        for program in Program::ALL {
            let file = folder.join(program.binary());
            if !is_executable(&file) {
                let entry = &host::PROGRAM_MISSING;
                let path = file.display();
                return Err(Exit::Unavailable(format!(
                    "{path} is not there or cannot be executed [{}]. {}",
                    entry.code, entry.hint
                )));
            }
        }
        Ok(Self { folder })
    }

    /// The file of a program.
    pub fn file(&self, program: Program) -> PathBuf {
        self.folder.join(program.binary())
    }
}

fn own_folder() -> Result<PathBuf, Exit> {
    let own = env::current_exe().map_err(|error| Exit::Bug(format!("own executable: {error}")))?;
    Ok(own.parent().map(Path::to_path_buf).unwrap_or_default())
}

fn is_executable(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Where Debian, Ubuntu, Fedora and a build from source put `SoftHSM`'s module.
const SOFTHSM: [&str; 6] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

/// The PKCS#11 module: the one given, or `SoftHSM` where it usually is.
///
/// # Errors
/// [`Exit::Unavailable`] with what to install.
pub fn find_module(given: Option<&Path>) -> Result<PathBuf, Exit> {
    let missing = |what: String| {
        let entry = &host::MODULE_MISSING;
        Exit::Unavailable(format!("{what} [{}]. {}", entry.code, entry.hint))
    };
    match given {
        Some(module) if module.is_file() => {
            Ok(std::path::absolute(module).unwrap_or_else(|_| module.to_path_buf()))
        }
        Some(module) => Err(missing(format!("{} is not there", module.display()))),
        None => SOFTHSM
            .iter()
            .map(PathBuf::from)
            .find(|module| module.is_file())
            .ok_or_else(|| missing("no PKCS#11 module was found".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    #[test]
    fn the_missing_program_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for program in [Program::Router, Program::Signer, Program::Auditor] {
            let file = folder.path().join(program.binary());
            fs::write(&file, "").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(folder.path().join("pavilion-verifier"), "").unwrap();
        let exit = Programs::find(Some(folder.path())).unwrap_err();
        assert_eq!(exit.code(), 69);
        assert!(exit.to_string().contains("pavilion-verifier"), "{exit}");
        assert!(exit.to_string().contains("--bin-dir"), "{exit}");
    }

    #[test]
    fn a_missing_module_says_what_to_install() {
        let exit = find_module(Some(Path::new("/does/not/exist.so"))).unwrap_err();
        assert_eq!(exit.code(), 69);
        assert!(exit.to_string().contains("module_missing"), "{exit}");
    }

    #[test]
    fn children_are_called_by_tenant_and_program() {
        let mut id = ChildId {
            tenant: None,
            program: Program::Router,
        };
        assert_eq!(id.to_string(), "router");
        id.tenant = Some("acme".parse().unwrap());
        assert_eq!(id.to_string(), "acme/router");
    }
}

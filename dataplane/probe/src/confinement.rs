//! How the probe itself is confined: what it can open, what it can make, and what it is to the kernel.
//!
//! The probe runs beside the programs of a tenant under the same rules and with less: what it can do here, a program
//! that somebody broke into could do as well.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::config::Confined;
use crate::wire::{Outcome, Own, OwnKind};

/// Where the kernel tells about processes.
const PROCESSES: &str = "/proc";

/// Tries everything once.
pub fn attempt(confined: &Confined) -> Vec<Own> {
    let mut all: Vec<Own> = confined
        .closed
        .iter()
        .map(|path| file(path, open(path)))
        .collect();
    all.push(file(&confined.no_file, make(&confined.no_file)));
    let processes = Path::new(PROCESSES);
    all.push(privilege(
        "privileges",
        privileges(processes, confined.user),
    ));
    all.push(privilege("processes", others(processes)));
    all
}

/// Whether something can be opened: a file or folder read, a socket connected to.
fn open(path: &Path) -> (Outcome, String) {
    let tried = fs::symlink_metadata(path).and_then(|found| {
        if found.file_type().is_socket() {
            UnixStream::connect(path).map(drop)
        } else {
            File::open(path).map(drop)
        }
    });
    match tried {
        Ok(()) => (Outcome::Reached, "it can be opened".to_owned()),
        Err(error) => refused(&error),
    }
}

/// Whether a file can be made; it does not stay.
fn make(path: &Path) -> (Outcome, String) {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(_) => {
            let removed = match fs::remove_file(path) {
                Ok(()) => String::new(),
                Err(error) => format!(", and not be removed: {error}"),
            };
            (Outcome::Reached, format!("it can be made{removed}"))
        }
        Err(error) => refused(&error),
    }
}

fn refused(error: &Error) -> (Outcome, String) {
    let outcome = match error.kind() {
        ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            Outcome::Refused
        }
        _ => Outcome::Failed,
    };
    (outcome, error.to_string())
}

/// Whether the probe is its user and nobody else, may do nothing that an ordinary user may not, can become nothing
/// more by running a program, and has its system calls filtered (proc(5), `status`).
fn privileges(processes: &Path, user: u32) -> (Outcome, String) {
    let text = match fs::read_to_string(processes.join("self/status")) {
        Ok(text) => text,
        Err(error) => return (Outcome::Failed, error.to_string()),
    };
    let fields: HashMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name, value.trim()))
        .collect();
    let none = "0000000000000000";
    let users = format!("{user}\t{user}\t{user}\t{user}");
    let expected = [
        ("Uid", users.as_str()),
        ("CapPrm", none),
        ("CapEff", none),
        ("CapBnd", none),
        ("CapAmb", none),
        ("NoNewPrivs", "1"),
        ("Seccomp", "2"),
    ];
    let other: Vec<String> = expected
        .iter()
        .filter(|(name, value)| fields.get(name) != Some(value))
        .map(|(name, value)| {
            let found = fields.get(name).copied().unwrap_or("nothing");
            format!("{name} is {found}, not {value}").replace('\t', " ")
        })
        .collect();
    if other.is_empty() {
        return (Outcome::Refused, "an ordinary user".to_owned());
    }
    (Outcome::Reached, other.join("; "))
}

/// Whether processes of others can be seen.
fn others(processes: &Path) -> (Outcome, String) {
    let own = rustix::process::getuid().as_raw();
    let entries = match fs::read_dir(processes) {
        Ok(entries) => entries,
        Err(error) => return (Outcome::Failed, error.to_string()),
    };
    let numbers = entries.flatten().filter(|entry| {
        let name = entry.file_name();
        let is_process = name.to_string_lossy().parse::<u32>().is_ok();
        // One that has just ended is nobody's.
        is_process && entry.metadata().is_ok_and(|found| found.uid() != own)
    });
    match numbers.count() {
        0 => (Outcome::Refused, "no process of others is seen".to_owned()),
        count => (
            Outcome::Reached,
            format!("{count} processes of others are seen"),
        ),
    }
}

fn file(path: &Path, tried: (Outcome, String)) -> Own {
    own(OwnKind::File, &path.display().to_string(), tried)
}

fn privilege(what: &str, tried: (Outcome, String)) -> Own {
    own(OwnKind::Privilege, what, tried)
}

fn own(kind: OwnKind, what: &str, (outcome, because): (Outcome, String)) -> Own {
    Own {
        kind,
        what: what.to_owned(),
        outcome,
        because,
        age_seconds: 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    use tempfile::TempDir;

    use super::*;

    /// What the kernel says of a process in a container as confined as the strictest rules for pods ask.
    const CONFINED: &str = "Name:\tpavilion-probe\nUid:\t10004\t10004\t10004\t10004\nCapInh:\t0000000000000000\n\
        CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n\
        CapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n";

    fn judged(status: &str) -> (Outcome, String) {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("self")).unwrap();
        fs::write(folder.path().join("self/status"), status).unwrap();
        privileges(folder.path(), 10_004)
    }

    #[test]
    fn what_is_absent_is_closed_and_what_can_be_opened_is_not() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("pin");
        assert_eq!(open(&path).0, Outcome::Refused);
        fs::write(&path, "1234").unwrap();
        assert_eq!(open(&path).0, Outcome::Reached);
        assert_eq!(open(folder.path()).0, Outcome::Reached);
    }

    #[test]
    fn a_socket_is_closed_when_nobody_may_connect_and_not_when_somebody_answers() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("signer.sock");
        let _listener = UnixListener::bind(&path).unwrap();
        assert_eq!(open(&path).0, Outcome::Reached);
    }

    #[test]
    fn a_file_that_permissions_close_is_closed_to_an_ordinary_user() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("pin");
        fs::write(&path, "1234").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).unwrap();
        let root = rustix::process::getuid().is_root();
        let expected = if root {
            Outcome::Reached
        } else {
            Outcome::Refused
        };
        assert_eq!(open(&path).0, expected);
    }

    #[test]
    fn a_file_that_can_be_made_is_found_and_does_not_stay() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("trace");
        assert_eq!(make(&path).0, Outcome::Reached);
        assert!(!path.exists());
        assert_eq!(make(Path::new("/proc/trace")).0, Outcome::Refused);
        // What is there already is none that it made.
        fs::write(&path, "").unwrap();
        assert_eq!(make(&path).0, Outcome::Failed);
    }

    #[test]
    fn an_ordinary_user_without_any_privilege_is_as_it_is_to_be() {
        assert_eq!(judged(CONFINED).0, Outcome::Refused);
        for (field, other) in [
            ("CapEff:\t0000000000000000", "CapEff:\t0000000000000400"),
            ("NoNewPrivs:\t1", "NoNewPrivs:\t0"),
            ("Seccomp:\t2", "Seccomp:\t0"),
            ("Uid:\t10004", "Uid:\t0"),
        ] {
            let (outcome, because) = judged(&CONFINED.replace(field, other));
            assert_eq!(outcome, Outcome::Reached, "{other}");
            let name = field.split(':').next().unwrap();
            assert!(because.starts_with(name), "{because}");
        }
        assert_eq!(
            judged("").0,
            Outcome::Reached,
            "what is not said does not hold"
        );
    }

    #[test]
    fn a_process_of_somebody_else_is_seen() {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("1")).unwrap();
        assert_eq!(others(folder.path()).0, Outcome::Refused);
        if rustix::process::getuid().is_root() {
            std::os::unix::fs::chown(folder.path().join("1"), Some(10_002), None).unwrap();
            assert_eq!(others(folder.path()).0, Outcome::Reached);
        }
        assert_eq!(others(&folder.path().join("none")).0, Outcome::Failed);
    }
}

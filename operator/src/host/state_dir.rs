//! The state directory: one owner at a time, of one version, and files that appear whole.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::{
        fd::AsRawFd,
        unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use pavilion_catalogue::{Entry, host};
use pavilion_process::Exit;
use rustix::fs::{FlockOperation, flock};

/// The format of the directory that this release reads and writes.
const VERSION: u32 = 1;

/// How the name of a file begins that is not written to its end.
const UNFINISHED: &str = ".new-";
/// How deep below the directory files of this process lie: `tenants/<t>/<program>/`.
const SWEPT_DEPTH: usize = 3;
/// How long to wait for the lock, which `kubectl-pavilion status` takes for a moment to see whether
/// somebody holds it.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);
/// How often to try meanwhile.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// An open, locked state directory.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    directory: File,
    /// Held as long as this lives.
    _lock: File,
}

impl StateDir {
    /// Opens the directory, making it when there is none, and takes its lock.
    ///
    /// # Errors
    /// 69 when another operator holds it, 65 when a newer release wrote it, 73 when it cannot be
    /// written or others can write it.
    pub fn open(path: &Path) -> Result<Self, Exit> {
        let cannot = |error: io::Error| {
            let what = format!("{}: {error}", path.display());
            Exit::CannotWrite(told(&what, &host::STATE_UNWRITABLE))
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(cannot)?;
        let path = path.canonicalize().map_err(cannot)?;
        is_private(&path)?;
        let lock = lock(&path)?;
        sweep(&path, SWEPT_DEPTH);
        let directory = File::open(&path).map_err(cannot)?;
        let state = Self {
            path,
            directory,
            _lock: lock,
        };
        state.check_version()?;
        state.make_dir("operator").map_err(cannot)?;
        Ok(state)
    }

    /// The directory itself, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file or folder in it, absolute.
    pub fn join(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.path.join(relative)
    }

    /// The same by a path that stays short however deep the directory lies, because a unix socket's
    /// path may have 107 bytes only. Good in this process alone.
    pub fn short(&self, relative: impl AsRef<Path>) -> PathBuf {
        let directory = self.directory.as_raw_fd();
        PathBuf::from(format!("/proc/self/fd/{directory}")).join(relative)
    }

    /// Makes a folder and those above it, mode 0700.
    ///
    /// # Errors
    /// What the system says.
    pub fn make_dir(&self, relative: impl AsRef<Path>) -> io::Result<()> {
        let path = self.join(relative);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
    }

    /// Replaces a file whole, mode 0600, and makes that durable.
    ///
    /// # Errors
    /// What the system says; the file is then as it was.
    pub fn write(&self, relative: impl AsRef<Path>, bytes: &[u8]) -> io::Result<()> {
        let path = self.join(relative);
        place(&path, bytes, true)?;
        match path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }

    /// Replaces a file whole, mode 0600; after a power cut it may be the one before.
    ///
    /// # Errors
    /// What the system says; the file is then as it was.
    pub fn write_quickly(&self, relative: impl AsRef<Path>, bytes: &[u8]) -> io::Result<()> {
        place(&self.join(relative), bytes, false)
    }

    /// Removes a file, if there is one.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, relative: impl AsRef<Path>) -> io::Result<()> {
        match fs::remove_file(self.join(relative)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Replaces a file only when its bytes differ. Says whether they did.
    ///
    /// # Errors
    /// What the system says.
    pub fn write_if_changed(&self, relative: impl AsRef<Path>, bytes: &[u8]) -> io::Result<bool> {
        if self.read(&relative)?.is_some_and(|before| before == bytes) {
            return Ok(false);
        }
        self.write(relative, bytes).map(|()| true)
    }

    /// The bytes of a file; `None` when there is none.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self, relative: impl AsRef<Path>) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.join(relative)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn check_version(&self) -> Result<(), Exit> {
        let cannot = |error: io::Error| {
            let what = format!("{}: {error}", self.path.display());
            Exit::CannotWrite(told(&what, &host::STATE_UNWRITABLE))
        };
        let Some(bytes) = self.read("VERSION").map_err(cannot)? else {
            return self
                .write("VERSION", format!("{VERSION}\n").as_bytes())
                .map_err(cannot);
        };
        let text = String::from_utf8_lossy(&bytes);
        match text.trim().parse::<u32>() {
            Ok(VERSION) => Ok(()),
            Ok(found) => {
                let path = self.path.display();
                let what = format!("{path} has format {found}, this release reads {VERSION}");
                Err(Exit::DataRefused(told(&what, &host::STATE_NEWER)))
            }
            Err(_) => {
                let what = format!("{}/VERSION is not a number", self.path.display());
                Err(Exit::DataRefused(what))
            }
        }
    }
}

/// Keys, PINs and the log rest here: whoever could write the directory could put theirs in their place.
fn is_private(path: &Path) -> Result<(), Exit> {
    let cannot = |what: String| Exit::CannotWrite(told(&what, &host::STATE_NOT_PRIVATE));
    let metadata =
        fs::metadata(path).map_err(|error| cannot(format!("{}: {error}", path.display())))?;
    let own = rustix::process::geteuid().as_raw();
    if metadata.uid() != own {
        let what = format!(
            "{} belongs to user {}, this is user {own}",
            path.display(),
            metadata.uid()
        );
        return Err(cannot(what));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(cannot(format!("{} has mode {mode:04o}", path.display())));
    }
    Ok(())
}

/// Removes what an operator that was killed in the middle of a write left: the process that comes
/// next may get its number, and would find the name taken.
fn sweep(folder: &Path, depth: usize) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let name = entry.file_name();
        if is_folder && depth > 0 {
            sweep(&entry.path(), depth - 1);
        } else if !is_folder && name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
            // What stays is in the way only of a process of the same number.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn place(path: &Path, bytes: &[u8], durable: bool) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let fresh = path.with_file_name(format!("{UNFINISHED}{}-{count}", std::process::id()));
    let mut options = OpenOptions::new();
    let written = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            if durable { file.sync_all() } else { Ok(()) }
        })
        .and_then(|()| fs::rename(&fresh, path));
    if written.is_err() {
        // The error that matters is the one above.
        let _ = fs::remove_file(&fresh);
    }
    written
}

fn lock(path: &Path) -> Result<File, Exit> {
    let cannot = |error: io::Error| {
        let what = format!("{}: {error}", path.display());
        Exit::CannotWrite(told(&what, &host::STATE_UNWRITABLE))
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path.join("lock"))
        .map_err(cannot)?;
    if !taken(&file) {
        let mut holder = String::new();
        // Whoever it is, the lock is taken; its name is a courtesy.
        let _ = file.read_to_string(&mut holder);
        let what = format!(
            "{} is used by the operator with {}",
            path.display(),
            holder.trim()
        );
        return Err(Exit::Unavailable(told(&what, &host::STATE_LOCKED)));
    }
    let holder = format!("pid {}\n", std::process::id());
    file.set_len(0)
        .and_then(|()| file.write_all(holder.as_bytes()))
        .map_err(cannot)?;
    Ok(file)
}

fn taken(file: &File) -> bool {
    let deadline = Instant::now() + LOCK_PATIENCE;
    while flock(file, FlockOperation::NonBlockingLockExclusive).is_err() {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(LOCK_PAUSE);
    }
    true
}

fn told(what: &str, entry: &Entry) -> String {
    format!("{what} [{}]. {}", entry.code, entry.hint)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_directory_is_made_private_and_says_its_version() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(&folder.path().join("a/b")).unwrap();
        assert_eq!(mode(state.path()), 0o700);
        assert_eq!(state.read("VERSION").unwrap().unwrap(), b"1\n");
        assert_eq!(mode(&state.join("VERSION")), 0o600);
    }

    #[test]
    fn a_second_operator_is_told_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let held = StateDir::open(folder.path()).unwrap();
        let exit = StateDir::open(folder.path()).unwrap_err();
        assert_eq!(exit.code(), 69);
        let text = exit.to_string();
        assert!(
            text.contains(&format!("pid {}", std::process::id())),
            "{text}"
        );
        drop(held);
        StateDir::open(folder.path()).unwrap();
    }

    #[test]
    fn state_of_a_newer_release_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("VERSION"), "2\n").unwrap();
        let exit = StateDir::open(folder.path()).unwrap_err();
        assert_eq!(exit.code(), 65);
        assert!(exit.to_string().contains("state_newer"), "{exit}");
        fs::write(folder.path().join("VERSION"), "?").unwrap();
        assert_eq!(StateDir::open(folder.path()).unwrap_err().code(), 65);
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_exit_code_73() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let exit = StateDir::open(&folder.path().join("file/state")).unwrap_err();
        assert_eq!(exit.code(), 73);
        assert!(exit.to_string().contains("state_unwritable"), "{exit}");
    }

    #[test]
    fn a_directory_that_others_can_write_is_refused() {
        for mode in [0o777, 0o770, 0o1777] {
            let folder = tempfile::tempdir().unwrap();
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
            let exit = StateDir::open(folder.path()).unwrap_err();
            assert_eq!(exit.code(), 73);
            assert!(exit.to_string().contains("state_not_private"), "{exit}");
            assert!(!folder.path().join("lock").exists());
        }
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        StateDir::open(folder.path()).unwrap();
    }

    #[test]
    fn what_a_killed_operator_had_half_written_is_swept_away() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("tenants/acme/signer");
        fs::create_dir_all(&deep).unwrap();
        let left = [deep.join(".new-1-2"), folder.path().join(".new-1-0")];
        for file in &left {
            fs::write(file, "half").unwrap();
        }
        fs::write(deep.join("pin"), "1234").unwrap();
        StateDir::open(folder.path()).unwrap();
        assert!(left.iter().all(|file| !file.exists()));
        assert!(deep.join("pin").exists());
    }

    #[test]
    fn somebody_who_only_looks_whether_the_lock_is_held_keeps_nobody_out() {
        let folder = tempfile::tempdir().unwrap();
        drop(StateDir::open(folder.path()).unwrap());
        let looking = File::open(folder.path().join("lock")).unwrap();
        flock(&looking, FlockOperation::LockShared).unwrap();
        let opening = {
            let path = folder.path().to_path_buf();
            std::thread::spawn(move || StateDir::open(&path).map(drop))
        };
        sleep(LOCK_PAUSE * 3);
        drop(looking);
        opening.join().unwrap().unwrap();
    }

    #[test]
    fn a_file_is_replaced_whole_and_only_when_it_differs() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        assert!(state.write_if_changed("operator/a", b"1").unwrap());
        assert!(!state.write_if_changed("operator/a", b"1").unwrap());
        assert!(state.write_if_changed("operator/a", b"2").unwrap());
        assert_eq!(fs::read(state.short("operator/a")).unwrap(), b"2");
        assert!(state.write("missing/a", b"").is_err());
        assert_eq!(state.read("none").unwrap(), None);
        assert_eq!(fs::read_dir(state.join("operator")).unwrap().count(), 1);
    }
}

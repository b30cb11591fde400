//! Which files of the folder are manifests, and their text.

use std::{fs, io::Read, os::unix::fs::OpenOptionsExt, path::Path};

use pavilion_catalogue::manifest;
use rustix::fs::OFlags;

use crate::refusal::Refusal;

/// `O_NONBLOCK`, as the system's `open` takes it.
pub(super) const NONBLOCK: i32 = OFlags::NONBLOCK.bits().cast_signed();

/// The most manifests in a folder.
const MAX_FILES: usize = 1_000;
/// The largest manifest, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// The most bytes in all manifests together.
const MAX_TOTAL_BYTES: usize = 16 * 1024 * 1024;

/// One manifest file.
pub(super) struct Document {
    /// Its name in the folder.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// The manifests of a folder in the order of their names, and what could not be read.
pub(super) fn read(folder: &Path) -> (Vec<Document>, Vec<Refusal>) {
    let names = match names(folder) {
        Ok(names) => names,
        Err(refusal) => return (Vec::new(), vec![*refusal]),
    };
    let mut documents = Vec::new();
    let mut refusals = Vec::new();
    let mut total = 0;
    for name in names {
        match read_one(folder, &name) {
            Ok(text) => {
                total += text.len();
                documents.push(Document { name, text });
            }
            Err(refusal) => refusals.push(*refusal),
        }
        if total > MAX_TOTAL_BYTES {
            let message = "the manifests have more than 16 MiB together";
            refusals.push(Refusal::of_file("", &manifest::SYNTAX_INVALID, message));
            break;
        }
    }
    (documents, refusals)
}

fn names(folder: &Path) -> Result<Vec<String>, Box<Refusal>> {
    let unreadable = |error: std::io::Error| {
        let message = format!("the folder {} cannot be read: {error}", folder.display());
        Box::new(Refusal::of_file("", &manifest::FILE_UNREADABLE, message))
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let Some(name) = name.to_str().filter(|name| is_manifest(name)) else {
            continue;
        };
        names.push(name.to_owned());
        if names.len() > MAX_FILES {
            let message = format!("the folder has more than {MAX_FILES} manifests");
            return Err(Box::new(Refusal::of_file(
                "",
                &manifest::SYNTAX_INVALID,
                message,
            )));
        }
    }
    names.sort();
    Ok(names)
}

/// Editors leave hidden and backup files; they are not manifests.
fn is_manifest(name: &str) -> bool {
    let extension = Path::new(name)
        .extension()
        .and_then(|extension| extension.to_str());
    matches!(extension, Some("yaml" | "yml")) && !name.starts_with('.')
}

fn read_one(folder: &Path, name: &str) -> Result<String, Box<Refusal>> {
    let refuse = |entry, message: String| Box::new(Refusal::of_file(name, entry, message));
    let path = folder.join(name);
    // A pipe would otherwise wait for a writer, and nothing could stop that wait.
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(NONBLOCK)
        .open(&path)
        .and_then(|file| Ok((file.metadata()?.is_file(), file)));
    let file = match file {
        Ok((true, file)) => file,
        Ok((false, _)) => {
            return Err(refuse(
                &manifest::FILE_UNREADABLE,
                "is not a regular file".to_owned(),
            ));
        }
        Err(error) => return Err(refuse(&manifest::FILE_UNREADABLE, error.to_string())),
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| refuse(&manifest::FILE_UNREADABLE, error.to_string()))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(refuse(
            &manifest::SYNTAX_INVALID,
            "is larger than 1 MiB".to_owned(),
        ));
    }
    String::from_utf8(bytes)
        .map_err(|_| refuse(&manifest::SYNTAX_INVALID, "is not UTF-8".to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refused(name: &str, bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), bytes).unwrap();
        let (documents, refusals) = read(folder.path());
        assert!(documents.is_empty());
        refusals[0].to_string()
    }

    #[test]
    fn a_manifest_is_bounded_and_text() {
        let large = vec![b'#'; 1024 * 1024 + 1];
        assert_eq!(
            refused("a.yaml", &large),
            "a.yaml: is larger than 1 MiB [SyntaxInvalid]"
        );
        assert_eq!(
            refused("a.yaml", &[0xff]),
            "a.yaml: is not UTF-8 [SyntaxInvalid]"
        );
    }

    #[test]
    fn a_folder_named_like_a_manifest_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a.yaml")).unwrap();
        let (_, refusals) = read(folder.path());
        assert_eq!(
            refusals[0].to_string(),
            "a.yaml: is not a regular file [FileUnreadable]"
        );
    }

    #[test]
    fn a_pipe_named_like_a_manifest_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("a.yaml");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let path = folder.path().to_path_buf();
        std::thread::spawn(move || tell.send(read(&path).1));
        let refusals = told
            .recv_timeout(std::time::Duration::from_secs(10))
            .unwrap();
        assert_eq!(
            refusals[0].to_string(),
            "a.yaml: is not a regular file [FileUnreadable]"
        );
    }

    #[test]
    fn too_many_manifests_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..=MAX_FILES {
            fs::write(folder.path().join(format!("{n}.yaml")), "").unwrap();
        }
        assert_eq!(read(folder.path()).1[0].code, "SyntaxInvalid");
    }
}

//! Dereference: everything the manifests say, read once and within bounds.
//!
//! The folder's `*.yaml` and `*.yml` are read (not its subfolders), each document becomes an
//! [`Object`] with the line of each field, and the files that objects name are read beside them.
//! What comes out is a value; nothing after this step reads a manifest or a file it names again.

mod files;
mod folder;
mod object;
mod yaml;

use std::{io, path::Path, thread};

use pavilion_catalogue::manifest;
use pavilion_json::Digest;

pub use files::{MAX_FILE_BYTES as MAX_NAMED_FILE_BYTES, NamedFiles};
pub use object::{Object, Source};

use crate::refusal::Refusal;

/// A set of manifests as it was found.
#[derive(Clone, Debug, Default)]
pub struct ManifestSet {
    /// The objects that could be read.
    pub objects: Vec<Object>,
    /// The files that objects name.
    pub files: NamedFiles,
    /// What could not be read.
    pub refusals: Vec<Refusal>,
    /// Of everything read; the same content has the same digest.
    pub digest: Option<Digest>,
}

/// The deepest manifest that is allowed fits several times.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// Reads the folder and everything its manifests name.
pub fn dereference(folder: &Path) -> ManifestSet {
    let builder = thread::Builder::new().stack_size(STACK_BYTES);
    let outcome = thread::scope(|scope| {
        let reader = builder.spawn_scoped(scope, || read(folder))?;
        reader
            .join()
            .map_err(|_| io::Error::other("the reader failed"))
    });
    outcome.unwrap_or_else(|error| {
        let message = format!("the manifests cannot be read: {error}");
        ManifestSet {
            refusals: vec![Refusal::of_file("", &manifest::FILE_UNREADABLE, message)],
            ..ManifestSet::default()
        }
    })
}

fn read(folder: &Path) -> ManifestSet {
    let (documents, mut refusals) = folder::read(folder);
    let mut seen: Vec<u8> = Vec::new();
    let mut objects = Vec::new();
    for document in &documents {
        seen.extend_from_slice(document.name.as_bytes());
        seen.extend_from_slice(Digest::of(document.text.as_bytes()).as_bytes());
        let (found, refused) = objects_of(&document.name, &document.text);
        objects.extend(found);
        refusals.extend(refused);
    }
    let files = NamedFiles::read(folder, &objects);
    seen.extend_from_slice(files.digest().as_bytes());
    for refusal in &refusals {
        seen.extend_from_slice(refusal.to_string().as_bytes());
    }
    ManifestSet {
        objects,
        files,
        refusals,
        digest: Some(Digest::of(&seen)),
    }
}

fn objects_of(file: &str, text: &str) -> (Vec<Object>, Vec<Refusal>) {
    let trees = match yaml::parse(text) {
        Ok(trees) => trees,
        Err(error) => return (Vec::new(), vec![error.into_refusal(file)]),
    };
    let (mut objects, mut refusals) = (Vec::new(), Vec::new());
    for (index, tree) in trees.into_iter().enumerate() {
        if object::is_namespace(&tree) {
            continue;
        }
        match object::read(file, index + 1, tree) {
            Ok(object) => objects.push(object),
            Err(refusal) => refusals.push(*refusal),
        }
    }
    (objects, refusals)
}

/// One manifest that lies in no folder, so that the files it names are not there; for the targets
/// in `fuzz/`.
#[doc(hidden)]
pub fn of_text(file: &str, text: &str) -> ManifestSet {
    let (objects, refusals) = objects_of(file, text);
    ManifestSet {
        objects,
        files: NamedFiles::default(),
        refusals,
        digest: Some(Digest::of(text.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    const TENANT: &str = "apiVersion: pavilion.dev/v1alpha1\nkind: Tenant\nmetadata: {name: acme}\nspec:\n  regions: [eu]\n";

    #[test]
    fn the_namespace_that_a_cluster_needs_is_passed_over() {
        let namespace = |api: &str, name: &str| {
            format!("apiVersion: {api}\nkind: Namespace\nmetadata: {{name: {name}}}\n---\n{TENANT}")
        };
        let read = |text: &str| objects_of("a.yaml", text);
        let (objects, refusals) = read(&namespace("v1", "pavilion-acme"));
        assert!(objects.len() == 1 && refusals.is_empty(), "{refusals:?}");
        for other in [namespace("v1", "acme"), namespace("v2", "pavilion-acme")] {
            assert_eq!(read(&other).1.len(), 1, "{other}");
        }
    }

    #[test]
    fn every_document_of_every_manifest_is_read_and_nothing_else() {
        let other = TENANT.replace("acme", "beta");
        let folder = folder(&[
            ("a.yaml", &format!("{TENANT}---\n{other}---\n")),
            ("b.yml", &TENANT.replace("acme", "gamma")),
            ("notes.txt", "not: [yaml"),
            (".hidden.yaml", "not: [yaml"),
        ]);
        let set = dereference(folder.path());
        let names: Vec<&str> = set
            .objects
            .iter()
            .map(|object| object.key.name.as_str())
            .collect();
        assert_eq!(names, ["acme", "beta", "gamma"]);
        assert_eq!(set.refusals, []);
    }

    #[test]
    fn the_same_content_has_the_same_digest_and_a_named_file_counts() {
        let anchor = "apiVersion: pavilion.dev/v1alpha1\nkind: TrustAnchor\nmetadata: {name: a, namespace: pavilion-acme}\nspec:\n  credentialTypes: [x]\n  issuers: [{issuer: i, jwksFile: keys.json}]\n";
        let folder = folder(&[("a.yaml", anchor), ("keys.json", "{}")]);
        let digest = || dereference(folder.path()).digest;
        let before = digest();
        assert_eq!(before, digest());
        fs::write(folder.path().join("keys.json"), "{ }").unwrap();
        assert_ne!(before, digest());
    }

    #[test]
    fn a_folder_that_is_not_there_is_refused_not_taken_for_an_empty_one() {
        let set = dereference(Path::new("/does/not/exist"));
        assert_eq!(set.refusals[0].code, "FileUnreadable");
    }
}

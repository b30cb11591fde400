//! The files that objects name: key sets, authorities, certificates.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use pavilion_json::Digest;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{folder::NONBLOCK, object::Object};

/// The largest file a manifest may name, in bytes.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The fields that name files.
const FIELDS: [&str; 4] = ["jwksFile", "caBundleFile", "certificateFile", "keyFile"];

/// What was found under each name, as the manifests write it. The content is wiped when dropped,
/// because private keys are among it.
#[derive(Clone, Debug)]
pub struct NamedFiles {
    found: BTreeMap<String, Result<Secret, String>>,
    /// What is said of every other name.
    otherwise: &'static str,
    /// Whether the objects are those of an API server.
    of_a_cluster: bool,
}

impl Default for NamedFiles {
    fn default() -> Self {
        Self {
            found: BTreeMap::new(),
            otherwise: "was not read",
            of_a_cluster: false,
        }
    }
}

#[derive(Clone)]
struct Secret(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(content)")
    }
}

impl NamedFiles {
    /// Reads every file that the objects name, relative to `folder`.
    pub(super) fn read(folder: &Path, objects: &[Object]) -> Self {
        let mut names = Vec::new();
        for object in objects {
            collect(object.spec(), 0, &mut names);
        }
        let found = names
            .into_iter()
            .map(|name| {
                let content = read(&folder.join(&name));
                (name, content.map(Secret))
            })
            .collect();
        Self {
            found,
            ..Self::default()
        }
    }

    /// There are no files beside an object of an API server.
    pub fn in_a_cluster() -> Self {
        Self {
            otherwise: "cannot be named in a cluster, where no file lies beside an object: write its content into the object",
            of_a_cluster: true,
            ..Self::default()
        }
    }

    /// Whether the objects are those of an API server, with Secrets in the place of files.
    pub fn are_of_a_cluster(&self) -> bool {
        self.of_a_cluster
    }

    /// The content of a file by the name a manifest gives it, or why it could not be read.
    pub fn get(&self, name: &str) -> Result<&[u8], &str> {
        match self.found.get(name) {
            Some(Ok(content)) => Ok(&content.0),
            Some(Err(error)) => Err(error),
            None => Err(self.otherwise),
        }
    }

    /// The same as text.
    pub fn text(&self, name: &str) -> Result<&str, &str> {
        self.get(name)
            .and_then(|bytes| std::str::from_utf8(bytes).map_err(|_| "is not UTF-8"))
    }

    pub(super) fn digest(&self) -> Digest {
        let mut all = Vec::new();
        for (name, content) in &self.found {
            all.extend_from_slice(name.as_bytes());
            match content {
                Ok(content) => all.extend_from_slice(Digest::of(&content.0).as_bytes()),
                Err(error) => all.extend_from_slice(error.as_bytes()),
            }
        }
        Digest::of(&all)
    }
}

fn collect(value: &Value, depth: usize, names: &mut Vec<String>) {
    // The shape is not checked yet; our schemas name files far above this depth.
    if depth > 16 {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                match inner.as_str().filter(|_| FIELDS.contains(&name.as_str())) {
                    Some(file) if file.len() <= 4096 => names.push(file.to_owned()),
                    _ => collect(inner, depth + 1, names),
                }
            }
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| collect(item, depth + 1, names)),
        _ => {}
    }
}

fn read(path: &PathBuf) -> Result<Zeroizing<Vec<u8>>, String> {
    let plain = |error: std::io::Error| format!("cannot be read: {error}");
    // A pipe would otherwise wait for a writer.
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(NONBLOCK)
        .open(path)
        .map_err(plain)?;
    let metadata = file.metadata().map_err(plain)?;
    if !metadata.is_file() {
        return Err("is not a regular file".to_owned());
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err("is larger than 1 MiB".to_owned());
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_FILE_BYTES)
        .read_to_end(&mut bytes)
        .map_err(plain)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::super::object::Source;
    use super::*;
    use crate::object_key::ObjectKey;

    fn files(folder: &Path, spec: &Value) -> NamedFiles {
        let object = Object {
            key: ObjectKey::tenant("acme"),
            value: json!({"spec": spec}),
            source: Source::default(),
        };
        NamedFiles::read(folder, &[object])
    }

    #[test]
    fn files_are_read_wherever_a_spec_names_them() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.json"), "{}").unwrap();
        let absolute = folder.path().join("a.json").display().to_string();
        let found = files(
            folder.path(),
            &json!({"issuers": [{"jwksFile": "a.json"}, {"x509": {"caBundleFile": &absolute}}]}),
        );
        assert_eq!(found.text("a.json"), Ok("{}"));
        assert_eq!(found.get(&absolute), Ok(&b"{}"[..]));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("d")).unwrap();
        fs::write(folder.path().join("large"), vec![0; 1024 * 1024 + 1]).unwrap();
        fs::write(folder.path().join("binary"), [0xff]).unwrap();
        let spec = json!([{"jwksFile": "none"}, {"jwksFile": "d"}, {"keyFile": "large"}, {"keyFile": "binary"}]);
        let found = files(folder.path(), &spec);
        assert!(found.get("none").unwrap_err().starts_with("cannot be read"));
        assert_eq!(found.get("d"), Err("is not a regular file"));
        assert_eq!(found.get("large"), Err("is larger than 1 MiB"));
        assert_eq!(found.text("binary"), Err("is not UTF-8"));
        assert_eq!(found.get("other"), Err("was not read"));
    }
}

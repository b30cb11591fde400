//! A folder of manifests that are right, to be made wrong.

use std::{fs, path::Path};

use jiff::Timestamp;
use pavilion_bundle::TenantBundle;
use pavilion_operator::{
    build::build,
    desired::Desired,
    manifests::{ManifestSet, dereference},
    records::Records,
    refusal::Refusal,
    validate::{ValidSet, validate},
};

pub fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

pub const QUICKSTART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart");

/// A folder with a right set, to be made wrong.
pub struct Folder {
    pub folder: tempfile::TempDir,
    pub records: Records,
}

impl Folder {
    pub fn quickstart() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(QUICKSTART).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "yaml" || extension == "json")
            {
                fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
            }
        }
        Self {
            folder,
            records: Records::default(),
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, text: &str) -> &Self {
        fs::write(self.path().join(name), text).unwrap();
        self
    }

    pub fn replace(&self, name: &str, from: &str, to: &str) -> &Self {
        let text = fs::read_to_string(self.path().join(name)).unwrap();
        assert!(text.contains(from), "{name} does not contain {from}");
        self.write(name, &text.replace(from, to))
    }

    pub fn read(&mut self) -> (ManifestSet, Result<ValidSet, Vec<Refusal>>) {
        let set = dereference(self.path());
        for object in &set.objects {
            self.records.see(object);
        }
        let outcome = validate(&set, &self.records, now());
        (set, outcome)
    }

    pub fn refused(&mut self) -> Vec<String> {
        let refusals = self.read().1.expect_err("a refusal");
        refusals.iter().map(ToString::to_string).collect()
    }

    pub fn build(&mut self) -> Desired {
        let valid = self.read().1.expect("a valid set");
        build(&valid, &mut self.records, 8443)
    }

    pub fn bundle(&mut self) -> TenantBundle {
        self.build().tenants["acme"].bundle.clone()
    }
}

/// The one refusal that a change causes.
pub fn refusal(name: &str, from: &str, to: &str) -> String {
    let mut folder = Folder::quickstart();
    folder.replace(name, from, to);
    let mut refusals = folder.refused();
    assert_eq!(refusals.len(), 1, "{refusals:#?}");
    refusals.remove(0)
}

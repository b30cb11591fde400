//! The audit log of the API server: who wrote what. Reads are not in it.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::directory::write;
use crate::node::Node;

/// What is kept in the log: of each request that may write, who made it and for which object.
const POLICY: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, verbs: [get, list, watch]}
- {level: None, nonResourceURLs: ['*']}
- {level: Metadata}
";

/// The folder of a node that the log is in.
pub const FOLDER: &str = "audit";

/// Beyond so many megabytes the log begins anew.
const MAX_MEGABYTES: u32 = 256;

/// The arguments of an API server that keeps a log.
pub fn arguments(node: &Node) -> Result<Vec<String>> {
    let policy = node.path("etc").join("audit-policy.yaml");
    write(&policy, POLICY)?;
    Ok(vec![
        format!("--audit-policy-file={}", policy.display()),
        format!("--audit-log-path={}", AuditLog::of(node).path.display()),
        format!("--audit-log-maxsize={MAX_MEGABYTES}"),
        "--audit-log-maxbackup=1".to_owned(),
    ])
}

/// The log of one API server.
#[derive(Clone, Debug)]
pub struct AuditLog {
    path: PathBuf,
}

/// One request that may have written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Write {
    /// Who made it, as the API server knows them.
    pub user: String,
    /// The program that they say they are.
    pub agent: String,
    /// `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// What was written: group, resource and subresource, like `apps/statefulsets/scale`.
    pub resource: String,
    /// Where; empty for an object of the cluster.
    pub namespace: String,
    /// The name; empty where the request does not say it.
    pub name: String,
    /// The status of the answer.
    pub code: u16,
}

impl AuditLog {
    /// The log of a node's API server.
    pub fn of(node: &Node) -> Self {
        Self {
            path: node.path(FOLDER).join("log.json"),
        }
    }

    /// A log wherever it is, in the form of the API server.
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// How long it is, in bytes: what is written from now on comes after that.
    ///
    /// # Errors
    /// A log that is not there.
    pub fn end(&self) -> Result<u64> {
        Ok(self.open()?.metadata()?.len())
    }

    /// The requests after some place in it, in their order; those that were only tried (`dryRun`) are none.
    ///
    /// # Errors
    /// A log that was begun anew since, or is none.
    pub fn writes_after(&self, place: u64) -> Result<Vec<Write>> {
        let mut file = self.open()?;
        let length = file.metadata()?.len();
        ensure!(
            place <= length,
            "{} was begun anew meanwhile",
            self.path.display()
        );
        file.seek(SeekFrom::Start(place))?;
        let mut writes = Vec::new();
        for line in BufReader::new(file).lines() {
            let line = line?;
            let entry: Entry = serde_json::from_str(&line)
                .with_context(|| format!("{}: {line}", self.path.display()))?;
            writes.extend(entry.write());
        }
        Ok(writes)
    }

    fn open(&self) -> Result<File> {
        let file = File::open(&self.path);
        file.with_context(|| format!("cannot read the audit log {}", self.path.display()))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    verb: String,
    #[serde(rename = "requestURI")]
    uri: String,
    user: User,
    #[serde(default)]
    user_agent: String,
    object_ref: Option<Object>,
    #[serde(default)]
    response_status: Answer,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Object {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    code: u16,
}

impl Entry {
    fn write(self) -> Option<Write> {
        let object = self.object_ref.filter(|_| !self.uri.contains("dryRun="))?;
        let parts = [object.api_group, object.resource, object.subresource];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        Some(Write {
            user: self.user.username,
            agent: self.user_agent,
            verb: self.verb,
            resource: parts.collect::<Vec<_>>().join("/"),
            namespace: object.namespace,
            name: object.name,
            code: self.response_status.code,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write as _;

    use super::*;

    const LINE: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"1","stage":"ResponseComplete","requestURI":"/apis/apps/v1/namespaces/n/statefulsets/s/scale","verb":"update","user":{"username":"system:serviceaccount:n:a","groups":[]},"userAgent":"kubectl/v1","objectRef":{"resource":"statefulsets","namespace":"n","name":"s","apiGroup":"apps","subresource":"scale"},"responseStatus":{"metadata":{},"code":200}}"#;

    #[test]
    fn what_was_written_after_a_place_is_told_and_what_was_only_tried_is_not() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("log.json");
        std::fs::write(&path, format!("{LINE}\n")).unwrap();
        let log = AuditLog::at(&path);
        let place = log.end().unwrap();
        let mut file = File::options().append(true).open(&path).unwrap();
        writeln!(file, "{}", LINE.replace("/s/scale", "/s/scale?dryRun=All")).unwrap();
        writeln!(file, "{}", LINE.replace("200", "403")).unwrap();
        let writes = log.writes_after(place).unwrap();
        let expected = Write {
            user: "system:serviceaccount:n:a".to_owned(),
            agent: "kubectl/v1".to_owned(),
            verb: "update".to_owned(),
            resource: "apps/statefulsets/scale".to_owned(),
            namespace: "n".to_owned(),
            name: "s".to_owned(),
            code: 403,
        };
        assert_eq!(writes, [expected]);
        std::fs::write(&path, "").unwrap();
        assert!(log.writes_after(place).is_err());
    }
}

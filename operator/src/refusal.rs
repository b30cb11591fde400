//! Why a set of manifests is refused: every fault with its file, line, field, reason and a hint.

use std::fmt;

use pavilion_catalogue::Entry;
use serde::Serialize;

use crate::object_key::ObjectKey;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// The file, relative to the manifest folder; empty for the folder itself.
    pub file: String,
    /// The line in the file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The YAML document in the file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<usize>,
    /// The object, where it could be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectKey>,
    /// The field, for example `spec.ingress.hosts[0]`; empty for the object as a whole.
    pub field: String,
    /// The reason: a stable word of the catalogue.
    pub code: &'static str,
    /// What is wrong, for the author.
    pub message: String,
    /// What to do.
    pub hint: &'static str,
}

impl Refusal {
    /// A fault of a whole file, or of the folder.
    pub fn of_file(
        file: impl Into<String>,
        entry: &'static Entry,
        message: impl Into<String>,
    ) -> Self {
        Self {
            file: file.into(),
            line: None,
            document: None,
            object: None,
            field: String::new(),
            code: entry.code,
            message: message.into(),
            hint: entry.hint,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What an API server has stands in no file.
        if !self.file.is_empty() {
            f.write_str(&self.file)?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
            f.write_str(": ")?;
        }
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        write!(f, "{} [{}]", self.message, self.code)
    }
}

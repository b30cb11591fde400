//! What an image says about where it is from.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use oci_spec::image::{
    ANNOTATION_LICENSES, ANNOTATION_REVISION, ANNOTATION_SOURCE, ANNOTATION_TITLE,
    ANNOTATION_VERSION,
};
use url::Url;

use crate::command::output;
use crate::program::{Program, VERSION};

/// As many digits of a commit as programs print.
const SHORT: usize = 12;

/// The commit and the address of the source that a build is of.
#[derive(Clone, Debug)]
pub struct Labels {
    revision: String,
    source: Option<String>,
}

impl Labels {
    /// Of these: the commit, and the page where the source is.
    pub fn new(revision: &str, source: Option<&str>) -> Result<Self> {
        let revision = revision.to_owned();
        let source = source.map(address).transpose()?;
        Ok(Self { revision, source })
    }

    /// `PAVILION_COMMIT` or what git says, and `PAVILION_SOURCE`: the address that a clone has here is that of a
    /// mirror or a fork as often as not, and the same binaries would be another image.
    pub fn of_this_build(checkout: &Path) -> Result<Self> {
        let set = |name| env::var(name).ok().filter(|value| !value.trim().is_empty());
        let git = || {
            output(
                Command::new("git")
                    .current_dir(checkout)
                    .args(["rev-parse", "HEAD"]),
            )
            .ok()
        };
        let revision = set("PAVILION_COMMIT").or_else(git);
        let revision = revision
            .context("there is no git repository here: say the commit in PAVILION_COMMIT")?;
        Self::new(revision.trim(), set("PAVILION_SOURCE").as_deref())
    }

    /// The commit as programs print it.
    pub fn short_revision(&self) -> &str {
        self.revision.get(..SHORT).unwrap_or(&self.revision)
    }

    /// The labels of an image.
    pub fn of(&self, program: &Program) -> BTreeMap<String, String> {
        let all = [
            (ANNOTATION_TITLE, Some(program.title)),
            (ANNOTATION_VERSION, Some(VERSION)),
            (ANNOTATION_REVISION, Some(self.revision.as_str())),
            (ANNOTATION_SOURCE, self.source.as_deref()),
            (ANNOTATION_LICENSES, Some(env!("CARGO_PKG_LICENSE"))),
        ];
        let known = all
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        known.collect()
    }
}

fn address(text: &str) -> Result<String> {
    let url =
        Url::parse(text).with_context(|| format!("PAVILION_SOURCE is {text}, which is no URL"))?;
    ensure!(
        url.scheme() == "https" && url.username().is_empty() && url.password().is_none(),
        "PAVILION_SOURCE must be an https URL without a name or a password, because everybody can read it in images"
    );
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::program::named;

    #[test]
    fn an_image_says_version_commit_source_and_licence() {
        let labels =
            Labels::new("0123456789abcdef", Some("https://code.example/pavilion")).unwrap();
        let labels_of_router = labels.of(named("router").unwrap());
        let label =
            |name: &str| labels_of_router[&format!("org.opencontainers.image.{name}")].as_str();
        assert_eq!(label("version"), VERSION);
        assert_eq!(label("revision"), "0123456789abcdef");
        assert_eq!(label("source"), "https://code.example/pavilion");
        assert_eq!(label("licenses"), "Apache-2.0");
        assert_eq!(labels.short_revision(), "0123456789ab");
    }

    #[test]
    fn an_address_with_a_password_does_not_get_into_an_image() {
        for address in [
            "https://me:secret@code.example/",
            "http://code.example/",
            "/srv/pavilion",
        ] {
            let error = Labels::new("0", Some(address)).unwrap_err().to_string();
            assert!(error.contains("PAVILION_SOURCE"), "{error}");
        }
        assert_eq!(
            Labels::new("0", None)
                .unwrap()
                .of(named("router").unwrap())
                .len(),
            4
        );
    }
}

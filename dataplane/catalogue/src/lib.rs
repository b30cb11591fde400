//! Every stable code Pavilion says, once.
//!
//! A code is a promise: programs branch on it, people search for it, `kubectl pavilion explain`
//! prints it. Codes are never renamed; one that is no longer said stays listed as retired. The
//! page `docs/src/reference/errors.md` is generated from here.

mod entries;
mod page;
mod problem;

pub use entries::{
    ALL, edge, host, log, manifest, policy, presentation, request, signer, status, token, verify,
};
pub use page::reference_page;
pub use problem::{MEDIA_TYPE, Problem};

/// Which part of the system says a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// The request itself: its form, its size, its idempotency key.
    Request,
    /// Who asks: access tokens and client authentication.
    Token,
    /// What may be asked, and clauses of the rule.
    Policy,
    /// Credentials and presentations.
    Presentation,
    /// Status lists.
    Status,
    /// The transparency log.
    Log,
    /// The signer and its token.
    Signer,
    /// The shared edge.
    Edge,
    /// Offline verification of an answer.
    Verify,
    /// Manifests and the conditions on them.
    Manifest,
    /// The machine the programs run on.
    Host,
}

impl Area {
    /// The areas in the order of the reference page.
    pub const ALL: [Self; 11] = [
        Self::Request,
        Self::Token,
        Self::Policy,
        Self::Presentation,
        Self::Status,
        Self::Log,
        Self::Signer,
        Self::Edge,
        Self::Verify,
        Self::Manifest,
        Self::Host,
    ];

    /// The area as a heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Request => "Requests",
            Self::Token => "Access tokens and client authentication",
            Self::Policy => "Policy",
            Self::Presentation => "Credentials and presentations",
            Self::Status => "Status lists",
            Self::Log => "The log",
            Self::Signer => "The signer",
            Self::Edge => "The edge",
            Self::Verify => "Offline verification",
            Self::Manifest => "Manifests",
            Self::Host => "The host",
        }
    }
}

/// One stable code.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// The code: `snake_case` towards relying parties, `PascalCase` as a condition's reason.
    pub code: &'static str,
    /// Who says it.
    pub area: Area,
    /// The HTTP status of the problem that carries it; 0 where it never is a problem of its own.
    pub status: u16,
    /// One line that does not depend on the occasion (RFC 9457 section 3.1.3).
    pub title: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What to do.
    pub hint: &'static str,
    /// Whether the same request may succeed later without a change.
    pub retryable: bool,
}

impl Entry {
    /// The problem type URI (RFC 9457 section 3.1.1).
    pub fn type_uri(&self) -> String {
        format!(
            "https://pavilion.dev/problems/{}",
            self.code.replace('_', "-")
        )
    }
}

/// The entry of a code.
pub fn find(code: &str) -> Option<&'static Entry> {
    ALL.iter().copied().find(|entry| entry.code == code)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_code_stands_once() {
        let distinct: BTreeSet<_> = ALL.iter().map(|entry| entry.code).collect();
        assert_eq!(distinct.len(), ALL.len());
    }

    #[test]
    fn every_code_says_what_it_means_and_what_to_do() {
        for entry in ALL {
            for text in [entry.title, entry.meaning, entry.hint] {
                assert!(!text.is_empty() && !text.ends_with(' '), "{}", entry.code);
            }
            assert!(
                !entry.title.ends_with('.'),
                "{}: a title is not a sentence",
                entry.code
            );
            assert!(
                entry.hint.ends_with('.') && entry.meaning.ends_with('.'),
                "{}",
                entry.code
            );
        }
    }

    #[test]
    fn a_problem_has_an_error_status() {
        for entry in ALL {
            assert!(
                entry.status == 0 || (400..600).contains(&entry.status),
                "{}",
                entry.code
            );
        }
    }

    #[test]
    fn reasons_of_conditions_are_pascal_case_and_all_other_codes_snake_case() {
        for entry in ALL {
            let pascal = entry
                .code
                .starts_with(|first: char| first.is_ascii_uppercase());
            assert_eq!(pascal, entry.area == Area::Manifest, "{}", entry.code);
            assert!(
                entry
                    .code
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || (c == '_' && !pascal)),
                "{}",
                entry.code
            );
        }
    }

    #[test]
    fn a_code_is_found_by_its_name_and_nothing_else() {
        assert_eq!(
            find("presentation_nonce_mismatch"),
            Some(&presentation::NONCE_MISMATCH)
        );
        assert_eq!(find("no_such_code"), None);
    }

    #[test]
    fn the_committed_reference_page_is_the_generated_one() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../docs/src/reference/errors.md"
        );
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, reference_page()).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            reference_page(),
            "run UPDATE=1 cargo test -p pavilion-catalogue"
        );
    }
}

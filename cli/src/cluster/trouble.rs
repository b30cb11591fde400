//! Why the API server did not do what was asked, in words for people.

use std::error::Error;

use kube::client::AuthError;

use crate::exit::{Exit, Failure};

/// Why a request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It does not know who asks.
    Unauthorized(String),
    /// Who asks may not.
    Forbidden(String),
    /// There is no such object, by the API server's own words.
    NoObject,
    /// There is no such kind of object.
    NoKind,
    /// It refused for another reason: HTTP status and words.
    Refused(u16, String),
    /// It was not reached, or did not answer.
    Away(String),
    /// The way to log in failed before anything was sent.
    NoLogin(String),
}

impl Trouble {
    /// What a failure of the client means.
    pub fn of(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => {
                let said = status.message.trim().to_owned();
                match status.code {
                    401 => Self::Unauthorized(said),
                    403 => Self::Forbidden(said),
                    // Of an object it says the name; of a path that leads nowhere it knows none.
                    404 if status.details.is_some_and(|about| !about.name.is_empty()) => {
                        Self::NoObject
                    }
                    404 => Self::NoKind,
                    code => Self::Refused(code, said),
                }
            }
            kube::Error::Auth(error) => Self::NoLogin(login(&error)),
            kube::Error::SerdeError(error) => {
                Self::Refused(200, format!("its answer is of no known form: {error}"))
            }
            other => Self::Away(root(&other)),
        }
    }

    /// One sentence, to be put after a colon.
    pub fn words(&self) -> String {
        match self {
            Self::Unauthorized(_) => "the API server does not know who you are".to_owned(),
            Self::Forbidden(said) => format!("you may not: {said}"),
            Self::NoObject => "there is none".to_owned(),
            Self::NoKind => "the API server knows no such kind".to_owned(),
            Self::Refused(_, said) => format!("the API server refused: {said}"),
            Self::Away(why) => format!("the API server is away: {why}"),
            Self::NoLogin(why) => format!("no login: {why}"),
        }
    }

    /// The end of a command that cannot do without.
    pub fn failure(&self, url: &str) -> Failure {
        match self {
            Self::Unauthorized(said) => Failure::new(
                Exit::Refused,
                format!("the API server {url} does not know who you are: {said}"),
            )
            .note("hint", "log in again, or take another --context"),
            Self::Forbidden(said) => {
                Failure::new(Exit::Refused, format!("you may not do this at {url}: {said}")).note(
                    "hint",
                    "ask who runs the cluster for a role that allows it, or take another --context",
                )
            }
            Self::NoObject => Failure::new(Exit::Refused, format!("{url} has no such object")),
            Self::NoKind => Failure::new(
                Exit::Away,
                format!("Pavilion is not installed at {url}: its custom resources are missing"),
            )
            .note(
                "hint",
                "kubectl pavilion check says what is missing; the charts are pavilion-crds and pavilion",
            ),
            Self::Refused(status, said) => {
                Failure::new(Exit::Refused, format!("the API server {url} refused: {said}"))
                    .note("status", status.to_string())
            }
            Self::Away(why) => Failure::new(
                Exit::Away,
                format!("the API server {url} cannot be reached: {why}"),
            )
            .note(
                "hint",
                "does the cluster run, and does the kubeconfig name the right one (kubectl config current-context)?",
            ),
            Self::NoLogin(_) => self.failure_of_login(url),
        }
    }

    /// The same, where it was found before anything was sent.
    pub fn failure_of_login(&self, url: &str) -> Failure {
        let why = match self {
            Self::NoLogin(why) | Self::Away(why) => why,
            other => return other.failure(url),
        };
        Failure::file(format!(
            "the kubeconfig gives no way to log in to {url}: {why}"
        ))
        .note("hint", "kubectl get namespaces shows whether kubectl can")
    }
}

/// The deepest cause: what is above it says only where it happened.
fn root(error: &dyn Error) -> String {
    let mut deepest: &dyn Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    plain(&deepest.to_string())
}

/// The TLS library names some causes as it names its types.
fn plain(text: &str) -> String {
    match text.split_once("Other(OtherError(") {
        Some((before, cause)) => format!("{before}{}", cause.trim_end_matches(')')),
        None => text.to_owned(),
    }
}

/// Programs that log in are heard, not quoted as a data structure.
fn login(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecStart(cause) => {
            format!("the program that it names cannot be started: {cause}")
        }
        AuthError::AuthExecRun { cmd, out } => {
            let said = String::from_utf8_lossy(&out.stderr);
            let program = cmd.split(' ').next().unwrap_or_default().trim_matches('"');
            let last = said
                .trim()
                .lines()
                .last()
                .unwrap_or("it said nothing")
                .to_owned();
            format!("{program} failed ({}): {last}", out.status)
        }
        AuthError::ReadTokenFile(cause, path) => format!("cannot read {}: {cause}", path.display()),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn api(code: u16, message: &str) -> Trouble {
        let status = kube::core::Status::failure(message, "").with_code(code);
        Trouble::of(kube::Error::Api(status.boxed()))
    }

    #[test]
    fn each_failure_has_its_exit_code_and_says_where() {
        let url = "https://c.example:6443";
        for (trouble, exit) in [
            (api(401, "Unauthorized"), Exit::Refused),
            (api(403, "tenants.pavilion.dev is forbidden"), Exit::Refused),
            (api(404, "404 page not found"), Exit::Away),
            (api(500, "etcd"), Exit::Refused),
            (Trouble::Away("refused".to_owned()), Exit::Away),
            (Trouble::NoLogin("no token".to_owned()), Exit::File),
        ] {
            let failure = trouble.failure(url);
            assert_eq!(failure.exit, exit, "{failure:?}");
            assert!(failure.message.contains(url), "{failure:?}");
        }
    }

    #[test]
    fn a_path_that_leads_nowhere_is_told_from_an_object_that_is_not_there() {
        assert_eq!(api(404, "404 page not found"), Trouble::NoKind);
        let details = serde_json::json!({"name": "acme"});
        let details = serde_json::from_value(details).unwrap();
        let status = kube::core::Status::failure("not found", "NotFound")
            .with_code(404)
            .with_details(details);
        assert_eq!(
            Trouble::of(kube::Error::Api(status.boxed())),
            Trouble::NoObject
        );
    }

    #[test]
    fn a_failure_is_told_by_its_deepest_cause() {
        let refused = std::io::Error::other("Connection refused");
        let trouble = Trouble::of(kube::Error::Service(refused.into()));
        assert_eq!(
            plain("invalid peer certificate: Other(OtherError(UnsupportedCertVersion))"),
            "invalid peer certificate: UnsupportedCertVersion"
        );
        assert_eq!(trouble, Trouble::Away("Connection refused".to_owned()));
    }
}

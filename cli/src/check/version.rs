//! Whether the API server is new enough.

use k8s_openapi::apimachinery::pkg::version::Info;

use super::Line;

/// The oldest minor release of Kubernetes 1 that will do.
const OLDEST_MINOR: u32 = 34;

/// What the API server says of itself.
pub fn line(info: &Info) -> Line {
    let check = "API server";
    let found = format!("Kubernetes {}", info.git_version.trim_start_matches('v'));
    let hint = format!("Kubernetes 1.{OLDEST_MINOR} or later is needed");
    match (number(&info.major), number(&info.minor)) {
        (Some(1), Some(minor)) if minor >= OLDEST_MINOR => Line::ok(check, found),
        (Some(1), Some(_)) | (Some(0), _) => {
            Line::failed(check, format!("{found} is too old"), hint)
        }
        _ => Line::warning(
            check,
            format!("{found}, which this plugin does not know"),
            hint,
        ),
    }
}

/// The number that some clouds write a `+` behind.
fn number(text: &str) -> Option<u32> {
    text.trim_end_matches('+').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::report::Outcome;
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let outcome = |major: &str, minor: &str| {
            line(&Info {
                major: major.to_owned(),
                minor: minor.to_owned(),
                ..Info::default()
            })
            .outcome
        };
        assert_eq!(outcome("1", "34"), Outcome::Ok);
        assert_eq!(outcome("1", "36+"), Outcome::Ok);
        assert_eq!(outcome("1", "100"), Outcome::Ok);
        assert_eq!(outcome("1", "9"), Outcome::Failed);
        assert_eq!(outcome("2", "0"), Outcome::Warning);
        assert_eq!(outcome("", ""), Outcome::Warning);
    }
}

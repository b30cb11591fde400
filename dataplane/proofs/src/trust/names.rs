//! Names in certificates against the names a trust anchor allows.

use super::X509Keys;

/// The subject alternative names of a certificate.
pub(super) struct Names {
    pub(super) dns: Vec<String>,
    pub(super) uris: Vec<String>,
}

/// Whether `pattern` is a DNS name, or `*.` and a DNS name of at least two labels.
pub(crate) fn is_dns_pattern(pattern: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(rest) => rest.contains('.') && is_dns_name(rest),
        None => is_dns_name(pattern),
    }
}

fn is_dns_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// Whether a concrete `name` fits `pattern`; case does not count, `*` stands for one label.
fn fits_dns(name: &str, pattern: &str) -> bool {
    if name.starts_with('*') {
        return false;
    }
    match pattern.strip_prefix("*.") {
        Some(parent) => name
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent)),
        None => name.eq_ignore_ascii_case(pattern),
    }
}

impl Names {
    /// Those that the rules allow; without rules all of them.
    pub(super) fn allowed(self, rules: &X509Keys) -> Self {
        if !is_ruled(rules) {
            return self;
        }
        let by_rule = |name: &String| rules.san_dns.iter().any(|rule| fits_dns(name, rule));
        Self {
            dns: self.dns.into_iter().filter(by_rule).collect(),
            uris: self
                .uris
                .into_iter()
                .filter(|uri| rules.san_uri.contains(uri))
                .collect(),
        }
    }

    /// The first name, as an issuer: a URI as it is, a DNS name with `x509_san_dns:` before it
    /// (the prefix of `OpenID4VP` 1.0 section 5.9.3).
    pub(super) fn first(&self) -> Option<String> {
        let dns = || self.dns.first().map(|name| format!("x509_san_dns:{name}"));
        self.uris.first().cloned().or_else(dns)
    }

    /// Whether they speak for `issuer`: one is the same URI, or the host of that `https` URL.
    pub(super) fn speak_for(&self, issuer: &str) -> bool {
        if self.uris.iter().any(|uri| uri == issuer) {
            return true;
        }
        let Ok(url) = url::Url::parse(issuer) else {
            return false;
        };
        let host = url.host_str().unwrap_or_default();
        url.scheme() == "https" && self.dns.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

/// Whether the anchor says which names count.
pub(super) fn is_ruled(rules: &X509Keys) -> bool {
    !rules.san_dns.is_empty() || !rules.san_uri.is_empty()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_wildcard_stands_for_exactly_one_label() {
        assert!(fits_dns("a.pid.example", "*.pid.example"));
        assert!(fits_dns("A.PID.example", "*.pid.example"));
        for no in [
            "pid.example",
            "a.b.pid.example",
            ".pid.example",
            "apid.example",
        ] {
            assert!(!fits_dns(no, "*.pid.example"), "{no}");
        }
    }

    #[test]
    fn a_wildcard_in_a_certificate_is_nobodys_name() {
        assert!(!fits_dns("*.pid.example", "*.pid.example"));
        assert!(!fits_dns("*.pid.example", "a.pid.example"));
    }

    #[test]
    fn a_pattern_is_a_name_or_a_wildcard_below_a_registrable_name() {
        for yes in ["pid.example", "*.pid.example", "localhost"] {
            assert!(is_dns_pattern(yes), "{yes}");
        }
        for no in [
            "",
            "*",
            "*.example",
            "a.*.example",
            "-a.example",
            "a..b",
            "a b",
        ] {
            assert!(!is_dns_pattern(no), "{no}");
        }
    }
}

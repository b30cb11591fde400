//! What the shared edge serves: hosts, their certificates, and the sockets behind them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::document::LoadError;
use crate::names::{HostName, TenantName};

/// The longest path of a unix socket (`sun_path` without its final zero byte).
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// All routes of one edge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouteTable {
    /// Counts up with each change of content.
    pub version: u64,
    /// One per host name; a host stands once.
    pub routes: Vec<Route>,
}

/// One host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// The host, as in SNI and in `Host` / `:authority`.
    pub host: HostName,
    /// Whose it is; a bounded label in metrics.
    pub tenant: TenantName,
    /// The certificate shown for this host.
    pub certificate: Certificate,
    /// Ask the client for a certificate (and pass it on); the tenant's verifier judges it.
    #[serde(default)]
    pub request_client_certificate: bool,
    /// Where requests go; the longest matching prefix wins; one has the prefix `/`.
    pub upstreams: Vec<Upstream>,
    /// The largest request body passed on, in bytes.
    pub max_body_bytes: u64,
}

/// A server certificate, by file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Certificate {
    /// PEM chain, leaf first.
    pub chain_file: String,
    /// PEM private key (PKCS#8), mode 0600.
    pub key_file: String,
}

/// A socket behind the edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Upstream {
    /// A path prefix, beginning and ending with `/`.
    pub prefix: String,
    /// The unix socket, relative to the program's working directory.
    pub socket: String,
}

/// A host stands once, each route has a `/` upstream, and prefixes are distinct.
pub(crate) fn validate(table: &RouteTable) -> Result<(), LoadError> {
    let mut hosts = BTreeSet::new();
    for (index, route) in table.routes.iter().enumerate() {
        let at = |field: &str| format!("routes[{index}].{field}");
        if !hosts.insert(&route.host) {
            return Err(LoadError::invalid(
                at("host"),
                format!("{} stands twice", route.host),
            ));
        }
        if route.max_body_bytes == 0 {
            return Err(LoadError::invalid(at("maxBodyBytes"), "must be at least 1"));
        }
        validate_upstreams(&route.upstreams)
            .map_err(|message| LoadError::invalid(at("upstreams"), message))?;
    }
    Ok(())
}

fn validate_upstreams(upstreams: &[Upstream]) -> Result<(), String> {
    let mut prefixes = BTreeSet::new();
    for Upstream { prefix, socket } in upstreams {
        if !prefix.starts_with('/') || !prefix.ends_with('/') {
            return Err(format!("prefix {prefix:?} must begin and end with '/'"));
        }
        if !prefixes.insert(prefix) {
            return Err(format!("prefix {prefix:?} stands twice"));
        }
        if socket.is_empty() || socket.len() > MAX_SOCKET_PATH_BYTES {
            return Err(format!(
                "the socket path must have 1 to {MAX_SOCKET_PATH_BYTES} bytes"
            ));
        }
    }
    if prefixes.contains(&"/".to_owned()) {
        Ok(())
    } else {
        Err("no upstream has the prefix '/'".to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::document::{Document, Named};

    fn route(host: &str) -> Route {
        let upstream = |prefix: &str| Upstream {
            prefix: prefix.into(),
            socket: "run/api.sock".into(),
        };
        Route {
            host: host.parse().unwrap(),
            tenant: "acme".parse().unwrap(),
            certificate: Certificate {
                chain_file: "chain.pem".into(),
                key_file: "key.pem".into(),
            },
            request_client_certificate: false,
            upstreams: vec![upstream("/"), upstream("/log/")],
            max_body_bytes: 1,
        }
    }

    fn table(routes: Vec<Route>) -> RouteTable {
        RouteTable { version: 1, routes }
    }

    fn refusal(routes: Vec<Route>) -> String {
        table(routes).validate().unwrap_err().to_string()
    }

    #[test]
    fn a_sealed_table_reads_back_under_the_same_digest() {
        let (bytes, digest) = table(vec![route("a.example")]).seal().unwrap();
        let read = Named::<RouteTable>::read(&bytes).unwrap();
        assert_eq!(read.digest(), digest);
        assert_eq!(read.into_document(), table(vec![route("a.example")]));
    }

    #[test]
    fn another_spelling_of_the_same_content_is_refused() {
        let (bytes, _) = table(vec![]).seal().unwrap();
        let spaced = String::from_utf8(bytes).unwrap().replace(':', ": ");
        assert!(matches!(
            Named::<RouteTable>::read(spaced.as_bytes()),
            Err(LoadError::NotCanonical)
        ));
    }

    #[test]
    fn a_host_stands_once() {
        assert_eq!(
            refusal(vec![route("a.example"), route("a.example")]),
            "routes[1].host: a.example stands twice"
        );
    }

    #[test]
    fn every_request_of_a_host_has_somewhere_to_go() {
        let mut bare = route("a.example");
        bare.upstreams.remove(0);
        assert!(refusal(vec![bare]).contains("no upstream has the prefix '/'"));
    }

    #[test]
    fn prefixes_are_whole_folders_and_distinct() {
        let mut bad = route("a.example");
        bad.upstreams[1].prefix = "/log".into();
        assert!(refusal(vec![bad.clone()]).contains("begin and end"));
        bad.upstreams[1].prefix = "/".into();
        assert!(refusal(vec![bad]).contains("stands twice"));
    }

    #[test]
    fn a_socket_path_that_the_kernel_would_not_take_is_refused() {
        let mut bad = route("a.example");
        bad.upstreams[0].socket = "s".repeat(108);
        assert!(refusal(vec![bad]).contains("1 to 107 bytes"));
    }
}

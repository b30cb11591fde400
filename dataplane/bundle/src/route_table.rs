//! What the shared edge serves: hosts, their certificates, and where their requests go.

use std::collections::BTreeSet;
use std::net::SocketAddr;

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
    /// Why the edge answers in the tenant's place; absent for a host whose requests are passed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Closed>,
    /// Where requests go; the longest matching prefix wins; one has the prefix `/`. Of a host that is closed
    /// there are none.
    pub upstreams: Vec<Upstream>,
    /// The largest request body passed on, in bytes.
    pub max_body_bytes: u64,
}

/// Why the edge answers in a tenant's place. In JSON it is the code that clients are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Closed {
    /// Its owner suspended it.
    #[serde(rename = "tenant_suspended")]
    Suspended,
    /// Its owner stopped its programs.
    #[serde(rename = "tenant_hibernated")]
    Hibernated,
    /// It is being deleted.
    #[serde(rename = "tenant_terminating")]
    Terminating,
    /// Its programs have not been ready yet, or others are taking their place.
    #[serde(rename = "tenant_starting")]
    Starting,
}

impl Closed {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Suspended,
        Self::Hibernated,
        Self::Terminating,
        Self::Starting,
    ];

    /// Whether that is as somebody asked it to be, and nothing that is amiss.
    pub const fn is_wanted(self) -> bool {
        !matches!(self, Self::Starting)
    }
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

/// A program behind the edge: on a unix socket of this host, or over mutual TLS. It has exactly one
/// of the two; [`Upstream::target`] says which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Upstream {
    /// A path prefix, beginning and ending with `/`.
    pub prefix: String,
    /// The unix socket, relative to the program's working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<String>,
    /// The address, and how both sides prove who they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsTarget>,
}

/// A program that is reached over TCP and TLS 1.3. Files are relative to the edge's working directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsTarget {
    /// `ip:port`; no name is ever looked up.
    pub address: SocketAddr,
    /// The DNS name that the program's certificate must carry.
    pub server_name: HostName,
    /// PEM certificates of the tenant's trust root: one of them, and nothing else, vouches for the
    /// program's certificate. During a change of roots the old and the new one.
    pub ca_file: String,
    /// PEM chain that the edge shows to the program, leaf first.
    pub certificate_file: String,
    /// PEM private key of that chain (PKCS#8), mode 0600.
    pub key_file: String,
}

/// Where an upstream's requests go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A unix socket.
    Socket(&'a str),
    /// A program that is reached over mutual TLS.
    Tls(&'a TlsTarget),
}

impl Upstream {
    /// An upstream on a unix socket.
    pub fn on_socket(prefix: impl Into<String>, socket: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
            socket: Some(socket.into()),
            tls: None,
        }
    }

    /// An upstream over mutual TLS.
    pub fn over_tls(prefix: impl Into<String>, tls: TlsTarget) -> Self {
        Self {
            prefix: prefix.into(),
            socket: None,
            tls: Some(tls),
        }
    }

    /// Where requests go.
    ///
    /// # Errors
    /// When it has both members or neither: what is wrong, in words.
    pub fn target(&self) -> Result<Target<'_>, &'static str> {
        match (&self.socket, &self.tls) {
            (Some(socket), None) => Ok(Target::Socket(socket)),
            (None, Some(tls)) => Ok(Target::Tls(tls)),
            (Some(_), Some(_)) => Err("has both socket and tls; exactly one is needed"),
            (None, None) => Err("has neither socket nor tls; exactly one is needed"),
        }
    }
}

/// A host stands once, each route that is not closed has a `/` upstream, and prefixes are distinct.
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
        let upstreams = match route.closed {
            None => validate_upstreams(&route.upstreams),
            Some(_) if route.upstreams.is_empty() => Ok(()),
            Some(_) => Err("a host that is closed has none".to_owned()),
        };
        upstreams.map_err(|message| LoadError::invalid(at("upstreams"), message))?;
    }
    Ok(())
}

fn validate_upstreams(upstreams: &[Upstream]) -> Result<(), String> {
    let mut prefixes = BTreeSet::new();
    for upstream in upstreams {
        let prefix = &upstream.prefix;
        if !prefix.starts_with('/') || !prefix.ends_with('/') {
            return Err(format!("prefix {prefix:?} must begin and end with '/'"));
        }
        if !prefixes.insert(prefix) {
            return Err(format!("prefix {prefix:?} stands twice"));
        }
        validate_target(upstream).map_err(|why| format!("the upstream of {prefix:?} {why}"))?;
    }
    if prefixes.contains(&"/".to_owned()) {
        Ok(())
    } else {
        Err("no upstream has the prefix '/'".to_owned())
    }
}

fn validate_target(upstream: &Upstream) -> Result<(), String> {
    match upstream.target()? {
        Target::Socket(path) if path.is_empty() || path.len() > MAX_SOCKET_PATH_BYTES => Err(
            format!("has a socket path that does not have 1 to {MAX_SOCKET_PATH_BYTES} bytes"),
        ),
        Target::Socket(_) => Ok(()),
        Target::Tls(tls) => validate_tls(tls),
    }
}

fn validate_tls(tls: &TlsTarget) -> Result<(), String> {
    if tls.address.port() == 0 || tls.address.ip().is_unspecified() {
        return Err(format!(
            "has {} as tls.address, where nothing can listen",
            tls.address
        ));
    }
    let files = [
        ("caFile", &tls.ca_file),
        ("certificateFile", &tls.certificate_file),
        ("keyFile", &tls.key_file),
    ];
    match files.into_iter().find(|(_, path)| path.is_empty()) {
        Some((member, _)) => Err(format!("names no file as tls.{member}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::document::{Document, Named};

    fn route(host: &str) -> Route {
        let upstream = |prefix: &str| Upstream::on_socket(prefix, "run/api.sock");
        Route {
            host: host.parse().unwrap(),
            tenant: "acme".parse().unwrap(),
            certificate: Certificate {
                chain_file: "chain.pem".into(),
                key_file: "key.pem".into(),
            },
            request_client_certificate: false,
            closed: None,
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
        bad.upstreams[0].socket = Some("s".repeat(108));
        assert!(refusal(vec![bad]).contains("1 to 107 bytes"));
    }

    fn tls() -> TlsTarget {
        TlsTarget {
            address: "10.1.2.3:8443".parse().unwrap(),
            server_name: "acme.pavilion.internal".parse().unwrap(),
            ca_file: "tls/acme/ca.crt".into(),
            certificate_file: "tls/acme/tls.crt".into(),
            key_file: "tls/acme/tls.key".into(),
        }
    }

    #[test]
    fn a_table_of_sockets_is_written_as_it_always_was() {
        let mut table = table(vec![route("a.example")]);
        table.routes[0].upstreams.pop();
        let written = concat!(
            r#"{"routes":[{"certificate":{"chainFile":"chain.pem","keyFile":"key.pem"},"#,
            r#""host":"a.example","maxBodyBytes":1,"requestClientCertificate":false,"tenant":"acme","#,
            r#""upstreams":[{"prefix":"/","socket":"run/api.sock"}]}],"version":1}"#
        );
        assert_eq!(table.seal().unwrap().0, written.as_bytes());
        let read = Named::<RouteTable>::read(written.as_bytes()).unwrap();
        assert_eq!(read.into_document(), table);
    }

    #[test]
    fn an_upstream_over_tls_reads_back_as_it_was_written() {
        let mut route = route("a.example");
        route.upstreams[0] = Upstream::over_tls("/", tls());
        let (bytes, _) = table(vec![route.clone()]).seal().unwrap();
        let text = std::str::from_utf8(&bytes).unwrap();
        assert!(text.contains(r#"{"prefix":"/","tls":{"address":"10.1.2.3:8443","#));
        let read = Named::<RouteTable>::read(&bytes).unwrap();
        assert_eq!(read.into_document(), table(vec![route]));
        let misspelt = text.replace("serverName", "servername");
        assert!(Named::<RouteTable>::read(misspelt.as_bytes()).is_err());
    }

    #[test]
    fn a_closed_host_says_which_code_and_leads_nowhere() {
        let mut closed = route("a.example");
        closed.closed = Some(Closed::Suspended);
        assert_eq!(
            refusal(vec![closed.clone()]),
            "routes[0].upstreams: a host that is closed has none"
        );
        closed.upstreams.clear();
        let (bytes, _) = table(vec![closed.clone()]).seal().unwrap();
        let text = std::str::from_utf8(&bytes).unwrap();
        assert!(text.contains(r#""closed":"tenant_suspended""#), "{text}");
        let read = Named::<RouteTable>::read(&bytes).unwrap();
        assert_eq!(read.into_document(), table(vec![closed]));
        let unknown = text.replace("tenant_suspended", "tenant_away");
        assert!(Named::<RouteTable>::read(unknown.as_bytes()).is_err());
    }

    #[test]
    fn an_upstream_goes_to_exactly_one_place() {
        let mut bad = route("a.example");
        bad.upstreams[0].tls = Some(tls());
        assert_eq!(
            refusal(vec![bad.clone()]),
            "routes[0].upstreams: the upstream of \"/\" has both socket and tls; exactly one is needed"
        );
        bad.upstreams[0].socket = None;
        bad.upstreams[0].tls = None;
        assert!(refusal(vec![bad]).contains("has neither socket nor tls"));
    }

    #[test]
    fn an_upstream_over_tls_names_a_place_and_all_its_files() {
        let refused = |change: fn(&mut TlsTarget)| {
            let mut target = tls();
            change(&mut target);
            let mut bad = route("a.example");
            bad.upstreams[0] = Upstream::over_tls("/", target);
            refusal(vec![bad])
        };
        let nowhere = refused(|tls| tls.address.set_port(0));
        assert!(nowhere.contains("10.1.2.3:0 as tls.address"), "{nowhere}");
        let anywhere = refused(|tls| tls.address = "[::]:8443".parse().unwrap());
        assert!(anywhere.contains("tls.address"), "{anywhere}");
        assert!(refused(|tls| tls.ca_file.clear()).contains("no file as tls.caFile"));
        assert!(refused(|tls| tls.certificate_file.clear()).contains("tls.certificateFile"));
        assert!(refused(|tls| tls.key_file.clear()).contains("tls.keyFile"));
    }
}

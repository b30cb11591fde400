//! The names that a table which was sent may have for files: their digests and nothing else.

use std::collections::HashSet;

use pavilion_bundle::{Named, Route, RouteTable};
use pavilion_json::Digest;

/// What a digest is written with elsewhere.
const PREFIX: &str = "sha-256:";

/// The name of a file of that content: 64 lower-case hexadecimal digits.
pub(super) fn name_of(digest: Digest) -> String {
    digest.to_string().replace(PREFIX, "")
}

/// The digest that a name stands for; `None` for any other name.
pub(super) fn digest_of(name: &str) -> Option<Digest> {
    format!("{PREFIX}{name}").parse().ok()
}

/// Reads a table that was sent. It leads to the network alone, and names files by their digests.
pub(super) fn read(bytes: &[u8]) -> Result<Named<RouteTable>, String> {
    let table = Named::<RouteTable>::read(bytes).map_err(|error| error.to_string())?;
    for (index, route) in table.document().routes.iter().enumerate() {
        check(route).map_err(|why| format!("routes[{index}] ({}): {why}", route.host))?;
    }
    Ok(table)
}

fn check(route: &Route) -> Result<(), String> {
    if let Some(upstream) = route.upstreams.iter().find(|up| up.socket.is_some()) {
        let prefix = &upstream.prefix;
        return Err(format!(
            "the upstream of {prefix:?} is a unix socket; one that is sent must be over tls"
        ));
    }
    match files_of(route).find(|name| digest_of(name).is_none()) {
        Some(name) => Err(format!("{name:?} is not the digest of a file")),
        None => Ok(()),
    }
}

/// All files that the table names.
pub(super) fn files(table: &RouteTable) -> HashSet<Digest> {
    let names = table.routes.iter().flat_map(files_of);
    names.filter_map(digest_of).collect()
}

fn files_of(route: &Route) -> impl Iterator<Item = &str> {
    let shown = &route.certificate;
    let of_upstreams = route.upstreams.iter().filter_map(|up| up.tls.as_ref());
    let of_upstreams =
        of_upstreams.flat_map(|tls| [&tls.ca_file, &tls.certificate_file, &tls.key_file]);
    [&shown.chain_file, &shown.key_file]
        .into_iter()
        .chain(of_upstreams)
        .map(String::as_str)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use pavilion_bundle::{Certificate, Document, TlsTarget, Upstream};

    use super::*;

    fn table(change: impl FnOnce(&mut Route)) -> Vec<u8> {
        let name = |content: &str| name_of(Digest::of(content.as_bytes()));
        let tls = TlsTarget {
            address: "10.1.2.3:8443".parse().unwrap(),
            server_name: "acme.pavilion.internal".parse().unwrap(),
            ca_file: name("ca"),
            certificate_file: name("edge"),
            key_file: name("edge's key"),
        };
        let mut route = Route {
            host: "a.example".parse().unwrap(),
            tenant: "acme".parse().unwrap(),
            certificate: Certificate {
                chain_file: name("chain"),
                key_file: name("key"),
            },
            request_client_certificate: false,
            closed: None,
            upstreams: vec![Upstream::over_tls("/", tls)],
            max_body_bytes: 1,
        };
        change(&mut route);
        let table = RouteTable {
            version: 1,
            routes: vec![route],
        };
        table.seal().unwrap().0
    }

    #[test]
    fn files_are_called_by_their_content() {
        let read = read(&table(|_| {})).unwrap();
        let files = files(read.document());
        assert_eq!(files.len(), 5);
        assert!(files.contains(&Digest::of(b"edge's key")));
    }

    #[test]
    fn no_other_name_gets_near_the_disk() {
        for name in ["../../etc/passwd", "/etc/passwd", "", ".", "A", "aa"] {
            let sent = table(|route| route.certificate.key_file = name.to_owned());
            let why = read(&sent).unwrap_err();
            assert!(why.contains("is not the digest of a file"), "{why}");
        }
        let upper = name_of(Digest::of(b"key")).to_uppercase();
        let sent = table(|route| {
            route.upstreams[0].tls.as_mut().unwrap().ca_file = upper;
        });
        assert!(read(&sent).is_err());
    }

    #[test]
    fn nothing_that_is_sent_leads_to_a_socket_of_this_host() {
        let sent = table(|route| route.upstreams[0] = Upstream::on_socket("/", "run/api.sock"));
        assert!(read(&sent).unwrap_err().contains("must be over tls"));
    }
}

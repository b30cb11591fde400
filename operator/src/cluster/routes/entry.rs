//! What a tenant's Secret says about its routes.

use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use pavilion_bundle::{Closed, HostName, TenantName};
use pavilion_process::mutual_tls::{Credentials, client_config};
use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

use super::file::File;
use crate::{cluster::owned::TENANT_LABEL, validate::ServerCertificate};

/// The key of the Secret that is read here; the others are nobody's business here.
const DOCUMENT: &str = "route.json";

/// All of it, checked as a router would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose it is.
    pub tenant: TenantName,
    /// When the Secret was made: of two that claim one host the first one has it.
    pub since: Timestamp,
    /// Why the edge answers in the tenant's place, if it does.
    pub closed: Option<Closed>,
    /// The hosts.
    pub hosts: Vec<HostName>,
    /// Ask clients for a certificate.
    pub request_client_certificate: bool,
    /// The largest request body passed on, in bytes.
    pub max_body_bytes: u64,
    /// The name that the certificates of the tenant's programs carry.
    pub server_name: HostName,
    /// Shown to relying parties: chain and key.
    pub shown: [File; 2],
    /// Towards the tenant's programs: who vouches for them, and the edge's own chain and key.
    pub edge: [File; 3],
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    tenant: TenantName,
    hosts: Vec<HostName>,
    request_client_certificate: bool,
    max_body_bytes: u64,
    closed: Option<Closed>,
    server_name: HostName,
    certificate: Shown,
    edge: Edge,
}

#[derive(Deserialize)]
struct Shown {
    chain: String,
    key: String,
}

#[derive(Deserialize)]
struct Edge {
    ca: String,
    chain: String,
    key: String,
}

impl Entry {
    /// Reads a Secret.
    ///
    /// # Errors
    /// Why no router could serve it, in words that repeat nothing of it.
    pub fn read(secret: &mut Secret) -> Result<Self, String> {
        let document = document(secret)?;
        let metadata = &secret.metadata;
        let label = metadata
            .labels
            .as_ref()
            .and_then(|all| all.get(TENANT_LABEL));
        if label.map(String::as_str) != Some(document.tenant.as_str()) {
            return Err(format!("{DOCUMENT}: is of another tenant than the label"));
        }
        let made = metadata.creation_timestamp.as_ref();
        check(&document)?;
        let file = |content: String, member: &str| {
            File::new(content).map_err(|why| format!("{DOCUMENT}: {member} {why}"))
        };
        Ok(Self {
            tenant: document.tenant,
            since: made.map_or(Timestamp::MAX, |time| time.0),
            closed: document.closed,
            hosts: document.hosts,
            request_client_certificate: document.request_client_certificate,
            max_body_bytes: document.max_body_bytes,
            server_name: document.server_name,
            shown: [
                file(document.certificate.chain, "certificate.chain")?,
                file(document.certificate.key, "certificate.key")?,
            ],
            edge: [
                file(document.edge.ca, "edge.ca")?,
                file(document.edge.chain, "edge.chain")?,
                file(document.edge.key, "edge.key")?,
            ],
        })
    }
}

/// The document; everything else in the Secret is wiped.
fn document(secret: &mut Secret) -> Result<Document, String> {
    let mut data = secret.data.take().unwrap_or_default();
    let text = data.remove(DOCUMENT);
    for ByteString(other) in data.values_mut() {
        other.zeroize();
    }
    let Some(ByteString(text)) = text else {
        return Err(format!("has no {DOCUMENT}"));
    };
    let text = Zeroizing::new(text);
    // What serde says may quote what it read.
    serde_json::from_slice(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("{DOCUMENT}: cannot be read at line {line}, column {column}")
    })
}

/// What a router would refuse, and with it everything else.
fn check(document: &Document) -> Result<(), String> {
    let refuse = |member: &str, why: String| Err(format!("{DOCUMENT}: {member} {why}"));
    if document.max_body_bytes == 0 {
        return refuse("maxBodyBytes", "must be at least 1".to_owned());
    }
    let shown = &document.certificate;
    if let Err(error) = ServerCertificate::read(&shown.chain, &shown.key, &document.hosts) {
        return refuse("certificate", error.to_string());
    }
    let edge = &document.edge;
    let pem = [&edge.ca, &edge.chain, &edge.key].map(String::as_bytes);
    let credentials = Credentials::given(pem[0], pem[1], pem[2]);
    match credentials.and_then(|credentials| client_config(&credentials)) {
        Ok(_) => Ok(()),
        Err(why) => refuse("edge", why),
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
    use serde_json::{Value, json};

    use super::*;
    use crate::trust_root::{Side, TrustRoot};

    /// A `route.json` of that tenant and these hosts.
    pub fn route(tenant: &str, hosts: &[&str]) -> Value {
        let now = Timestamp::now();
        let root = TrustRoot::make(tenant, now).unwrap();
        let names: Vec<HostName> = hosts.iter().map(|host| host.parse().unwrap()).collect();
        let shown = root.sign(Side::Server, &names, now).unwrap();
        let edge = ["router.pavilion.internal".parse().unwrap()];
        let edge = root.sign(Side::Client, &edge, now).unwrap();
        json!({
            "tenant": tenant, "hosts": hosts, "requestClientCertificate": false,
            "maxBodyBytes": 262_144, "serverName": format!("{tenant}.pavilion.internal"),
            "certificate": {"chain": shown.chain, "key": *shown.key},
            "edge": {"ca": root.certificate(), "chain": edge.chain, "key": *edge.key},
        })
    }

    /// The Secret that holds it, made at a second.
    pub fn secret(tenant: &str, route: &Value, version: u64, made: i64) -> Secret {
        let text = ByteString(route.to_string().into_bytes());
        let keyring = ByteString(b"a root key".to_vec());
        let labels = [(TENANT_LABEL.to_owned(), tenant.to_owned())];
        Secret {
            metadata: ObjectMeta {
                name: Some(format!("tenant-{tenant}")),
                namespace: Some("pavilion-system".to_owned()),
                uid: Some(format!("{tenant}-{made}")),
                resource_version: Some(version.to_string()),
                creation_timestamp: Some(Time(Timestamp::from_second(made).unwrap())),
                labels: Some(labels.into()),
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from([
                (DOCUMENT.to_owned(), text),
                ("keyring.json".to_owned(), keyring),
            ])),
            ..Secret::default()
        }
    }

    fn refusal(change: impl FnOnce(&mut Value)) -> String {
        let mut route = route("acme", &["a.example"]);
        change(&mut route);
        Entry::read(&mut secret("acme", &route, 1, 1)).unwrap_err()
    }

    #[test]
    fn a_secret_is_read_and_emptied() {
        let route = route("acme", &["a.example", "b.example"]);
        let mut secret = secret("acme", &route, 1, 7);
        let entry = Entry::read(&mut secret).unwrap();
        assert_eq!((entry.hosts.len(), entry.max_body_bytes), (2, 262_144));
        assert_eq!(entry.since, Timestamp::from_second(7).unwrap());
        assert_eq!(secret.data, None);
        assert!(!format!("{entry:?}").contains("BEGIN"));
    }

    #[test]
    fn a_tenant_is_closed_as_its_secret_says_and_open_where_it_says_nothing() {
        let mut route = route("acme", &["a.example"]);
        let entry = Entry::read(&mut secret("acme", &route, 1, 1)).unwrap();
        assert_eq!(entry.closed, None);
        route["closed"] = "tenant_hibernated".into();
        let entry = Entry::read(&mut secret("acme", &route, 1, 1)).unwrap();
        assert_eq!(entry.closed, Some(Closed::Hibernated));
    }

    #[test]
    fn a_tenant_that_was_let_go_has_no_hosts() {
        let mut route = route("acme", &["a.example"]);
        route["hosts"] = json!([]);
        let entry = Entry::read(&mut secret("acme", &route, 1, 1)).unwrap();
        assert_eq!(entry.hosts, []);
    }

    #[test]
    fn what_a_router_would_refuse_is_refused_here_and_not_quoted() {
        let other = route("acme", &["a.example"]);
        let key =
            refusal(|route| route["certificate"]["key"] = other["certificate"]["key"].clone());
        assert!(key.contains("is not the private key"), "{key}");
        let host = refusal(|route| route["hosts"] = json!(["c.example"]));
        assert!(host.contains("does not name the host c.example"), "{host}");
        let edge = refusal(|route| route["edge"]["ca"] = "nothing of the kind".into());
        assert!(edge.contains("edge ca.crt: holds no certificate"), "{edge}");
        let body = refusal(|route| route["maxBodyBytes"] = 0.into());
        assert!(body.contains("maxBodyBytes"), "{body}");
        let tenant = refusal(|route| route["tenant"] = "beta".into());
        assert!(tenant.contains("another tenant"), "{tenant}");
        let odd = refusal(|route| route["hosts"] = "BEGIN".into());
        assert!(odd.contains("line 1") && !odd.contains("BEGIN"), "{odd}");
        let none = Entry::read(&mut Secret::default()).unwrap_err();
        assert_eq!(none, "has no route.json");
    }
}

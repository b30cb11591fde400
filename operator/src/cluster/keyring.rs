//! A tenant's keys outside its token: the trust root, the certificates it signed, and the PINs.
//!
//! They rest in a Secret of the operator's namespace, which nothing of a tenant's can read. The tenant's
//! pod gets what it needs of them as a Secret of its own, and every replica of the operator makes the
//! tenant's routes from `route.json` beside them.

use std::collections::BTreeMap;

use aws_lc_rs::rand;
use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, Client};
use pavilion_bundle::{Closed, HostName, TenantName};
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    kinds::OwnedKind,
    owned::{Owned, metadata, namespace_of},
};
use crate::{
    host::MAX_BODY_BYTES,
    trust_root::{Side, TrustRoot, is_fresh, renewal, secret_text},
    validate::ServerCertificate,
};

/// The label by which every replica finds these Secrets, and its value.
pub const ROLE: (&str, &str) = ("pavilion.dev/role", "keyring");
/// The name that the edge's certificate carries towards the programs of tenants.
pub const EDGE_NAME: &str = "router.pavilion.internal";
/// The Secret that a tenant's pod mounts.
pub const POD_SECRET: &str = "pavilion";
/// The user's PIN, and the security officer's on a second line.
pub const PIN: &str = "pin";
/// What programs show the edge, and whom they let in.
pub const TLS: [&str; 3] = ["tls.crt", "tls.key", "ca.crt"];

const KEYRING: &str = "keyring.json";
const ROUTE: &str = "route.json";
/// 32 letters, none of which could be mistaken for another: five bits each.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
const PIN_LENGTH: usize = 26;

/// Everything of it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Keyring {
    root: TrustRoot,
    /// Shown to relying parties.
    public: Leaf,
    /// Shown by the tenant's programs to the edge.
    pod: Leaf,
    /// Shown by the edge to the tenant's programs.
    edge: Leaf,
    #[serde(with = "secret_text")]
    pins: Zeroizing<String>,
}

/// A certificate with its key, both PEM.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Leaf {
    chain: String,
    #[serde(with = "secret_text")]
    key: Zeroizing<String>,
}

/// What the edge does with a tenant's requests.
#[derive(Clone, Copy, Debug)]
pub struct Routing<'a> {
    /// The tenant's hosts.
    pub hosts: &'a [HostName],
    /// Whether clients are asked for a certificate.
    pub wants_client_certificates: bool,
    /// Why the edge answers in the tenant's place, if it does.
    pub closed: Option<Closed>,
}

/// Why there is no keyring.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The API server.
    #[error("the tenant's keys cannot be read: {0}")]
    Api(#[from] Box<kube::Error>),
    /// What is there cannot be read. It is left alone: new keys would not open the tenant's token.
    #[error("Secret {0} holds keys that no release wrote ({1}); restore it from a backup")]
    Unreadable(String, serde_json::Error),
    /// A certificate that could not be made.
    #[error("a certificate cannot be made: {0}")]
    Made(#[from] rcgen::Error),
    /// No randomness.
    #[error("the system gives no random numbers")]
    NoRandomness,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring")
    }
}

/// The name of a tenant's Secret in the operator's namespace.
pub fn name_of(tenant: &TenantName) -> String {
    format!("tenant-{tenant}")
}

/// The name that the certificates of a tenant's programs carry.
pub fn server_name(tenant: &TenantName) -> String {
    format!("{tenant}.pavilion.internal")
}

impl Keyring {
    /// The keys that were written before, if there are any.
    ///
    /// # Errors
    /// The API server, or keys that no release wrote.
    pub async fn load(
        client: &Client,
        namespace: &str,
        tenant: &TenantName,
    ) -> Result<Option<Self>, KeyringError> {
        let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let name = name_of(tenant);
        let found = api.get_opt(&name).await.map_err(Box::new)?;
        let data = found.and_then(|secret| secret.data).unwrap_or_default();
        let Some(ByteString(text)) = data.get(KEYRING) else {
            return Ok(None);
        };
        let read = serde_json::from_slice(text);
        read.map(Some)
            .map_err(|error| KeyringError::Unreadable(name, error))
    }

    /// The PINs that the tenant's pod was given, when the keyring itself was lost: without them its token
    /// could not be opened any more.
    ///
    /// # Errors
    /// The API server.
    pub async fn pins_of_pod(
        client: &Client,
        tenant: &TenantName,
    ) -> Result<Option<Zeroizing<String>>, KeyringError> {
        let api: Api<Secret> = Api::namespaced(client.clone(), &namespace_of(tenant));
        let found = api.get_opt(POD_SECRET).await.map_err(Box::new)?;
        let data = found.and_then(|secret| secret.data).unwrap_or_default();
        let pins = data
            .get(PIN)
            .map(|ByteString(bytes)| String::from_utf8_lossy(bytes));
        Ok(pins.map(|pins| Zeroizing::new(pins.into_owned())))
    }

    /// A new root, certificates of it, and `pins`, or new ones.
    ///
    /// # Errors
    /// No randomness.
    pub fn make(
        tenant: &TenantName,
        hosts: &[HostName],
        pins: Option<Zeroizing<String>>,
        now: Timestamp,
    ) -> Result<Self, KeyringError> {
        let root = TrustRoot::make(tenant.as_str(), now)?;
        let leaf = |side, names: &[HostName]| root.sign(side, names, now).map(Leaf::from);
        Ok(Self {
            public: leaf(Side::Server, hosts)?,
            pod: leaf(Side::Server, &internal(&server_name(tenant)))?,
            edge: leaf(Side::Client, &internal(EDGE_NAME))?,
            pins: match pins {
                Some(pins) => pins,
                None => new_pins()?,
            },
            root,
        })
    }

    /// Renews what has to be: a certificate that does not name its hosts, or is past two thirds of its time.
    ///
    /// # Errors
    /// A certificate that could not be made.
    pub fn renew(
        &mut self,
        tenant: &TenantName,
        hosts: &[HostName],
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        let (server, edge) = (internal(&server_name(tenant)), internal(EDGE_NAME));
        let leaves = [
            (&mut self.public, Side::Server, hosts),
            (&mut self.pod, Side::Server, &server),
            (&mut self.edge, Side::Client, &edge),
        ];
        for (leaf, side, names) in leaves {
            if leaf.read(names).is_none_or(|leaf| !is_fresh(&leaf, now)) {
                *leaf = self.root.sign(side, names, now)?.into();
                tracing::info!("{tenant}: made a certificate for {}", names[0]);
            }
        }
        Ok(())
    }

    /// When the first certificate is due, and when the one that relying parties see ends.
    pub fn times(&self, tenant: &TenantName, hosts: &[HostName]) -> Option<(Timestamp, Timestamp)> {
        let public = self.public.read(hosts)?;
        let pod = self.pod.read(&internal(&server_name(tenant)))?;
        let edge = self.edge.read(&internal(EDGE_NAME))?;
        let due = [&public, &pod, &edge].map(renewal).into_iter().min()?;
        Some((due, public.not_after))
    }

    /// The certificate of the tenant's root, PEM: what relying parties trust.
    pub fn authority(&self) -> &str {
        self.root.certificate()
    }

    /// The Secret of the operator's namespace.
    pub fn object(&self, tenant: &TenantName, routing: &Routing<'_>, namespace: &str) -> Owned {
        let mut metadata = metadata(tenant, &name_of(tenant));
        let (label, value) = ROLE;
        let labels = metadata.labels.get_or_insert_default();
        labels.insert(label.to_owned(), value.to_owned());
        let route = json!({
            "tenant": tenant,
            "hosts": routing.hosts,
            "requestClientCertificate": routing.wants_client_certificates,
            "maxBodyBytes": MAX_BODY_BYTES,
            "closed": routing.closed,
            "serverName": server_name(tenant),
            "certificate": self.public,
            "edge": {
                "ca": self.root.certificate(),
                "chain": self.edge.chain,
                "key": self.edge.key.as_str(),
            },
        });
        let keyring = serde_json::to_vec(self).unwrap_or_default();
        let route = serde_json::to_vec(&route).unwrap_or_default();
        let secret = Secret {
            metadata,
            data: Some(data([(KEYRING, keyring), (ROUTE, route)])),
            type_: Some("Opaque".to_owned()),
            ..Secret::default()
        };
        Owned::beside_the_operator(OwnedKind::Secret, namespace, &secret)
    }

    /// The Secret that the tenant's pod mounts.
    pub fn for_pod(&self, tenant: &TenantName) -> Owned {
        let [certificate, key, authority] = TLS;
        let secret = Secret {
            metadata: metadata(tenant, POD_SECRET),
            data: Some(data([
                (PIN, self.pins.as_bytes().to_vec()),
                (certificate, self.pod.chain.as_bytes().to_vec()),
                (key, self.pod.key.as_bytes().to_vec()),
                (authority, self.root.certificate().as_bytes().to_vec()),
            ])),
            type_: Some("Opaque".to_owned()),
            ..Secret::default()
        };
        Owned::namespaced(OwnedKind::Secret, tenant, &secret)
    }
}

impl Leaf {
    fn read(&self, names: &[HostName]) -> Option<ServerCertificate> {
        ServerCertificate::read(&self.chain, &self.key, names).ok()
    }
}

impl From<ServerCertificate> for Leaf {
    fn from(certificate: ServerCertificate) -> Self {
        Self {
            chain: certificate.chain,
            key: certificate.key,
        }
    }
}

fn data<const N: usize>(entries: [(&str, Vec<u8>); N]) -> BTreeMap<String, ByteString> {
    let entries = entries.map(|(name, bytes)| (name.to_owned(), ByteString(bytes)));
    BTreeMap::from(entries)
}

/// A name of our own making as a host name; none where a tenant's name would make it too long, which the
/// schema rules out.
fn internal(name: &str) -> Vec<HostName> {
    name.parse().into_iter().collect()
}

fn new_pins() -> Result<Zeroizing<String>, KeyringError> {
    let mut random = Zeroizing::new([0_u8; 2 * PIN_LENGTH]);
    rand::fill(random.as_mut_slice()).map_err(|_| KeyringError::NoRandomness)?;
    let mut pins = Zeroizing::new(String::with_capacity(2 * PIN_LENGTH + 2));
    for half in random.chunks(PIN_LENGTH) {
        let letters = half.iter().map(|byte| LETTERS[usize::from(byte % 32)]);
        pins.extend(letters.map(char::from));
        pins.push('\n');
    }
    Ok(pins)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + number * 86_400).unwrap()
    }

    #[test]
    fn certificates_are_renewed_in_time_and_the_pins_never_change() {
        let (tenant, hosts) = ("acme".parse().unwrap(), ["a.example".parse().unwrap()]);
        let mut keyring = Keyring::make(&tenant, &hosts, None, day(0)).unwrap();
        let first = serde_json::to_value(&keyring).unwrap();
        keyring.renew(&tenant, &hosts, day(59)).unwrap();
        assert_eq!(serde_json::to_value(&keyring).unwrap(), first);
        keyring.renew(&tenant, &hosts, day(61)).unwrap();
        let second = serde_json::to_value(&keyring).unwrap();
        for renewed in ["public", "pod", "edge"] {
            assert_ne!(first[renewed], second[renewed], "{renewed}");
        }
        for kept in ["root", "pins"] {
            assert_eq!(first[kept], second[kept], "{kept}");
        }
        let (due, until) = keyring.times(&tenant, &hosts).unwrap();
        assert!(due > day(120) && due < until);
    }

    #[test]
    fn a_new_host_gets_a_new_certificate_for_relying_parties_alone() {
        let (tenant, hosts) = ("acme".parse().unwrap(), ["a.example".parse().unwrap()]);
        let mut keyring = Keyring::make(&tenant, &hosts, None, day(0)).unwrap();
        let first = serde_json::to_value(&keyring).unwrap();
        let hosts = ["a.example".parse().unwrap(), "b.example".parse().unwrap()];
        keyring.renew(&tenant, &hosts, day(1)).unwrap();
        let second = serde_json::to_value(&keyring).unwrap();
        assert_ne!(first["public"], second["public"]);
        assert_eq!(first["pod"], second["pod"]);
    }

    #[test]
    fn pins_are_long_and_different() {
        let (one, other) = (new_pins().unwrap(), new_pins().unwrap());
        assert_ne!(*one, *other);
        let lines: Vec<&str> = one.lines().collect();
        assert!(lines.len() == 2 && lines[0] != lines[1]);
        assert!(lines.iter().all(|line| line.len() == PIN_LENGTH));
    }
}

//! A tenant's keys outside its token: the trust root, the certificates it signed, and the PINs.
//!
//! They rest in a Secret of the operator's namespace, which nothing of a tenant's can read. The tenant's
//! pod gets what it needs of them as a Secret of its own, and every replica of the operator makes the
//! tenant's routes from `route.json` beside them.

mod changeover;
mod leaf;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use aws_lc_rs::rand;
use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, Client};
use pavilion_bundle::{Closed, HostName, TenantName};
use pavilion_json::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::timeout;
use zeroize::Zeroizing;

use self::{changeover::Beside, leaf::Leaf};
use super::{
    apply::REQUEST_TIME_OUT,
    kinds::OwnedKind,
    owned::{Owned, metadata, namespace_of},
    supplies::SupplyError,
};
use crate::{
    host::MAX_BODY_BYTES,
    trust_root::{Side, TrustRoot, secret_text},
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

/// Everything of it. What stands in it only at times is written only then: a release that does not know it reads the keys
/// of every other tenant.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Keyring {
    /// Signs what is shown.
    root: TrustRoot,
    /// While one root takes the place of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beside: Option<Beside>,
    /// Shown to relying parties in the place of the next, where it names the tenant's hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    supplied: Option<Leaf>,
    /// Shown to relying parties.
    public: Leaf,
    /// Shown by the tenant's programs to the edge.
    pod: Leaf,
    /// Shown by the edge to the tenant's programs.
    edge: Leaf,
    #[serde(with = "secret_text")]
    pins: Zeroizing<String>,
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
    /// The API server, which said nothing.
    #[error("the tenant's keys cannot be read: the API server did not answer in time")]
    Silent,
    /// What is there cannot be read. It is left alone: new keys would not open the tenant's token.
    #[error("Secret {0} holds keys that no release wrote ({1}); restore it from a backup")]
    Unreadable(String, serde_json::Error),
    /// What others supply.
    #[error(transparent)]
    Supply(#[from] SupplyError),
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

async fn looked_for(api: &Api<Secret>, name: &str) -> Result<Option<Secret>, KeyringError> {
    let found = timeout(REQUEST_TIME_OUT, api.get_opt(name)).await;
    let found = found.map_err(|_| KeyringError::Silent)?;
    Ok(found.map_err(Box::new)?)
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
        let found = looked_for(&api, &name).await?;
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
        let found = looked_for(&api, POD_SECRET).await?;
        let data = found.and_then(|secret| secret.data).unwrap_or_default();
        let pins = data
            .get(PIN)
            .map(|ByteString(bytes)| String::from_utf8_lossy(bytes));
        Ok(pins.map(|pins| Zeroizing::new(pins.into_owned())))
    }

    /// Certificates of a root, and `pins`, or new ones.
    ///
    /// # Errors
    /// No randomness.
    pub fn make(
        tenant: &TenantName,
        root: TrustRoot,
        hosts: &[HostName],
        pins: Option<Zeroizing<String>>,
        now: Timestamp,
    ) -> Result<Self, KeyringError> {
        let leaf = |side, names: &[HostName]| {
            let leaf = root.sign(side, names, now);
            leaf.map(|leaf| Leaf::from(&leaf))
        };
        Ok(Self {
            public: leaf(Side::Server, hosts)?,
            pod: leaf(Side::Server, &internal(&server_name(tenant)))?,
            edge: leaf(Side::Client, &internal(EDGE_NAME))?,
            pins: match pins {
                Some(pins) => pins,
                None => new_pins()?,
            },
            root,
            beside: None,
            supplied: None,
        })
    }

    /// The root that was made here and is known, or a new one.
    ///
    /// # Errors
    /// No randomness.
    pub fn own_root(&self, tenant: &TenantName, now: Timestamp) -> Result<TrustRoot, KeyringError> {
        match self.roots().find(|root| root.is_own()) {
            Some(own) => Ok(own.clone()),
            None => Ok(TrustRoot::make(tenant.as_str(), now)?),
        }
    }

    /// One step towards a root, see [`changeover`]. `everywhere` says whether the edge and the tenant's programs go by
    /// these keys.
    ///
    /// # Errors
    /// A certificate that could not be made.
    pub fn approach(
        &mut self,
        wanted: TrustRoot,
        everywhere: bool,
        tenant: &TenantName,
        hosts: &[HostName],
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        if changeover::step(&mut self.root, &mut self.beside, wanted, everywhere) {
            tracing::info!("{tenant}: another root signs from now on");
            self.sign(tenant, hosts, now, |_, _, _| false)?;
        }
        Ok(())
    }

    /// Whether one root is taking the place of another.
    pub fn changes(&self) -> bool {
        self.beside.is_some()
    }

    /// The root that signs.
    pub fn root(&self) -> &TrustRoot {
        &self.root
    }

    /// Takes on the certificate that somebody supplied for the tenant's hosts, or lets go of it.
    pub fn supply(&mut self, certificate: Option<&ServerCertificate>) {
        self.supplied = certificate.map(Leaf::from);
    }

    /// Whether it is the one that somebody supplied before.
    pub fn is_supplied(&self, certificate: &ServerCertificate) -> bool {
        let supplied = self.supplied.as_ref();
        supplied.is_some_and(|supplied| *supplied == Leaf::from(certificate))
    }

    fn roots(&self) -> impl Iterator<Item = &TrustRoot> {
        let beside = self.beside.iter().map(|beside| &beside.root);
        std::iter::once(&self.root).chain(beside)
    }

    /// Renews what has to be: a certificate that does not name its hosts, or is past two thirds of its time and would not end
    /// with the root again.
    ///
    /// # Errors
    /// A certificate that could not be made.
    pub fn renew(
        &mut self,
        tenant: &TenantName,
        hosts: &[HostName],
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        let is_good = |root: &TrustRoot, leaf: &Leaf, names: &[HostName]| {
            leaf.read(names).is_some_and(|leaf| root.keeps(&leaf, now))
        };
        self.sign(tenant, hosts, now, is_good)
    }

    /// Makes anew what is not kept.
    fn sign(
        &mut self,
        tenant: &TenantName,
        hosts: &[HostName],
        now: Timestamp,
        keep: impl Fn(&TrustRoot, &Leaf, &[HostName]) -> bool,
    ) -> Result<(), KeyringError> {
        let (server, edge) = (internal(&server_name(tenant)), internal(EDGE_NAME));
        let leaves = [
            (&mut self.public, Side::Server, hosts),
            (&mut self.pod, Side::Server, &server),
            (&mut self.edge, Side::Client, &edge),
        ];
        for (leaf, side, names) in leaves {
            if !keep(&self.root, leaf, names) {
                *leaf = Leaf::from(&self.root.sign(side, names, now)?);
                let name = names.first().map_or("", HostName::as_str);
                tracing::info!("{tenant}: made a certificate for {name}");
            }
        }
        Ok(())
    }

    /// When the first certificate is due, and until when relying parties believe what they see.
    pub fn times(&self, tenant: &TenantName, hosts: &[HostName]) -> Option<(Timestamp, Timestamp)> {
        let public = self.public.read(hosts)?;
        let pod = self.pod.read(&internal(&server_name(tenant)))?;
        let edge = self.edge.read(&internal(EDGE_NAME))?;
        let leaves = [&public, &pod, &edge];
        let due = leaves.map(|leaf| self.root.renewal(leaf));
        let due = due.into_iter().min()?;
        let supplied = self.shown_supplied(hosts);
        let until = supplied.map_or_else(
            || {
                let root = self.root.vouched_until();
                root.map_or(public.not_after, |root| root.min(public.not_after))
            },
            |(_, supplied)| supplied.not_after,
        );
        Some((due, until))
    }

    /// What somebody supplied, where the edge would take it for these hosts.
    fn shown_supplied(&self, hosts: &[HostName]) -> Option<(&Leaf, ServerCertificate)> {
        let supplied = self.supplied.as_ref()?;
        let read = supplied.read(hosts)?;
        read.fits_the_edge(hosts).ok()?;
        Some((supplied, read))
    }

    /// What relying parties are shown, and its key.
    fn shown(&self, hosts: &[HostName]) -> Leaf {
        match self.shown_supplied(hosts) {
            Some((supplied, _)) => supplied.clone(),
            None => Leaf {
                chain: self.root.chain(&self.public.chain),
                key: self.public.key.clone(),
            },
        }
    }

    /// What relying parties trust, PEM: while one root takes the place of another, both.
    pub fn authority(&self) -> String {
        let mut authorities: Vec<&str> = self.roots().map(TrustRoot::authority).collect();
        authorities.dedup();
        authorities.concat()
    }

    /// What the edge and the tenant's programs trust each other by, PEM: the tenant's own root and never the one that
    /// vouches for it, which vouches for others too.
    fn anchors(&self) -> String {
        self.roots().map(TrustRoot::certificate).collect()
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
            "certificate": self.shown(routing.hosts),
            "edge": {
                "ca": self.anchors(),
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
                (authority, self.anchors().into_bytes()),
            ])),
            type_: Some("Opaque".to_owned()),
            ..Secret::default()
        };
        Owned::namespaced(OwnedKind::Secret, tenant, &secret)
    }

    /// The files of [`Keyring::for_pod`] that the tenant's programs listen with, as a program tells which it goes by.
    pub fn listen_files(&self) -> Value {
        json!({
            "clientCaFile": Digest::of(self.anchors().as_bytes()).to_string(),
            "certificateFile": Digest::of(self.pod.chain.as_bytes()).to_string(),
        })
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

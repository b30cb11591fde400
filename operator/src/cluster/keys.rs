//! A tenant's keys as they are to be: under the root that its plan asks for, with the certificate that its owner supplies.

use std::net::SocketAddr;

use jiff::Timestamp;
use pavilion_bundle::{HostName, TenantName};
use pavilion_catalogue::{Entry, manifest};
use pavilion_crds::IssuerRef;

use super::{
    isolation::HEALTH_PORTS,
    keyring::{Keyring, KeyringError, Routing},
    memory::InForce,
    pods::TenantPod,
    reconcile::Context,
    remembered::KnownKeys,
    supplies::{Content, Supply, SupplyError},
};
use crate::{
    desired::CertificateSource,
    host::{Program, Report, ask_at},
    status::Verdict,
    trust_root::TrustRoot,
    validate::{CertificateError, ServerCertificate},
};

/// A tenant's keys, and what there is to say of them.
pub struct Keys {
    /// None as long as a tenant that never had any waits for its root.
    pub keyring: Option<Keyring>,
    /// Whether the root is the one that the plan asks for; nothing where it is made here and always was.
    pub root: Option<Verdict>,
    /// Why the certificate that its owner supplies is not shown.
    pub refused: Option<(&'static Entry, String)>,
}

/// What a round knows of a tenant's keys.
pub struct Asked<'a> {
    /// Everything a look needs.
    pub context: &'a Context,
    /// Whose they are.
    pub tenant: &'a TenantName,
    /// What is in force.
    pub in_force: &'a InForce,
    /// What the edge does with its requests.
    pub routing: &'a Routing<'a>,
    /// The time.
    pub now: Timestamp,
}

impl Asked<'_> {
    /// The keys: those that are known, those that were written before, or new ones, each a step further.
    ///
    /// # Errors
    /// Keys that cannot be read or made.
    pub async fn keys(&self, known: KnownKeys) -> Result<Keys, KeyringError> {
        let issuer = self.in_force.sizing.plan.trust_root.as_ref();
        let issuer = issuer.map(|root| &root.issuer_ref);
        let given = match issuer {
            Some(issuer) => Some(self.given(issuer).await?),
            None => None,
        };
        let is_new = matches!(known, KnownKeys::New);
        let hosts = self.in_force.desired.hosts();
        let mut keyring = match self.kept(known).await? {
            Some(mut keyring) => {
                keyring.renew(self.tenant, hosts, self.now)?;
                keyring
            }
            None => match self.first(given.as_ref(), is_new).await? {
                Some(keyring) => keyring,
                None => return Ok(Keys::waiting(given)),
            },
        };
        if let Some(wanted) = self.wanted(&keyring, given.as_ref())? {
            let everywhere = keyring.changes() && self.is_everywhere(&keyring).await;
            keyring.approach(wanted, everywhere, self.tenant, hosts, self.now)?;
        }
        let refused = self.supply(&mut keyring).await?;
        Ok(Keys {
            root: verdict(issuer, given, &keyring),
            refused,
            keyring: Some(keyring),
        })
    }

    /// Those that were there before.
    async fn kept(&self, known: KnownKeys) -> Result<Option<Keyring>, KeyringError> {
        let Context {
            client, settings, ..
        } = self.context;
        let before = match known {
            KnownKeys::New => return Ok(None),
            KnownKeys::Written(keyring) => return Ok(Some(*keyring)),
            KnownKeys::Doubted(keyring) => Some(*keyring),
            KnownKeys::Unread => None,
        };
        match Keyring::load(client, &settings.namespace, self.tenant).await {
            Err(error @ KeyringError::Unreadable(..)) if before.is_some() => {
                tracing::warn!(%error, "{}: what somebody made of it is put right", self.tenant);
                Ok(before)
            }
            written => Ok(written?.or(before)),
        }
    }

    /// The first ones, unless their root is still to come.
    async fn first(
        &self,
        given: Option<&Result<TrustRoot, String>>,
        is_new: bool,
    ) -> Result<Option<Keyring>, KeyringError> {
        let root = match given {
            None => TrustRoot::make(self.tenant.as_str(), self.now)?,
            Some(Ok(root)) => root.clone(),
            Some(Err(_)) => return Ok(None),
        };
        let pins = if is_new {
            None
        } else {
            Keyring::pins_of_pod(&self.context.client, self.tenant).await?
        };
        let hosts = self.in_force.desired.hosts();
        Keyring::make(self.tenant, root, hosts, pins, self.now).map(Some)
    }

    /// The root that cert-manager gave, or why there is none.
    async fn given(&self, issuer: &IssuerRef) -> Result<Result<TrustRoot, String>, KeyringError> {
        let (context, tenant) = (self.context, self.tenant);
        let supplied = match context.supplies.of(Supply::Authority, tenant).await {
            Ok(supplied) => supplied,
            Err(SupplyError::Absent(_)) => {
                let said = context.certificates.said(tenant);
                let why = format!("{issuer} has not vouched for the tenant yet: {said}");
                return Ok(Err(why));
            }
            Err(error @ SupplyError::Lacks(..)) => return Ok(Err(error.to_string())),
            Err(error @ SupplyError::Api(..)) => return Err(error.into()),
        };
        let Content {
            chain,
            key,
            authority,
        } = &*supplied;
        let root = TrustRoot::given(
            tenant.as_str(),
            chain,
            key.clone(),
            authority.as_deref(),
            self.made_for(),
            self.now,
        );
        Ok(root.map_err(|error| format!("what {issuer} gave cannot be used: {error}")))
    }

    /// The hosts that a certificate is made for which relying parties see: none where the owner supplies one.
    fn made_for(&self) -> &[HostName] {
        let desired = &self.in_force.desired;
        match desired.certificate {
            CertificateSource::InSecret => &[],
            _ => desired.hosts(),
        }
    }

    /// The root to go to; `None` where that is the one in force, or nobody knows yet which it is.
    fn wanted(
        &self,
        keyring: &Keyring,
        given: Option<&Result<TrustRoot, String>>,
    ) -> Result<Option<TrustRoot>, KeyringError> {
        match given {
            Some(Ok(root)) => Ok(Some(root.clone())),
            Some(Err(_)) => Ok(None),
            None if keyring.root().is_own() && !keyring.changes() => Ok(None),
            None => keyring.own_root(self.tenant, self.now).map(Some),
        }
    }

    /// Whether the edge and the tenant's programs go by these keys. One that nothing is sent to is not waited for.
    async fn is_everywhere(&self, keyring: &Keyring) -> bool {
        let (context, tenant) = (self.context, self.tenant);
        let namespace = &context.settings.namespace;
        let written = keyring.object(tenant, self.routing, namespace);
        let applied =
            context
                .applier
                .has_route_of(std::slice::from_ref(&written), tenant, namespace);
        if !applied || context.is_reached(tenant) {
            return false;
        }
        match context.pods.of(tenant) {
            None => true,
            Some(pod) => go_by(&pod, keyring).await,
        }
    }

    /// Takes on what the owner supplies for the tenant's hosts. What cannot be used leaves what was shown before.
    async fn supply(
        &self,
        keyring: &mut Keyring,
    ) -> Result<Option<(&'static Entry, String)>, KeyringError> {
        let desired = &self.in_force.desired;
        if !matches!(desired.certificate, CertificateSource::InSecret) {
            keyring.supply(None);
            return Ok(None);
        }
        let content = self.context.supplies.of(Supply::Certificate, self.tenant);
        let content = match content.await {
            Ok(content) => content,
            Err(error @ SupplyError::Api(..)) => return Err(error.into()),
            Err(error) => return Ok(Some((&manifest::CERTIFICATE_INVALID, error.to_string()))),
        };
        let hosts = desired.hosts();
        let read = ServerCertificate::read(&content.chain, &content.key, hosts);
        let read = read.and_then(|read| read.fits_the_edge(hosts).map(|()| read));
        Ok(match read {
            // Its end alone takes nothing off the air that was shown before; the status tells it by its time.
            Ok(read) if read.ended(self.now) && keyring.is_supplied(&read) => None,
            Ok(read) => match read.in_force(self.now) {
                Ok(()) => {
                    keyring.supply(Some(&read));
                    None
                }
                Err(error) if read.ended(self.now) => {
                    Some((&manifest::CERTIFICATE_EXPIRED, unfit(&error)))
                }
                Err(error) => Some((&manifest::CERTIFICATE_INVALID, unfit(&error))),
            },
            Err(error) => Some((&manifest::CERTIFICATE_INVALID, unfit(&error))),
        })
    }
}

impl Keys {
    fn waiting(given: Option<Result<TrustRoot, String>>) -> Self {
        let why = given.and_then(Result::err).unwrap_or_default();
        Self {
            keyring: None,
            root: Some(Verdict::no(&manifest::TRUST_ROOT_PENDING, why)),
            refused: None,
        }
    }
}

fn verdict(
    issuer: Option<&IssuerRef>,
    given: Option<Result<TrustRoot, String>>,
    keyring: &Keyring,
) -> Option<Verdict> {
    if let Some(Err(why)) = given {
        let why = format!("{why}. The root of before goes on to be used.");
        return Some(Verdict::no(&manifest::TRUST_ROOT_PENDING, why));
    }
    if keyring.changes() {
        let message = "the edge and the tenant's programs go from one root to the next";
        return Some(Verdict::no(&manifest::PROGRESSING, message));
    }
    let issuer = issuer?;
    let until = keyring.root().vouched_until();
    let until = until.map_or_else(String::new, |until| format!(" until {until}"));
    let message = format!("{issuer} vouches for it{until}");
    Some(Verdict::yes(&manifest::READY, message))
}

fn unfit(error: &CertificateError) -> String {
    let entry = match error.field() {
        "keyFile" => "tls.key",
        _ => "tls.crt",
    };
    format!(
        "the Secret that spec.ingress.tls.secretName names: {entry}: {error}. What was shown before is shown on."
    )
}

/// Whether the programs of a pod that listen go by these keys.
async fn go_by(pod: &TenantPod, keyring: &Keyring) -> bool {
    let listening = [
        (Program::Verifier, HEALTH_PORTS[0]),
        (Program::Auditor, HEALTH_PORTS[2]),
    ];
    let runs = |program| {
        let mut containers = pod.containers.iter();
        containers.any(|container| container.program == program && container.running)
    };
    if !pod.routable && !listening.iter().any(|(program, _)| runs(*program)) {
        return true;
    }
    let Some(address) = pod.address else {
        return false;
    };
    for (_, port) in listening {
        let report = ask_at(SocketAddr::new(address, port)).await;
        if !report.is_some_and(|report| listens_with(&report, keyring)) {
            return false;
        }
    }
    true
}

/// Whether a program says that it listens with these keys.
pub fn listens_with(report: &Report, keyring: &Keyring) -> bool {
    report.detail.get("listenFiles") == Some(&keyring.listen_files())
}

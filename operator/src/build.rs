//! Build: from a valid set to the desired state. Pure, and it cannot fail.

use pavilion_bundle::{Audit, ObjectName, PolicyRevision, RelyingParty, TenantBundle, TenantName};
use pavilion_crds::{Kind, NAMESPACE_PREFIX};
use pavilion_json::Digest;
use url::Url;

use crate::{
    desired::{CertificateSource, Desired, DesiredTenant},
    object_key::ObjectKey,
    records::Records,
    validate::{OwnCertificate, ValidRelyingParty, ValidSet, ValidTenant},
};

/// The bundles of all tenants, each with the number that its content has in `records`.
pub fn build(valid: &ValidSet, records: &mut Records, public_port: u16) -> Desired {
    records.accept(&valid.objects);
    let tenants = valid
        .tenants
        .iter()
        .map(|(name, tenant)| {
            let desired = DesiredTenant {
                bundle: bundle(name, tenant, records, public_port),
                certificate: match &tenant.certificate {
                    Some(OwnCertificate::Files(certificate)) => {
                        CertificateSource::Given(certificate.clone())
                    }
                    Some(OwnCertificate::InSecret) => CertificateSource::InSecret,
                    None => CertificateSource::Made,
                },
                rotate_every_seconds: tenant.rotate_every_seconds,
                overlap_seconds: tenant.overlap_seconds,
                suspend: tenant.suspend,
                hibernate: tenant.hibernate,
            };
            (name.clone(), desired)
        })
        .collect();
    Desired { tenants }
}

/// The last good state as this release says it: a policy's digest depends on the engine's version,
/// so after an upgrade the same policy is a new revision.
pub fn renew(desired: &mut Desired, records: &mut Records) {
    for (name, tenant) in &mut desired.tenants {
        for (policy, revision) in &mut tenant.bundle.policies {
            let digest = pavilion_policy::revision_digest(&revision.policy);
            if revision.digest != digest {
                revision.digest = digest;
                revision.revision = records.revision(&key(Kind::Policy, name, policy), digest);
            }
        }
        let content = content_digest(&tenant.bundle);
        let version = &mut records.tenant(name.as_str()).bundle;
        tenant.bundle.version = version.number_for(content);
    }
}

fn bundle(
    name: &TenantName,
    tenant: &ValidTenant,
    records: &mut Records,
    public_port: u16,
) -> TenantBundle {
    let policies = tenant
        .belongings
        .policies
        .iter()
        .map(|(policy, (content, digest))| {
            let key = key(Kind::Policy, name, policy);
            let revision = PolicyRevision {
                revision: records.revision(&key, *digest),
                digest: *digest,
                policy: content.clone(),
            };
            (policy.clone(), revision)
        })
        .collect();
    let relying_parties = tenant
        .belongings
        .relying_parties
        .iter()
        .map(|(party, content)| {
            let record = records.objects.get(&key(Kind::RelyingParty, name, party));
            let uid = record.map(|record| record.uid.clone()).unwrap_or_default();
            (party.clone(), relying_party(uid, content))
        })
        .collect();
    let mut bundle = TenantBundle {
        version: 0,
        tenant: name.clone(),
        region: tenant.home_region.clone(),
        issuer: issuer(&tenant.origin, public_port),
        hosts: tenant.hosts.clone(),
        lifetimes: tenant.lifetimes,
        audit: Audit {
            origin: records.tenant(name.as_str()).log_origin.clone(),
        },
        relying_parties,
        policies,
        trust_anchors: tenant.belongings.trust_anchors.clone(),
    };
    let content = content_digest(&bundle);
    let record = records.tenant(name.as_str());
    record.certificate = match &tenant.certificate {
        Some(OwnCertificate::Files(certificate)) => Some(certificate.fingerprint()),
        Some(OwnCertificate::InSecret) | None => None,
    };
    bundle.version = record.bundle.number_for(content);
    bundle
}

fn relying_party(uid: String, party: &ValidRelyingParty) -> RelyingParty {
    RelyingParty {
        uid,
        audience: party.audience.clone(),
        authentication: party.authentication.clone(),
        purposes: party.purposes.clone(),
        policies: party.policies.clone(),
        obligations: party.obligations.clone(),
    }
}

/// `https://` and the first host, with the port if it is not 443.
fn issuer(origin: &Url, public_port: u16) -> Url {
    let mut issuer = origin.clone();
    // Only a URL without a host cannot have a port.
    let _ = issuer.set_port(Some(public_port));
    issuer
}

fn key(kind: Kind, tenant: &TenantName, name: &ObjectName) -> ObjectKey {
    ObjectKey {
        kind,
        namespace: Some(format!("{NAMESPACE_PREFIX}{tenant}")),
        name: name.to_string(),
    }
}

/// The digest of a bundle without its number.
pub fn content_digest(bundle: &TenantBundle) -> Digest {
    let mut content = bundle.clone();
    content.version = 0;
    // Everything in a bundle has a JSON form; were that not so, a digest of nothing would only cost
    // a needless new version.
    pavilion_json::canonical(&content).map_or_else(|_| Digest::of(b""), |bytes| Digest::of(&bytes))
}

//! Tenants: hosts, certificates, lifetimes.

use std::collections::BTreeMap;

use pavilion_bundle::{HostName, Lifetimes, TenantName};
use pavilion_catalogue::manifest;
use pavilion_crds::{Kind, TenantSpec, Tls};
use serde_json::Value;
use url::{Host, Url};

use super::{
    Belongings, Check, OwnCertificate, ServerCertificate, Shaped, ValidTenant, of_kind, texts,
};
use crate::manifests::{NamedFiles, Object};

/// A host belongs to one tenant.
pub(super) fn hosts(check: &mut Check<'_>, shaped: &[Shaped<'_>]) {
    let mut owners: BTreeMap<&str, &Object> = BTreeMap::new();
    for (object, value) in of_kind(shaped, Kind::Tenant) {
        for (index, host) in texts(&value["spec"]["ingress"]["hosts"])
            .into_iter()
            .enumerate()
        {
            let owner = *owners.entry(host).or_insert(object);
            if owner.key != object.key {
                let message = format!("{host} is already a host of {}", owner.key);
                let field = format!("spec.ingress.hosts[{index}]");
                check.refuse(object, &field, &manifest::HOST_CLAIMED, message);
            }
        }
    }
}

/// The tenant without its objects.
pub(super) fn read(
    check: &mut Check<'_>,
    object: &Object,
    value: &Value,
) -> Option<(TenantName, ValidTenant)> {
    let spec: TenantSpec = match serde_json::from_value(value["spec"].clone()) {
        Ok(spec) => spec,
        Err(error) => {
            check.refuse(object, "spec", &manifest::FIELD_INVALID, error.to_string());
            return None;
        }
    };
    let hosts = host_names(check, object, &spec.ingress.hosts)?;
    let origin = origin(hosts.first()?)?;
    let certificate = match &spec.ingress.tls {
        Some(tls) => Some(certificate(check, object, tls, &hosts)?),
        None => None,
    };
    let name = object.key.name.parse().ok()?;
    let tenant = ValidTenant {
        home_region: spec.regions.first()?.clone(),
        hosts,
        origin,
        certificate,
        rotate_every_seconds: spec.signing.rotate_every.as_seconds(),
        overlap_seconds: spec.signing.overlap.as_seconds(),
        lifetimes: Lifetimes {
            verification_seconds: spec.verification.time_to_live.as_seconds(),
            keep_result_seconds: spec.verification.keep_result.as_seconds(),
            answer_seconds: spec.verification.answer_time_to_live.as_seconds(),
            token_seconds: spec.verification.token_time_to_live.as_seconds(),
            clock_leeway_seconds: spec.verification.clock_leeway.as_seconds(),
        },
        suspend: spec.suspend,
        hibernate: spec.hibernate,
        belongings: Belongings::default(),
    };
    Some((name, tenant))
}

fn host_names(check: &mut Check<'_>, object: &Object, hosts: &[String]) -> Option<Vec<HostName>> {
    let mut names = Vec::new();
    for (index, host) in hosts.iter().enumerate() {
        let name: Result<HostName, _> = host.parse();
        let name = name.map_err(|error| error.to_string()).and_then(|name| {
            let taken = origin(&name).is_some();
            let message =
                "cannot stand in a URL: its last label is a number, or it is no valid IDNA name";
            taken.then_some(name).ok_or_else(|| message.to_owned())
        });
        match name {
            Ok(name) => names.push(name),
            Err(message) => {
                let field = format!("spec.ingress.hosts[{index}]");
                check.refuse(object, &field, &manifest::FIELD_INVALID, message);
            }
        }
    }
    (names.len() == hosts.len()).then_some(names)
}

/// `https://` and the host. The URL standard takes a host whose last label is a number for an IPv4
/// address, and clients would too.
fn origin(host: &HostName) -> Option<Url> {
    let origin = Url::parse(&format!("https://{host}")).ok()?;
    let named = matches!(origin.host(), Some(Host::Domain(name)) if name == host.as_str());
    named.then_some(origin)
}

/// What the rules of the schema let through: a Secret, which is in a cluster, or two files, which are on one host.
fn certificate(
    check: &mut Check<'_>,
    object: &Object,
    tls: &Tls,
    hosts: &[HostName],
) -> Option<OwnCertificate> {
    let of_a_cluster = check.set.files.are_of_a_cluster();
    let (field, entry, message) = match (&tls.secret_name, &tls.certificate_file, &tls.key_file) {
        (Some(_), ..) if of_a_cluster => return Some(OwnCertificate::InSecret),
        (None, Some(chain), Some(key)) if !of_a_cluster => {
            return from_files(check, object, chain, key, hosts).map(OwnCertificate::Files);
        }
        (Some(_), ..) => (
            "secretName",
            &manifest::FIELD_INVALID,
            "Secrets are in a cluster: give certificateFile and keyFile",
        ),
        _ => (
            "certificateFile",
            &manifest::FILE_UNREADABLE,
            "in a cluster no file lies beside an object: give secretName",
        ),
    };
    check.refuse(object, &format!("spec.ingress.tls.{field}"), entry, message);
    None
}

fn from_files(
    check: &mut Check<'_>,
    object: &Object,
    chain: &str,
    key: &str,
    hosts: &[HostName],
) -> Option<ServerCertificate> {
    let mut text = |field: &str, name: &str| {
        let field = format!("spec.ingress.tls.{field}");
        check.file(object, &field, name, NamedFiles::text)
    };
    let chain = text("certificateFile", chain);
    let key = text("keyFile", key);
    let read = ServerCertificate::read(chain?, key?, hosts).and_then(|certificate| {
        match certificate.in_force(check.now) {
            // Time alone must not make a set invalid: a correction elsewhere in it, or a restart,
            // would then be blocked by it. The tenant's status says it loudly.
            Err(_) if certificate.ended(check.now) && unchanged(check, object, &certificate) => {}
            other => other?,
        }
        Ok(certificate)
    });
    match read {
        Ok(certificate) => Some(certificate),
        Err(error) => {
            let field = format!("spec.ingress.tls.{}", error.field());
            check.refuse(
                object,
                &field,
                &manifest::CERTIFICATE_INVALID,
                error.to_string(),
            );
            None
        }
    }
}

/// Whether it is the certificate that was accepted before.
fn unchanged(check: &Check<'_>, object: &Object, certificate: &ServerCertificate) -> bool {
    let record = check.records.tenants.get(&object.key.name);
    record.is_some_and(|record| record.certificate == Some(certificate.fingerprint()))
}

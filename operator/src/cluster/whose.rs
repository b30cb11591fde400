//! Whose an object is, by what it is called. A label alone can be set by whoever may make an object anywhere.

use pavilion_bundle::TenantName;
use pavilion_crds::NAMESPACE_PREFIX;

use super::{keyring, kinds::OwnedKind, owned::OwnedKey, supplies::authority_of};

/// The tenant whose an object is: it lies in that tenant's namespace, is that namespace, or lies in the operator's, which
/// is `beside`, under a name that is made from the tenant's. `None` for what is nobody's.
pub fn whose(key: &OwnedKey, beside: &str) -> Option<TenantName> {
    match &key.namespace {
        Some(namespace) if namespace == beside => named_for(key),
        Some(namespace) => of_namespace(namespace),
        None if key.name == beside => None,
        None => of_namespace(&key.name),
    }
}

fn of_namespace(name: &str) -> Option<TenantName> {
    name.strip_prefix(NAMESPACE_PREFIX)?.parse().ok()
}

/// Whose one in the operator's namespace is.
fn named_for(key: &OwnedKey) -> Option<TenantName> {
    let name: fn(&TenantName) -> String = match key.kind {
        OwnedKind::Secret | OwnedKind::TlsRoute => keyring::name_of,
        OwnedKind::Certificate => authority_of,
        _ => return None,
    };
    let (_, tenant) = key.name.split_once('-')?;
    let tenant = tenant.parse().ok()?;
    (name(&tenant) == key.name).then_some(tenant)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: OwnedKind, namespace: Option<&str>, name: &str) -> Option<String> {
        let key = OwnedKey {
            kind,
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        };
        whose(&key, "pavilion-system").map(|tenant| tenant.to_string())
    }

    #[test]
    fn an_object_is_a_tenants_in_its_namespace_and_beside_the_operator_under_its_name() {
        use OwnedKind::{Certificate, ConfigMap, Namespace, Secret, TlsRoute};
        let beside = Some("pavilion-system");
        let acme = Some("acme-eu".to_owned());
        assert_eq!(of(ConfigMap, Some("pavilion-acme-eu"), "any"), acme);
        assert_eq!(of(Namespace, None, "pavilion-acme-eu"), acme);
        assert_eq!(of(Secret, beside, "tenant-acme-eu"), acme);
        assert_eq!(of(TlsRoute, beside, "tenant-acme-eu"), acme);
        assert_eq!(of(Certificate, beside, "root-acme-eu"), acme);
        for (kind, namespace, name) in [
            (ConfigMap, Some("default"), "pavilion"),
            (ConfigMap, beside, "tenant-acme-eu"),
            (ConfigMap, beside, "evidence-acme-eu-1"),
            (Secret, beside, "root-acme-eu"),
            (Secret, beside, "pavilion-control-root"),
            (Certificate, beside, "tenant-acme-eu"),
            (Namespace, None, "pavilion-system"),
            (Namespace, None, "default"),
        ] {
            assert_eq!(of(kind, namespace, name), None, "{namespace:?} {name}");
        }
    }
}

//! What a tenant's keys come to.

#![allow(clippy::unwrap_used)]

use std::time::SystemTime;

use jiff::SignedDuration;
use pavilion_process::mutual_tls::{Credentials, client_config, server_config};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyIdMethod, KeyPair};
use rustls::{ClientConnection, ServerConnection};
use rustls_pki_types::ServerName;
use x509_parser::{extensions::ParsedExtension, pem::Pem};

use super::*;

fn day(number: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + number * 86_400).unwrap()
}

fn made(tenant: &TenantName, hosts: &[HostName]) -> Keyring {
    let root = TrustRoot::make(tenant.as_str(), day(0)).unwrap();
    Keyring::make(tenant, root, hosts, None, day(0)).unwrap()
}

#[test]
fn certificates_are_renewed_in_time_and_the_pins_never_change() {
    let (tenant, hosts) = ("acme".parse().unwrap(), ["a.example".parse().unwrap()]);
    let mut keyring = made(&tenant, &hosts);
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
fn in_the_last_minutes_of_a_root_nothing_is_made_or_written_again() {
    let (tenant, hosts) = ("acme".parse().unwrap(), ["a.example".parse().unwrap()]);
    let root = given(day(0));
    let end = root.not_after().unwrap();
    let now = end - SignedDuration::from_secs(60);
    let mut keyring = Keyring::make(&tenant, root, &hosts, None, now).unwrap();
    let first = serde_json::to_value(&keyring).unwrap();
    let last = end - SignedDuration::from_secs(1);
    for now in [now, last] {
        keyring.renew(&tenant, &hosts, now).unwrap();
        assert_eq!(serde_json::to_value(&keyring).unwrap(), first);
        let (due, _) = keyring.times(&tenant, &hosts).unwrap();
        assert!(due > now);
    }
    keyring.renew(&tenant, &hosts, end).unwrap();
    assert!(keyring.times(&tenant, &hosts).unwrap().0 > end);
}

#[test]
fn a_new_host_gets_a_new_certificate_for_relying_parties_alone() {
    let (tenant, hosts) = ("acme".parse().unwrap(), ["a.example".parse().unwrap()]);
    let mut keyring = made(&tenant, &hosts);
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

/// Both ends of the way to a tenant's programs, each by the keys that it knows.
fn understand(edge: &Keyring, pod: &Keyring) -> bool {
    let side = |keyring: &Keyring, leaf: &Leaf| {
        let anchors = keyring.anchors();
        let parts = [&anchors, &leaf.chain, &*leaf.key].map(String::as_bytes);
        Credentials::given(parts[0], parts[1], parts[2]).unwrap()
    };
    let client = client_config(&side(edge, &edge.edge)).unwrap();
    let server = server_config(&side(pod, &pod.pod), EDGE_NAME).unwrap();
    let name = ServerName::try_from("acme.pavilion.internal").unwrap();
    let client = ClientConnection::new(client, name).unwrap();
    shake_hands(client, ServerConnection::new(server).unwrap())
}

fn shake_hands(mut client: ClientConnection, mut server: ServerConnection) -> bool {
    while client.is_handshaking() || server.is_handshaking() || client.wants_write() {
        let mut sent = Vec::new();
        client.write_tls(&mut sent).unwrap();
        server.read_tls(&mut sent.as_slice()).unwrap();
        let taken = server.process_new_packets().is_ok();
        let mut sent = Vec::new();
        server.write_tls(&mut sent).unwrap();
        client.read_tls(&mut sent.as_slice()).unwrap();
        if client.process_new_packets().is_err() || !taken {
            return false;
        }
    }
    true
}

/// A root that somebody vouches for.
fn given(now: Timestamp) -> TrustRoot {
    let made = TrustRoot::make("elsewhere", now).unwrap();
    let key = Zeroizing::new(made.key().to_owned());
    TrustRoot::given("acme", made.certificate(), key, None, &[], now).unwrap()
}

/// A root that one vouches for which ends then.
fn given_by_one_until(end: Timestamp, now: Timestamp) -> TrustRoot {
    let authority = |name: &str, end: Timestamp| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = SystemTime::from(end).into();
        (params, KeyPair::generate().unwrap())
    };
    let (above, key) = authority("Organisation", end);
    let top = above.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(above, key);
    let (root, key) = authority("acme", end + SignedDuration::from_hours(24 * 365));
    let chain = root.signed_by(&key, &issuer).unwrap().pem();
    let key = Zeroizing::new(key.serialize_pem());
    TrustRoot::given("acme", &chain, key, Some(&top), &[], now).unwrap()
}

#[test]
fn what_relying_parties_see_is_good_until_whoever_vouches_for_it_ends() {
    let (tenant, hosts) = ("acme".parse().unwrap(), ["a.example".parse().unwrap()]);
    let root = given_by_one_until(day(20), day(0));
    let keyring = Keyring::make(&tenant, root, &hosts, None, day(0)).unwrap();
    let (due, until) = keyring.times(&tenant, &hosts).unwrap();
    assert_eq!(until, day(20));
    // A new leaf would not help.
    assert!(due > day(59));
}

/// Every step from the keys as they are to a root.
fn steps(first: &Keyring, wanted: &TrustRoot, now: Timestamp) -> Vec<Keyring> {
    let (tenant, hosts) = ("acme".parse().unwrap(), ["a.example".parse().unwrap()]);
    let mut steps = vec![first.clone()];
    loop {
        let mut next = steps.last().unwrap().clone();
        let everywhere = next.changes();
        next.approach(wanted.clone(), everywhere, &tenant, &hosts, now)
            .unwrap();
        let done = !next.changes();
        steps.push(next);
        if done {
            return steps;
        }
    }
}

#[test]
fn while_one_root_takes_the_place_of_another_whoever_is_a_step_behind_is_understood() {
    let now = Timestamp::now();
    let (tenant, hosts) = ("acme".parse().unwrap(), ["a.example".parse().unwrap()]);
    let own = TrustRoot::make("acme", now).unwrap();
    let first = Keyring::make(&tenant, own, &hosts, None, now).unwrap();
    let issued = given(now);
    let there = steps(&first, &issued, now);
    let last = there.last().unwrap();
    let back = steps(last, &last.own_root(&tenant, now).unwrap(), now);
    for steps in [&there, &back] {
        assert_eq!(steps.len(), 4);
        for pair in steps.windows(2) {
            for edge in pair {
                assert!(pair.iter().all(|pod| understand(edge, pod)));
            }
        }
    }
    assert!(last.root().is(&issued) && back[3].root().is_own());
    // Without the steps in between they would not.
    assert!(!understand(&there[0], &there[3]) && !understand(&there[3], &there[0]));
}

/// An authority with this key, under this identifier, that an organisation vouches for.
fn vouched_for(key: &KeyPair, identifier: &[u8], now: Timestamp) -> TrustRoot {
    let authority = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    };
    let (above, its_key) = (authority("Organisation"), KeyPair::generate().unwrap());
    let top = above.self_signed(&its_key).unwrap().pem();
    let mut root = authority("acme");
    root.key_identifier_method = KeyIdMethod::PreSpecified(identifier.to_vec());
    let chain = root.signed_by(key, &Issuer::new(above, its_key)).unwrap();
    let key = Zeroizing::new(key.serialize_pem());
    TrustRoot::given("acme", &chain.pem(), key, Some(&top), &[], now).unwrap()
}

/// Of each certificate the identifier of its key, and that of the key that signed it, as far as it says so.
fn identifiers(pem: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let blocks = Pem::iter_from_buffer(pem.as_bytes()).map(Result::unwrap);
    let said = blocks.map(|block| {
        let certificate = block.parse_x509().unwrap();
        let (mut own, mut signer) = (Vec::new(), Vec::new());
        for extension in certificate.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(key) => own = key.0.to_vec(),
                ParsedExtension::AuthorityKeyIdentifier(found) => {
                    signer = found.key_identifier.as_ref().unwrap().0.to_vec();
                }
                _ => {}
            }
        }
        (own, signer)
    });
    said.collect()
}

#[test]
fn what_is_shown_names_the_root_above_it_whatever_the_next_one_calls_its_key() {
    let now = Timestamp::now();
    let (tenant, hosts) = ("acme".parse().unwrap(), ["a.example".parse().unwrap()]);
    let key = KeyPair::generate().unwrap();
    let root = vouched_for(&key, b"one", now);
    let first = Keyring::make(&tenant, root, &hosts, None, now).unwrap();
    let other_key = vouched_for(&KeyPair::generate().unwrap(), b"two", now);
    for wanted in [other_key, vouched_for(&key, b"two", now)] {
        let steps = steps(&first, &wanted, now);
        for step in &steps {
            let shown = identifiers(&step.shown(&hosts).chain);
            assert_eq!(shown[0].1, shown[1].0);
            let trusted = identifiers(&step.anchors());
            for leaf in [&step.pod, &step.edge] {
                let signer = &identifiers(&leaf.chain)[0].1;
                assert!(trusted.iter().any(|(own, _)| own == signer));
            }
        }
        let signers = steps
            .iter()
            .map(|step| identifiers(&step.public.chain)[0].1.clone());
        assert_eq!(
            signers.collect::<Vec<_>>(),
            [b"one", b"one", b"two", b"two"]
        );
    }
    // Nothing has to be made anew for one that is the same but for its time.
    let renewed = steps(&first, &vouched_for(&key, b"one", now), now);
    assert!(renewed.len() == 2 && renewed[1].public.chain == first.public.chain);
}

#[test]
fn both_authorities_are_published_before_relying_parties_see_the_next() {
    let now = Timestamp::now();
    let (tenant, hosts) = ("acme".parse().unwrap(), ["a.example".parse().unwrap()]);
    let own = TrustRoot::make("acme", now).unwrap();
    let first = Keyring::make(&tenant, own.clone(), &hosts, None, now).unwrap();
    let issued = given(now);
    let steps = steps(&first, &issued, now);
    let (told, signed, done) = (&steps[1], &steps[2], &steps[3]);
    assert_eq!(told.public.chain, first.public.chain);
    assert_ne!(signed.public.chain, first.public.chain);
    for step in [told, signed] {
        let published = step.authority();
        assert!(published.contains(own.certificate()) && published.contains(issued.authority()));
    }
    assert_eq!(done.authority(), issued.authority());
}

#[test]
fn what_somebody_supplied_is_shown_where_it_names_every_host_and_the_own_one_otherwise() {
    let now = Timestamp::now();
    let (tenant, hosts) = ("acme".parse().unwrap(), ["a.example".parse().unwrap()]);
    let own = TrustRoot::make("acme", now).unwrap();
    let mut keyring = Keyring::make(&tenant, own, &hosts, None, now).unwrap();
    let theirs = given(now).sign(Side::Server, &hosts, now).unwrap();
    keyring.supply(Some(&theirs));
    assert!(keyring.is_supplied(&theirs));
    assert!(keyring.shown(&hosts).chain == theirs.chain);
    let more = ["a.example".parse().unwrap(), "b.example".parse().unwrap()];
    keyring.renew(&tenant, &more, now).unwrap();
    assert!(keyring.shown(&more).read(&more).is_some());
    assert!(keyring.shown(&hosts).chain == theirs.chain);
    let kept = serde_json::to_value(&keyring).unwrap();
    assert!(kept["supplied"].is_object());
    keyring.supply(None);
    let kept = serde_json::to_value(&keyring).unwrap();
    assert!(kept.get("supplied").is_none() && kept.get("beside").is_none());
}

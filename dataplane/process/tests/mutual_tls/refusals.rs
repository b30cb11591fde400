//! Who does not get in.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use pavilion_process::crypto;
use pavilion_process::entrance::Places;
use pavilion_process::mutual_tls::{Listener, Settings};
use rcgen::{ExtendedKeyUsagePurpose, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::door::{Door, PATIENCE, context, settings};
use crate::roots::{CLIENT, Leaf, Mount, Root};

#[tokio::test]
async fn the_client_with_the_right_name_gets_in_again_and_again() {
    let door = Door::open().await;
    let router = door.router();
    for _ in 0..3 {
        door.knock(Arc::clone(&router)).await.unwrap();
    }
    door.until_counted("ok", 3).await;
    assert_eq!(door.let_in.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_certificate_that_is_not_that_clients_is_refused_and_counted() {
    let door = Door::open().await;
    let root = &door.root;
    let bad = [
        ("of another tenant's root", Root::new().client()),
        (
            "expired",
            root.leaf(CLIENT, |params| {
                params.not_after = date_time_ymd(2020, 1, 1);
            }),
        ),
        (
            "not valid yet",
            root.leaf(CLIENT, |params| {
                params.not_before = date_time_ymd(2099, 1, 1);
            }),
        ),
        (
            "for servers",
            root.leaf(CLIENT, |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }),
        ),
        (
            "for nothing that it says",
            root.leaf(CLIENT, |params| params.extended_key_usages.clear()),
        ),
        (
            "for anything",
            root.leaf(CLIENT, |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any];
            }),
        ),
    ];
    for (index, (what, leaf)) in bad.iter().enumerate() {
        let client = door.client(leaf, &root.pem);
        assert!(door.knock(client).await.is_err(), "a certificate {what}");
        door.until_counted("certificate_refused", index + 1).await;
    }
    for (index, name) in ["other.pavilion.internal", "*.pavilion.internal"]
        .into_iter()
        .enumerate()
    {
        let client = door.client(&root.leaf(name, |_| {}), &root.pem);
        assert!(door.knock(client).await.is_err(), "{name}");
        door.until_counted("wrong_name", index + 1).await;
    }
    assert_eq!(door.let_in.load(Ordering::SeqCst), 0);
}

/// A client of other versions, with or without a certificate.
fn client(
    door: &Door,
    versions: &[&'static SupportedProtocolVersion],
    own: Option<&Leaf>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(door.root.pem.as_bytes()).unwrap())
        .unwrap();
    let builder = ClientConfig::builder_with_provider(crypto::provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(leaf) => {
            let chain = CertificateDer::from_pem_slice(leaf.certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![chain], key).unwrap()
        }
    };
    Arc::new(config)
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    let door = Door::open().await;
    let nobody = client(&door, &[&TLS13], None);
    assert!(door.knock(nobody).await.is_err());
    door.until_counted("no_certificate", 1).await;
    assert_eq!(door.let_in.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn tls_1_2_is_refused_also_with_the_right_certificate() {
    let door = Door::open().await;
    let old = client(&door, &[&TLS12], Some(&door.root.client()));
    assert!(door.knock(old).await.is_err());
    door.until_counted("incompatible", 1).await;
    let new = client(&door, &[&TLS13], Some(&door.root.client()));
    door.knock(new).await.unwrap();
}

#[tokio::test]
async fn plain_http_is_refused_unread() {
    let door = Door::open().await;
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: acme\r\n\r\n")
        .await
        .unwrap();
    let mut heard = Vec::new();
    // An alert or a reset; in any case the end, and nothing of HTTP.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut heard))
        .await
        .expect("closed");
    assert!(!heard.starts_with(b"HTTP"), "{heard:?}");
    door.until_counted("not_tls", 1).await;
    assert_eq!(door.let_in.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn every_result_is_counted_from_zero() {
    let door = Door::open().await;
    for result in ["ok", "no_certificate", "timed_out", "displaced", "failed"] {
        door.until_counted(result, 0).await;
    }
    assert!(door.counts("pavilion_mutual_tls_files_refused_total 0"));
}

#[tokio::test]
async fn a_listener_that_cannot_be_says_why_by_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new();
    let mount = Mount::new(folder.path(), &root.pem, &root.server());
    let refused = async |change: &dyn Fn(&mut Settings)| {
        let mut settings = settings(&mount);
        change(&mut settings);
        let refused = Listener::bind(&settings, &context()).await.unwrap_err();
        (refused.code(), refused.to_string())
    };
    let (code, why) = refused(&|settings| settings.client_name = "not a name".to_owned()).await;
    assert_eq!(code, 78);
    assert!(why.starts_with("listen.clientName"), "{why}");
    let (code, why) = refused(&|settings| settings.key_file = "gone.key".into()).await;
    assert_eq!(code, 66);
    assert!(why.starts_with("gone.key: "), "{why}");
    let (code, why) = refused(&|settings| settings.key_file = mount.certificate()).await;
    assert_eq!(code, 78);
    assert!(why.contains("tls.crt: "), "{why}");
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap();
    let (code, why) = refused(&|settings| settings.address = taken).await;
    assert_eq!(code, 69);
    assert!(why.contains(&taken.to_string()), "{why}");
}

#[test]
fn an_entrance_needs_at_least_one_place() {
    let nowhere = Places {
        member: "socket",
        socket: None,
        allowed_uids: &[],
        listen: None,
    };
    let refused = nowhere.check().unwrap_err();
    assert_eq!(refused.code(), 78);
    assert!(
        refused.to_string().starts_with("socket, listen: neither"),
        "{refused}"
    );
}

#[test]
fn settings_are_read_strictly() {
    let settings = json!({
        "address": "0.0.0.0:8443", "certificateFile": "tls/tls.crt", "keyFile": "tls/tls.key",
        "clientCaFile": "tls/ca.crt", "clientName": CLIENT,
    });
    let read: Settings = serde_json::from_value(settings.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), settings);
    let mut misspelt = settings.clone();
    misspelt["clientname"] = json!(CLIENT);
    assert!(serde_json::from_value::<Settings>(misspelt).is_err());
    let mut named = settings;
    named["address"] = json!("localhost:8443");
    assert!(serde_json::from_value::<Settings>(named).is_err());
}

//! Files that are replaced while connections come and go.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::door::{Door, answered};
use crate::roots::{Leaf, Root};

/// The certificate that the server showed.
fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

/// Comes in until the server shows another certificate than `before`.
async fn until_renewed(door: &Door, before: &[u8]) {
    let router = door.router();
    loop {
        let stream = door.knock(Arc::clone(&router)).await.unwrap();
        if shown(&stream) != before {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_and_open_connections_stay() {
    let door = Door::open().await;
    let mut open = door.knock(door.router()).await.unwrap();
    door.mount.replace(&door.root.pem, &door.root.server());
    until_renewed(&door, &shown(&open)).await;
    answered(&mut open).await.unwrap();
    assert_eq!(door.check(), "");
    let in_force = pavilion_json::Digest::of(&fs::read(door.mount.certificate()).unwrap());
    let told = door.context.health.status().detail["listenFiles"].clone();
    assert_eq!(told["certificateFile"], in_force.to_string());
}

#[tokio::test]
async fn files_that_are_of_no_use_are_refused_and_the_ones_before_stay() {
    let door = Door::open().await;
    let open = door.knock(door.router()).await.unwrap();
    let (good, other) = (door.root.server(), door.root.server());
    let mixed = Leaf {
        certificate: good.certificate.clone(),
        key: other.key,
    };
    door.mount.replace(&door.root.pem, &mixed);
    door.until(|| door.check().contains("does not go with"), "refused")
        .await;
    assert!(door.check().contains("stay in force"), "{}", door.check());
    assert!(door.counts("pavilion_mutual_tls_files_refused_total 1"));
    let stream = door.knock(door.router()).await.unwrap();
    assert_eq!(shown(&stream), shown(&open));
    door.mount.replace("no certificate", &good);
    door.until(|| door.check().contains("holds no certificate"), "refused")
        .await;
    fs::remove_file(door.mount.key()).unwrap();
    door.until(|| door.check().contains("tls.key: "), "missed")
        .await;
    symlink("..data/tls.key", door.mount.key()).unwrap();
    door.until(|| door.check().contains("holds no certificate"), "refused")
        .await;
    door.mount.replace(&door.root.pem, &good);
    until_renewed(&door, &shown(&open)).await;
    door.until(|| door.check().is_empty(), "well again").await;
}

#[tokio::test]
async fn a_root_that_is_taken_away_shuts_its_clients_out() {
    let door = Door::open().await;
    let mut open = door.knock(door.router()).await.unwrap();
    let next = Root::new();
    let both = format!("{}{}", door.root.pem, next.pem);
    door.mount.replace(&both, &next.server());
    let new = door.client(&next.client(), &next.pem);
    door.until_in(&new).await;
    let old = door.client(&door.root.client(), &next.pem);
    door.knock(Arc::clone(&old)).await.unwrap();
    door.mount.replace(&next.pem, &next.server());
    while door.knock(Arc::clone(&old)).await.is_ok() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    door.knock(new).await.unwrap();
    answered(&mut open).await.unwrap();
}

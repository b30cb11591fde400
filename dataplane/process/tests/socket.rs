//! What a program may rely on when it listens on a unix socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pavilion_process::socket::{ListenError, Listener, Peers};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

#[tokio::test]
async fn a_socket_appears_with_mode_0660_and_goes_with_its_listener() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    let listener = Listener::bind(&path, Peers::own_user()).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o660);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    drop(listener);
    assert!(!path.exists());
}

#[tokio::test]
async fn the_socket_of_a_dead_process_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "the dead leave their file behind");
    let listener = Listener::bind(&path, Peers::own_user()).unwrap();
    let mut client = UnixStream::connect(&path).await.unwrap();
    client.write_all(b"hello").await.unwrap();
    let mut heard = [0; 5];
    listener
        .accept()
        .await
        .read_exact(&mut heard)
        .await
        .unwrap();
    assert_eq!(&heard, b"hello");
}

#[tokio::test]
async fn a_socket_somebody_listens_on_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    let first = Listener::bind(&path, Peers::own_user()).unwrap();
    let second = Listener::bind(&path, Peers::own_user());
    assert!(matches!(second, Err(ListenError::Taken(_))), "{second:?}");
    UnixStream::connect(&path).await.unwrap();
    first.accept().await;
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_never_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    fs::write(&path, "keep me").unwrap();
    let refused = Listener::bind(&path, Peers::Any);
    assert!(matches!(refused, Err(ListenError::NotASocket(_))));
    assert_eq!(fs::read_to_string(&path).unwrap(), "keep me");
}

#[tokio::test]
async fn a_folder_that_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no/api.sock");
    let refused = Listener::bind(&path, Peers::Any).unwrap_err().to_string();
    assert!(refused.contains("no/api.sock"), "{refused}");
}

#[tokio::test]
async fn a_peer_of_a_foreign_user_is_closed_unread_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    let nobody_here = Peers::Uids(BTreeSet::from([4_000_000_000]));
    let listener = Listener::bind(&path, nobody_here).unwrap();
    let refused = listener.refused();
    let mut client = UnixStream::connect(&path).await.unwrap();
    let accepted = timeout(Duration::from_millis(100), listener.accept()).await;
    assert!(accepted.is_err(), "the connection must not be handed out");
    assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0, "closed");
    assert_eq!(refused.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn an_empty_list_of_uids_means_the_own_user() {
    assert_eq!(Peers::from_config(&[]), Peers::own_user());
    assert_eq!(Peers::from_config(&[7]), Peers::Uids(BTreeSet::from([7])));
}

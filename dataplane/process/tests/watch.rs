//! What a program may rely on when it follows a document.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use pavilion_process::watch::WatchError;
use pavilion_process::watch_document;
use tokio::time::timeout;

/// Far less than the 5 s look, so that what arrives was told by inotify.
const SOON: Duration = Duration::from_secs(3);

fn replace(path: &Path, text: &str) {
    let fresh = path.with_extension("new");
    fs::write(&fresh, text).unwrap();
    fs::rename(&fresh, path).unwrap();
}

#[tokio::test]
async fn each_replacement_is_handed_out_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.json");
    replace(&path, "one");
    let mut documents = watch_document(&path, 1_000);
    assert_eq!(documents.next().await.unwrap().unwrap(), "one");
    for text in ["two", "three"] {
        replace(&path, text);
        let next = timeout(SOON, documents.next()).await.expect("told at once");
        assert_eq!(next.unwrap().unwrap(), text);
    }
}

#[tokio::test]
async fn the_same_content_again_is_no_news() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.json");
    replace(&path, "one");
    let mut documents = watch_document(&path, 1_000);
    documents.next().await.unwrap().unwrap();
    replace(&path, "one");
    replace(&path, "two");
    let next = timeout(SOON, documents.next()).await.expect("told at once");
    assert_eq!(next.unwrap().unwrap(), "two");
}

#[tokio::test]
async fn a_document_that_comes_late_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.json");
    let mut documents = watch_document(&path, 1_000);
    let missing = documents.next().await.unwrap();
    assert_eq!(missing, Err(WatchError::Missing(path.clone())));
    assert!(documents.next().now_or_never().is_none(), "said once");
    replace(&path, "one");
    let next = timeout(SOON, documents.next()).await.expect("told at once");
    assert_eq!(next.unwrap().unwrap(), "one");
}

#[tokio::test]
async fn a_document_over_the_limit_is_an_error_and_the_next_one_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.json");
    replace(&path, "far too long");
    let mut documents = watch_document(&path, 5);
    let refused = documents.next().await.unwrap();
    assert!(matches!(
        refused,
        Err(WatchError::TooLarge { limit: 5, .. })
    ));
    replace(&path, "short");
    let next = timeout(SOON, documents.next()).await.expect("told at once");
    assert_eq!(next.unwrap().unwrap(), "short");
}

#[tokio::test]
async fn the_link_swap_of_a_mounted_volume_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (generation, text) in [("a", "one"), ("b", "two")] {
        fs::create_dir(at(generation)).unwrap();
        fs::write(at(generation).join("bundle.json"), text).unwrap();
    }
    std::os::unix::fs::symlink("a", at("..data")).unwrap();
    std::os::unix::fs::symlink("..data/bundle.json", at("bundle.json")).unwrap();
    let mut documents = watch_document(at("bundle.json"), 1_000);
    assert_eq!(documents.next().await.unwrap().unwrap(), "one");
    std::os::unix::fs::symlink("b", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    let next = timeout(SOON, documents.next()).await.expect("told at once");
    assert_eq!(next.unwrap().unwrap(), "two");
}

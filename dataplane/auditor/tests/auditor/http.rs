//! What everyone may read over HTTP, and what nobody may.

use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use pavilion_auditor::engine::Log;
use pavilion_auditor::http::answer;
use pavilion_tlog::{Checkpoint, Note, TilePath};

use crate::world::{append_all, entry, finish, key, open, open_signing};

async fn get(log: &Log, path: &str) -> (StatusCode, String, Vec<u8>) {
    let response: Response<Full<_>> = answer(log, &Method::GET, path).await;
    let (parts, body) = response.into_parts();
    let header = |name: &str| {
        parts
            .headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
            .to_owned()
    };
    let headers = format!("{} | {}", header("content-type"), header("cache-control"));
    (
        parts.status,
        headers,
        body.collect().await.unwrap().to_bytes().to_vec(),
    )
}

async fn code(log: &Log, path: &str) -> (u16, String) {
    let (status, headers, body) = get(log, path).await;
    assert_eq!(headers, "application/problem+json | no-store", "{path}");
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
    (
        status.as_u16(),
        problem["code"].as_str().unwrap().to_owned(),
    )
}

#[tokio::test]
async fn the_checkpoint_is_short_lived_text_that_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_signing(folder.path());
    append_all(&log, (0..300).map(entry).collect()).await;
    assert!(log.settle(std::time::Duration::from_mins(1)).await);
    let (status, headers, body) = get(&log, "/log/checkpoint").await;
    assert_eq!(
        (status, headers.as_str()),
        (
            StatusCode::OK,
            "text/plain; charset=utf-8 | public, max-age=2"
        )
    );
    let note: Note = String::from_utf8(body).unwrap().parse().unwrap();
    assert_eq!(Checkpoint::open(&note, &key()).unwrap().size(), 300);
    finish(log).await;
}

#[tokio::test]
async fn tiles_are_immutable_and_partial_ones_stay_when_the_tile_grows() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_signing(folder.path());
    append_all(&log, (0..300).map(entry).collect()).await;
    assert!(log.settle(std::time::Duration::from_mins(1)).await);
    let (status, headers, full) = get(&log, "/log/tile/0/000").await;
    assert_eq!((status, full.len()), (StatusCode::OK, 8192));
    assert_eq!(
        headers,
        "application/octet-stream | public, max-age=31536000, immutable"
    );
    for width in [1_usize, 44, 255] {
        let (_, _, partial) = get(&log, &format!("/log/tile/0/000.p/{width}")).await;
        assert_eq!(partial, full[..width * 32]);
    }
    let (_, _, edge) = get(&log, "/log/tile/0/001.p/44").await;
    assert_eq!(edge.len(), 44 * 32);
    assert_eq!(get(&log, "/log/tile/1/000.p/1").await.2.len(), 32);
    for path in [
        "/log/tile/0/001",
        "/log/tile/0/001.p/45",
        "/log/tile/1/000",
        "/log/tile/1/000.p/2",
        "/log/tile/0/002.p/1",
        "/log/tile/2/000.p/1",
        "/log/tile/63/000",
    ] {
        assert_eq!(
            code(&log, path).await,
            (404, "log_tile_unknown".into()),
            "{path}"
        );
    }
    let path: TilePath = "tile/entries/000".parse().unwrap();
    assert_eq!(log.tile(path).unwrap(), None);
    finish(log).await;
}

#[tokio::test]
async fn entries_are_private_and_strange_paths_and_methods_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_signing(folder.path());
    append_all(&log, (0..300).map(entry).collect()).await;
    assert!(log.settle(std::time::Duration::from_mins(1)).await);
    for path in [
        "/log/tile/entries/000",
        "/log/tile/entries/001.p/44",
        "/log/tile/entries/../0/000",
    ] {
        assert_eq!(
            code(&log, path).await,
            (404, "log_entries_private".into()),
            "{path}"
        );
    }
    for path in [
        "/log/tile/0/0",
        "/log/tile/00/000",
        "/log/tile/0/000.p/0",
        "/log/wal/00000000000000000000.wal",
        "/log/../log/checkpoint",
        "/log/checkpoint/",
        "/log/VERSION",
        "/log/",
    ] {
        assert_eq!(
            code(&log, path).await,
            (404, "log_tile_unknown".into()),
            "{path}"
        );
    }
    assert_eq!(code(&log, "/metrics").await, (404, "not_found".into()));
    let refused = answer(&log, &Method::POST, "/log/checkpoint").await;
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.headers()["allow"], "GET, HEAD");
    finish(log).await;
}

#[tokio::test]
async fn before_the_first_signature_there_is_no_checkpoint_and_no_tile() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    append_all(&log, (0..300).map(entry).collect()).await;
    assert_eq!(
        code(&log, "/log/checkpoint").await,
        (503, "log_unavailable".into())
    );
    assert_eq!(
        code(&log, "/log/tile/0/000").await,
        (404, "log_tile_unknown".into())
    );
    log.close();
}

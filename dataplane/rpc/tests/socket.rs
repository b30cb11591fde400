//! What two programs of a tenant may rely on when they call each other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use pavilion_rpc::auditor::auditor_client::AuditorClient;
use pavilion_rpc::auditor::auditor_server::{Auditor, AuditorServer};
use pavilion_rpc::auditor::{
    AppendRequest, AppendResponse, HealthRequest, HealthResponse, Receipt, ReceiptRequest,
    ReceiptResponse, receipt::Outcome,
};
use pavilion_rpc::socket::{self, Peers};
use pavilion_rpc::{code_of, request, request_id_of, status_with_code};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::{Code, Request, Response, Status};

const SOON: Duration = Duration::from_secs(5);

/// Answers with what it was asked, so that a test sees what arrived.
struct Echo;

#[tonic::async_trait]
impl Auditor for Echo {
    async fn append(&self, _: Request<AppendRequest>) -> Result<Response<AppendResponse>, Status> {
        Err(status_with_code(
            Code::ResourceExhausted,
            "log_full",
            "the disk is full",
        ))
    }

    async fn receipt(
        &self,
        call: Request<ReceiptRequest>,
    ) -> Result<Response<ReceiptResponse>, Status> {
        let id = request_id_of(&call).unwrap_or("none").to_owned();
        let outcomes = vec![Receipt {
            outcome: Some(Outcome::Proof(id)),
        }];
        Ok(Response::new(ReceiptResponse { outcomes }))
    }

    async fn health(&self, _: Request<HealthRequest>) -> Result<Response<HealthResponse>, Status> {
        std::future::pending().await
    }
}

struct Running {
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), tonic::transport::Error>>,
}

fn start(path: &Path) -> Running {
    let listener = socket::bind(path, Peers::own_user()).unwrap();
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(socket::serve(listener, AuditorServer::new(Echo), async {
        let _ = stopped.await;
    }));
    Running { stop, ended }
}

fn client(path: &Path) -> AuditorClient<tonic::transport::Channel> {
    AuditorClient::new(socket::channel(path, SOON))
}

#[tokio::test]
async fn a_call_carries_its_request_id_and_a_failure_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auditor.sock");
    let _running = start(&path);
    let mut client = client(&path);
    let call = request(ReceiptRequest::default(), "01JX");
    let echo = client.receipt(call).await.unwrap().into_inner();
    let id = Outcome::Proof("01JX".to_owned());
    assert_eq!(echo.outcomes[0].outcome, Some(id));
    let failure = client.append(AppendRequest::default()).await.unwrap_err();
    assert_eq!(failure.code(), Code::ResourceExhausted);
    assert_eq!(code_of(&failure), Some("log_full"));
}

#[tokio::test]
async fn a_client_survives_the_restart_of_its_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auditor.sock");
    let mut client = client(&path);
    let away = client.receipt(ReceiptRequest::default()).await.unwrap_err();
    assert_eq!(away.code(), Code::Unavailable);
    assert_eq!(code_of(&away), None);

    let first = start(&path);
    client.receipt(ReceiptRequest::default()).await.unwrap();
    first.stop.send(()).unwrap();
    first.ended.await.unwrap().unwrap();
    assert!(!path.exists(), "the file goes with the server");
    let away = client.receipt(ReceiptRequest::default()).await.unwrap_err();
    assert_eq!(away.code(), Code::Unavailable);

    let _second = start(&path);
    client.receipt(ReceiptRequest::default()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_answer_costs_no_more_than_the_time_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auditor.sock");
    let _running = start(&path);
    let mut client = AuditorClient::new(socket::channel(&path, Duration::from_millis(50)));
    let failure = client.health(HealthRequest {}).await.unwrap_err();
    assert!(
        matches!(failure.code(), Code::Cancelled | Code::DeadlineExceeded),
        "{failure}"
    );
}

#[tokio::test]
async fn a_process_of_a_foreign_user_gets_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auditor.sock");
    let foreign = Peers::Uids(BTreeSet::from([4_000_000_000]));
    let listener = socket::bind(&path, foreign).unwrap();
    let refused = listener.refused();
    tokio::spawn(socket::serve(
        listener,
        AuditorServer::new(Echo),
        std::future::pending(),
    ));
    let failure = client(&path)
        .receipt(ReceiptRequest::default())
        .await
        .unwrap_err();
    assert_eq!(code_of(&failure), None, "{failure}");
    assert!(refused.load(std::sync::atomic::Ordering::Relaxed) >= 1);
}

#[tokio::test]
async fn beyond_the_limit_a_connection_waits_until_another_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auditor.sock");
    let _running = start(&path);
    // Connections that say nothing hold their places.
    let mut idle = Vec::new();
    for _ in 0..socket::MAX_CONNECTIONS {
        idle.push(tokio::net::UnixStream::connect(&path).await.unwrap());
    }
    let mut client = client(&path);
    let call = |client: &mut AuditorClient<_>| {
        let mut client = client.clone();
        async move {
            client
                .receipt(request(ReceiptRequest::default(), "01JX"))
                .await
        }
    };
    let waiting = tokio::spawn(call(&mut client));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished(), "there is no place");
    idle.pop();
    assert!(waiting.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_client_that_keeps_its_connection_does_not_keep_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auditor.sock");
    let running = start(&path);
    // It connects, says nothing and never goes.
    let _silent = tokio::net::UnixStream::connect(&path).await.unwrap();
    let mut client = client(&path);
    let call = request(ReceiptRequest::default(), "01JX");
    client.receipt(call).await.unwrap();
    running.stop.send(()).unwrap();
    let ended = tokio::time::timeout(SOON, running.ended).await;
    assert!(ended.expect("it ends").unwrap().is_ok());
}

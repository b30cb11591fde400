//! Tenants' programs that are reached over mutual TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pavilion_process::crypto;
use pavilion_process::mutual_tls::Listener;
use pavilion_process::stream::Stream;
use rcgen::date_time_ymd;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS12;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::pod::{Door, Pod, route, table, target};
use crate::reload::{Load, refused, served};
use crate::roots::{CLIENT, Root};
use crate::stage::Stage;

/// Far more than the second that connecting may take, and far less than the 30 that an answer may.
const SOON: Duration = Duration::from_secs(10);

/// The status and body of one request to `a.example`.
async fn ask(stage: &Stage, path: &str) -> (u16, Value) {
    let url = stage.url("a.example", path);
    let asking = stage.client("http/1.1").post(url).body("hello").send();
    let answer = timeout(SOON, asking)
        .await
        .expect("no answer soon")
        .unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap())
}

/// Asks, and is told that the tenant is away.
async fn is_away(stage: &Stage, what: &str) {
    let (status, problem) = ask(stage, "/").await;
    assert_eq!(status, 502, "{what}: {problem}");
    assert_eq!(problem["code"], "tenant_unavailable", "{what}");
}

/// So many requests of the tenant came to a status of this class.
async fn counted(stage: &Stage, class: &str, count: usize) {
    let line =
        format!("pavilion_router_requests_total{{tenant=\"acme\",code_class=\"{class}\"}} {count}");
    stage.until(|stage| stage.counts(&line)).await;
}

#[tokio::test]
async fn requests_pass_to_the_pod_on_one_connection_that_outlives_a_new_table() {
    let stage = Stage::start().await;
    let pod = Pod::serving(&stage).await;
    for _ in 0..3 {
        let (status, told) = ask(&stage, "/v1/things").await;
        assert_eq!((status, &told["name"]), (200, &"pod".into()), "{told}");
        let headers = told["headers"].to_string();
        assert!(headers.contains("x-request-id") && headers.contains("forwarded"));
    }
    assert_eq!(pod.handshakes("ok"), 1);
    route(&stage, 3, &pod.target()).await;
    assert_eq!(ask(&stage, "/").await.0, 200);
    assert_eq!(pod.handshakes("ok"), 1, "nothing changed for the upstream");
    pod.edge.replace(&pod.root.pem, &pod.root.client());
    route(&stage, 4, &pod.target()).await;
    assert_eq!(ask(&stage, "/").await.0, 200);
    assert_eq!(pod.handshakes("ok"), 2, "a new certificate is shown");
    counted(&stage, "2xx", 5).await;
}

#[tokio::test]
async fn an_edge_that_the_pod_does_not_know_gets_nothing_in() {
    let stage = Stage::start().await;
    let pod = Pod::serving(&stage).await;
    let root = &pod.root;
    let strangers = [
        (
            "of another tenant's root",
            Root::new().client(),
            "certificate_refused",
        ),
        (
            "expired",
            root.leaf(CLIENT, |params| {
                params.not_after = date_time_ymd(2020, 1, 1);
            }),
            "certificate_refused",
        ),
        ("for servers", root.server(), "certificate_refused"),
        (
            "of another name",
            root.leaf("other.pavilion.internal", |_| {}),
            "wrong_name",
        ),
    ];
    for (index, (what, leaf, result)) in strangers.iter().enumerate() {
        let before = pod.handshakes(result);
        pod.edge.replace(&root.pem, leaf);
        route(&stage, 3 + index as u64, &pod.target()).await;
        is_away(&stage, what).await;
        stage.until(|_| pod.handshakes(result) == before + 1).await;
        counted(&stage, "5xx", index + 1).await;
    }
    assert_eq!((pod.program.seen(), pod.handshakes("ok")), (0, 0));
    pod.edge.replace(&root.pem, &root.client());
    route(&stage, 9, &pod.target()).await;
    assert_eq!(ask(&stage, "/").await.0, 200);
}

#[tokio::test]
async fn a_pod_that_the_edge_does_not_know_gets_no_request() {
    let stage = Stage::start().await;
    let pod = Pod::serving(&stage).await;
    let other = Root::new();
    pod.edge.replace(&other.pem, &pod.root.client());
    route(&stage, 3, &pod.target()).await;
    is_away(&stage, "a root that does not vouch for the pod").await;
    pod.edge.replace(&pod.root.pem, &pod.root.client());
    let mut elsewhere = pod.target();
    elsewhere.server_name = "beta.pavilion.internal".parse().unwrap();
    route(&stage, 4, &elsewhere).await;
    is_away(&stage, "a name that is not the pod's").await;
    counted(&stage, "5xx", 2).await;
    assert_eq!((pod.program.seen(), pod.handshakes("ok")), (0, 0));
}

/// A server that is not what the edge expects; its address.
async fn old_server(pod: &Pod) -> SocketAddr {
    let leaf = pod.root.server();
    let chain = CertificateDer::from_pem_slice(leaf.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(crypto::provider())
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            assert!(acceptor.accept(stream).await.is_err());
        }
    });
    address
}

/// A server that speaks HTTP without TLS; its address.
async fn plain_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
            stream.write_all(answer).await.unwrap();
            let _ = stream.read_u8().await;
        }
    });
    address
}

#[tokio::test]
async fn neither_tls_1_2_nor_plain_http_is_spoken_to_a_pod() {
    let stage = Stage::start().await;
    let pod = Pod::start(&stage).await;
    let old = old_server(&pod).await;
    route(&stage, 2, &target(&pod.edge, old)).await;
    is_away(&stage, "TLS 1.2").await;
    let plain = plain_server().await;
    route(&stage, 3, &target(&pod.edge, plain)).await;
    is_away(&stage, "plain HTTP").await;
    counted(&stage, "5xx", 2).await;
}

#[tokio::test]
async fn a_pod_that_is_away_is_told_within_the_time_to_connect() {
    let stage = Stage::with(|config| config.time_outs.connect_ms = 200).await;
    let pod = Pod::start(&stage).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    route(&stage, 2, &target(&pod.edge, address)).await;
    is_away(&stage, "nobody listens").await;
    // Connections are made by the system, and nobody ever takes them.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    route(&stage, 3, &target(&pod.edge, address)).await;
    is_away(&stage, "nobody answers").await;
    counted(&stage, "5xx", 2).await;
}

#[tokio::test]
async fn a_request_that_a_pod_may_have_read_is_not_sent_again() {
    let stage = Stage::start().await;
    let door = Door::open(&stage).await;
    let address = door.listener.address().unwrap();
    let heads = Arc::new(AtomicUsize::new(0));
    tokio::spawn(answer_once_on_each(door.listener, Arc::clone(&heads)));
    route(&stage, 2, &target(&door.edge, address)).await;
    assert_eq!(ask(&stage, "/").await.0, 200);
    is_away(&stage, "the second request of a connection").await;
    assert_eq!(heads.load(Ordering::SeqCst), 2);
}

/// Answers the first request of each connection, and hangs up on the second once it has read it.
async fn answer_once_on_each(mut listener: Listener, heads: Arc<AtomicUsize>) {
    loop {
        let mut stream = listener.accept().await;
        let heads = Arc::clone(&heads);
        tokio::spawn(async move {
            read_request(&mut stream, &heads).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
            stream.write_all(answer).await.unwrap();
            stream.flush().await.unwrap();
            read_request(&mut stream, &heads).await;
        });
    }
}

/// Reads up to the end of a body that says hello.
async fn read_request(stream: &mut Stream, heads: &AtomicUsize) {
    let mut read = Vec::new();
    while !read.ends_with(b"hello") && !read.ends_with(b"0\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        read.push(byte);
    }
    heads.fetch_add(1, Ordering::SeqCst);
}

#[tokio::test]
async fn files_that_are_of_no_use_are_named_and_the_table_before_serves() {
    let stage = Stage::start().await;
    let pod = Pod::serving(&stage).await;
    let folder = stage.folder.path();
    let mut missing = pod.target();
    missing.ca_file = "nowhere.crt".to_owned();
    stage.reroute(&table(folder, 3, &missing));
    stage.until(|stage| refused(stage).is_some()).await;
    let why = refused(&stage).unwrap();
    assert!(
        why.starts_with("routes[0].upstreams[0] (a.example): nowhere.crt: "),
        "{why}"
    );
    let mut mixed = pod.target();
    mixed.key_file = pod.own.key().to_str().unwrap().to_owned();
    stage.reroute(&table(folder, 4, &mixed));
    stage
        .until(|stage| refused(stage).is_some_and(|why| why.contains("does not go with")))
        .await;
    assert_eq!(served(&stage), 2);
    assert_eq!(ask(&stage, "/").await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_both_sides_change_root_and_certificates() {
    let stage = Stage::start().await;
    let pod = Pod::serving(&stage).await;
    let load = Load::start(&stage);
    let (mut version, mut root) = (2, None::<Root>);
    for _ in 0..4 {
        let before = root.as_ref().unwrap_or(&pod.root);
        let next = Root::new();
        let both = format!("{}{}", before.pem, next.pem);
        // First everybody trusts both roots, then everybody shows the new one, then the old one goes.
        for (trusted, shown) in [(&both, before), (&both, &next), (&next.pem, &next)] {
            pod.own.replace(trusted, &shown.server());
            pod.until_renewed(&stage).await;
            load.go_on(&stage).await;
            pod.edge.replace(trusted, &shown.client());
            version += 1;
            route(&stage, version, &pod.target()).await;
            load.go_on(&stage).await;
        }
        root = Some(next);
    }
    load.end().await;
    assert!(pod.handshakes("ok") >= 12);
    for result in ["certificate_refused", "wrong_name", "displaced"] {
        assert_eq!(pod.handshakes(result), 0, "{result}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_in_flight_finishes_on_the_connection_it_was_sent_on() {
    let stage = Arc::new(Stage::start().await);
    let pod = Pod::serving(&stage).await;
    let waiting = {
        let stage = Arc::clone(&stage);
        tokio::spawn(async move { ask(&stage, "/wait/700").await })
    };
    stage.until(|_| pod.handshakes("ok") == 1).await;
    let next = Root::new();
    pod.own.replace(&next.pem, &next.server());
    pod.until_renewed(&stage).await;
    pod.edge.replace(&next.pem, &next.client());
    route(&stage, 3, &pod.target()).await;
    assert_eq!(ask(&stage, "/").await.0, 200);
    assert_eq!(pod.handshakes("ok"), 2);
    let (status, told) = waiting.await.unwrap();
    assert_eq!((status, &told["name"]), (200, &"pod".into()));
}

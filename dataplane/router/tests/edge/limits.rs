//! Limits and time-outs, each with its answer.

use std::time::Duration;

use http_body_util::Full;
use hyper::Request;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::stage::{MAX_BODY, Stage, code_of, hear};

async fn code(answer: reqwest::Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let problem: Value = answer.json().await.unwrap();
    (status, problem["code"].as_str().unwrap().to_owned())
}

/// A body of that length whose length is not announced.
fn unannounced(length: u64) -> reqwest::Body {
    let parts = (0..length).map(|_| Ok::<_, std::io::Error>("x"));
    reqwest::Body::wrap_stream(futures::stream::iter(parts))
}

#[tokio::test]
async fn a_body_may_reach_the_limit_and_not_pass_it_announced_or_not() {
    let stage = Stage::start().await;
    for protocol in ["http/1.1", "h2"] {
        let url = stage.url("a.example", "/");
        let post = |body: reqwest::Body| stage.client(protocol).post(&url).body(body).send();
        let exact = usize::try_from(MAX_BODY).unwrap();
        assert_eq!(post("x".repeat(exact).into()).await.unwrap().status(), 200);
        assert_eq!(post(unannounced(MAX_BODY)).await.unwrap().status(), 200);
        let too_large = (413, "body_too_large".to_owned());
        let announced = post("x".repeat(exact + 1).into()).await.unwrap();
        assert_eq!(code(announced).await, too_large, "{protocol}");
        let streamed = post(unannounced(MAX_BODY + 1)).await.unwrap();
        assert_eq!(code(streamed).await, too_large, "{protocol}");
    }
    assert_eq!(
        stage.acme.seen(),
        4,
        "what is too large never arrives whole"
    );
    assert!(stage.counts(r#"pavilion_router_bodies_refused_total{reason="too_large"} 4"#));
}

#[tokio::test]
async fn a_head_that_dawdles_is_told_so() {
    let stage = Stage::with(|config| config.time_outs.header_ms = 50).await;
    assert_eq!(
        code_of(&stage.say("GET / HTTP/1.1\r\nHost: a.ex").await),
        "headers_too_slow"
    );
    assert_eq!(code_of(&stage.say("").await), "headers_too_slow");
    assert!(stage.counts(r#"pavilion_router_requests_total{tenant="acme",code_class="4xx"} 2"#));
}

#[tokio::test]
async fn a_body_that_stops_coming_is_told_so() {
    let stage = Stage::with(|config| config.time_outs.body_progress_ms = 50).await;
    let head = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nhalf";
    assert_eq!(code_of(&stage.say(head).await), "body_too_slow");
    assert_eq!(stage.acme.seen(), 0);
    assert!(stage.counts(r#"pavilion_router_bodies_refused_total{reason="too_slow"} 1"#));
}

#[tokio::test]
async fn a_body_that_keeps_coming_may_take_longer_than_its_pauses() {
    let stage = Stage::with(|config| config.time_outs.body_progress_ms = 200).await;
    let parts = futures::stream::unfold(0, |sent| async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        (sent < 6).then_some((Ok::<_, std::io::Error>("x"), sent + 1))
    });
    let url = stage.url("a.example", "/");
    let body = reqwest::Body::wrap_stream(parts);
    let answer = stage
        .client("h2")
        .post(url)
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_body_that_trickles_is_told_so() {
    let stage = Stage::with(|config| {
        config.time_outs.body_grace_ms = 200;
        config.limits.min_body_rate = 1_000;
    })
    .await;
    let parts = futures::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Ok::<_, std::io::Error>("x"), ()))
    });
    let url = stage.url("a.example", "/");
    let body = reqwest::Body::wrap_stream(parts);
    let answer = stage.client("h2").post(url).body(body).send().await;
    let too_slow = (408, "body_too_slow".to_owned());
    assert_eq!(code(answer.unwrap()).await, too_slow);
    assert!(stage.counts(r#"pavilion_router_bodies_refused_total{reason="too_slow"} 1"#));
}

#[tokio::test]
async fn a_client_that_sends_a_large_body_before_it_reads_is_told_that_it_is_too_large() {
    let stage = Stage::start().await;
    let body = "x".repeat(8 * 1024 * 1024);
    let announced = format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let chunked = format!(
        "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    for rest in [announced, chunked] {
        let mut stream = stage
            .connect("a.example", stage.tls(&["http/1.1"]))
            .await
            .unwrap();
        let request = format!("POST / HTTP/1.1\r\nHost: a.example\r\n{rest}");
        let sent = stream.write_all(request.as_bytes()).await;
        sent.expect("all is taken");
        let answer = hear(&mut stream).await;
        assert!(answer.contains("connection: close"), "{answer}");
        assert_eq!(code_of(&answer), "body_too_large");
    }
}

#[tokio::test]
async fn a_connection_without_a_request_is_let_go() {
    let stage = Stage::with(|config| config.time_outs.idle_ms = 50).await;
    let mut kept = stage
        .connect("a.example", stage.tls(&["http/1.1"]))
        .await
        .unwrap();
    kept.write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        .await
        .unwrap();
    assert!(hear(&mut kept).await.starts_with("HTTP/1.1 200"));
    let mut silent = stage
        .connect("a.example", stage.tls(&["h2"]))
        .await
        .unwrap();
    // SETTINGS and then GOAWAY come; what counts is that the end comes.
    let mut heard = Vec::new();
    let _ = silent.read_to_end(&mut heard).await;
    stage
        .until(|stage| stage.counts("pavilion_router_connections 0"))
        .await;
}

#[tokio::test]
async fn a_request_in_flight_is_not_idleness() {
    let stage = Stage::with(|config| config.time_outs.idle_ms = 50).await;
    for protocol in ["http/1.1", "h2"] {
        let url = stage.url("a.example", "/wait/200");
        let answer = stage.client(protocol).get(url).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{protocol}");
    }
}

#[tokio::test]
async fn a_tenant_that_is_away_or_slow_is_told_apart() {
    let stage = Stage::with(|config| config.time_outs.response_ms = 50).await;
    let client = stage.client("h2");
    let slow = client
        .get(stage.url("a.example", "/wait/2000"))
        .send()
        .await
        .unwrap();
    assert_eq!(code(slow).await, (504, "tenant_timeout".to_owned()));
    std::fs::remove_file(stage.path("acme.sock")).unwrap();
    let stage = stage;
    let fresh = Stage::start().await;
    std::fs::remove_file(fresh.path("log.sock")).unwrap();
    let away = fresh
        .client("h2")
        .get(fresh.url("a.example", "/log/"))
        .send()
        .await
        .unwrap();
    assert_eq!(code(away).await, (502, "tenant_unavailable".to_owned()));
    assert!(stage.counts(r#"pavilion_router_requests_total{tenant="acme",code_class="5xx"} 1"#));
}

#[tokio::test]
async fn an_answer_that_stops_in_the_middle_is_visibly_cut_off() {
    let stage = Stage::with(|config| config.time_outs.response_ms = 100).await;
    for protocol in ["http/1.1", "h2"] {
        let answer = stage
            .client(protocol)
            .get(stage.url("a.example", "/stall"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.text().await.is_err(), "{protocol}");
    }
}

#[tokio::test]
async fn an_answer_before_the_body_has_ended_comes_through() {
    let stage = Stage::start().await;
    let url = stage.url("a.example", "/early");
    let answer = stage
        .client("h2")
        .post(url)
        .body("body")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.text().await.unwrap(), "no");
}

#[tokio::test]
async fn a_head_over_the_limits_is_431() {
    let stage = Stage::with(|config| {
        config.limits.max_header_bytes = 2_000;
        config.limits.max_header_count = 20;
    })
    .await;
    let many = "A: b\r\n".repeat(20);
    let long = format!("A: {}\r\n", "b".repeat(2_000));
    for fields in [many, long] {
        let head = format!("GET / HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n");
        assert_eq!(code_of(&stage.say(head).await), "headers_too_large");
    }
    let mut client = stage.http2("a.example").await;
    let mut many = Request::get("https://a.example/")
        .body(Full::default())
        .unwrap();
    for _ in 0..21 {
        many.headers_mut().append("a", "b".parse().unwrap());
    }
    assert_eq!(client.send_request(many).await.unwrap().status(), 431);
    let long = Request::get("https://a.example/").header("a", "b".repeat(2_000));
    let long = client
        .send_request(long.body(Full::default()).unwrap())
        .await;
    assert!(long.is_err() || long.is_ok_and(|answer| answer.status() == 431));
    assert_eq!(stage.acme.seen(), 0);
}

#[tokio::test]
async fn a_handshake_that_dawdles_is_let_go() {
    let stage = Stage::with(|config| config.time_outs.handshake_ms = 50).await;
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    stream.write_all(&[22, 3, 1]).await.unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    let line = r#"pavilion_router_tls_handshakes_total{result="timed_out"} 1"#;
    stage.until(|stage| stage.counts(line)).await;
}

#[tokio::test]
async fn one_connection_too_many_is_closed_at_once_and_its_place_is_free_again() {
    let stage = Stage::with(|config| config.limits.max_connections = 1).await;
    let kept = stage
        .connect("a.example", stage.tls(&["http/1.1"]))
        .await
        .unwrap();
    assert!(
        stage
            .connect("a.example", stage.tls(&["http/1.1"]))
            .await
            .is_err()
    );
    assert!(stage.counts("pavilion_router_connections 1"));
    assert!(stage.counts("pavilion_router_connections_refused_total 1"));
    drop(kept);
    stage
        .until(|stage| stage.counts("pavilion_router_connections 0"))
        .await;
    stage
        .connect("a.example", stage.tls(&["http/1.1"]))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_read_is_let_go() {
    let stage = Stage::with(|config| config.time_outs.write_ms = 100).await;
    let mut deaf = stage
        .connect("a.example", stage.tls(&["http/1.1"]))
        .await
        .unwrap();
    let head = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n".repeat(100);
    // Answers pile up until nobody takes them any more; then the router stops reading, and goes.
    while deaf.write_all(&head).await.is_ok() {}
    stage
        .until(|stage| stage.counts("pavilion_router_connections 0"))
        .await;
}

#[tokio::test]
async fn a_client_that_resets_its_streams_rapidly_is_sent_away() {
    let stage = Stage::start().await;
    let mut stream = stage
        .connect("a.example", stage.tls(&["h2"]))
        .await
        .unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(&mut bytes, 4, 0, 0, &[]);
    for number in 0..2_000_u32 {
        let id = number * 2 + 1;
        // :method GET, :scheme https, :path /, :authority a.example (RFC 7541).
        let mut fields = vec![0x82, 0x87, 0x84, 0x01, 9];
        fields.extend_from_slice(b"a.example");
        frame(&mut bytes, 1, 0x5, id, &fields);
        frame(&mut bytes, 3, 0, id, &8_u32.to_be_bytes());
    }
    let _ = stream.write_all(&bytes).await;
    let mut heard = Vec::new();
    let _ = tokio::time::timeout(crate::stage::PATIENCE, stream.read_to_end(&mut heard))
        .await
        .unwrap();
    assert!(has_goaway(&heard, 11), "GOAWAY with ENHANCE_YOUR_CALM");
}

/// The first frame of a GET of `path`, whole: HEADERS with END_STREAM and END_HEADERS.
fn get(out: &mut Vec<u8>, stream: u32, path: &str) {
    // :method GET, :scheme https, :path, :authority a.example (RFC 7541).
    let mut fields = vec![0x82, 0x87, 0x04, u8::try_from(path.len()).unwrap()];
    fields.extend_from_slice(path.as_bytes());
    fields.extend_from_slice(&[0x01, 9]);
    fields.extend_from_slice(b"a.example");
    frame(out, 1, 0x5, stream, &fields);
}

/// A connection that has said its preface with these SETTINGS.
async fn raw_http2(stage: &Stage, settings: &[u8]) -> TlsStream<TcpStream> {
    let mut stream = stage
        .connect("a.example", stage.tls(&["h2"]))
        .await
        .unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(&mut bytes, 4, 0, 0, settings);
    stream.write_all(&bytes).await.unwrap();
    stream
}

/// Reads until a frame of this kind comes on this stream.
async fn until_frame(stream: &mut TlsStream<TcpStream>, kind: u8, id: u32) {
    let wanted = async {
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            stream.read_exact(&mut payload).await.unwrap();
            if head[3] == kind && head[5..] == id.to_be_bytes() {
                return;
            }
        }
    };
    tokio::time::timeout(crate::stage::PATIENCE, wanted)
        .await
        .expect("the frame comes");
}

#[tokio::test]
async fn a_stream_whose_answer_is_not_taken_is_reset_and_the_others_go_on() {
    let stage = Stage::with(|config| config.time_outs.write_ms = 100).await;
    // SETTINGS_INITIAL_WINDOW_SIZE 0
    let mut stream = raw_http2(&stage, &[0, 4, 0, 0, 0, 0]).await;
    let mut bytes = Vec::new();
    get(&mut bytes, 1, "/");
    stream.write_all(&bytes).await.unwrap();
    // RST_STREAM
    until_frame(&mut stream, 3, 1).await;
    let mut bytes = Vec::new();
    get(&mut bytes, 3, "/");
    // WINDOW_UPDATE, then DATA comes.
    frame(&mut bytes, 8, 0, 3, &10_000_u32.to_be_bytes());
    stream.write_all(&bytes).await.unwrap();
    until_frame(&mut stream, 0, 3).await;
}

#[tokio::test]
async fn a_head_that_dawdles_on_http2_is_let_go_although_another_request_is_in_flight() {
    let stage = Stage::with(|config| {
        config.time_outs.ping_ms = 50;
        config.time_outs.header_ms = 100;
    })
    .await;
    let mut stream = raw_http2(&stage, &[]).await;
    let mut bytes = Vec::new();
    get(&mut bytes, 1, "/wait/60000");
    let mut half = Vec::new();
    get(&mut half, 3, "/");
    bytes.extend_from_slice(&half[..half.len() - 4]);
    stream.write_all(&bytes).await.unwrap();
    stage
        .until(|stage| stage.counts("pavilion_router_connections 0"))
        .await;
}

/// RFC 9113 section 4.1.
fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    out.extend_from_slice(&length[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

fn has_goaway(mut bytes: &[u8], code: u32) -> bool {
    while bytes.len() >= 9 {
        let length =
            usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2]);
        if bytes[3] == 7 && bytes.get(13..17) == Some(&code.to_be_bytes()) {
            return true;
        }
        bytes = bytes.get(9 + length..).unwrap_or_default();
    }
    false
}

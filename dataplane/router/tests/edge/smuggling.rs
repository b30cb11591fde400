//! Requests that two readers could read in two ways.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::stage::{Stage, code_of, hear};

/// Behind each of these hides a second request; nothing may reach the tenant.
const SHAPES: &[&str] = &[
    "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3, 3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: +3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a.example\r\nX: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a.example\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a.example\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.0\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a.example, b.example\r\n\r\n",
    "GET http://b.example/ HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: user@a.example\r\nConnection: close\r\n\r\n",
    "GET / HTTP/3.0\r\nHost: a.example\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\0\0\0\0\r\n\r\n",
];

#[tokio::test]
async fn an_ambiguous_request_is_refused_and_its_connection_closed() {
    let stage = Stage::start().await;
    for shape in SHAPES {
        let answer = stage.say(shape).await;
        assert_eq!(
            answer.matches("HTTP/1.1 ").count(),
            1,
            "{shape:?}: {answer:?}"
        );
        assert_eq!(code_of(&answer), "request_malformed", "{shape:?}");
    }
    assert_eq!(stage.acme.seen(), 0);
}

#[tokio::test]
async fn a_good_request_before_an_ambiguous_one_is_answered() {
    let stage = Stage::start().await;
    for shape in &SHAPES[..4] {
        let good = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc";
        let answer = stage.say(format!("{good}{shape}")).await;
        // The first answer may be cut off by what follows; the hidden request is never answered.
        assert!(!answer.contains("smuggled"), "{answer:?}");
    }
    assert!(stage.acme.seen() <= 4);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let stage = Stage::start().await;
    let one = "POST /one HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let two = "GET /two HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
    let answer = stage.say(format!("{one}{two}")).await;
    let at = |text| answer.find(text).unwrap_or_else(|| panic!("{answer:?}"));
    assert!(at("\"/one\"") < at("\"/two\""));
    assert_eq!(stage.acme.seen(), 2);
}

#[tokio::test]
async fn a_body_that_is_framed_wrongly_reaches_nobody() {
    let stage = Stage::start().await;
    for body in [
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "zz\r\n",
    ] {
        let head = "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = stage.say(format!("{head}{body}")).await;
        assert!(
            answer.is_empty() || code_of(&answer) == "request_malformed",
            "{answer:?}"
        );
    }
    assert_eq!(stage.acme.seen(), 0);
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_body_reaches_nobody() {
    let stage = Stage::start().await;
    let mut stream = stage
        .connect("a.example", stage.tls(&["http/1.1"]))
        .await
        .unwrap();
    let head = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nhalf";
    AsyncWriteExt::write_all(&mut stream, head).await.unwrap();
    drop(stream);
    stage
        .until(|stage| stage.counts("pavilion_router_connections 0"))
        .await;
    assert_eq!(stage.acme.seen(), 0);
}

#[tokio::test]
async fn a_refusal_of_what_comes_behind_a_request_is_never_its_answer() {
    let stage = Stage::start().await;
    let request = "GET /wait/200 HTTP/1.1\r\nHost: a.example\r\n\r\n";
    let heard = stage.say(format!("{request}no request\r\n\r\n")).await;
    assert!(
        heard.is_empty() || heard.starts_with("HTTP/1.1 200"),
        "{heard}"
    );
    let mut stream = stage
        .connect("a.example", stage.tls(&["http/1.1"]))
        .await
        .unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut first = vec![0; 4_096];
    let length = stream.read(&mut first).await.unwrap();
    assert!(first[..length].starts_with(b"HTTP/1.1 200"));
    stream.write_all(b"no request\r\n\r\n").await.unwrap();
    let heard = hear(&mut stream).await;
    assert_eq!(
        code_of(&heard),
        "request_malformed",
        "now it is nobody else's"
    );
}

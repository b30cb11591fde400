//! Hosts, tenants, and what a request says about itself.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use pavilion_router::TlsMinVersion;
use rustls::{AlertDescription, ClientConfig, Error};
use serde_json::Value;

use crate::stage::{Stage, client_identity, code_of};

/// The value of a header as it reached the tenant.
fn header<'a>(told: &'a Value, name: &str) -> Option<&'a str> {
    let mut found = told["headers"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|pair| pair[0] == name);
    let value = found.next()?[1].as_str();
    assert!(found.next().is_none(), "{name} stands twice");
    value
}

/// The alert that ended a handshake.
fn alert(refused: &std::io::Error) -> AlertDescription {
    match refused.get_ref().and_then(|error| error.downcast_ref()) {
        Some(Error::AlertReceived(alert)) => *alert,
        other => panic!("not an alert: {other:?}"),
    }
}

#[tokio::test]
async fn each_host_reaches_its_own_tenant_over_both_versions_of_http() {
    let stage = Stage::start().await;
    for protocol in ["http/1.1", "h2"] {
        let client = stage.client(protocol);
        for (host, path, name) in [
            ("a.example", "/", "acme"),
            ("b.example", "/v1/verifications?x=1", "beta"),
            ("a.example", "/log/checkpoint", "log"),
            ("a.example", "/logs", "acme"),
            ("a.example", "/log", "acme"),
        ] {
            let told: Value = client
                .get(stage.url(host, path))
                .send()
                .await
                .unwrap()
                .json()
                .await
                .unwrap();
            assert_eq!(told["name"], name, "{protocol} {host}{path}");
            assert_eq!(told["target"], path);
            let port = stage.address.port();
            assert_eq!(header(&told, "host").unwrap(), format!("{host}:{port}"));
        }
    }
    assert!(stage.counts(r#"pavilion_router_requests_total{tenant="acme",code_class="2xx"} 8"#));
    assert!(stage.counts(r#"pavilion_router_requests_total{tenant="beta",code_class="2xx"} 2"#));
    assert!(stage.counts(r#"pavilion_router_requests_total{tenant="beta",code_class="5xx"} 0"#));
}

#[tokio::test]
async fn a_name_nobody_has_ends_the_handshake_by_its_proper_alert() {
    let stage = Stage::start().await;
    let unknown = stage
        .connect("z.example", stage.tls(&["h2"]))
        .await
        .unwrap_err();
    assert_eq!(alert(&unknown), AlertDescription::UnrecognisedName);
    let mut nameless = stage.tls(&["h2"]);
    nameless.enable_sni = false;
    let nameless = stage.connect("a.example", nameless).await.unwrap_err();
    assert_eq!(alert(&nameless), AlertDescription::MissingExtension);
    for result in ["unknown_server_name", "no_server_name"] {
        let line = format!(r#"pavilion_router_tls_handshakes_total{{result="{result}"}} 1"#);
        stage.until(|stage| stage.counts(&line)).await;
    }
}

#[tokio::test]
async fn a_request_for_another_host_than_its_connection_is_misdirected() {
    let stage = Stage::start().await;
    let head = |host: &str| format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    for host in [
        "b.example",
        "z.example",
        "a.example.",
        "xn--a.example",
        "127.0.0.1",
    ] {
        assert_eq!(
            code_of(&stage.say(head(host)).await),
            "host_mismatch",
            "{host}"
        );
    }
    for host in ["a.example", "A.EXAMPLE:1"] {
        assert!(
            stage.say(head(host)).await.starts_with("HTTP/1.1 200"),
            "{host}"
        );
    }
    assert_eq!(stage.acme.seen(), 2);
}

#[tokio::test]
async fn an_authority_of_another_host_is_misdirected_over_http2() {
    let stage = Stage::start().await;
    let mut client = stage.http2("a.example").await;
    let ask = |uri: &str| Request::get(uri).body(Full::default()).unwrap();
    let answer = client
        .send_request(ask("https://b.example/"))
        .await
        .unwrap();
    assert_eq!(answer.status(), 421);
    let answer = client
        .send_request(ask("https://a.example/"))
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "the connection goes on");
    let mut two = ask("https://a.example/");
    two.headers_mut()
        .insert("host", "b.example".parse().unwrap());
    assert_eq!(client.send_request(two).await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_tenant_hears_only_what_the_router_vouches_for() {
    let stage = Stage::start().await;
    let client = stage.client("h2");
    let answer = client
        .get(stage.url("c.example", "/"))
        .header("Client-Cert", ":Zm9yZ2Vk:")
        .header("Client-Cert-Chain", ":Zm9yZ2Vk:")
        .header("Forwarded", "for=10.0.0.1")
        .header("X-Forwarded-For", "10.0.0.1")
        .header("X-Request-Id", "forged")
        .header("Accept", "application/jwt")
        .send()
        .await
        .unwrap();
    let id = answer.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(id.len(), 26, "a ULID");
    assert_eq!(
        answer.headers()["strict-transport-security"],
        "max-age=63072000"
    );
    assert!(!answer.headers().contains_key("server"));
    let told: Value = answer.json().await.unwrap();
    assert_eq!(header(&told, "x-request-id"), Some(id.as_str()));
    assert_eq!(header(&told, "accept"), Some("application/jwt"));
    let forwarded = header(&told, "forwarded").unwrap();
    assert!(
        forwarded.starts_with("for=127.0.0.1;host=\"c.example:"),
        "{forwarded}"
    );
    for name in ["client-cert", "client-cert-chain", "x-forwarded-for"] {
        assert_eq!(header(&told, name), None, "{name}");
    }
}

#[tokio::test]
async fn a_client_certificate_reaches_the_tenant_that_asks_for_one_and_no_other() {
    let stage = Stage::start().await;
    let (certificate, key) = client_identity();
    let mut tls = ClientConfig::builder()
        .with_root_certificates(stage.roots())
        .with_client_auth_cert(vec![certificate.clone()], key)
        .unwrap();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .resolve("a.example", stage.address)
        .resolve("c.example", stage.address)
        .build()
        .unwrap();
    let told: Value = client
        .get(stage.url("c.example", "/"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let encoded = STANDARD.encode(&certificate);
    assert_eq!(
        header(&told, "client-cert"),
        Some(format!(":{encoded}:").as_str())
    );
    let told: Value = client
        .get(stage.url("a.example", "/"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(header(&told, "client-cert"), None);
}

#[tokio::test]
async fn a_client_that_does_not_hold_its_certificates_key_gets_no_connection() {
    let stage = Stage::start().await;
    let (certificate, _) = client_identity();
    let (_, foreign_key) = client_identity();
    let signer = rustls::crypto::aws_lc_rs::sign::any_supported_type(&foreign_key).unwrap();
    let mismatched = rustls::sign::CertifiedKey::new(vec![certificate], signer);
    let tls = ClientConfig::builder()
        .with_root_certificates(stage.roots())
        .with_client_cert_resolver(std::sync::Arc::new(Always(mismatched.into())));
    let refused = async {
        let mut stream = stage.connect("c.example", tls).await?;
        tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 1]).await
    };
    assert!(refused.await.is_err());
    let line = r#"pavilion_router_tls_handshakes_total{result="failed"} 1"#;
    stage.until(|stage| stage.counts(line)).await;
}

/// Shows one certificate to whoever asks.
#[derive(Debug)]
struct Always(std::sync::Arc<rustls::sign::CertifiedKey>);

impl rustls::client::ResolvesClientCert for Always {
    fn resolve(
        &self,
        _: &[&[u8]],
        _: &[rustls::SignatureScheme],
    ) -> Option<std::sync::Arc<rustls::sign::CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn tls_1_2_is_spoken_only_by_configuration() {
    let old = |stage: &Stage| {
        ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS12])
            .with_root_certificates(stage.roots())
            .with_no_client_auth()
    };
    let stage = Stage::start().await;
    let refused = stage.connect("a.example", old(&stage)).await.unwrap_err();
    assert_eq!(alert(&refused), AlertDescription::ProtocolVersion);
    let stage = Stage::with(|config| config.tls_min_version = TlsMinVersion::Tls12).await;
    stage.connect("a.example", old(&stage)).await.unwrap();
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let stage = Stage::start().await;
    let mut client = stage.http2("a.example").await;
    let post = Request::post("https://a.example/")
        .body(Full::new("hello".into()))
        .unwrap();
    let told = client
        .send_request(post)
        .await
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap();
    let told: Value = serde_json::from_slice(&told.to_bytes()).unwrap();
    assert_eq!(
        (&told["body"], &told["method"]),
        (&5.into(), &"POST".into())
    );
    let get = Request::get("https://a.example/stream")
        .body(Full::default())
        .unwrap();
    let mut body = client.send_request(get).await.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(
        first, "part ",
        "the first part comes before the last is sent"
    );
    let rest = body.collect().await.unwrap().to_bytes();
    assert_eq!(rest, "part part ");
}

#[tokio::test]
async fn methods_that_would_open_a_tunnel_or_echo_are_refused() {
    let stage = Stage::start().await;
    for method in ["TRACE", "CONNECT"] {
        let target = if method == "CONNECT" {
            "a.example:443"
        } else {
            "/"
        };
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
        assert_eq!(code_of(&stage.say(head).await), "method_not_allowed");
    }
    let star = "OPTIONS * HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
    assert_eq!(code_of(&stage.say(star).await), "request_malformed");
    assert_eq!(stage.acme.seen(), 0);
}

#[tokio::test]
async fn an_upgrade_is_not_passed_on() {
    let stage = Stage::start().await;
    let head =
        "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n";
    let answer = stage.say(head).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(!answer.contains("h2c"), "{answer}");
}

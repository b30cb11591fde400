//! A `Client-Cert` header is the certificate that the edge put there, or nothing; only a
//! certificate of the authority counts.
//!
//! The first line of an input is the header, a second one `Client-Cert-Chain`.
#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use pavilion_bundle::MutualTls;
use pavilion_verifier::fuzzing;
use pavilion_verifier::tenant::ClientAuthorities;

const GOOD: &str = include_str!("../corpus/client_cert/good");

static AUTHORITIES: LazyLock<ClientAuthorities> = LazyLock::new(|| {
    let trusted = MutualTls {
        ca_bundle: include_str!("../material/ca.pem").to_owned(),
        san_dns: vec!["shop.example".to_owned()],
    };
    ClientAuthorities::prepare(&trusted).expect("an authority")
});

fn wrapped(der: &[u8]) -> String {
    format!(":{}:", STANDARD.encode(der))
}

fuzz_target!(|text: &str| {
    let mut headers = HeaderMap::new();
    for (name, line) in ["client-cert", "client-cert-chain"]
        .into_iter()
        .zip(text.lines())
    {
        let Ok(value) = HeaderValue::from_str(line) else {
            return;
        };
        headers.insert(name, value);
    }
    let Some((der, chain)) = fuzzing::client_certificate(&headers) else {
        return;
    };
    assert_eq!(text.lines().next().map(str::trim), Some(&*wrapped(&der)));
    let now = Timestamp::from_second(1_795_560_024).expect("a time");
    if AUTHORITIES.judge(&der, &chain, now).is_ok() {
        assert_eq!(GOOD.lines().next(), Some(&*wrapped(&der)));
    }
});

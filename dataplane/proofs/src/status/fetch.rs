//! Fetching a status list token (draft-ietf-oauth-status-list, "Status List Request").

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use pavilion_json::Digest;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response};
use url::{Host, Url};

use super::addresses::{Resolver, is_public, is_refused};
use super::{StatusOptions, StatusReason};
use crate::StatusRules;

const MEDIA_TYPE: &str = "application/statuslist+jwt";
/// More differing sets of rules than a bundle can hold; past it the clients are made anew.
const MAX_CLIENTS: usize = 256;

/// One HTTP client for each set of rules.
pub(super) struct Fetcher {
    connect_timeout: Duration,
    total_timeout: Duration,
    max_bytes: usize,
    clients: Mutex<HashMap<ClientRules, Client>>,
}

/// What makes two clients differ.
#[derive(PartialEq, Eq, Hash)]
struct ClientRules {
    allow_private: bool,
    authorities: Option<Digest>,
}

impl Fetcher {
    pub(super) fn new(options: &StatusOptions) -> Self {
        Self {
            connect_timeout: options.connect_timeout,
            total_timeout: options.total_timeout,
            max_bytes: options.max_token_bytes,
            clients: Mutex::new(HashMap::new()),
        }
    }

    /// The token at an [`allowed_url`], not verified.
    pub(super) async fn fetch(
        &self,
        url: Url,
        rules: &StatusRules,
    ) -> Result<String, StatusReason> {
        let client = self.client(rules)?;
        let response = client
            .get(url)
            .header(ACCEPT, MEDIA_TYPE)
            .send()
            .await
            .map_err(|error| unanswered(&error))?;
        self.body(response).await
    }

    async fn body(&self, mut response: Response) -> Result<String, StatusReason> {
        let status = response.status();
        if status != http::StatusCode::OK {
            return Err(StatusReason::unreachable(if status.is_redirection() {
                "The list's server answered with a redirect, which is not followed."
            } else {
                "The list's server answered with another status than 200."
            }));
        }
        let headers = response.headers();
        let media_type = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let media_type = media_type.and_then(|value| value.split(';').next());
        if !media_type.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(MEDIA_TYPE)) {
            return Err(StatusReason::invalid(
                "The list's media type is not application/statuslist+jwt.",
            ));
        }
        if headers.contains_key(CONTENT_ENCODING) {
            return Err(StatusReason::invalid(
                "The list came in a content encoding that was not asked for.",
            ));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| unanswered(&error))? {
            if chunk.len() > self.max_bytes.saturating_sub(body.len()) {
                return Err(StatusReason::too_large(
                    "The status list token is longer than is read.",
                ));
            }
            body.extend_from_slice(&chunk);
        }
        String::from_utf8(body).map_err(|_| StatusReason::invalid("The list is not text."))
    }

    fn client(&self, rules: &StatusRules) -> Result<Client, StatusReason> {
        let key = ClientRules {
            allow_private: rules.allow_private_addresses,
            authorities: rules
                .ca_bundle
                .as_ref()
                .map(|pem| Digest::of(pem.as_bytes())),
        };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = self.build(rules).map_err(|why| {
            tracing::error!(error = %why, "the client for status lists cannot be made");
            StatusReason::unreachable("The client for status lists cannot be made.")
        })?;
        if clients.len() >= MAX_CLIENTS {
            clients.clear();
        }
        clients.insert(key, client.clone());
        Ok(client)
    }

    fn build(&self, rules: &StatusRules) -> Result<Client, Unbuildable> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(Unbuildable::NoProvider);
        }
        let builder = Client::builder()
            .connect_timeout(self.connect_timeout)
            .timeout(self.total_timeout)
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent("pavilion")
            .pool_max_idle_per_host(1)
            .dns_resolver(Arc::new(Resolver {
                allow_private: rules.allow_private_addresses,
            }));
        let builder = match &rules.ca_bundle {
            None => builder,
            Some(pem) => builder.tls_certs_only(Certificate::from_pem_bundle(pem.as_bytes())?),
        };
        Ok(builder.build()?)
    }
}

/// Why there is no client. It says nothing about any credential.
#[derive(Debug, thiserror::Error)]
enum Unbuildable {
    #[error("no TLS provider is installed in this process")]
    NoProvider,
    #[error(transparent)]
    Client(#[from] reqwest::Error),
}

/// Why there was no answer, or not all of it. The client's own words may name the address.
fn unanswered(error: &reqwest::Error) -> StatusReason {
    if is_refused(error) {
        StatusReason::refused("The list's host name leads to no public address.")
    } else if error.is_timeout() {
        StatusReason::unreachable("The list's server did not answer in time.")
    } else if error.is_connect() {
        StatusReason::unreachable("No connection to the list's server could be made.")
    } else {
        StatusReason::unreachable("The answer of the list's server broke off.")
    }
}

/// The URL, if it may be called: `https`, no credentials in it, no inner address. Where private
/// addresses are allowed, plain `http` to this host itself is too.
pub(super) fn allowed_url(uri: &str, allow_private: bool) -> Result<Url, StatusReason> {
    let url = Url::parse(uri).map_err(|_| StatusReason::refused("The list's uri is not a URL."))?;
    let (address, loopback) = match url.host() {
        Some(Host::Ipv4(address)) => (Some(IpAddr::V4(address)), address.is_loopback()),
        Some(Host::Ipv6(address)) => (Some(IpAddr::V6(address)), address.is_loopback()),
        Some(Host::Domain(name)) => (None, name == "localhost"),
        None => return Err(StatusReason::refused("The list's uri names no host.")),
    };
    let scheme_fits =
        url.scheme() == "https" || (url.scheme() == "http" && loopback && allow_private);
    if !scheme_fits {
        return Err(StatusReason::refused("The list's uri is not https."));
    }
    if !(allow_private || address.is_none_or(is_public)) {
        return Err(StatusReason::refused(
            "The list's uri names an address that is not public, which the trust anchor does not allow.",
        ));
    }
    if !(url.username().is_empty() && url.password().is_none()) {
        return Err(StatusReason::refused("The list's uri holds credentials."));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use pavilion_catalogue::{Entry, status};

    use super::*;

    fn code<T>(result: Result<T, StatusReason>) -> Option<&'static Entry> {
        result.err().map(|reason| reason.code)
    }

    #[test]
    fn only_public_https_addresses_are_called() {
        assert!(allowed_url("https://status.example/1", false).is_ok());
        for no in [
            "http://status.example/1",
            "https://127.0.0.1/1",
            "https://0x7f.1/1",
            "https://2130706433/1",
            "https://[::1]/1",
            "https://[::ffff:169.254.169.254]/latest",
            "https://user@status.example/1",
            "https://:secret@status.example/1",
            "file:///etc/passwd",
            "unix:/run/socket",
            "data:text/plain,x",
            "not a uri",
        ] {
            assert_eq!(
                code(allowed_url(no, false)),
                Some(&status::LIST_ADDRESS_REFUSED),
                "{no}"
            );
        }
    }

    #[tokio::test]
    async fn without_a_tls_provider_every_list_is_unreachable() {
        let client = Fetcher::new(&StatusOptions::default());
        let url = Url::parse("https://status.example/1").unwrap();
        let answer = client.fetch(url, &StatusRules::default()).await;
        assert_eq!(code(answer), Some(&status::LIST_UNREACHABLE));
    }

    #[test]
    fn an_anchor_may_allow_inner_addresses_and_plain_http_to_this_host() {
        for yes in [
            "https://10.0.0.1/1",
            "http://127.0.0.1:8080/1",
            "http://[::1]/1",
            "http://localhost/1",
        ] {
            assert!(allowed_url(yes, true).is_ok(), "{yes}");
        }
        for no in [
            "http://10.0.0.1/1",
            "http://status.example/1",
            "ftp://127.0.0.1/1",
        ] {
            assert!(allowed_url(no, true).is_err(), "{no}");
        }
    }
}

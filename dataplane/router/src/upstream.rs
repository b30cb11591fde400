//! A program behind the edge, with the connections kept to it.

mod connector;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use pavilion_bundle::{HostName, Target, TlsTarget};
use pavilion_json::Digest;
use pavilion_process::mutual_tls::{Credentials, client_config};

use crate::config::Config;
use crate::hold::Away;
use crate::loan::Loan;
use connector::{Connector, Way};

/// How long an unused connection to an upstream is kept. Well below what the upstreams allow (the
/// auditor 10 s, the verifier 30 s): if they closed first, a request could be sent just then and lost.
const IDLE: Duration = Duration::from_secs(4);

/// What makes an upstream the same one: its connections are kept as long as this stays.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// The path of a unix socket.
    Socket(String),
    /// A place on the network, its name, and what the files hold.
    Tls(SocketAddr, HostName, [Digest; 3]),
}

/// An upstream as the route table says, with what its files hold now.
pub(crate) enum Found<'a> {
    Socket(&'a str),
    Tls(&'a TlsTarget, Credentials),
}

impl<'a> Found<'a> {
    /// Reads the files of `target`, if it has any.
    pub(crate) fn read(target: Target<'a>, config: &Config) -> Result<Self, String> {
        match target {
            Target::Socket(path) => Ok(Self::Socket(path)),
            Target::Tls(tls) => {
                let [ca, certificate, key] = [&tls.ca_file, &tls.certificate_file, &tls.key_file]
                    .map(|name| config.file(name));
                let read = Credentials::read(&ca, &certificate, &key)?;
                Ok(Self::Tls(tls, read))
            }
        }
    }

    pub(crate) fn key(&self) -> Key {
        match self {
            Self::Socket(path) => Key::Socket((*path).to_owned()),
            Self::Tls(tls, files) => Key::Tls(tls.address, tls.server_name.clone(), files.digest()),
        }
    }

    fn way(&self) -> Result<Way, String> {
        match self {
            Self::Socket(path) => Ok(Way::Unix((*path).into())),
            Self::Tls(tls, files) => Ok(Way::Tls {
                address: tls.address,
                name: tls
                    .server_name
                    .as_str()
                    .to_owned()
                    .try_into()
                    .map_err(|error| format!("serverName: {error}"))?,
                config: client_config(files)?,
            }),
        }
    }
}

/// One upstream; its connections outlive a swap of the route table, and requests in flight outlive it.
#[derive(Debug)]
pub(crate) struct Upstream {
    /// Since when there has been no connection to it.
    pub(crate) away: Away,
    client: Client<Connector, Loan>,
}

impl Upstream {
    /// An upstream without a connection yet.
    ///
    /// # Errors
    /// Which of its files is of no use, and why.
    pub(crate) fn new(found: &Found<'_>, config: &Config) -> Result<Self, String> {
        let connector = Connector {
            way: Arc::new(found.way()?),
            limit: config.time_outs.connect(),
        };
        // A pooled connection that closed before a byte of the request was sent is replaced and the
        // request sent on the new one; nothing else is ever sent twice.
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(config.limits.max_idle_upstream)
            .retry_canceled_requests(true)
            .set_host(false)
            .build(connector);
        let away = Away::new(config);
        Ok(Self { away, client })
    }

    /// Sends a request. After an error that `is_connect` nothing of it was sent.
    pub(crate) async fn send(&self, request: Request<Loan>) -> Result<Response<Incoming>, Error> {
        let answer = self.client.request(request).await;
        if !answer.as_ref().is_err_and(Error::is_connect) {
            self.away.is_over();
        }
        answer
    }
}

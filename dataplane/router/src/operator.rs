//! Follows the operator: takes the route table and the files it names over the network, and keeps them
//! on disk for the time when no operator answers.
//!
//! Flow: connect to one of the addresses behind the operator's name ([`session`](Follower)), say what is
//! here already, take states as they come ([`incoming`]), keep files ([`store`]), put the table in force
//! through [`Reload`], and only then replace it on disk. Whoever says nothing for [`SILENCE`] is left.
//!
//! Guarantees: what serves is the last good state, whatever an operator sends, and whether or not one is
//! there. A router that starts serves what it had. An operator that knows less than the one before it
//! is not followed back in time at once ([`order`]).
//!
//! Caveats: files are not forced to disk. After a power cut one may be broken, which is noticed by its
//! name; then routes are served once an operator has sent it again.

mod backoff;
mod hearing;
mod incoming;
mod metrics;
mod naming;
mod order;
mod store;

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use pavilion_json::Digest;
use pavilion_process::mutual_tls::{Credentials, Protocol, client_config};
use pavilion_process::{Context, Exit, durable};
use pavilion_rpc::network;
use pavilion_rpc::routes::routes_client::RoutesClient;
use pavilion_rpc::routes::{FollowRequest, MAX_FILES, MAX_MESSAGE_BYTES, Part, Seen};
use rustls_pki_types::ServerName;
use tokio::time::{Instant, sleep, timeout};
use tonic::Streaming;

use self::backoff::Backoff;
use self::hearing::Hearing;
use self::incoming::{Incoming, State};
use self::metrics::StateResult;
use self::order::{Candidate, Order};
use self::store::Store;
use crate::config::{Config, Operator};
use crate::reload::Reload;

/// How long an operator may say nothing; it repeats itself every few seconds.
const SILENCE: Duration = Duration::from_secs(10);

/// The permissions of the table's file.
const MODE: u32 = 0o600;

/// Said while a table waits.
const BEHIND: &str = "the operator that answers knows less than the one before it; the route table stays until it has caught up, or for 10 s";

/// Said while a table is refused.
const REFUSED: &str = "the newest state of the operator is refused (`refused` says why); the last good one stays in force";

/// The one that follows.
#[derive(Debug)]
pub(crate) struct Follower {
    operator: Operator,
    server_name: ServerName<'static>,
    /// Where the table is kept.
    path: PathBuf,
    /// The table in force, as long as it could not be written there.
    unkept: Option<Vec<u8>>,
    store: Store,
    order: Order,
    hearing: Hearing,
}

impl Follower {
    /// One that is ready to follow; `None` if the configuration names no operator.
    ///
    /// # Errors
    /// What is wrong with the configuration, or with the place where files are kept.
    pub(crate) fn new(config: &Config, context: &Context) -> Result<Option<Self>, Exit> {
        let Some(operator) = config.operator.clone() else {
            return Ok(None);
        };
        let server_name = ServerName::try_from(operator.server_name.clone()).map_err(|_| {
            let name = &operator.server_name;
            Exit::ConfigRefused(format!("operator.serverName: {name:?} is no DNS name"))
        })?;
        let folder = config.files_folder();
        let store = Store::open(&folder)
            .map_err(|error| Exit::CannotWrite(format!("{}: {error}", folder.display())))?;
        Ok(Some(Self {
            operator,
            server_name,
            path: config.routes.clone(),
            unkept: None,
            store,
            order: Order::default(),
            hearing: Hearing::new(context),
        }))
    }

    /// Never ends.
    pub(crate) async fn follow(mut self, mut reload: Reload) {
        self.begin(&mut reload);
        let mut backoff = Backoff::new();
        loop {
            self.hearing.begin();
            let Err(why) = self.session(&mut reload).await;
            let was_heard = self.hearing.end(&why);
            sleep(backoff.next(was_heard)).await;
        }
    }

    /// Puts in force what is on disk.
    fn begin(&mut self, reload: &mut Reload) {
        let read = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return reload.wait(),
            Err(error) => {
                let path = self.path.display();
                tracing::error!(%error, "the kept route table {path} cannot be read; one that an operator sends takes its place");
                return;
            }
        };
        let digest = Digest::of(&read);
        let table = naming::read(&read);
        let outcome = reload.put(digest, table.as_ref().map_err(Clone::clone));
        if let (Ok(table), Ok(())) = (table, outcome) {
            self.order.in_force(table);
        }
    }

    /// One connection, until it ends.
    async fn session(&mut self, reload: &mut Reload) -> Result<Infallible, String> {
        let mut parts = self.connect().await?;
        let mut incoming = Incoming::default();
        self.order.another_operator();
        loop {
            let part = timeout(SILENCE, parts.message())
                .await
                .map_err(|_| "the operator fell silent".to_owned())?
                .map_err(|status| network::words_of(&status))?
                .ok_or("the operator ended the stream")?;
            let files = self.store.len();
            if let Some(state) = incoming.take(part, &mut self.store)? {
                self.take(state, reload)?;
            } else {
                self.hearing.files(self.store.len().saturating_sub(files));
            }
        }
    }

    async fn connect(&mut self) -> Result<Streaming<Part>, String> {
        let operator = &self.operator;
        let (ca, certificate) = (&operator.ca_file, &operator.certificate_file);
        let credentials = Credentials::read(ca, certificate, &operator.key_file)?;
        let config = client_config(&credentials.speaking(Protocol::Http2))?;
        let connecting = network::connect(&operator.address, &self.server_name, &config);
        let (channel, place) = connecting.await?;
        let mut client = RoutesClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let request = FollowRequest {
            files: self.store.names().take(MAX_FILES).collect(),
            table: self.order.digest().map(bytes_of).unwrap_or_default(),
        };
        let answer = timeout(SILENCE, client.follow(request))
            .await
            .map_err(|_| format!("{place}: no answer"))?
            .map_err(|status| format!("{place}: {}", network::words_of(&status)))?;
        self.hearing.connected(place);
        Ok(answer.into_inner())
    }

    /// Takes note of a whole state, and takes its table if it is new and good.
    fn take(&mut self, state: State, reload: &mut Reload) -> Result<(), String> {
        let State {
            digest,
            table,
            seen,
        } = state;
        if Some(digest) == self.order.digest() {
            if self.order.forget_candidate() {
                reload.confirm();
            }
            self.order.trust();
            let amiss = self.keep();
            self.hearing.state(StateResult::Same, amiss.as_deref());
            self.hearing.seen(&seen);
            return Ok(());
        }
        let candidate = match self.order.candidate(digest) {
            Some(again) => again,
            None => candidate(digest, table)?,
        };
        if self.order.must_wait(&candidate, Instant::now()) {
            self.hearing.state(StateResult::Older, Some(BEHIND));
            self.order.keep(candidate);
        } else {
            self.put(candidate, &seen, reload);
        }
        Ok(())
    }

    fn put(&mut self, candidate: Candidate, seen: &Seen, reload: &mut Reload) {
        let outcome = reload.put(
            candidate.digest,
            candidate.table.as_ref().map_err(Clone::clone),
        );
        match (outcome, candidate) {
            (
                Ok(()),
                Candidate {
                    table: Ok(table),
                    bytes,
                    ..
                },
            ) => {
                self.unkept = Some(bytes);
                let amiss = self.keep();
                self.order.in_force(table);
                self.order.trust();
                self.hearing.state(StateResult::Taken, amiss.as_deref());
                self.hearing.seen(seen);
            }
            (_, refused) => {
                self.hearing.state(StateResult::Refused, Some(REFUSED));
                let is_readable = refused.table.is_ok();
                self.order.keep(refused);
                if !is_readable {
                    // Which files it names is not known, and the operator takes them for kept.
                    return;
                }
            }
        }
        self.store.keep_only(&self.order.files());
    }

    /// Writes the table in force to disk if that has not been done. Says why it cannot be.
    fn keep(&mut self) -> Option<String> {
        let bytes = self.unkept.as_ref()?;
        match durable::replace(&self.path, bytes, MODE) {
            Ok(()) => {
                self.unkept = None;
                None
            }
            Err(error) => {
                let path = self.path.display();
                Some(format!(
                    "the route table in force cannot be kept in {path}, so a restart would begin with an older one: {error}"
                ))
            }
        }
    }
}

/// A table that was sent, if its bytes are those that were announced.
fn candidate(digest: Digest, bytes: Vec<u8>) -> Result<Candidate, String> {
    if Digest::of(&bytes) != digest {
        return Err("the operator sent a route table that is not what it says it is".to_owned());
    }
    Ok(Candidate::new(digest, naming::read(&bytes), bytes))
}

fn bytes_of(digest: Digest) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(digest.as_bytes())
}

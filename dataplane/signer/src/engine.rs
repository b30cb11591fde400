//! The engine: keys in a PKCS#11 token, and signatures by them.
//!
//! One context of the module per process; a management session that keeps the process logged in,
//! held by a thread of its own ([`keeper`]); worker sessions, each owned by its own blocking thread
//! ([`worker`]), behind a bounded queue with a deadline ([`queue`]). When a call says that a session,
//! the device or the token is gone, everything is opened anew; requests that still have time wait
//! for it and are tried once more. Keys are made, recorded, replaced and destroyed so that a crash
//! at any point loses none and doubles none ([`store`]).

mod calls;
mod clock;
mod error;
mod files;
mod form;
mod high_water;
mod keeper;
mod keys_file;
mod label;
mod link;
mod measure;
mod mechanisms;
mod metrics;
mod objects;
mod pin;
mod provision;
mod queue;
mod ring;
mod sign;
pub mod softhsm;
mod store;
mod threads;
mod token;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt;
use std::path::PathBuf;
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use pavilion_process::Fault;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout_at;

pub use clock::Clock;
pub use error::{Class, SignerError, StartError, TokenError};
pub use form::MAX_MESSAGE;
pub use label::{KeyLabel, LabelError, Purpose, TokenLabel};
pub use metrics::EngineMetrics;
pub use ring::{GRACE, LEEWAY, PublicKey};

use high_water::HighWater;
use keeper::{Command, Keeper};
use keys_file::KeysFile;
use link::{Limits, Link};
use queue::{Job, Queue};
use ring::{Key, Ring};
use store::KeyStore;
use threads::Threads;
use worker::Shared;

/// How long a change of keys may take; a network token makes a key pair in seconds.
const CHANGE_TIME: Duration = Duration::from_secs(30);

/// Changes of keys and reports of failures that may wait; a token that takes them slower than they
/// come is overloaded.
const COMMANDS: usize = 64;

/// A signature that takes so many deadlines never comes: the process is given up.
const STUCK: u32 = 5;

/// The least time before a process is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the engine needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The PKCS#11 module.
    pub module: PathBuf,
    /// The label of the token.
    pub token_label: TokenLabel,
    /// The file with the PIN.
    pub pin_file: PathBuf,
    /// Whether that file is somebody else's and never written.
    pub pin_file_given: bool,
    /// Where `SoftHSM` keeps tokens; `None` for any other module.
    pub token_directory: Option<PathBuf>,
    /// The record of keys.
    pub keys_file: PathBuf,
    /// The origin line of the log whose checkpoints are signed.
    pub log_origin: String,
    /// Worker sessions.
    pub sessions: usize,
    /// Requests that may wait.
    pub queue_limit: usize,
    /// How long a signature may take, waiting included.
    pub deadline: Duration,
    /// How long a replaced key stays published after the last moment it may sign at, leeway of
    /// clocks aside: at least the longest time an answer is valid.
    pub overlap: Duration,
    /// The age at which the result key is replaced.
    pub rotate_every: Option<Duration>,
    /// Mechanisms that are not used although the token offers them.
    pub avoid_mechanisms: Vec<String>,
}

/// What the engine says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Why no signatures are made; `None` when they are.
    pub reason: Option<String>,
    /// The module.
    pub module: PathBuf,
    /// The label of the token.
    pub token_label: TokenLabel,
    /// The mechanisms of the token, without those to avoid.
    pub mechanisms: BTreeSet<String>,
    /// Worker sessions that are open.
    pub sessions_open: u32,
    /// Requests that wait.
    pub queue_depth: u32,
    /// Where the current private key of a purpose lives: `token` or `wrapped`.
    pub custody: BTreeMap<&'static str, &'static str>,
}

/// Keys in a token, and signatures by them. Dropping it stops it.
pub struct Engine {
    settings: Settings,
    clock: Clock,
    ring: Arc<RwLock<Arc<Ring>>>,
    high_water: HighWater,
    shared: Arc<Shared>,
    mechanisms: BTreeSet<String>,
    keeper: SyncSender<Command>,
    threads: Mutex<Threads>,
}

impl Engine {
    /// Loads the module, makes or opens the token and its keys, and starts the sessions. It blocks.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(
        settings: Settings,
        clock: Clock,
        metrics: EngineMetrics,
    ) -> Result<Self, StartError> {
        let record = KeysFile::open(&settings.keys_file)?;
        let high_water = HighWater::open(&settings.keys_file, &settings.log_origin)?;
        let keys_known = !record.1.keys.is_empty();
        if let Some(folder) = &settings.token_directory {
            softhsm::prepare(folder, env::var_os(softhsm::VARIABLE).as_deref())?;
        }
        let context = token::load(&settings.module)?;
        let pins = provision::ensure_token(&context, &settings, keys_known)?;
        let slot = token::find_usable(&context, &settings.token_label)?;
        let management =
            token::log_in(&context, slot, &pins.user).map_err(|error| match error.class {
                Class::Pin => StartError::PinRefused {
                    path: settings.pin_file.clone(),
                    why: error.to_string(),
                },
                _ => error.into(),
            })?;
        let mechanisms = token::mechanisms(&context, slot, &settings.avoid_mechanisms)?;
        let ed25519 = mechanisms::needed(&mechanisms)?;
        let kept = (settings.overlap, settings.token_directory.clone());
        let store = KeyStore::reconcile(&management, record, kept, ed25519, clock.now())?;

        let signature = (settings.deadline * STUCK).max(PATIENCE);
        let limits = Limits {
            signature,
            change: CHANGE_TIME * 2 + signature,
        };
        let link = Arc::new(Link::new(context, slot, limits));
        let ring = Arc::new(RwLock::new(store.ring()));
        let (sender, commands) = mpsc::sync_channel(COMMANDS);
        let keeper = Keeper {
            link: Arc::clone(&link),
            management,
            store,
            ring: Arc::clone(&ring),
            settings: settings.clone(),
            metrics: metrics.clone(),
            commands,
            pin: pins.user,
            failures: 0,
            since: Instant::now(),
        };
        metrics.limit(settings.queue_limit);
        let queue = Queue::new(
            settings.queue_limit,
            settings.sessions,
            metrics.queue_depth.clone(),
        );
        let shared = Arc::new(Shared::new(link, queue, metrics, sender.clone()));
        let threads = Threads::start(keeper, &shared, &high_water, settings.sessions)?;
        let engine = Self {
            settings,
            clock,
            ring,
            high_water,
            shared,
            mechanisms,
            keeper: sender,
            threads: Mutex::new(threads),
        };
        engine.measure();
        Ok(engine)
    }

    /// Signs `message` with the key `kid`.
    ///
    /// ES256 gives r and s, 32 bytes each (RFC 7518 section 3.4); Ed25519 its 64 bytes (RFC 8032).
    ///
    /// # Errors
    /// See [`SignerError`].
    pub async fn sign(&self, kid: &str, message: impl Into<Bytes>) -> Result<Vec<u8>, SignerError> {
        self.sign_if(|_| Ok(()), kid, message).await
    }

    /// The same for a caller that may not use every key: `allowed` is asked about the purpose of the
    /// key before the message is looked at.
    ///
    /// # Errors
    /// What `allowed` says, and those of [`Engine::sign`].
    pub async fn sign_if(
        &self,
        allowed: impl FnOnce(Purpose) -> Result<(), SignerError>,
        kid: &str,
        message: impl Into<Bytes>,
    ) -> Result<Vec<u8>, SignerError> {
        let signature = self.try_sign(allowed, kid, message.into()).await;
        if let Err(error) = &signature {
            self.shared.metrics.refused(error);
        }
        signature
    }

    async fn try_sign(
        &self,
        allowed: impl FnOnce(Purpose) -> Result<(), SignerError>,
        kid: &str,
        message: Bytes,
    ) -> Result<Vec<u8>, SignerError> {
        let key = Arc::clone(self.ring().signing_key(kid, self.clock.now())?);
        allowed(key.label.purpose())?;
        self.check_form(&key, &message)?;
        self.check_up()?;
        let submitted = Instant::now();
        let deadline = submitted + self.settings.deadline;
        let (reply, signature) = oneshot::channel();
        self.shared.queue.push(Job {
            key,
            message,
            submitted,
            deadline,
            reply,
        })?;
        match timeout_at(deadline.into(), signature).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(SignerError::Unavailable(
                "the signer is stopping".to_owned(),
            )),
            Err(_) => Err(self
                .shared
                .link
                .reason()
                .map_or(SignerError::Timeout, SignerError::Unavailable)),
        }
    }

    fn check_form(&self, key: &Key, message: &[u8]) -> Result<(), SignerError> {
        if message.len() > MAX_MESSAGE {
            return Err(SignerError::MessageNotSignable("it is larger than 64 KiB"));
        }
        match key.label.purpose() {
            Purpose::Result => form::check_result(message, &key.kid, &key.header),
            Purpose::Checkpoint => self.high_water.admit(message),
            Purpose::Seal => Err(SignerError::KeyUnknown),
        }
    }

    /// A token that has been away for longer than any request may wait is not waited for.
    fn check_up(&self) -> Result<(), SignerError> {
        match self.shared.link.down_for() {
            Some(time) if time > self.settings.deadline => Err(SignerError::Unavailable(
                self.shared.link.reason().unwrap_or_default(),
            )),
            _ => Ok(()),
        }
    }

    /// Every key that a verifier of our signatures may need, replaced ones in overlap included.
    pub fn public_keys(&self) -> Vec<PublicKey> {
        self.ring().published(self.clock.now())
    }

    /// Makes a new key of the purpose; the one before stays published for the overlap.
    ///
    /// # Errors
    /// [`SignerError::RotationRefused`], [`SignerError::TokenFull`], [`SignerError::Unavailable`].
    pub async fn rotate(&self, purpose: Purpose) -> Result<PublicKey, SignerError> {
        let now = self.clock.now();
        self.ask(|reply| Command::Rotate(purpose, now, reply))
            .await?;
        self.measure();
        let keys = self.ring().published(now);
        let current = keys
            .into_iter()
            .find(|key| key.current && key.purpose == purpose);
        current.ok_or_else(|| SignerError::Unavailable("there is no current key".to_owned()))
    }

    /// What time asks for: destroys keys that left the published set, replaces a result key that is
    /// old enough, refreshes the metrics that age. To be called every few seconds.
    ///
    /// # Errors
    /// Those of [`Engine::rotate`], and [`SignerError::Overloaded`] when too many changes wait; trying
    /// again later is safe.
    pub async fn maintain(&self) -> Result<(), SignerError> {
        self.measure();
        let now = self.clock.now();
        self.ask(|reply| Command::Maintain(now, reply)).await?;
        self.measure();
        Ok(())
    }

    /// What the engine says about itself.
    pub fn status(&self) -> Status {
        let ring = self.ring();
        let custody =
            |purpose: Purpose| Some((purpose.name(), ring.current(purpose)?.custody.name()));
        Status {
            reason: self.shared.link.reason(),
            module: self.settings.module.clone(),
            token_label: self.settings.token_label.clone(),
            mechanisms: self.mechanisms.clone(),
            sessions_open: u32::try_from(self.shared.metrics.sessions_open.get()).unwrap_or(0),
            queue_depth: u32::try_from(self.shared.queue.depth()).unwrap_or(u32::MAX),
            custody: Purpose::PUBLISHED.into_iter().filter_map(custody).collect(),
        }
    }

    /// Why no signatures are made, whenever that changes; `None` when they are.
    pub fn readiness(&self) -> watch::Receiver<Option<String>> {
        self.shared.link.readiness()
    }

    /// Why this process cannot go on: a call of the module that does not return, or a thread that
    /// ended by a fault. Whoever runs the engine ends the process then; if it is still there a few
    /// seconds later, the engine does.
    pub fn fault(&self) -> Fault {
        self.shared.link.fault.clone()
    }

    async fn ask(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<(), SignerError>>) -> Command,
    ) -> Result<(), SignerError> {
        let stopping = || SignerError::Unavailable("the signer is stopping".to_owned());
        let (reply, outcome) = oneshot::channel();
        self.keeper
            .try_send(command(reply))
            .map_err(|error| match error {
                TrySendError::Full(_) => SignerError::Overloaded,
                TrySendError::Disconnected(_) => stopping(),
            })?;
        match tokio::time::timeout(CHANGE_TIME, outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(stopping()),
            Err(_) => Err(SignerError::Timeout),
        }
    }

    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Engine")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

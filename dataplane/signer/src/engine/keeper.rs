//! The keeper: one thread that holds the management session, which keeps the process logged in,
//! changes keys, and opens everything anew when the connection to the token breaks.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use cryptoki::session::{Session, SessionState};
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::link::Link;
use super::metrics::EngineMetrics;
use super::pin::{Pin, Pins};
use super::ring::Ring;
use super::store::KeyStore;
use super::{Class, Purpose, Settings, SignerError, TokenError, sign, token};

/// How often the connection is tried when nobody uses it.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// The longest wait between two attempts to open the connection anew.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// A connection that held this long is not part of the trouble before it.
const STEADY: Duration = Duration::from_secs(10);

/// Where the end of a change is awaited.
type Reply = oneshot::Sender<Result<(), SignerError>>;

/// What the keeper is asked to do.
pub(super) enum Command {
    /// A call failed in this generation, and why.
    Broken(u64, String),
    /// Replace the key of a purpose.
    Rotate(Purpose, Timestamp, Reply),
    /// Destroy keys that have left the published set, and replace a result key that is old enough.
    Maintain(Timestamp, Reply),
    /// Log out and end.
    Stop,
}

/// The keeper's state, owned by its thread.
pub(super) struct Keeper {
    pub link: Arc<Link>,
    pub management: Session,
    pub store: KeyStore,
    pub ring: Arc<RwLock<Arc<Ring>>>,
    pub settings: Settings,
    pub metrics: EngineMetrics,
    pub commands: Receiver<Command>,
    pub pin: Pin,
    pub failures: u32,
    pub since: Instant,
}

/// Whether to go on.
#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    Stop,
}

impl Keeper {
    /// Works until it is told to stop.
    pub(super) fn run(mut self) {
        loop {
            let next = match self.commands.recv_timeout(CHECK_EVERY) {
                Ok(Command::Broken(generation, why))
                    if generation == self.link.now().generation =>
                {
                    self.recover(&why)
                }
                Ok(Command::Broken(..)) => Next::GoOn,
                Ok(Command::Rotate(purpose, now, reply)) => {
                    self.change(reply, |store, session| store.rotate(session, purpose, now))
                }
                Ok(Command::Maintain(now, reply)) => {
                    let every = self.settings.rotate_every;
                    self.change(reply, |store, session| store.maintain(session, every, now))
                }
                Err(RecvTimeoutError::Timeout) => match self.check() {
                    Ok(()) => Next::GoOn,
                    Err(error) => self.recover(&error.to_string()),
                },
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => Next::Stop,
            };
            if next == Next::Stop {
                break;
            }
        }
        let _guard = self.link.exclusive();
        let _ = self.management.logout();
        let _ = self.link.context.clone().finalize();
    }

    /// Changes keys. A connection that turns out to be broken is opened anew, and the change made
    /// then. Nothing is changed for someone who gave up: they were told that it did not happen, and
    /// may have asked again.
    fn change(
        &mut self,
        reply: Reply,
        change: impl Fn(&mut KeyStore, &Session) -> Result<(), SignerError>,
    ) -> Next {
        if reply.is_closed() {
            return Next::GoOn;
        }
        if let Err(error) = self.check()
            && self.recover(&error.to_string()) == Next::Stop
        {
            let stopping = SignerError::Unavailable("the signer is stopping".to_owned());
            let _ = reply.send(Err(stopping));
            return Next::Stop;
        }
        // The recovery may have taken longer than the caller waits.
        if reply.is_closed() {
            return Next::GoOn;
        }
        let link = Arc::clone(&self.link);
        let guard = link.enter_to_change();
        let outcome = change(&mut self.store, &self.management);
        drop(guard);
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = self.store.ring();
        let _ = reply.send(outcome);
        Next::GoOn
    }

    /// Tries the connection: the session is logged in, and the result key is there.
    fn check(&self) -> Result<(), TokenError> {
        let _guard = self.link.enter();
        let state = self.management.get_session_info()?.session_state();
        if !matches!(state, SessionState::RwUser) {
            return Err(TokenError::new(
                Class::Session,
                "the management session is not logged in",
            ));
        }
        let ring = self.store.ring();
        let key = ring.current(Purpose::Result);
        key.map_or(Ok(()), |key| {
            sign::handle(&self.management, key).map(|_| ())
        })
    }

    /// Opens the connection anew, as often as it takes.
    fn recover(&mut self, why: &str) -> Next {
        if self.since.elapsed() > STEADY {
            self.failures = 0;
        }
        self.metrics.failed(Class::Session);
        tracing::warn!(reason = why, "connection to the token lost");
        self.link
            .down(format!("connection to the token lost: {why}"));
        let mut refused = None;
        loop {
            if self.pause() == Next::Stop {
                return Next::Stop;
            }
            self.failures = self.failures.saturating_add(1);
            match self.reopen(&mut refused) {
                Ok(()) => break,
                Err(error) => {
                    self.metrics.failed(error.class);
                    tracing::warn!(%error, attempt = self.failures, "the token is still away");
                    self.link.down(format!("the token is away: {error}"));
                }
            }
        }
        self.since = Instant::now();
        self.metrics.recoveries.inc();
        self.link.up();
        tracing::info!("connection to the token is back");
        Next::GoOn
    }

    fn reopen(&mut self, refused: &mut Option<Pin>) -> Result<(), TokenError> {
        self.read_pin(refused.as_ref())?;
        let mut live = self.link.exclusive();
        token::restart(&self.link.context)?;
        let slot = token::find_usable(&self.link.context, &self.settings.token_label)?;
        match token::log_in(&self.link.context, slot, &self.pin) {
            Ok(session) => self.management = session,
            Err(error) => {
                *refused = (error.class == Class::Pin).then(|| self.pin.clone());
                return Err(error);
            }
        }
        live.slot = slot;
        live.generation += 1;
        live.up = true;
        Ok(())
    }

    /// Reads the PIN again, in case it was changed; one that was refused is not tried twice.
    fn read_pin(&mut self, refused: Option<&Pin>) -> Result<(), TokenError> {
        if let Ok(Some(pins)) = Pins::read(&self.settings.pin_file, self.settings.pin_file_given) {
            self.pin = pins.user;
        }
        match refused {
            Some(pin) if *pin == self.pin => Err(TokenError::new(
                Class::Pin,
                "the token refused the PIN; it is not tried again until the PIN file changes",
            )),
            _ => Ok(()),
        }
    }

    /// Waits before the next attempt: not at all the first time, then 50 ms, doubling, with up to
    /// half of it at random on top. Answers who asks meanwhile.
    fn pause(&mut self) -> Next {
        let until = Instant::now() + wait_before(self.failures);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let away = || {
                SignerError::Unavailable(
                    "the connection to the token is being opened anew".to_owned(),
                )
            };
            match self.commands.recv_timeout(left) {
                Ok(Command::Broken(..)) => {}
                Ok(Command::Rotate(_, _, reply) | Command::Maintain(_, reply)) => {
                    drop(reply.send(Err(away())));
                }
                Err(RecvTimeoutError::Timeout) => return Next::GoOn,
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return Next::Stop,
            }
        }
    }
}

fn wait_before(failures: u32) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let doubled = Duration::from_millis(25).saturating_mul(1 << failures.min(12));
    let wait = doubled.min(LONGEST_WAIT);
    let mut random = [0_u8; 1];
    // Without random numbers the wait is merely regular.
    let _ = rand::fill(&mut random);
    wait + wait.mul_f64(f64::from(random[0]) / 512.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn the_first_attempt_is_at_once_and_later_ones_wait_longer_up_to_a_limit() {
        assert_eq!(wait_before(0), Duration::ZERO);
        assert!(
            wait_before(1) >= Duration::from_millis(50)
                && wait_before(1) < Duration::from_millis(76)
        );
        assert!(wait_before(4) >= Duration::from_millis(400));
        assert!(wait_before(u32::MAX) <= LONGEST_WAIT.mul_f64(1.5));
    }
}

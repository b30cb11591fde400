//! What handshakes come to: counted all, and logged seldom.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use rustls::{CertificateError, Error};
use tokio::time::Instant;

/// How often a refusal of one kind is logged at most; whoever knocks decides how often it happens.
const LINE_EVERY: Duration = Duration::from_mins(1);

/// What a handshake came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The peer is in.
    Ok,
    /// It showed no certificate.
    NoCertificate,
    /// Its certificate is of another root, out of its time, not for clients, or broken.
    CertificateRefused,
    /// Its certificate is good, but made out for somebody else.
    WrongName,
    /// It does not speak TLS 1.3, or nothing else that both could use.
    Incompatible,
    /// It does not speak TLS.
    NotTls,
    /// It took too long.
    TimedOut,
    /// It was slow while others waited.
    Displaced,
    /// It went away, or broke the rules.
    Failed,
}

impl Outcome {
    const ALL: [Self; 9] = [
        Self::Ok,
        Self::NoCertificate,
        Self::CertificateRefused,
        Self::WrongName,
        Self::Incompatible,
        Self::NotTls,
        Self::TimedOut,
        Self::Displaced,
        Self::Failed,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NoCertificate => "no_certificate",
            Self::CertificateRefused => "certificate_refused",
            Self::WrongName => "wrong_name",
            Self::Incompatible => "incompatible",
            Self::NotTls => "not_tls",
            Self::TimedOut => "timed_out",
            Self::Displaced => "displaced",
            Self::Failed => "failed",
        }
    }

    /// What the error of a handshake says.
    pub(super) fn of(error: &io::Error) -> Self {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
        match tls {
            Some(Error::NoCertificatesPresented) => Self::NoCertificate,
            Some(Error::InvalidCertificate(CertificateError::NotValidForName)) => Self::WrongName,
            Some(Error::InvalidCertificate(_)) => Self::CertificateRefused,
            Some(Error::PeerIncompatible(_) | Error::NoApplicationProtocol) => Self::Incompatible,
            Some(Error::InvalidMessage(_)) => Self::NotTls,
            _ => Self::Failed,
        }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    result: &'static str,
}

/// Counters of one listener, and what keeps its log short. Clones count together.
#[derive(Clone, Debug)]
pub(super) struct Outcomes {
    handshakes: Family<Labels, Counter>,
    pub(super) files_refused: Counter,
    lines: Arc<[Seldom; Outcome::ALL.len()]>,
}

impl Outcomes {
    /// Registers everything, at zero.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let outcomes = Self {
            handshakes: Family::default(),
            files_refused: Counter::default(),
            lines: Arc::default(),
        };
        for outcome in Outcome::ALL {
            drop(outcomes.counter(outcome));
        }
        let registry = registry.sub_registry_with_prefix("mutual_tls");
        registry.register(
            "handshakes",
            "Handshakes at the address for mutual TLS, by what they came to",
            outcomes.handshakes.clone(),
        );
        registry.register(
            "files_refused",
            "New certificate files that were refused",
            outcomes.files_refused.clone(),
        );
        outcomes
    }

    fn counter(&self, outcome: Outcome) -> Counter {
        let result = outcome.word();
        self.handshakes.get_or_create_owned(&Labels { result })
    }

    /// Counts a handshake.
    pub(super) fn count(&self, outcome: Outcome, peer: SocketAddr) {
        self.counter(outcome).inc();
        if outcome == Outcome::Ok {
            return;
        }
        if let Some(unsaid) = self.lines[outcome as usize].turn(Instant::now()) {
            let result = outcome.word();
            tracing::warn!(result, %peer, unsaid, "a peer was refused in its handshake");
        }
    }
}

/// Lets one line through in a while, and says how many it held back.
#[derive(Debug, Default)]
struct Seldom(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    last: Option<Instant>,
    unsaid: u64,
}

impl Seldom {
    /// How many lines were held back since the last one, when it is time for one.
    fn turn(&self, now: Instant) -> Option<u64> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held
            .last
            .is_some_and(|last| now.duration_since(last) < LINE_EVERY)
        {
            held.unsaid += 1;
            return None;
        }
        held.last = Some(now);
        Some(std::mem::take(&mut held.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_is_written_and_says_how_many_were_not() {
        let seldom = Seldom::default();
        let start = Instant::now();
        assert_eq!(seldom.turn(start), Some(0));
        assert_eq!(seldom.turn(start), None);
        assert_eq!(seldom.turn(start + LINE_EVERY / 2), None);
        assert_eq!(seldom.turn(start + LINE_EVERY), Some(2));
        assert_eq!(seldom.turn(start + LINE_EVERY * 2), Some(0));
    }

    #[test]
    fn each_outcome_has_its_own_place() {
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index, "{outcome:?}");
        }
    }
}

//! Calls of the module that never return.
//!
//! Nobody can end a call of a PKCS#11 module from outside, and while one hangs, the connection
//! cannot be opened anew either: that waits until no call is under way. The only cure is a new
//! process. So each call is noted with the moment by which it has to be back; when one is not, the
//! program is told to end, and if it does not (the module may hang in its own end, too), it is
//! ended the hard way.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Signal, getpid, kill_process};

use super::link::Link;

/// How often calls are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long a program that was told to end has for it.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The calls that are under way.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    count: u64,
    /// By when each call has to be back.
    due: BTreeMap<u64, Instant>,
}

/// One call, or a few in a row; over when dropped.
#[derive(Debug)]
pub(super) struct Call<'a> {
    calls: &'a Calls,
    number: u64,
}

impl Calls {
    /// Notes a call that has to be back within `limit`.
    pub(super) fn begin(&self, limit: Duration) -> Call<'_> {
        let mut noted = self.lock();
        let number = noted.count;
        noted.count += 1;
        noted.due.insert(number, Instant::now() + limit);
        Call {
            calls: self,
            number,
        }
    }

    /// Whether a call should have been back at `now`.
    pub(super) fn overdue(&self, now: Instant) -> bool {
        self.lock().due.values().any(|due| *due <= now)
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.calls.lock().due.remove(&self.number);
    }
}

/// Starts the thread that looks after the calls; it ends when `stop` is closed, unless there is a
/// fault: then it ends the process.
pub(super) fn watch(link: Arc<Link>, stop: Receiver<()>) -> io::Result<JoinHandle<()>> {
    let work = move || {
        let fault = &link.fault;
        while fault.reason().is_none() {
            if link.calls.overdue(Instant::now()) {
                fault.tell("a call of the PKCS#11 module does not return");
            } else if stop.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Disconnected)
                && fault.reason().is_none()
            {
                return;
            }
        }
        thread::sleep(LAST_WORDS);
        tracing::error!(reason = fault.reason(), "ended the hard way");
        // Not `exit`: that runs the module's own end, which may wait for the call that hangs.
        let _ = kill_process(getpid(), Signal::KILL);
    };
    thread::Builder::new()
        .name("watchdog".to_owned())
        .spawn(work)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn a_call_is_overdue_from_its_limit_until_it_returns() {
        let calls = Calls::default();
        let (short, long) = (Duration::from_secs(1), Duration::from_secs(9));
        let quick = calls.begin(short);
        let slow = calls.begin(long);
        let now = Instant::now();
        assert!(!calls.overdue(now) && calls.overdue(now + short));
        drop(quick);
        assert!(!calls.overdue(now + short) && calls.overdue(now + long));
        drop(slow);
        assert!(!calls.overdue(now + long));
    }
}

//! Who asked about what, how that went, and what is to be tried next.

use std::collections::{BTreeMap, HashMap, btree_map};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::wire::{Expected, MAX_ADDRESSES, Outcome, Question, Tried};

/// The most names that questions are kept of.
pub const MAX_NAMES: usize = 8_192;

/// What went otherwise than expected is tried again after this long, then after twice as long, and so on.
const AGAIN: Duration = Duration::from_secs(5);
/// An address that should be closed and is not is tried at least this often.
const LOOK_AT_A_HOLE: Duration = Duration::from_secs(30);
/// A question that is not asked again for this many rounds, and for this long, is forgotten.
const ROUNDS_KEPT: u32 = 3;
const KEPT: Duration = Duration::from_mins(5);

/// The book.
#[derive(Debug)]
pub struct Book {
    every: Duration,
    pages: HashMap<String, Page>,
}

/// What belongs to one name.
#[derive(Debug)]
struct Page {
    asked: Instant,
    entries: BTreeMap<(Expected, SocketAddr), Entry>,
}

#[derive(Debug)]
struct Entry {
    due: Instant,
    /// How often in a row it went otherwise than expected.
    surprises: u32,
    told: Option<(Instant, Outcome, String)>,
}

/// One thing to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    name: String,
    expected: Expected,
    /// What is to be tried.
    pub address: SocketAddr,
}

/// A question that cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub &'static str);

impl Book {
    /// An empty book for one who tries everything this often.
    pub fn new(every: Duration) -> Self {
        Self {
            every,
            pages: HashMap::new(),
        }
    }

    /// Takes a question down, in the place of an earlier one of its name: what both ask about stays known, what only
    /// the earlier one asked about is forgotten. So an address of which the opposite is expected from now on is tried
    /// anew. Tells what is known.
    ///
    /// # Errors
    /// A question that is too long, or one name too many.
    pub fn ask(&mut self, question: &Question, now: Instant) -> Result<Vec<Tried>, Refused> {
        if question.closed.len() + question.open.len() > MAX_ADDRESSES {
            return Err(Refused("too many addresses in one question"));
        }
        if !self.pages.contains_key(&question.name) && self.pages.len() >= MAX_NAMES {
            return Err(Refused("too many names"));
        }
        let page = self.pages.entry(question.name.clone());
        let page = page.or_insert_with(|| Page {
            asked: now,
            entries: BTreeMap::new(),
        });
        page.asked = now;
        let closed = question.closed.iter().map(|at| (Expected::Closed, *at));
        let open = question.open.iter().map(|at| (Expected::Open, *at));
        let mut before = std::mem::take(&mut page.entries);
        for key in closed.chain(open) {
            let entry = before.remove(&key).unwrap_or(Entry {
                due: now,
                surprises: 0,
                told: None,
            });
            page.entries.insert(key, entry);
        }
        let known = page.entries.iter();
        Ok(known
            .filter_map(|(key, entry)| tried(key, entry, now))
            .collect())
    }

    /// What is to be tried now. It is not due again before it was tried, or a whole round is over.
    pub fn due(&mut self, now: Instant) -> Vec<Job> {
        let kept = KEPT.max(self.every * ROUNDS_KEPT);
        self.pages
            .retain(|_, page| now.duration_since(page.asked) <= kept);
        let mut jobs = Vec::new();
        for (name, page) in &mut self.pages {
            for ((expected, address), entry) in &mut page.entries {
                if entry.due <= now {
                    entry.due = now + self.every;
                    jobs.push(Job {
                        name: name.clone(),
                        expected: *expected,
                        address: *address,
                    });
                }
            }
        }
        jobs
    }

    /// When something is due next.
    pub fn next(&self) -> Option<Instant> {
        let entries = self.pages.values().flat_map(|page| page.entries.values());
        entries.map(|entry| entry.due).min()
    }

    /// Takes down how a try went. A first time that a closed address is reached is not told but tried again: a policy
    /// that was just made takes a moment to be enforced.
    pub fn note(&mut self, job: &Job, outcome: Outcome, because: String, now: Instant) {
        let Some(page) = self.pages.get_mut(&job.name) else {
            return;
        };
        let entry = page.entries.entry((job.expected, job.address));
        let btree_map::Entry::Occupied(mut entry) = entry else {
            return;
        };
        let entry = entry.get_mut();
        let surprise = outcome != job.expected.outcome();
        entry.surprises = if surprise { entry.surprises + 1 } else { 0 };
        entry.due = now + pause(self.every, job.expected, entry.surprises);
        let hole = job.expected == Expected::Closed && outcome == Outcome::Reached;
        if !hole || entry.surprises > 1 {
            entry.told = Some((now, outcome, because));
        }
    }
}

/// How long after a try the next one is due.
fn pause(every: Duration, expected: Expected, surprises: u32) -> Duration {
    let Some(before) = surprises.checked_sub(1) else {
        return every;
    };
    let longest = match expected {
        Expected::Closed => LOOK_AT_A_HOLE.min(every),
        Expected::Open => every,
    };
    AGAIN.saturating_mul(1 << before.min(16)).min(longest)
}

impl Expected {
    fn outcome(self) -> Outcome {
        match self {
            Self::Closed => Outcome::Refused,
            Self::Open => Outcome::Reached,
        }
    }
}

fn tried(key: &(Expected, SocketAddr), entry: &Entry, now: Instant) -> Option<Tried> {
    let (when, outcome, because) = entry.told.as_ref()?;
    Some(Tried {
        address: key.1,
        expected: key.0,
        outcome: *outcome,
        because: because.clone(),
        age_seconds: now.duration_since(*when).as_secs(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const EVERY: Duration = Duration::from_mins(5);

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], port))
    }

    fn question(closed: &[u16], open: &[u16]) -> Question {
        Question {
            name: "acme".to_owned(),
            closed: closed.iter().copied().map(address).collect(),
            open: open.iter().copied().map(address).collect(),
        }
    }

    fn note(book: &mut Book, jobs: &[Job], outcome: Outcome, now: Instant) {
        for job in jobs {
            book.note(job, outcome, String::new(), now);
        }
    }

    #[test]
    fn what_is_asked_about_is_tried_at_once_and_then_once_a_round_for_as_long_as_somebody_asks() {
        let (mut book, mut now) = (Book::new(EVERY), Instant::now());
        assert_eq!(book.ask(&question(&[1, 2], &[]), now), Ok(vec![]));
        let jobs = book.due(now);
        assert_eq!(jobs.len(), 2);
        assert!(book.due(now).is_empty(), "they are under way");
        note(&mut book, &jobs, Outcome::Refused, now);
        now += Duration::from_secs(299);
        assert!(book.due(now).is_empty());
        let told = book.ask(&question(&[1, 2], &[]), now).unwrap();
        assert_eq!((told.len(), told[0].age_seconds), (2, 299));
        assert_eq!(told[0].outcome, Outcome::Refused);
        now += Duration::from_secs(1);
        assert_eq!(book.next(), Some(now));
        assert_eq!(book.due(now).len(), 2);
        now += EVERY * (ROUNDS_KEPT + 1);
        assert!(book.due(now).is_empty() && book.next().is_none());
    }

    #[test]
    fn a_question_is_kept_for_a_while_however_short_a_round_is() {
        let (mut book, mut now) = (Book::new(Duration::from_secs(1)), Instant::now());
        book.ask(&question(&[1], &[]), now).unwrap();
        let jobs = book.due(now);
        now += Duration::from_mins(1);
        note(&mut book, &jobs, Outcome::Refused, now);
        assert_eq!(book.ask(&question(&[1], &[]), now).unwrap().len(), 1);
    }

    #[test]
    fn a_hole_is_told_when_it_is_there_twice_and_looked_at_often() {
        let (mut book, mut now) = (Book::new(EVERY), Instant::now());
        book.ask(&question(&[1], &[]), now).unwrap();
        let jobs = book.due(now);
        note(&mut book, &jobs, Outcome::Refused, now);
        now += EVERY;
        let jobs = book.due(now);
        note(&mut book, &jobs, Outcome::Reached, now);
        let told = book.ask(&question(&[1], &[]), now).unwrap();
        assert_eq!(told[0].outcome, Outcome::Refused, "not yet");
        now += AGAIN;
        let jobs = book.due(now);
        assert_eq!(jobs.len(), 1);
        note(&mut book, &jobs, Outcome::Reached, now);
        let told = book.ask(&question(&[1], &[]), now).unwrap();
        assert_eq!(told[0].outcome, Outcome::Reached);
        for _ in 0..5 {
            now += LOOK_AT_A_HOLE;
            let jobs = book.due(now);
            assert_eq!(jobs.len(), 1, "a hole is looked at every half minute");
            note(&mut book, &jobs, Outcome::Reached, now);
            book.ask(&question(&[1], &[]), now).unwrap();
        }
        now += LOOK_AT_A_HOLE;
        let jobs = book.due(now);
        note(&mut book, &jobs, Outcome::Refused, now);
        let told = book.ask(&question(&[1], &[]), now).unwrap();
        assert_eq!(told[0].outcome, Outcome::Refused, "closed at once");
    }

    #[test]
    fn of_an_address_that_is_expected_otherwise_nothing_is_known() {
        let (mut book, now) = (Book::new(EVERY), Instant::now());
        book.ask(&question(&[], &[53]), now).unwrap();
        let jobs = book.due(now);
        note(&mut book, &jobs, Outcome::Reached, now);
        assert_eq!(book.ask(&question(&[], &[53]), now).unwrap().len(), 1);
        assert_eq!(book.ask(&question(&[53], &[]), now), Ok(vec![]));
        assert_eq!(book.due(now).len(), 1);
        // And an answer to the question before is none to this one.
        note(&mut book, &jobs, Outcome::Reached, now);
        assert_eq!(book.ask(&question(&[53], &[]), now), Ok(vec![]));
    }

    #[test]
    fn what_should_be_open_and_is_not_is_tried_less_and_less_often() {
        let (mut book, mut now) = (Book::new(EVERY), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..8 {
            book.ask(&question(&[], &[1]), now).unwrap();
            let jobs = book.due(now);
            note(&mut book, &jobs, Outcome::Refused, now);
            pauses.push(book.next().unwrap() - now);
            now = book.next().unwrap();
        }
        assert_eq!((pauses[0], pauses[1]), (AGAIN, AGAIN * 2));
        assert_eq!(pauses[7], EVERY);
    }

    #[test]
    fn there_is_an_end_to_what_is_taken() {
        let (mut book, now) = (Book::new(EVERY), Instant::now());
        let many: Vec<u16> = (0..65).collect();
        assert!(book.ask(&question(&many, &[]), now).is_err());
        for number in 0..MAX_NAMES {
            let name = number.to_string();
            let question = Question {
                name,
                ..Question::default()
            };
            book.ask(&question, now).unwrap();
        }
        assert!(book.ask(&question(&[1], &[]), now).is_err());
    }
}

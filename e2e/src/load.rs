//! Questions that come at a steady rate, whatever becomes of the ones before.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::relying_party::{Session, nonce, try_reply};
use crate::{Wallet, World};

/// An answer that came back.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Where the answer says that the log has it.
    pub index: u64,
    /// The hash of its leaf, in hexadecimal.
    pub leaf: String,
    /// What it says.
    pub verdict: String,
    /// When the question left.
    pub asked: Instant,
    /// How long the answer took.
    pub took: Duration,
}

/// What became of the questions.
#[derive(Debug, Default)]
pub struct Tally {
    /// Answers, in the order they came.
    pub answered: Vec<Answered>,
    /// Problems that came back, by code.
    pub refused: Vec<String>,
    /// Requests without any reply, and why.
    pub unanswered: Vec<String>,
}

/// A relying party that asks until it is stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    tally: Arc<Mutex<Tally>>,
    task: JoinHandle<()>,
}

const EVERY: Duration = Duration::from_millis(25);

impl Load {
    /// Starts asking 40 times a second whether somebody born in 1990 is over 18.
    pub async fn start(world: &World) -> Self {
        let sessions = vec![Arc::new(world.session().await)];
        Self::over(sessions, Arc::clone(&world.wallet), EVERY)
    }

    /// Starts asking the same at another pace, with one session after the other.
    pub fn over(sessions: Vec<Arc<Session>>, wallet: Arc<Wallet>, every: Duration) -> Self {
        let (stop, tally) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(Mutex::new(Tally::default())),
        );
        let (stopped, shared) = (Arc::clone(&stop), Arc::clone(&tally));
        let task = tokio::spawn(async move {
            let mut ticks = interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let mut questions = JoinSet::new();
            for session in sessions.iter().cycle() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                ticks.tick().await;
                let (session, wallet, shared) = (session.clone(), wallet.clone(), shared.clone());
                questions.spawn(async move { ask(&session, &wallet, &shared).await });
            }
            while questions.join_next().await.is_some() {}
        });
        Self { stop, tally, task }
    }

    /// Lets it run.
    pub async fn run_for(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// How many answers have come back so far.
    pub fn answered(&self) -> usize {
        lock(&self.tally).answered.len()
    }

    /// Stops asking; what became of the questions once the last of them has ended.
    pub async fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("the load ends");
        std::mem::take(&mut *lock(&self.tally))
    }
}

/// Asks once whether somebody born in 1990 is over 18.
pub async fn ask_once(session: &Session, wallet: &Wallet) -> Tally {
    let tally = Mutex::new(Tally::default());
    ask(session, wallet, &tally).await;
    tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}

async fn ask(session: &Session, wallet: &Wallet, tally: &Mutex<Tally>) {
    let nonce = nonce();
    let presentation = wallet.write(&wallet.born("1990-05-17", session.server(), &nonce));
    let question = json!({
        "policy": "over18", "purpose": "age-restricted-sale", "nonce": nonce,
        "presentations": [{"evidence": "pid", "presentation": presentation}],
    });
    let request = session
        .request(Method::POST, "/v1/verifications")
        .header("content-type", "application/json")
        .body(question.to_string());
    let asked = Instant::now();
    let outcome = try_reply(request).await;
    let mut tally = lock(tally);
    match outcome {
        Ok(reply) if reply.status == 201 => {
            tally.answered.push(answered(&reply.json(), asked));
        }
        Ok(reply) => tally.refused.push(reply.code()),
        Err(error) => tally.unanswered.push(format!("{error:?}")),
    }
}

fn answered(verification: &Value, asked: Instant) -> Answered {
    let evidence = &verification["answer"]["evidence"];
    let leaf = evidence["leaf"].as_str().expect("a leaf hash");
    Answered {
        index: evidence["index"].as_u64().expect("an index"),
        leaf: leaf.trim_start_matches("sha-256:").to_owned(),
        verdict: verification["verdict"]
            .as_str()
            .expect("a verdict")
            .to_owned(),
        asked,
        took: asked.elapsed(),
    }
}

fn lock(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

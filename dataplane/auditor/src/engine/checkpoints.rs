//! Checkpoints: when one is made, and that a bad one is never handed out.
//!
//! A checkpoint is made when somebody waits for a receipt, or at the latest `checkpoint_delay`
//! after an append; one at a time, and `checkpoint_spacing` apart, so that under load one
//! signature serves many entries. It covers only fsynced entries and never goes back: the tree
//! only grows, and after a restart nothing is handed out until a checkpoint over everything that
//! was recovered (so at least everything any earlier checkpoint covered) has been signed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pavilion_tlog::{Checkpoint, Hash, Note, VerifierKey};
use tokio::time::{Instant, sleep, sleep_until};

use super::shared::{Shared, SignedCheckpoint};

/// First and longest pause after an attempt failed.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// A signature over a checkpoint's text.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The key that signed, named after the log's origin.
    pub key: VerifierKey,
    /// The Ed25519 signature (RFC 8032).
    pub signature: [u8; 64],
}

/// Makes checkpoints until dropped. `sign` gets the text and answers with a signature, or with the
/// reason why there is none.
pub(crate) async fn run<F, W>(shared: &Arc<Shared>, sign: F)
where
    F: Fn(String) -> W,
    W: Future<Output = Result<Signed, String>>,
{
    let mut pause = PAUSES.0;
    loop {
        uncovered(shared).await;
        let spaced = Instant::now() + shared.settings.checkpoint_spacing;
        let attempt = shared.attempts.fetch_add(1, Ordering::AcqRel) + 1;
        let (size, root) = shared.tree.head();
        match attempt_one(shared, size, root, &sign).await {
            Ok(signed) => {
                pause = PAUSES.0;
                publish(shared, signed);
                sleep_until(spaced).await;
            }
            Err(reason) => {
                shared.metrics.checkpoint_failure();
                shared.set_signer(Err(reason.clone()));
                shared
                    .checkpoints
                    .send_modify(|state| state.failed = Some((attempt, reason)));
                sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

/// Completes when it is time for a checkpoint.
async fn uncovered(shared: &Shared) {
    let Some(newest) = shared.published() else {
        return;
    };
    let mut grown = shared.grown.subscribe();
    // The sender lives in `shared`: waiting cannot fail while we borrow it.
    let _ = grown.wait_for(|size| *size > newest.size).await;
    let late = Instant::now() + shared.settings.checkpoint_delay;
    loop {
        if shared.wanted.load(Ordering::Acquire) > newest.size {
            return;
        }
        tokio::select! {
            () = shared.demand.notified() => {}
            () = sleep_until(late) => return,
        }
    }
}

async fn attempt_one<F, W>(
    shared: &Shared,
    size: u64,
    root: Hash,
    sign: &F,
) -> Result<SignedCheckpoint, String>
where
    F: Fn(String) -> W,
    W: Future<Output = Result<Signed, String>>,
{
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let checkpoint = Checkpoint::new(&shared.settings.origin, size, root).map_err(|e| words(&e))?;
    let text = checkpoint.to_string();
    let Signed { key, signature } = sign(text.clone()).await?;
    let note = Note::new(&text, vec![key.signature(signature)]).map_err(|e| words(&e))?;
    // A signature that a relying party would refuse is not handed out.
    Checkpoint::open(&note, &key)
        .map_err(|error| format!("the signer's answer is no good: {error}"))?;
    Ok(SignedCheckpoint::new(&checkpoint, note))
}

fn publish(shared: &Shared, signed: SignedCheckpoint) {
    shared.metrics.checkpoint(signed.size);
    let signed = Arc::new(signed);
    shared.checkpoints.send_modify(|state| {
        state.newest = Some(signed);
        state.failed = None;
    });
    shared.set_signer(Ok(()));
}

//! The writer: one thread that makes queued entries durable, one group at a time, in strict order.
//!
//! Order of one turn: write the group, one `fdatasync`, acknowledge, add to the tree, hand full
//! bundles to the sealer. Nothing is in the tree (and so in no checkpoint, proof or tile) that was
//! not fsynced before.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::error::AppendError;
use super::frame::Leaf;
use super::queue::Bounds;
use super::shared::{Pending, Shared};
use super::wal::Wal;

/// The most that one fsync acknowledges.
const GROUP: Bounds = Bounds {
    items: 4096,
    weight: 1024 * 1024,
};
/// How often an idle writer looks around.
const IDLE: Duration = Duration::from_mins(1);
/// First and longest pause between attempts to write again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Works until the queue is closed and empty.
pub(crate) fn run(shared: &Arc<Shared>, mut wal: Wal) {
    resume(shared, &mut wal);
    while let Some(group) = shared.appends.take(GROUP, IDLE) {
        if !group.is_empty() {
            commit(shared, &mut wal, group);
        }
    }
    shared.completed.close();
}

fn commit(shared: &Shared, wal: &mut Wal, mut group: Vec<Pending>) {
    // Nobody would learn of its place, and they may have asked again.
    group.retain(|pending| !pending.acknowledge.is_closed());
    if group.is_empty() {
        return;
    }
    let (mut leaves, mut waiting) = (
        Vec::with_capacity(group.len()),
        Vec::with_capacity(group.len()),
    );
    for Pending { leaf, acknowledge } in group {
        leaves.push(leaf);
        waiting.push(acknowledge);
    }
    let began = Instant::now();
    match wal.append(&leaves) {
        Ok(first) => {
            shared.metrics.group(leaves.len(), began.elapsed());
            shared
                .durable
                .store(first + leaves.len() as u64, Ordering::Release);
            for (index, acknowledge) in (first..).zip(waiting) {
                // Whoever gave up waiting finds the entry in the log.
                let _ = acknowledge.send(Ok(index));
            }
            integrate(shared, leaves);
        }
        Err(error) => {
            let reason = error.to_string();
            shared.set_writer(Err(format!("entries cannot be written: {reason}")));
            // The tail first: an entry that was refused must not come back after a crash.
            let mended = wal.repair();
            let refusal = match mended {
                Err(_) if wal.is_suspect() => AppendError::Uncertain(reason),
                _ => AppendError::Unavailable(reason),
            };
            for acknowledge in waiting {
                refuse(shared, acknowledge, refusal.clone());
            }
            resume(shared, wal);
        }
    }
}

fn integrate(shared: &Shared, leaves: Vec<Leaf>) {
    let completed = shared.tree.extend(leaves);
    shared.grown.send_replace(shared.tree.size());
    for full in completed {
        let weight = full.weight();
        // Waits when the sealer is far behind: memory is bounded, entries are durable already.
        if shared.completed.push(full, weight).is_err() {
            tracing::error!("the sealer ended before the writer");
        }
    }
}

/// Comes back when the next append has a place to go, or the log is being closed. What is queued
/// meanwhile is refused, so that nobody waits for a disk that may never come back.
fn resume(shared: &Shared, wal: &mut Wal) {
    let mut pause = PAUSES.0;
    while let Err(error) = wal.repair() {
        let reason = error.to_string();
        shared.set_writer(Err(format!("entries cannot be written: {reason}")));
        while let Some(group) = shared.appends.take(GROUP, Duration::ZERO) {
            if group.is_empty() {
                break;
            }
            for pending in group {
                let refusal = AppendError::Unavailable(reason.clone());
                refuse(shared, pending.acknowledge, refusal);
            }
        }
        if shared.appends.is_closed() {
            return;
        }
        shared.appends.pause(pause);
        pause = (pause * 2).min(PAUSES.1);
    }
    shared.set_writer(Ok(()));
}

fn refuse(
    shared: &Shared,
    acknowledge: tokio::sync::oneshot::Sender<Result<u64, AppendError>>,
    refusal: AppendError,
) {
    shared.metrics.failure();
    // Whoever gave up waiting learns nothing.
    let _ = acknowledge.send(Err(refusal));
}

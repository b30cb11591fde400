//! Receipts: the entry, its audit path and a signed checkpoint, as one offline proof.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pavilion_tlog::{Proof, leaf_hash};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::error::ReceiptError;
use super::shared::{Shared, SignedCheckpoint};
use super::tree::Disk;

/// The receipt of an acknowledged entry; waits for the checkpoint that covers it.
pub(crate) async fn receipt(shared: &Arc<Shared>, index: u64) -> Result<Proof, ReceiptError> {
    if index >= shared.durable.load(Ordering::Acquire) {
        return Err(ReceiptError::IndexUnknown);
    }
    let signed = covering(shared, index).await?;
    // Recent entries need no disk, but older ones do.
    let built = match build(shared, index, &signed, Disk::Spare) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            let of = Arc::clone(shared);
            let reading = spawn_blocking(move || build(&of, index, &signed, Disk::Read));
            reading
                .await
                .unwrap_or_else(|error| Err(io::Error::other(error)))
        }
        built => built,
    };
    built.map_err(|error| ReceiptError::Unavailable(error.to_string()))
}

/// Waits for a checkpoint over the entry. An attempt that begins after now and fails, or the
/// deadline, ends the wait.
async fn covering(shared: &Shared, index: u64) -> Result<Arc<SignedCheckpoint>, ReceiptError> {
    let begun = shared.attempts.load(Ordering::Acquire);
    let mut checkpoints = shared.checkpoints.subscribe();
    shared.want(index + 1);
    let settled = checkpoints.wait_for(|state| {
        let covers = state
            .newest
            .as_ref()
            .is_some_and(|newest| newest.size > index);
        covers
            || state
                .failed
                .as_ref()
                .is_some_and(|(attempt, _)| *attempt > begun)
    });
    let Ok(Ok(state)) = timeout(shared.settings.receipt_deadline, settled).await else {
        return Err(ReceiptError::SignerUnavailable(
            "the signer took too long".to_owned(),
        ));
    };
    match (&state.newest, &state.failed) {
        (Some(newest), _) if newest.size > index => Ok(Arc::clone(newest)),
        (_, Some((_, reason))) => Err(ReceiptError::SignerUnavailable(reason.clone())),
        _ => Err(ReceiptError::SignerUnavailable(
            "no checkpoint was signed".to_owned(),
        )),
    }
}

fn build(shared: &Shared, index: u64, signed: &SignedCheckpoint, disk: Disk) -> io::Result<Proof> {
    let entry = shared.tree.entry(index, disk)?;
    // Bytes that rotted on the disk would make a receipt that proves nothing.
    if leaf_hash(&entry) != shared.tree.leaf(index, disk)? {
        tracing::error!(
            index,
            "the entry on disk is not the one that was logged; restore its bundle"
        );
        return Err(io::Error::other("an entry does not hash to its leaf"));
    }
    let hashes = shared.tree.proof(index, signed.size, disk)?;
    Ok(Proof {
        extra: Some(entry.into()),
        index,
        hashes,
        checkpoint: signed.note.clone(),
    })
}

//! `status`: what the operator of this host wrote about its objects.

mod document;
mod show;

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

use crate::args::StatusArgs;
use crate::console::{BAD, Console};
use crate::exit::{Exit, Failure};
use crate::file;
use crate::render::structured;
use document::Document;

/// Shows tenants like `kubectl get ptenant`, and why an object is not ready.
pub fn run(args: &StatusArgs, console: &mut Console) -> Result<Exit, Failure> {
    let mut documents = read(&args.state.join("status"))?;
    let watched = is_watched(&args.state)?;
    if !watched {
        documents.iter_mut().for_each(Document::forget);
    }
    if let Some(tenant) = &args.tenant {
        documents.retain(|document| document.belongs_to(tenant));
        if !documents.iter().any(Document::is_tenant) {
            return Err(Failure::usage(format!(
                "there is no tenant {tenant} in {}",
                args.state.display()
            ))
            .note("hint", "kubectl pavilion status --state DIR lists them"));
        }
    }
    let list = document::List::of(&documents);
    let text = match structured(args.output, &list)? {
        Some(text) => text,
        None => show::overview(&documents, jiff::Timestamp::now()),
    };
    console.result(&text)?;
    if !watched {
        let state = args.state.display();
        console.say(&format!(
            "{BAD}warning:{BAD:#} no operator runs on {state}; shown is what the last one wrote"
        ));
        return Ok(Exit::Away);
    }
    if let Some(reason) = documents.iter().find_map(Document::first_reason) {
        console.next(&format!("kubectl pavilion explain {reason}"));
    }
    Ok(Exit::Ok)
}

/// Whether an operator holds the directory. It holds the lock as long as it lives, however it ends.
fn is_watched(state: &Path) -> Result<bool, Failure> {
    let path = state.join("lock");
    let failed = |error| Failure::file(format!("cannot read {}: {error}", path.display()));
    let lock = match File::open(&path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    // Let go of at once, when `lock` is dropped.
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Every status document, sorted by kind and name.
fn read(dir: &Path) -> Result<Vec<Document>, Failure> {
    let mut documents = Vec::new();
    for kind in children(dir)? {
        if !kind.is_dir() {
            continue;
        }
        let files = children(&kind)?;
        for path in files.iter().filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        }) {
            documents.push(Document::new(file::json(path)?));
        }
    }
    documents.sort_by_key(Document::order);
    Ok(documents)
}

fn children(dir: &Path) -> Result<Vec<std::path::PathBuf>, Failure> {
    let failed = |error| {
        Failure::file(format!("cannot read {}: {error}", dir.display())).note(
            "hint",
            "--state is the directory that pavilion-operator standalone was given",
        )
    };
    let entries = std::fs::read_dir(dir).map_err(failed)?;
    entries
        .map(|entry| entry.map(|entry| entry.path()).map_err(failed))
        .collect()
}

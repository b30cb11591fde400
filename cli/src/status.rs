//! `status`: what the operator of this host wrote about its objects.

mod document;
mod show;

use std::path::Path;

use crate::args::StatusArgs;
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::file;
use crate::render::structured;
use document::Document;

/// Shows tenants like `kubectl get ptenant`, and why an object is not ready.
pub fn run(args: &StatusArgs, console: &mut Console) -> Result<Exit, Failure> {
    let mut documents = read(&args.state.join("status"))?;
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
    if let Some(reason) = documents.iter().find_map(Document::first_reason) {
        console.next(&format!("kubectl pavilion explain {reason}"));
    }
    Ok(Exit::Ok)
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

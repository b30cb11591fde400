//! `status`: what an operator wrote about its objects, in a cluster or on one host.

mod show;

use crate::args::StatusArgs;
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::objects::{Document, List, find};
use crate::render::structured;

/// Shows tenants like `kubectl get ptenant`, and why an object is not ready.
pub fn run(args: &StatusArgs, console: &mut Console) -> Result<Exit, Failure> {
    let found = find(&args.source, args.tenant.as_deref())?;
    let text = match structured(args.output, &List::of(&found.documents))? {
        Some(text) => text,
        None => show::overview(&found.documents, jiff::Timestamp::now()),
    };
    console.result(&text)?;
    if let Some(exit) = found.warn(console) {
        return Ok(exit);
    }
    if let Some(reason) = found.documents.iter().find_map(Document::first_reason) {
        console.next(&format!("kubectl pavilion explain {reason}"));
    }
    Ok(Exit::Ok)
}

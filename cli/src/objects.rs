//! What is known of tenants and their objects, by what an operator wrote: in a cluster, or on one host.

mod document;
mod host;
mod remote;

use crate::args::SourceArgs;
use crate::console::{BAD, Console};
use crate::exit::{Exit, Failure};

pub use document::{Document, List, is_good, is_unwatched};

/// Whether an operator looks after the objects.
#[derive(Debug, PartialEq, Eq)]
pub enum Watch {
    /// One does.
    Held,
    /// None does: what the objects say may be over. Why that is known.
    Free(String),
    /// It cannot be found out, for this reason.
    Unknown(String),
}

/// What was found.
pub struct Found {
    /// The objects, in order.
    pub documents: Vec<Document>,
    /// Whether somebody looks after them.
    pub watch: Watch,
}

impl Found {
    /// The tenant itself.
    pub fn tenant(&self, name: &str) -> Option<&Document> {
        let mut documents = self.documents.iter();
        documents.find(|document| document.is_tenant() && document.name() == name)
    }

    /// Warns where nobody looks after the objects; the exit code for that.
    pub fn warn(&self, console: &mut Console) -> Option<Exit> {
        match &self.watch {
            Watch::Held => None,
            Watch::Free(why) => {
                console.say(&format!(
                    "{BAD}warning:{BAD:#} {why}; shown is what the last one wrote"
                ));
                Some(Exit::Away)
            }
            Watch::Unknown(why) => {
                console.say(&format!("whether an operator runs is not known: {why}"));
                None
            }
        }
    }
}

/// Reads what there is, of one tenant or of all. What only watching makes true is made unknown where nobody
/// watches.
pub fn find(args: &SourceArgs, tenant: Option<&str>) -> Result<Found, Failure> {
    let (mut found, place) = if let Some(state) = &args.state {
        (host::find(state)?, state.display().to_string())
    } else {
        remote::find(&args.cluster, tenant)?
    };
    found.documents.sort_by_key(Document::order);
    if let Watch::Free(why) = &found.watch {
        let entry = &pavilion_catalogue::manifest::OPERATOR_STOPPED;
        let why = args.state.as_ref().map_or(why.as_str(), |_| entry.meaning);
        found
            .documents
            .iter_mut()
            .for_each(|document| document.forget(why));
    }
    if let Some(tenant) = tenant {
        found
            .documents
            .retain(|document| document.belongs_to(tenant));
        if found.tenant(tenant).is_none() {
            let from = args.state.as_ref().map_or("", |_| " --state DIR");
            return Err(
                Failure::usage(format!("there is no tenant {tenant} in {place}"))
                    .note("hint", format!("kubectl pavilion status{from} lists them")),
            );
        }
    }
    Ok(found)
}

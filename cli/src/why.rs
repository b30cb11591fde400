//! `why`: from a tenant that is not Ready down to the object and field that cause it.

mod cause;
mod causes;
mod clock;
mod fault;
mod instead;
mod tree;

use serde::Serialize;

use crate::args::WhyArgs;
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::objects::find;
use crate::render::structured;
use cause::Cause;
use clock::Clock;

/// The whole answer, as programs get it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Why<'a> {
    tenant: &'a str,
    ready: bool,
    causes: Vec<Cause>,
}

/// Says why.
pub fn run(args: &WhyArgs, console: &mut Console) -> Result<Exit, Failure> {
    let found = find(&args.source, Some(&args.tenant))?;
    let Some(tenant) = found.tenant(&args.tenant) else {
        return Err(Failure::usage(format!(
            "there is no tenant {}",
            args.tenant
        )));
    };
    let why = Why {
        tenant: &args.tenant,
        ready: tenant.is_ready(),
        causes: causes::of(tenant, &found.documents),
    };
    let text = structured(args.output, &why)?.unwrap_or_else(|| {
        let clock = Clock::now();
        if why.ready {
            tree::ready(tenant, &clock)
        } else {
            tree::not_ready(&args.tenant, &why.causes, &clock)
        }
    });
    console.result(&text)?;
    if let Some(exit) = found.warn(console) {
        return Ok(exit);
    }
    Ok(if why.ready { Exit::Ok } else { Exit::Failed })
}

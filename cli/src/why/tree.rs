//! The causes as a person reads them.

use std::fmt::Write;

use pavilion_crds::NAMESPACE_PREFIX;

use super::cause::Cause;
use super::clock::Clock;
use super::fault::Fault;
use crate::console::{BAD, BOLD, DIM, GOOD};
use crate::objects::Document;
use crate::render::printable;

/// One line for a tenant that is Ready.
pub fn ready(tenant: &Document, clock: &Clock) -> String {
    let name = printable(tenant.name());
    let mut out = format!("{BOLD}{name}{BOLD:#} is {GOOD}Ready{GOOD:#}");
    let since = tenant
        .condition("Ready")
        .map(|ready| ready.last_transition_time.as_str())
        .unwrap_or_default();
    if !since.is_empty() {
        let _ = write!(out, " since {}", printable(&clock.tell(since)));
    }
    let facts = [
        ("policies", "/status/policies"),
        ("bundle", "/status/bundle"),
    ];
    for (what, pointer) in facts {
        let value = tenant.text(pointer);
        if !value.is_empty() {
            let _ = write!(out, ", {what} {}", printable(value));
        }
    }
    if tenant.holds("Terminating") {
        out.push_str("; it is being deleted");
    } else if let Some(refused) = tenant.condition("Terminating") {
        let code = printable(&refused.reason);
        let _ = write!(
            out,
            "; it was deleted and stays: kubectl pavilion explain {code}"
        );
    }
    let newest = tenant.number("/metadata/generation");
    let seen = tenant.number("/status/observedGeneration");
    if let (Some(newest), Some(seen)) = (newest, seen)
        && seen < newest
    {
        let _ = write!(out, "; generation {newest} is not looked at yet");
    }
    out.push('\n');
    out
}

/// The tree for one that is not.
pub fn not_ready(tenant: &str, causes: &[Cause], clock: &Clock) -> String {
    let mut out = format!("{BOLD}{}{BOLD:#} is not Ready\n", printable(tenant));
    for (index, cause) in causes.iter().enumerate() {
        let last = index + 1 == causes.len();
        let (branch, trunk) = if last {
            ("└─", "   ")
        } else {
            ("├─", "│  ")
        };
        let _ = writeln!(out, "{branch} {}", head(cause));
        for line in lines(cause, clock) {
            let _ = writeln!(out, "{trunk}{line}");
        }
    }
    out
}

fn head(cause: &Cause) -> String {
    let namespace = cause.namespace.strip_prefix(NAMESPACE_PREFIX);
    let place = namespace.map_or_else(String::new, |tenant| format!("{tenant}/"));
    let name = printable(&format!("{} {place}{}", cause.kind, cause.name));
    let says = printable(&cause.says);
    match &cause.code {
        Some(code) => format!("{name} {says}: {BAD}{}{BAD:#}", printable(code)),
        None => format!("{name} {says}"),
    }
}

fn lines(cause: &Cause, clock: &Clock) -> Vec<String> {
    let mut lines: Vec<String> = cause.faults.iter().map(told).collect();
    let serves = cause
        .instead
        .as_ref()
        .map(|instead| instead.serves.as_str());
    let since = cause
        .instead
        .as_ref()
        .map_or(&cause.since, |instead| &instead.since);
    let since = since
        .as_ref()
        .map(|since| format!("since {}", clock.tell(since)));
    let serves: Vec<&str> = serves.into_iter().chain(since.as_deref()).collect();
    if !serves.is_empty() {
        lines.push(printable(&serves.join(" ")));
    }
    let known = cause
        .code
        .as_deref()
        .filter(|code| pavilion_catalogue::find(code).is_some());
    lines.extend(known.map(|code| format!("{DIM}→ kubectl pavilion explain {code}{DIM:#}")));
    lines
}

fn told(fault: &Fault) -> String {
    let mut line = String::new();
    for part in [&fault.place, &fault.field].into_iter().flatten() {
        let _ = write!(line, "{part}: ");
    }
    line.push_str(&fault.message);
    if let Some(code) = &fault.code {
        let _ = write!(line, " [{code}]");
    }
    printable(&line)
}

//! The overview for people: a table of tenants, and a tree of reasons under it.

use std::fmt::Write;

use jiff::Timestamp;
use pavilion_crds::{Condition, ConditionStatus};

use crate::console::{BAD, BOLD, DIM, GOOD, UNSURE};
use crate::objects::Document;
use crate::render::{Cell, Table, printable};

/// The table, and why each object that is not ready is not.
pub fn overview(documents: &[Document], now: Timestamp) -> String {
    let mut table = Table::new(&[
        "NAME", "READY", "PHASE", "REGION", "POLICIES", "BUNDLE", "SINCE",
    ]);
    for tenant in documents.iter().filter(|document| document.is_tenant()) {
        table.row([
            tenant.name().into(),
            ready(tenant),
            or_dash(tenant.text("/status/phase")),
            or_dash(tenant.text("/status/region")),
            or_dash(tenant.text("/status/policies")),
            or_dash(tenant.text("/status/bundle")),
            or_dash(
                &tenant
                    .condition("Ready")
                    .map_or_else(String::new, |ready| since(ready, now)),
            ),
        ]);
    }
    let mut out = table.render();
    let to_explain = |document: &&Document| !document.is_ready() && !document.is_merely_unwatched();
    for document in documents.iter().filter(to_explain) {
        out.push('\n');
        out.push_str(&why(document));
    }
    out
}

fn ready(document: &Document) -> Cell {
    match document.condition("Ready").map(|ready| ready.status) {
        Some(ConditionStatus::True) => Cell::styled("True", GOOD),
        Some(ConditionStatus::False) => Cell::styled("False", BAD),
        _ => Cell::styled("Unknown", UNSURE),
    }
}

fn why(document: &Document) -> String {
    let namespace = document.text("/metadata/namespace");
    let place = if namespace.is_empty() {
        String::new()
    } else {
        format!("{namespace}/")
    };
    let name = printable(&format!("{} {place}{}", document.kind(), document.name()));
    let mut out = format!("{BOLD}{name}{BOLD:#} is not ready\n");
    for fault in document.faults() {
        let _ = writeln!(out, "✘ {}", printable(&fault.to_string()));
    }
    if document.conditions().is_empty() {
        out.push_str("└─ it has no status: no operator has looked at it yet\n");
    }
    let obstacles = document.obstacles();
    for (index, condition) in obstacles.iter().enumerate() {
        let last = index + 1 == obstacles.len();
        let (branch, trunk) = if last {
            ("└─", "   ")
        } else {
            ("├─", "│  ")
        };
        let (kind, reason) = (printable(&condition.type_), printable(&condition.reason));
        let _ = writeln!(
            out,
            "{branch} {kind} is {:?}: {BAD}{reason}{BAD:#}",
            condition.status
        );
        for line in condition.message.lines() {
            let _ = writeln!(out, "{trunk}{}", printable(line));
        }
        if let Some(entry) = pavilion_catalogue::find(&condition.reason) {
            let _ = writeln!(out, "{trunk}{DIM}→ {}{DIM:#}", entry.hint);
        }
    }
    out
}

fn or_dash(text: &str) -> Cell {
    if text.is_empty() {
        "-".into()
    } else {
        text.into()
    }
}

/// How long a condition has been as it is, as kubectl shows ages: one or two units.
fn since(condition: &Condition, now: Timestamp) -> String {
    let Ok(then) = condition.last_transition_time.parse::<Timestamp>() else {
        return String::new();
    };
    let seconds = now.as_second().saturating_sub(then.as_second()).max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

//! Metrics that are named are counted by a program.

use std::collections::{BTreeSet, HashSet};
use std::fs;

use pavilion_e2e::root;

use crate::{book, files, pages};

const EVERY: &str = "pavilion_";
/// What a module may put before its own names, and what the format puts behind.
const BEFORE: [&str; 6] = [
    "",
    "log_",
    "mutual_tls_",
    "operator_",
    "router_",
    "router_operator_",
];
const BEHIND: [&str; 4] = ["", "_total", "_seconds", "_info"];

/// The metrics that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let after = text.split(EVERY).skip(1);
    let names = after.map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        rest[..end.unwrap_or(rest.len())].to_owned()
    });
    names.filter(|name| !name.is_empty()).collect()
}

/// The names under which a module may have registered a metric.
fn registered_as(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for before in BEFORE {
        for behind in BEHIND {
            let own = name.strip_prefix(before);
            let own = own.and_then(|own| own.strip_suffix(behind));
            found.extend(own.map(str::to_owned));
        }
    }
    found
}

#[test]
fn every_metric_that_a_page_or_an_alert_names_is_registered_by_a_program() {
    let mut sources = String::new();
    for folder in ["dataplane", "operator/src"] {
        for file in files(&root().join(folder), "rs") {
            sources += &fs::read_to_string(file).unwrap();
        }
    }
    // What stands between two quotation marks, literals among it.
    let quoted: HashSet<&str> = sources.split('"').collect();
    let mut told = pages(&book());
    told.push(root().join("charts/pavilion/templates/monitoring/prometheus-rule.yaml"));
    let mut all = BTreeSet::new();
    for file in told {
        for name in named(&fs::read_to_string(&file).unwrap()) {
            let known = registered_as(&name)
                .iter()
                .any(|own| quoted.contains(own.as_str()));
            assert!(known, "{}: nobody counts {EVERY}{name}", file.display());
            all.insert(name);
        }
    }
    assert!(all.len() > 30, "only {} are named: {all:?}", all.len());
}

#[test]
fn a_name_is_read_to_its_end_and_looked_for_without_what_others_put_around_it() {
    let names = named("`pavilion_log_entries` and pavilion_leader{x=\"y\"} `pavilion_`");
    assert_eq!(
        names.into_iter().collect::<Vec<_>>(),
        ["leader", "log_entries"]
    );
    let own = registered_as("log_append_failures_total");
    assert!(own.contains(&"append_failures".to_owned()), "{own:?}");
}

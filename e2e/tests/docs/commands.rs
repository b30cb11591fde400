//! Commands of the documentation are executed by something.

use std::fs;

use pavilion_e2e::root;

use crate::{book, files, pages};

/// The pages with a block that begins so, as they are called below `docs/src`.
fn with(fence: &str) -> Vec<String> {
    let has = |text: &str| text.lines().any(|line| line == fence);
    pages(&book())
        .iter()
        .filter(|page| has(&fs::read_to_string(page).unwrap()))
        .map(|page| page.strip_prefix(book()).unwrap().display().to_string())
        .collect()
}

#[test]
fn every_page_with_commands_for_a_cluster_is_executed_by_a_test_that_has_one() {
    let sources = files(&root().join("e2e/charts/tests"), "rs");
    let sources: Vec<String> = sources
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let pages = with("```sh cluster");
    assert!(pages.len() >= 3, "{pages:?}");
    for page in pages {
        let named = format!("\"{page}\"");
        let executed = sources.iter().any(|source| source.contains(&named));
        assert!(executed, "no test in e2e/charts executes {page}");
    }
}

#[test]
fn every_page_with_commands_for_a_host_is_one_that_make_docs_test_executes() {
    let pages = with("```sh");
    assert!(pages.len() >= 3, "{pages:?}");
    for page in pages {
        let executed = page == "tutorial.md" || page.starts_with("guides/");
        assert!(executed, "scripts/docs-test.sh does not execute {page}");
    }
}

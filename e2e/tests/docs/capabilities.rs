//! What is promised has tests, and they are where the page says.

use std::fs;

use pavilion_e2e::root;

use crate::{book, pages};

const HEADINGS: [&str; 4] = ["How", "Limits", "Tests", "Figures"];

/// How many lines may stand between what makes a function a test and its name.
const ATTRIBUTES: usize = 4;

/// The tests that a page names: file and function.
fn tests(page: &str) -> Vec<(String, String)> {
    let listed = page.split("\n## Tests\n").nth(1).unwrap_or_default();
    let listed = listed.split("\n## ").next().unwrap_or_default();
    let (mut file, mut found) = (String::new(), Vec::new());
    for line in listed.lines() {
        let name = line.split('`').nth(1).unwrap_or_default();
        if line.starts_with("- `") {
            name.clone_into(&mut file);
        } else if line.starts_with("  - `") {
            found.push((file.clone(), name.to_owned()));
        }
    }
    found
}

/// Whether a source has a test of this name.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().collect();
    let head = format!("fn {name}(");
    lines.iter().enumerate().any(|(at, line)| {
        let above = &lines[at.saturating_sub(ATTRIBUTES)..at];
        let is_test = |line: &&str| line.contains("#[test]") || line.contains("#[tokio::test");
        line.contains(&head) && above.iter().any(is_test)
    })
}

#[test]
fn every_test_that_a_capability_names_exists() {
    let mut named = 0;
    for page in pages(&book().join("capabilities")) {
        let tests = tests(&fs::read_to_string(&page).unwrap());
        assert!(!tests.is_empty(), "{} names no test", page.display());
        for (file, name) in tests {
            let source = fs::read_to_string(root().join(&file));
            let source =
                source.unwrap_or_else(|error| panic!("{}: {file}: {error}", page.display()));
            let there = has_test(&source, &name);
            assert!(there, "{}: {file} has no test {name}", page.display());
            named += 1;
        }
    }
    assert!(named > 50, "only {named} tests are named");
}

#[test]
fn every_capability_says_its_promise_how_it_is_kept_and_its_limits() {
    for page in pages(&book().join("capabilities")) {
        let text = fs::read_to_string(&page).unwrap();
        let headings: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("## "))
            .collect();
        let expected = &HEADINGS[..headings.len().clamp(3, 4)];
        assert_eq!(headings, expected, "{}", page.display());
        let promise = text.lines().nth(2).unwrap_or_default();
        assert!(!promise.starts_with('#'), "{}", page.display());
    }
}

#[test]
fn a_function_is_a_test_only_where_it_is_marked_as_one() {
    let source = "#[test]\nfn one() {}\n\n#[tokio::test(flavor = \"x\")]\nasync fn two() {}\n\n\n\nfn three() {}\n";
    assert!(has_test(source, "one") && has_test(source, "two"));
    assert!(!has_test(source, "three") && !has_test(source, "on"));
    let page = "# A\n\nB\n\n## Tests\n- `a/b.rs`\n  - `one`\n  - `two`\n\n## Figures\n- `x`\n";
    let expected = [("a/b.rs", "one"), ("a/b.rs", "two")];
    assert_eq!(
        tests(page),
        expected.map(|(file, name)| (file.to_owned(), name.to_owned()))
    );
}

//! Links, anchors, and the table of contents.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::{book, pages};

/// The lines of a page that are not code, code within them left out.
fn prose(text: &str) -> Vec<String> {
    let mut inside = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    });
    let outside_of_code = |line: &str| line.split('`').step_by(2).collect();
    lines.map(outside_of_code).collect()
}

/// What a page links to: `[text](target)`, images, and the definitions of `[text][name]`.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        let inline = line
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split_once(')'));
        found.extend(inline.map(|(target, _)| target.to_owned()));
        let definition = line
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("]: "));
        found.extend(definition.map(|(_, target)| target.to_owned()));
    }
    found
}

/// The anchors of a page: one for each heading, as mdBook and GitHub name them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut inside = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        inside ^= line.trim_start().starts_with("```");
        let heading = line.trim_start_matches('#');
        if inside || heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let name = anchor(heading.trim());
        let free = |name: &String| !found.contains(name);
        let numbered = (1..).map(|number| format!("{name}-{number}"));
        let name = std::iter::once(name.clone()).chain(numbered).find(free);
        found.extend(name);
    }
    found
}

fn anchor(heading: &str) -> String {
    let plain = |c: char| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c if c.is_alphanumeric() => Some(c),
        _ => None,
    };
    heading.to_lowercase().chars().filter_map(plain).collect()
}

/// A path without `..` in it.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(out.pop()),
            component => out.push(component),
        }
    }
    out
}

/// Why a link of a page leads nowhere.
fn fault(page: &Path, text: &str, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() {
        page.to_owned()
    } else {
        plain(&page.parent().unwrap().join(path))
    };
    if !target.exists() {
        return Some(format!("{link} does not exist"));
    }
    if page.starts_with(book()) && !target.starts_with(book()) {
        return Some(format!("{link} is not in the book"));
    }
    let known = || match path {
        "" => anchors(text),
        _ => anchors(&fs::read_to_string(&target).unwrap()),
    };
    (!fragment.is_empty() && !known().contains(fragment))
        .then(|| format!("{link} names no heading"))
}

#[test]
fn the_summary_lists_every_page_once_and_nothing_else() {
    let summary = fs::read_to_string(book().join("SUMMARY.md")).unwrap();
    let mut listed: Vec<_> = links(&summary)
        .iter()
        .map(|link| book().join(link))
        .collect();
    listed.sort();
    let mut there = pages(&book());
    there.retain(|page| !page.ends_with("SUMMARY.md"));
    there.sort();
    assert_eq!(listed, there);
}

#[test]
fn the_page_of_a_folder_leads_to_each_page_in_it() {
    for folder in ["capabilities", "runbooks"] {
        let index = fs::read_to_string(book().join(format!("{folder}.md"))).unwrap();
        let links = links(&index);
        let listed: Vec<_> = links.iter().map(|link| book().join(link)).collect();
        for page in pages(&book().join(folder)) {
            assert!(listed.contains(&page), "{} is not listed", page.display());
        }
    }
}

#[test]
fn every_link_and_anchor_leads_somewhere() {
    let mut all = pages(&book());
    all.push(pavilion_e2e::root().join("README.md"));
    let mut followed = 0;
    let mut faults = Vec::new();
    for page in all {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            followed += 1;
            let fault = fault(&page, &text, &link);
            faults.extend(fault.map(|fault| format!("{}: {fault}", page.display())));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(followed > 20, "only {followed} links were found");
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let page = book().join("guides/relying-party.md");
    let text = "# Here\n## It's `over`, `now`\n## Here\n```\n# no heading\n[a](b.md)\n```\n";
    assert_eq!(links(text), Vec::<String>::new());
    let several = "`[a](b)` [c](d), ![e](f.svg)\n[g]: h";
    assert_eq!(links(several), ["d", "f.svg", "h"]);
    let told = |link: &str| fault(&page, text, link).unwrap_or_default();
    for good in [
        "#here",
        "#here-1",
        "#its-over-now",
        "policy.md",
        "../reference/errors.md#requests",
        "https://elsewhere.example/#x",
    ] {
        assert_eq!(told(good), "", "{good}");
    }
    assert_eq!(told("#no-heading"), "#no-heading names no heading");
    assert_eq!(told("gone.md"), "gone.md does not exist");
    assert_eq!(told("policy.md#gone"), "policy.md#gone names no heading");
    let outside = "../../../README.md";
    assert_eq!(told(outside), format!("{outside} is not in the book"));
}

//! The runbooks: for each reason of a condition that is not a good one, the page of the book that says what to do.

use std::fmt::Write;

use crate::console::BOLD;

macro_rules! runbooks {
    ($($reason:literal)+) => {
        /// The pages, by reason.
        const ALL: &[(&str, &str)] = &[$((
            $reason,
            include_str!(concat!("../../../docs/src/runbooks/", $reason, ".md")),
        )),+];
    };
}

runbooks! {
    "ApiRefused"
    "ApiServerReachable"
    "BundleRefused"
    "BundleTooLarge"
    "CertificateExpired"
    "CertificateExpiring"
    "CertificateInvalid"
    "ChangeNotWritten"
    "ClauseNeverTrue"
    "ClosedAddressReachable"
    "DataPlaneUnavailable"
    "DeletionProtected"
    "DuplicateObject"
    "EdgeUnavailable"
    "EndpointInvalid"
    "FieldInvalid"
    "FieldUnknown"
    "FileUnreadable"
    "FilesExposed"
    "GatewayApiMissing"
    "GatewayRefused"
    "GatewaySilent"
    "Hibernated"
    "HostClaimed"
    "HostDuplicate"
    "IsolationUnproven"
    "KeySetInvalid"
    "KeysUnreadable"
    "KindUnknown"
    "LeaseOver"
    "LifetimeInvalid"
    "MetadataReachable"
    "NameInvalid"
    "NameServerReachable"
    "NamespaceTaken"
    "NamespaceUnknown"
    "NeighbourReachable"
    "NodeReachable"
    "ObjectRestored"
    "OperatorFault"
    "OperatorStopped"
    "PlacedElsewhere"
    "PlanRefused"
    "PlanUnknown"
    "PolicyInvalid"
    "PolicyTooLarge"
    "PriorityClassUnknown"
    "PrivilegesKept"
    "ProbeSilent"
    "Progressing"
    "PurposesDisjoint"
    "ReferenceDangling"
    "RegionElsewhere"
    "RegionRefused"
    "RegionUnknown"
    "ResidencyUnmet"
    "RuntimeClassUnknown"
    "SetEmpty"
    "SetRefused"
    "Suspended"
    "SyntaxInvalid"
    "TenantReachable"
    "Terminating"
    "TrustRootPending"
}

/// The page for a reason, as Markdown.
pub fn of(reason: &str) -> Option<&'static str> {
    let page = ALL.iter().find(|(of, _)| *of == reason);
    page.map(|(_, text)| *text)
}

/// A page as a terminal shows it below what the catalogue says: headings stand out, code is indented, and of links the
/// text is left.
pub fn shown(page: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    let text = without_links(page);
    // The first line is the reason, which stands above already.
    for line in text.lines().skip(1) {
        if line.starts_with("```") {
            inside = !inside;
        } else if inside {
            let _ = writeln!(out, "    {line}");
        } else if let Some(heading) = line.strip_prefix("## ") {
            let _ = writeln!(out, "{BOLD}{heading}{BOLD:#}");
        } else {
            let _ = writeln!(out, "{line}");
        }
    }
    out
}

/// `[text](target)` becomes `text`.
fn without_links(page: &str) -> String {
    let mut out = String::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("](") {
        let (Some(open), Some((_, after))) = (before.rfind('['), after.split_once(')')) else {
            break;
        };
        out.push_str(&before[..open]);
        out.push_str(&before[open + 1..]);
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use clap::CommandFactory;
    use pavilion_catalogue::{ALL as CODES, Area, Entry, manifest};

    use super::*;
    use crate::args::Cli;

    /// Reasons that nobody has to do anything about.
    const GOOD: [&Entry; 5] = [
        &manifest::READY,
        &manifest::ACCEPTED,
        &manifest::PLACED,
        &manifest::ISOLATION_APPLIED,
        &manifest::ISOLATION_VERIFIED,
    ];

    const HEADINGS: [&str; 5] = [
        "What you see",
        "What relying parties notice",
        "Find out more",
        "What to do",
        "It is over when",
    ];

    /// The command lines of a page, those in a sentence too, that call the plugin, without its name.
    fn plugin_lines(page: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for code in page.split('`').skip(1).step_by(2) {
            match code.strip_prefix("text\n") {
                Some(block) => lines.extend(block.lines().map(str::to_owned)),
                None => lines.push(code.replace('\n', " ")),
            }
        }
        let calls = lines.iter().filter_map(|line| {
            let plugin = line.strip_prefix("kubectl pavilion ");
            plugin.or_else(|| line.strip_prefix("kubectl-pavilion "))
        });
        calls.map(str::to_owned).collect()
    }

    #[test]
    fn every_reason_that_is_not_a_good_one_has_a_runbook_and_no_other_has() {
        let reasons = CODES.iter().filter(|entry| entry.area == Area::Manifest);
        let good = GOOD.map(|entry| entry.code);
        let wanted: BTreeSet<&str> = reasons
            .map(|entry| entry.code)
            .filter(|code| !good.contains(code))
            .collect();
        let there: BTreeSet<&str> = ALL.iter().map(|(reason, _)| *reason).collect();
        assert_eq!(
            there, wanted,
            "write docs/src/runbooks/<Reason>.md and list it here, or name the reason among the good ones"
        );
        assert_eq!(there.len(), ALL.len(), "one stands twice");
    }

    #[test]
    fn every_page_in_the_folder_is_one_of_them() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/runbooks");
        for entry in fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let reason = name.strip_suffix(".md").unwrap_or(&name);
            assert!(of(reason).is_some(), "{name} is printed by nobody");
        }
    }

    #[test]
    fn every_page_answers_the_same_questions_in_the_same_order() {
        for (reason, page) in ALL {
            assert!(page.starts_with(&format!("# {reason}\n\n## ")), "{reason}");
            let headings: Vec<&str> = page
                .lines()
                .filter_map(|line| line.strip_prefix("## "))
                .collect();
            assert_eq!(headings, HEADINGS, "{reason}");
        }
    }

    #[test]
    fn every_call_of_the_plugin_in_a_page_is_one_that_it_understands() {
        let mut tried = 0;
        for (reason, page) in ALL {
            for line in plugin_lines(page) {
                let arguments = std::iter::once("kubectl-pavilion").chain(line.split_whitespace());
                let outcome = Cli::command().try_get_matches_from(arguments);
                assert!(outcome.is_ok(), "{reason}: {line}: {outcome:?}");
                tried += 1;
            }
        }
        assert!(tried > ALL.len() / 2, "only {tried} lines were found");
    }

    #[test]
    fn a_terminal_sees_headings_commands_and_the_text_of_links() {
        let page = "# Reason\n\n## What to do\nSee [the\nguide](../guide.md#x) and `a[1]`.\n\n```text\nkubectl get\n```\n";
        let shown = anstream::adapter::strip_str(&shown(page)).to_string();
        let expected = "\nWhat to do\nSee the\nguide and `a[1]`.\n\n    kubectl get\n";
        assert_eq!(shown, expected);
    }
}

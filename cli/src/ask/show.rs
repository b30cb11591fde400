//! An answer as a person reads it.

use std::collections::BTreeSet;
use std::fmt::Write;

use anstyle::Style;
use jiff::Timestamp;
use pavilion_results::{Answer, Check, Verdict};

use super::wire::Verification;
use crate::console::{BAD, BOLD, DIM, GOOD, UNSURE};
use crate::render::{Cell, Table, printable};

/// Sign and colour of a verdict; the word goes with them.
fn mark(verdict: Verdict) -> (char, Style) {
    match verdict {
        Verdict::Pass => ('✔', GOOD),
        Verdict::Fail => ('✘', BAD),
        Verdict::Indeterminate => ('?', UNSURE),
    }
}

/// The whole answer.
pub fn answer(answer: &Answer) -> String {
    let (sign, style) = mark(answer.verdict);
    let word = answer.verdict.as_str().to_uppercase();
    let policy = printable(&answer.policy.name);
    let mut out = format!(
        "{style}{sign} {word}{style:#} {BOLD}{policy}{BOLD:#} (revision {})\n\n",
        answer.policy.revision
    );
    let mut checks = Table::new(&["CHECK", "KIND", "VERDICT", "WHY"]);
    for check in &answer.checks {
        let (sign, style) = mark(check.verdict);
        let verdict = Cell::styled(format!("{sign} {}", check.verdict), style);
        checks.row([
            check.id.as_str().into(),
            check.kind.as_str().into(),
            verdict,
            why(check).into(),
        ]);
    }
    out.push_str(&checks.render());
    out.push_str(&hints(&answer.checks));
    out.push('\n');
    out.push_str(&facts(answer));
    out
}

/// What can be done, each piece of advice once, at the first check that it is for.
fn hints(checks: &[Check]) -> String {
    let mut out = String::new();
    let mut said = BTreeSet::new();
    for check in checks {
        let new = check
            .hint
            .as_ref()
            .filter(|hint| said.insert(hint.as_str()));
        if let Some(hint) = new {
            let _ = writeln!(out, "→ {}: {}", line(&check.id), line(hint));
        }
    }
    out
}

fn line(text: &str) -> String {
    printable(text).replace('\n', " ")
}

fn facts(answer: &Answer) -> String {
    let mut facts = Table::plain(0);
    let mut fact = |name: &str, text: String| facts.row([Cell::styled(name, DIM), text.into()]);
    fact("asked", format!("by {} for {}", answer.aud, answer.purpose));
    fact(
        "answered",
        format!("by {} in {}, id {}", answer.iss, answer.region, answer.jti),
    );
    fact("good until", moment(answer.exp));
    if let Some(retention) = answer.retention {
        let seconds = retention.result_seconds;
        fact("kept", format!("by the broker for {seconds} s"));
    }
    if answer.claims.is_empty() {
        fact("disclosed", "nothing".to_owned());
    }
    for (claim, value) in &answer.claims {
        fact("disclosed", format!("{claim} = {value}"));
    }
    if let Some(evidence) = &answer.evidence {
        fact(
            "logged",
            format!(
                "{} entry {}, leaf {}",
                evidence.log,
                evidence.index,
                evidence.leaf.short()
            ),
        );
    }
    facts.render()
}

fn why(check: &Check) -> String {
    let mut text = String::new();
    if let Some(code) = &check.code {
        let _ = write!(text, "{code}: ");
    }
    if let Some(because) = &check.because {
        text.push_str(because);
    } else if let Some(format) = &check.format {
        text.push_str(format);
        if let Some(issuer) = &check.issuer {
            let _ = write!(text, " by {issuer}");
        }
        if let Some(status) = &check.status {
            let _ = write!(text, ", status {status}");
        }
    }
    text.trim_end_matches(": ").to_owned()
}

/// A verification that waits for presentations.
pub fn pending(verification: &Verification) -> String {
    let mut facts = Table::plain(0);
    facts.row(["id".into(), verification.id.as_str().into()]);
    facts.row(["nonce".into(), verification.nonce.as_str().into()]);
    facts.row(["audience".into(), verification.audience.as_str().into()]);
    if let Some(until) = verification.expires_at {
        facts.row(["expires".into(), until.to_string().into()]);
    }
    for evidence in &verification.evidence {
        let claims: Vec<&str> = evidence
            .claims
            .iter()
            .map(|claim| claim.id.as_str())
            .collect();
        let optional = if evidence.optional { ", optional" } else { "" };
        let (types, claims) = (evidence.types.join(" or "), claims.join(", "));
        let wanted = format!("{}: {types} with {claims}{optional}", evidence.id);
        facts.row(["wants".into(), wanted.into()]);
    }
    facts.render()
}

fn moment(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use pavilion_results::{CheckKind, Evidence, PolicyReference, Retention, Salt};
    use serde_json::{Map, json};

    use super::*;

    fn sample() -> Answer {
        let mut credential = Check::new("pid", CheckKind::Credential, Verdict::Pass);
        credential.format = Some("dc+sd-jwt".to_owned());
        credential.issuer = Some("https://pid.example".to_owned());
        credential.status = Some("valid".to_owned());
        let mut clause = Check::new("rule.all[1]", CheckKind::Clause, Verdict::Fail);
        clause.code = Some("clause_not_met".to_owned());
        clause.because = Some("pid.country in [DE]".to_owned());
        clause.hint = Some("Try\nagain.".to_owned());
        let mut unsure = Check::new("student", CheckKind::Credential, Verdict::Indeterminate);
        unsure.code = Some("status_unavailable".to_owned());
        unsure.hint.clone_from(&clause.hint);
        Answer {
            iss: "https://verify.acme.example".to_owned(),
            aud: "shop".to_owned(),
            jti: "01J".to_owned(),
            iat: 0,
            exp: 600,
            nonce: "n".to_owned(),
            req_digest: pavilion_json::Digest::of(b""),
            policy: PolicyReference {
                name: "over18".to_owned(),
                revision: 3,
                digest: pavilion_json::Digest::of(b""),
            },
            purpose: "sale".to_owned(),
            verdict: Verdict::Fail,
            checks: vec![credential, clause, unsure],
            claims: Map::new(),
            region: "eu".to_owned(),
            retention: Some(Retention {
                result_seconds: 900,
            }),
            evidence: None,
        }
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn an_answer_reads_without_colours() {
        let text = plain(&answer(&sample()));
        assert!(
            text.starts_with("✘ FAIL over18 (revision 3)\n\nCHECK "),
            "{text}"
        );
        for line in [
            "pid           credential   ✔ pass            dc+sd-jwt by https://pid.example, status valid\n",
            "rule.all[1]   clause       ✘ fail            clause_not_met: pid.country in [DE]\n",
            "student       credential   ? indeterminate   status_unavailable\n",
            "status_unavailable\n→ rule.all[1]: Try again.\n\nasked",
            "good until   1970-01-01T00:10:00Z\n",
            "kept         by the broker for 900 s\n",
            "disclosed    nothing\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    #[test]
    fn what_leaves_and_where_it_is_logged_is_shown() {
        let leaf = pavilion_json::Digest::of(b"leaf");
        let evidence = Evidence {
            log: "acme/log".to_owned(),
            index: 812,
            leaf,
            salt: Salt::from_bytes([0; 32]),
        };
        let mut sample = sample().with_evidence(evidence);
        sample.claims = Map::from_iter([("pid.country".to_owned(), json!("DE"))]);
        let text = plain(&answer(&sample));
        assert!(
            text.contains("disclosed    pid.country = \"DE\"\n"),
            "{text}"
        );
        assert!(
            text.contains(&format!("acme/log entry 812, leaf {}\n", leaf.short())),
            "{text}"
        );
    }
}

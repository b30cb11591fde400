//! `verify`: the offline check, line by line.

mod policy;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use pavilion_jose::Jwks;
use pavilion_results::{Expected, Finding, Inputs, Outcome, Report};
use serde::Serialize;
use serde_json::Value;

use crate::args::VerifyArgs;
use crate::console::{BAD, Console, DIM, GOOD};
use crate::exit::{Exit, Failure};
use crate::file;
use crate::render::{Cell, Table, structured};

/// What a relying party keeps of one verification.
pub struct Kept {
    /// The answer, a compact JWS.
    pub answer: String,
    /// The body of the request, when it was kept.
    pub request: Option<Vec<u8>>,
    /// The receipt's text.
    pub receipt: String,
    /// The tenant's keys.
    pub jwks: Jwks,
    /// The log's verifier key.
    pub log_key: String,
}

impl Kept {
    /// Judges what was kept.
    pub fn judge(&self, expected: Expected<'_>) -> Report {
        pavilion_results::verify(&Inputs {
            answer: &self.answer,
            request: self.request.as_deref(),
            receipt: &self.receipt,
            jwks: &self.jwks,
            log_key: &self.log_key,
            expected,
        })
    }
}

/// The findings as they are printed for programs.
#[derive(Serialize)]
struct Findings<'a> {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
    checks: Vec<&'a Finding>,
}

/// Checks an answer and prints every line.
pub fn run(args: &VerifyArgs, console: &mut Console) -> Result<Exit, Failure> {
    let kept = read(args)?;
    let policy = match &args.policy {
        Some(source) => Some(policy::digest(source)?),
        None => args.policy_digest,
    };
    let report = kept.judge(Expected {
        issuer: args.issuer.as_deref(),
        audience: args.audience.as_deref(),
        nonce: args.nonce.as_deref(),
        policy,
        now: args.at.unwrap_or_else(Timestamp::now),
        leeway_seconds: args.leeway,
    });
    let readable = readable(args, &kept.answer)?;
    let findings = Findings {
        ok: report.ok()
            && readable
                .as_ref()
                .is_none_or(|finding| finding.outcome == Outcome::Passed),
        verdict: report.verdict().map(pavilion_results::Verdict::as_str),
        checks: report.checks().iter().chain(&readable).collect(),
    };
    let text = structured(args.output, &findings)?.unwrap_or_else(|| table(&findings.checks));
    console.result(&text)?;
    conclude(&findings, console);
    Ok(if findings.ok { Exit::Ok } else { Exit::Failed })
}

fn conclude(findings: &Findings<'_>, console: &mut Console) {
    let failed = findings
        .checks
        .iter()
        .filter(|finding| finding.outcome == Outcome::Failed);
    let codes: Vec<_> = failed.filter_map(|finding| finding.code).collect();
    if let (true, Some(verdict)) = (findings.ok, findings.verdict) {
        console.say(&format!(
            "{GOOD}✔{GOOD:#} The answer holds; its verdict is {verdict}."
        ));
    } else if let Some(first) = codes.first() {
        let (failed, all) = (codes.len(), findings.checks.len());
        console.say(&format!(
            "{BAD}✘{BAD:#} {failed} of {all} checks failed. Do not rely on this answer."
        ));
        console.next(&format!("kubectl pavilion explain {first}"));
    }
}

fn read(args: &VerifyArgs) -> Result<Kept, Failure> {
    let path = |own: &Option<PathBuf>, name: &str, option: &str| match (own, &args.dir) {
        (Some(path), _) => Ok(path.clone()),
        (None, Some(dir)) => Ok(dir.join(name)),
        (None, None) => Err(Failure::usage(format!("give a folder, or {option}"))
            .note("hint", "kubectl pavilion verify --help")),
    };
    let jwks = path(&args.jwks, "jwks.json", "--jwks")?;
    Ok(Kept {
        answer: file::token(&path(&args.answer, "answer.jwt", "--answer")?)?,
        request: Some(file::bytes(&path(
            &args.request,
            "request.json",
            "--request",
        )?)?),
        receipt: file::text(&path(&args.receipt, "receipt.tlog-proof", "--receipt")?)?,
        jwks: keys(&jwks, file::json(&jwks)?)?,
        log_key: file::token(&path(&args.log_key, "log.vkey", "--log-key")?)?,
    })
}

fn keys(path: &Path, document: Value) -> Result<Jwks, Failure> {
    serde_json::from_value(document)
        .map_err(|error| Failure::file(format!("{} is not a JWKS: {error}", path.display())))
}

/// The folder's `answer.json` is what people read, so it must say what was signed.
fn readable(args: &VerifyArgs, answer: &str) -> Result<Option<Finding>, Failure> {
    let path = args
        .dir
        .as_ref()
        .map(|dir| dir.join("answer.json"))
        .filter(|path| path.exists());
    let Some(path) = path.filter(|_| args.answer.is_none()) else {
        return Ok(None);
    };
    let signed = pavilion_jose::CompactJws::parse(answer)
        .ok()
        .and_then(|jws| {
            pavilion_json::parse(jws.unverified_payload(), pavilion_json::Limits::REQUEST).ok()
        });
    let (outcome, code, detail) = if signed == Some(file::json(&path)?) {
        (Outcome::Passed, None, "says what was signed")
    } else {
        let code = pavilion_catalogue::verify::INPUT_MALFORMED.code;
        (
            Outcome::Failed,
            Some(code),
            "does not say what was signed; read the signed form",
        )
    };
    Ok(Some(Finding {
        name: "answer.json",
        outcome,
        code,
        detail: detail.to_owned(),
    }))
}

/// The findings for people: a sign and a word, never colour alone.
pub fn table<'a>(findings: impl IntoIterator<Item = &'a &'a Finding>) -> String {
    let mut table = Table::new(&["CHECK", "OUTCOME", "DETAIL"]);
    for finding in findings {
        let (sign, style) = match finding.outcome {
            Outcome::Passed => ('✔', GOOD),
            Outcome::Failed => ('✘', BAD),
            Outcome::Skipped => ('–', DIM),
        };
        let detail = match finding.code {
            Some(code) => format!("{code}: {}", finding.detail),
            None => finding.detail.clone(),
        };
        let outcome = Cell::styled(format!("{sign} {}", finding.outcome.as_str()), style);
        table.row([finding.name.into(), outcome, detail.into()]);
    }
    table.render()
}

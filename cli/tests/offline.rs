//! What needs no broker: checking kept answers, explaining codes, the command line itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/chain.rs"]
mod chain;
#[path = "support/command.rs"]
mod command;

use std::fs;
use std::path::Path;

use chain::{ISSUER, NONCE, Tenant};
use command::pavilion;
use pavilion_json::Digest;
use pavilion_results::Verdict;
use serde_json::Value;
use tempfile::TempDir;

const REQUEST: &[u8] = br#"{"policy":"over18","purpose":"age-restricted-sale"}"#;
const MANIFEST: &str = "
apiVersion: pavilion.dev/v1alpha1
kind: RelyingParty
metadata: {name: over18, namespace: pavilion-acme}
---
apiVersion: pavilion.dev/v1alpha1
kind: Policy
metadata: {name: over18, namespace: pavilion-acme}
spec:
  purposes: [age-restricted-sale]
  evidence:
  - id: pid
    format: dc+sd-jwt
    types: [urn:eudi:pid:1]
    trust: [pid-issuers]
    claims: [{id: birthdate, path: [birthdate]}]
  rule: {claim: pid.birthdate, age: {atLeast: 18}}
";

/// A folder as `ask --out` leaves it.
fn kept(policy: Digest) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let tenant = Tenant::new("shop");
    let answered = tenant.answer(REQUEST, Verdict::Pass, policy);
    let payload = answered.jwt.split('.').nth(1).unwrap();
    let readable = pavilion_jose::from_base64url(payload).unwrap();
    let write = |name: &str, content: &[u8]| fs::write(dir.path().join(name), content).unwrap();
    write("request.json", REQUEST);
    write("answer.jwt", format!("{}\n", answered.jwt).as_bytes());
    write("answer.json", &readable);
    write("receipt.tlog-proof", answered.receipt.as_bytes());
    write("checkpoint", answered.checkpoint.as_bytes());
    write("log.vkey", format!("{}\n", tenant.log_key()).as_bytes());
    write("jwks.json", tenant.jwks().to_string().as_bytes());
    dir
}

fn path(dir: &Path) -> &str {
    dir.to_str().unwrap()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_kept_answer_that_is_sound_is_found_sound() {
    let policy = Digest::of(b"policy");
    let dir = kept(policy);
    let digest = policy.to_string();
    let run = pavilion([
        "verify",
        path(dir.path()),
        "--audience",
        "shop",
        "--issuer",
        ISSUER,
        "--nonce",
        NONCE,
        "--policy-digest",
        &digest,
    ]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    assert_eq!(run.out.matches("✔ passed").count(), 19, "{}", run.out);
    assert!(
        run.err.contains("✔ The answer holds; its verdict is pass."),
        "{}",
        run.err
    );
    assert!(!run.out.contains('\u{1b}'), "no colour off a terminal");
}

#[test]
fn a_flipped_byte_in_any_kept_file_is_found_and_named() {
    for (file, at, check) in [
        ("request.json", 12, "request.digest"),
        ("answer.jwt", 300, "answer.signature"),
        ("receipt.tlog-proof", 60, "leaf.commitments"),
        ("log.vkey", 2, "log.key"),
    ] {
        let dir = kept(Digest::of(b"policy"));
        flip(&dir.path().join(file), at);
        let run = pavilion(["verify", path(dir.path())]);
        assert_eq!(run.code, 1, "{file}: {}", run.out);
        let line = run
            .out
            .lines()
            .find(|line| line.starts_with(&format!("{check} ")))
            .unwrap();
        assert!(line.contains("✘ failed"), "{file}: {}", run.out);
        assert!(
            run.err.contains("Do not rely on this answer."),
            "{}",
            run.err
        );
        assert!(
            run.err.contains("next: kubectl pavilion explain "),
            "{}",
            run.err
        );
    }
}

#[test]
fn a_readable_answer_that_says_something_else_than_the_signed_one_is_found() {
    let dir = kept(Digest::of(b"policy"));
    let file = dir.path().join("answer.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"shop\"", "\"bank\"")).unwrap();
    let run = pavilion(["verify", path(dir.path())]);
    assert_eq!(run.code, 1);
    assert!(
        run.out.contains("answer.json            ✘ failed"),
        "{}",
        run.out
    );
}

#[test]
fn files_can_be_named_one_by_one_and_programs_get_json() {
    let dir = kept(Digest::of(b"policy"));
    let at = |name: &str| path(&dir.path().join(name)).to_owned();
    let mut args = vec!["verify".to_owned(), "-o".to_owned(), "json".to_owned()];
    for (option, name) in [
        ("--answer", "answer.jwt"),
        ("--request", "request.json"),
        ("--receipt", "receipt.tlog-proof"),
        ("--jwks", "jwks.json"),
        ("--log-key", "log.vkey"),
    ] {
        args.extend([option.to_owned(), at(name)]);
    }
    let run = pavilion(&args);
    assert_eq!(run.code, 0, "{}", run.err);
    let report: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(
        (&report["ok"], &report["verdict"]),
        (&true.into(), &"pass".into())
    );
    assert_eq!(report["checks"].as_array().unwrap().len(), 18);

    args.extend(["--audience".to_owned(), "bank".to_owned()]);
    let report: Value = serde_json::from_str(&pavilion(&args).out).unwrap();
    assert_eq!(report["ok"], false);
    assert!(
        report.get("verdict").is_none(),
        "no verdict comes out of a broken chain"
    );
}

#[test]
fn the_moment_of_the_judgement_can_be_chosen() {
    let dir = kept(Digest::of(b"policy"));
    let run = pavilion(["verify", path(dir.path()), "--at", "2001-01-01T00:00:00Z"]);
    assert_eq!(run.code, 1);
    assert!(run.out.contains("answer_not_yet_valid"), "{}", run.out);
}

#[test]
fn the_policy_of_a_manifest_is_digested_as_the_broker_does() {
    let manifest = tempfile::NamedTempFile::new().unwrap();
    fs::write(manifest.path(), MANIFEST).unwrap();
    let source = format!("{}#over18", path(manifest.path()));
    let spec: Vec<Value> = serde_saphyr::from_multiple(MANIFEST).unwrap();
    let policy = serde_json::from_value(spec[1]["spec"].clone()).unwrap();
    let dir = kept(pavilion_policy::revision_digest(&policy));
    let run = pavilion(["verify", path(dir.path()), "--policy", &source]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);

    fs::write(
        manifest.path(),
        MANIFEST.replace("atLeast: 18", "atLeast: 16"),
    )
    .unwrap();
    let run = pavilion(["verify", path(dir.path()), "--policy", &source]);
    assert_eq!(run.code, 1);
    assert!(run.out.contains("answer_policy_mismatch"), "{}", run.out);

    for (text, told) in [
        (
            MANIFEST.replace("kind: Policy", "kind: Other"),
            "has no Policy named over18",
        ),
        (
            format!("{MANIFEST}\n---\n{MANIFEST}"),
            "has more than one Policy named over18",
        ),
        (MANIFEST.replace("purposes:", "purpose:"), "spec"),
        ("{".to_owned(), "is not YAML"),
    ] {
        fs::write(manifest.path(), text).unwrap();
        let run = pavilion(["verify", path(dir.path()), "--policy", &source]);
        assert_eq!(run.code, 6, "{told}: {}", run.err);
        assert!(run.err.contains(told), "{told}: {}", run.err);
    }
}

#[test]
fn a_missing_or_odd_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let run = pavilion(["verify", path(dir.path())]);
    assert_eq!((run.code, run.out.as_str()), (6, ""));
    assert!(
        run.err.contains("cannot read") && run.err.contains("jwks.json")
            || run.err.contains("answer.jwt")
    );

    let dir = kept(Digest::of(b"policy"));
    fs::write(dir.path().join("jwks.json"), "[]").unwrap();
    let run = pavilion(["verify", path(dir.path())]);
    assert_eq!(run.code, 6);
    assert!(run.err.contains("jwks.json is not a JWKS"), "{}", run.err);
    fs::write(dir.path().join("receipt.tlog-proof"), b"\xff").unwrap();
    assert!(
        pavilion(["verify", path(dir.path())])
            .err
            .contains("is not UTF-8")
    );

    let run = pavilion(["verify", "--answer", "x"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("give a folder, or --jwks"), "{}", run.err);
}

#[test]
fn a_wrong_command_line_ends_with_2_and_says_why_on_stderr() {
    for line in [
        "verify --policy no-hash-sign",
        "verify --policy-digest md5:1",
        "verify --at yesterday x",
        "ask --server http://x --as shop --key k --policy p --purpose q",
        "ask --server https://x/path --as shop --key k --policy p --purpose q",
        "ask --server https://x --as shop --policy p --purpose q",
        "ask --server https://x --as shop --key k",
        "ask --server https://x --as s --key k --policy p --purpose q --presentation pid",
        "ask --server https://x --as s --key k --policy p --purpose q --presentation pid=f",
        "why",
        "completion cobol",
        "nonsense",
    ] {
        let run = pavilion(line.split(' '));
        assert_eq!(run.code, 2, "{line}: {}{}", run.out, run.err);
        assert!(run.out.is_empty() && !run.err.is_empty(), "{line}");
    }
}

#[test]
fn help_and_version_are_results() {
    for args in [["--help"], ["--version"]] {
        let run = pavilion(args);
        assert_eq!(run.code, 0);
        assert!(run.out.contains("kubectl-pavilion") && run.err.is_empty());
    }
}

#[test]
fn a_code_is_explained_for_people_and_programs() {
    let run = pavilion(["explain", "answer_expired"]);
    assert_eq!(run.code, 0);
    assert!(
        run.out
            .starts_with("answer_expired: The answer has expired\n"),
        "{}",
        run.out
    );
    assert!(run.out.contains("\n→ "), "{}", run.out);
    let run = pavilion(["explain", "answer_expired", "-o", "yaml"]);
    assert!(run.out.contains("code: answer_expired\n"), "{}", run.out);
    let run = pavilion(["explain"]);
    assert!(run.out.starts_with("CODE "), "{}", run.out);
    assert_eq!(run.out.lines().count(), pavilion_catalogue::ALL.len() + 1);
    let run = pavilion(["explain", "-o", "json"]);
    let all: Vec<Value> = serde_json::from_str(&run.out).unwrap();
    assert_eq!(all.len(), pavilion_catalogue::ALL.len());
}

#[test]
fn a_reason_that_wants_something_done_comes_with_its_runbook() {
    let run = pavilion(["explain", "HostClaimed"]);
    assert_eq!(run.code, 0);
    let (hint, runbook) = run.out.split_once("\nWhat you see\n").unwrap();
    assert!(hint.contains("\n→ "), "{}", run.out);
    assert!(
        runbook.contains("\n    kubectl pavilion why acme\n"),
        "{}",
        run.out
    );
    assert!(!run.out.contains("```"), "{}", run.out);
    let run = pavilion(["explain", "HostClaimed", "-o", "json"]);
    let one: Value = serde_json::from_str(&run.out).unwrap();
    let page = one["runbook"].as_str().unwrap();
    assert!(page.starts_with("# HostClaimed\n"), "{page}");
    let run = pavilion(["explain", "Ready", "-o", "json"]);
    let one: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(one.get("runbook"), None);
}

#[test]
fn an_unknown_code_leads_to_those_like_it() {
    let run = pavilion(["explain", "answer_exhausted"]);
    assert_eq!(run.code, 2);
    assert!(
        run.err.contains("there is no code answer_exhausted") && run.err.contains("did you mean"),
        "{}",
        run.err
    );
    let run = pavilion(["explain", "xyz"]);
    assert!(run.err.contains("lists every code"), "{}", run.err);
}

#[test]
fn every_shell_gets_a_completion_script() {
    for shell in ["bash", "zsh", "fish"] {
        let run = pavilion(["completion", shell]);
        assert_eq!(run.code, 0);
        assert!(run.out.contains("kubectl-pavilion"), "{shell}");
    }
}

#[test]
fn the_committed_reference_page_is_the_generated_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/src/reference/cli.md");
    let page = kubectl_pavilion::reference_page();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, &page).unwrap();
    }
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        page,
        "run UPDATE=1 cargo test -p kubectl-pavilion"
    );
}

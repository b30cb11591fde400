//! Keys, credentials and presentations made by `dev` are what a verifier takes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/command.rs"]
mod command;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use command::{Run, pavilion};
use jiff::Timestamp;
use pavilion_proofs::sd_jwt::{self, Credential, Expected};
use pavilion_proofs::{PreparedAnchors, ProofError, TrustAnchor, Verified};
use serde_json::{Value, json};
use tempfile::TempDir;

const CLAIMS: &str = r#"{"birthdate":"1990-01-01","address":{"country":"DE","city":"Bonn"}}"#;
const TYPE: &str = "urn:eudi:pid:1";

struct World {
    dir: TempDir,
    issuer: Value,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = |name: &str| {
            let run = pavilion([
                "dev",
                "key",
                "--out",
                dir.path().join(name).to_str().unwrap(),
            ]);
            assert_eq!(run.code, 0, "{}", run.err);
            serde_json::from_str::<Value>(&run.out).unwrap()
        };
        let issuer = key("issuer.jwk");
        key("holder.jwk");
        Self { dir, issuer }
    }

    fn at(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn issue(&self, more: &[&str]) -> Run {
        let (issuer, holder) = (self.at("issuer.jwk"), self.at("holder.jwk"));
        let mut args = vec![
            "dev",
            "issue",
            "--issuer-key",
            &issuer,
            "--issuer",
            "https://pid.example",
            "--type",
            TYPE,
            "--holder-key",
            &holder,
        ];
        args.extend(more);
        let run = pavilion(args);
        fs::write(self.at("credential"), &run.out).unwrap();
        run
    }

    fn present(&self, more: &[&str]) -> Run {
        let (credential, holder) = (self.at("credential"), self.at("holder.jwk"));
        let mut args = vec![
            "dev",
            "present",
            "--credential",
            &credential,
            "--holder-key",
            &holder,
            "--audience",
            "https://verify.acme.example",
            "--nonce",
            "n1",
        ];
        args.extend(more);
        pavilion(args)
    }

    fn verify(&self, presentation: &str) -> Result<Verified<Credential>, ProofError> {
        let anchor: TrustAnchor = serde_json::from_value(json!({
            "credentialTypes": [TYPE],
            "issuers": [{"issuer": "https://pid.example", "keys": {"jwks": {"keys": [self.issuer]}}}],
            "status": {"required": false},
        }))
        .unwrap();
        let anchors = PreparedAnchors::new(&BTreeMap::from([("pid", anchor)])).unwrap();
        sd_jwt::verify(
            presentation.trim(),
            &Expected {
                evidence_id: "pid",
                types: &[TYPE.to_owned()],
                anchors: &anchors,
                trust: &["pid".to_owned()],
                nonce: "n1",
                audience: "https://verify.acme.example",
                now: Timestamp::now(),
                leeway: Duration::from_secs(30),
                key_binding_max_age: Duration::from_mins(5),
                holder_binding: true,
            },
        )
    }
}

fn mode(path: &str) -> u32 {
    fs::metadata(Path::new(path)).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_dev_issues_and_presents_a_verifier_takes() {
    let world = World::new();
    assert_eq!(world.issue(&["--claims", CLAIMS]).code, 0);
    let run = world.present(&[]);
    assert_eq!(run.code, 0, "{}", run.err);
    let credential = world.verify(&run.out).unwrap();
    let claims = serde_json::to_value(&credential.claims).unwrap();
    assert_eq!(claims["birthdate"], "1990-01-01");
    assert_eq!(claims["address"]["country"], "DE");
}

#[test]
fn a_presentation_shows_what_was_chosen_and_nothing_else() {
    let world = World::new();
    let disclosable = [
        "--disclosable",
        "birthdate",
        "--disclosable",
        "address.country",
        "--disclosable",
        "address.city",
    ];
    assert_eq!(
        world
            .issue(&[&["--claims", CLAIMS][..], &disclosable].concat())
            .code,
        0
    );
    let run = world.present(&["--disclose", "address.country"]);
    let claims = serde_json::to_value(&world.verify(&run.out).unwrap().claims).unwrap();
    assert!(claims.get("birthdate").is_none());
    assert_eq!(claims["address"], json!({"country": "DE"}));

    let run = world.present(&["--disclose", "shoe_size"]);
    assert_eq!(run.code, 6);
    assert!(
        run.err.contains("shoe_size: there is no such claim"),
        "{}",
        run.err
    );
}

#[test]
fn expiry_and_status_are_written_into_the_credential() {
    let world = World::new();
    let run = world.issue(&[
        "--claims",
        CLAIMS,
        "--expires",
        "2001-01-01T00:00:00Z",
        "--status-list",
        "https://status.example/1#7",
    ]);
    assert_eq!(run.code, 0, "{}", run.err);
    let jws = run.out.split('~').next().unwrap();
    let payload = pavilion_jose::from_base64url(jws.split('.').nth(1).unwrap()).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(payload["exp"], 978_307_200);
    assert_eq!(
        payload["status"]["status_list"],
        json!({"uri": "https://status.example/1", "idx": 7})
    );
    assert_eq!(payload["cnf"]["jwk"].get("d"), None);
    let error = world.verify(&world.present(&[]).out).unwrap_err();
    assert!(error.to_string().contains("expired"), "{error}");
}

#[test]
fn claims_come_from_a_file_as_well() {
    let world = World::new();
    fs::write(world.at("claims.json"), CLAIMS).unwrap();
    assert_eq!(
        world
            .issue(&["--claims", &format!("@{}", world.at("claims.json"))])
            .code,
        0
    );
    assert!(world.verify(&world.present(&[]).out).is_ok());
    for (claims, told) in [
        ("[1]", "not a JSON object"),
        ("{", "--claims"),
        (r#"{"iss":"x"}"#, "iss"),
    ] {
        let run = world.issue(&["--claims", claims]);
        assert_eq!(run.code, 2, "{claims}");
        assert!(run.err.contains(told), "{}", run.err);
    }
    assert_eq!(
        world
            .issue(&["--claims", "{}", "--status-list", "https://x"])
            .code,
        2
    );
    assert_eq!(
        world
            .issue(&["--claims", "{}", "--status-list", "https://x#y"])
            .code,
        2
    );
}

#[test]
fn a_private_key_is_readable_by_its_owner_only_and_never_replaced() {
    let world = World::new();
    let file = world.at("issuer.jwk");
    assert_eq!(mode(&file), 0o600);
    let before = fs::read(&file).unwrap();
    let run = pavilion(["dev", "key", "--out", &file]);
    assert_eq!(run.code, 6);
    assert_eq!(fs::read(&file).unwrap(), before);
    assert!(world.issuer.get("d").is_none());
    assert_eq!(world.issuer["alg"], "ES256");
}

#[test]
fn the_public_half_is_shown_alone_or_as_a_key_set() {
    let world = World::new();
    let file = world.at("issuer.jwk");
    let public: Value =
        serde_json::from_str(&pavilion(["dev", "key", "--public", &file]).out).unwrap();
    assert_eq!(public, world.issuer);
    let set: Value =
        serde_json::from_str(&pavilion(["dev", "key", "--public", &file, "--jwks"]).out).unwrap();
    assert_eq!(set, json!({"keys": [public]}));
    fs::write(world.at("odd"), "{}").unwrap();
    let run = pavilion(["dev", "key", "--public", &world.at("odd")]);
    assert_eq!(run.code, 6);
    assert!(run.err.contains("is not a private JWK"), "{}", run.err);
}

#[test]
fn a_key_without_a_file_goes_to_stdout() {
    for algorithm in ["ES256", "ES384", "EdDSA"] {
        let run = pavilion(["dev", "key", "--algorithm", algorithm]);
        let key: Value = serde_json::from_str(&run.out).unwrap();
        assert!(
            key["d"].is_string() && key["kid"].is_string(),
            "{algorithm}"
        );
    }
    assert_eq!(pavilion(["dev", "key", "--algorithm", "HS256"]).code, 2);
}

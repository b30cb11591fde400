//! The quickstart's relying party, with a demo issuer and a demo wallet.

use std::{
    fs,
    path::{Path, PathBuf},
};

use pavilion_e2e_charts::Outcome;
use tempfile::TempDir;

use crate::{
    command::{kubectl_with, plugin},
    stage::{TENANT_NAMESPACE, edge},
};

const SERVER: &str = "https://verify.acme.localhost";
const KEYS: &str = "examples/quickstart/dev-keys";

/// Asks whether holders are over 18.
pub struct Shop {
    folder: TempDir,
    edge: String,
}

impl Shop {
    /// One that trusts the tenant's root, as the cluster publishes it.
    pub fn open() -> Self {
        Self::by(edge())
    }

    /// The same, that goes to this address.
    pub fn by(edge: String) -> Self {
        let folder = TempDir::new().unwrap();
        let root = kubectl_with(&[
            "-n",
            TENANT_NAMESPACE,
            "get",
            "configmap",
            "pavilion",
            "-o",
            "jsonpath={.data.ca\\.crt}",
        ]);
        fs::write(folder.path().join("ca.crt"), root).unwrap();
        let shop = Self { folder, edge };
        let holder = shop.path("holder.jwk.json");
        done(&plugin(&["dev", "key", "--out", &holder]));
        shop
    }

    /// A file of the shop's.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Asks about a holder born on a day; the answer is kept in a folder.
    pub fn ask(&self, born: &str) -> (Outcome, PathBuf) {
        self.ask_with(born, &fresh_nonce())
    }

    /// The same with a nonce of its own.
    pub fn ask_with(&self, born: &str, nonce: &str) -> (Outcome, PathBuf) {
        let (issuer, holder) = (
            format!("{KEYS}/issuer.jwk.json"),
            self.path("holder.jwk.json"),
        );
        let claims = format!(r#"{{"birthdate": "{born}"}}"#);
        let credential = plugin(&[
            "dev",
            "issue",
            "--issuer-key",
            &issuer,
            "--issuer",
            "https://issuer.example",
            "--type",
            "urn:eudi:pid:1",
            "--holder-key",
            &holder,
            "--claims",
            &claims,
        ]);
        done(&credential);
        let file = self.path(&format!("{nonce}.credential"));
        fs::write(&file, &credential.printed).unwrap();
        let presented = plugin(&[
            "dev",
            "present",
            "--credential",
            &file,
            "--holder-key",
            &holder,
            "--audience",
            SERVER,
            "--nonce",
            nonce,
            "--disclose",
            "birthdate",
        ]);
        done(&presented);
        let presentation = self.path(&format!("{nonce}.presentation"));
        fs::write(&presentation, &presented.printed).unwrap();
        self.send(&presentation, nonce)
    }

    /// Sends a presentation that was made before.
    pub fn send(&self, presentation: &str, nonce: &str) -> (Outcome, PathBuf) {
        let (root, key) = (self.path("ca.crt"), format!("{KEYS}/shop.jwk.json"));
        let (out, evidence) = (self.path(nonce), format!("pid={presentation}"));
        let asked = plugin(&[
            "ask",
            "--server",
            SERVER,
            "--connect",
            &self.edge,
            "--cacert",
            &root,
            "--as",
            "shop",
            "--key",
            &key,
            "--policy",
            "over18",
            "--purpose",
            "age-restricted-sale",
            "--nonce",
            nonce,
            "--presentation",
            &evidence,
            "--out",
            &out,
        ]);
        (asked, out.into())
    }
}

/// Checks an answer without asking anybody.
pub fn verify(answer: &Path) -> Outcome {
    let answer = answer.display().to_string();
    let policy = "examples/quickstart/policies.yaml#over18";
    plugin(&["verify", &answer, "--policy", policy])
}

/// Nobody used it before.
pub fn fresh_nonce() -> String {
    let mut random = [0_u8; 16];
    let mut file = fs::File::open("/dev/urandom").unwrap();
    std::io::Read::read_exact(&mut file, &mut random).unwrap();
    format!("{:032x}", u128::from_ne_bytes(random))
}

fn done(outcome: &Outcome) {
    assert!(outcome.succeeded, "{}", outcome.said);
}

//! A relying party that asks a broker.

use std::fs;

use pavilion_jose::{Algorithm, SigningKey};
use pavilion_results::Verdict;

use crate::broker::{Broker, Manners};
use crate::chain::NONCE;
use crate::command::{Run, pavilion};

/// A relying party in front of a broker.
pub struct World {
    pub broker: Broker,
    pub presentation: String,
}

impl World {
    pub fn new(manners: Manners) -> Self {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let broker = Broker::start(key.public(), manners);
        fs::write(broker.file("shop.jwk"), key.to_jwk().unwrap().to_string()).unwrap();
        fs::write(broker.file("pid"), "a~b~c\n").unwrap();
        let presentation = format!("pid={}", broker.file("pid"));
        Self {
            broker,
            presentation,
        }
    }

    /// Who asks whom, by `private_key_jwt`.
    pub fn base(&self) -> Vec<String> {
        let connect = self.broker.address.to_string();
        let (key, authority) = (self.broker.file("shop.jwk"), self.broker.file("ca.pem"));
        [
            "ask",
            "--server",
            "https://verify.acme.example",
            "--as",
            "shop",
            "--connect",
            &connect,
            "--cacert",
            &authority,
            "--key",
            &key,
        ]
        .map(str::to_owned)
        .to_vec()
    }

    pub fn run(&self, more: &[&str]) -> Run {
        let mut args = self.base();
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        pavilion(args)
    }

    /// A whole question in one step.
    pub fn ask(&self, more: &[&str]) -> Run {
        let presented = ["--nonce", NONCE, "--presentation", &self.presentation];
        self.run(&[&QUESTION, &presented[..], more].concat())
    }

    /// The first step of a question in several, whose files go into this folder.
    pub fn open(&self, out: &str, more: &[&str]) -> Run {
        self.run(&[&QUESTION, &["--out", out][..], more].concat())
    }
}

/// What is asked.
pub const QUESTION: [&str; 4] = ["--policy", "over18", "--purpose", "age-restricted-sale"];

pub fn deciding(verdict: Verdict) -> World {
    World::new(Manners {
        verdict,
        ..Manners::default()
    })
}

//! What is said between an asker and a broker, from the token to the checked answer.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use pavilion_jose::Jwks;
use pavilion_results::{Expected, Projection, Report};
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::Value;

use super::broker::{Broker, Call};
use super::wire::{
    Configuration, NewEvidence, NewVerification, PresentedEvidence, ResultOptions, State,
    Verification,
};
use super::{keep, token};
use crate::args::{AskArgs, NamedFile};
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::file;
use crate::verify::Kept;

/// How often a verification that is being judged is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// One conversation with the broker.
pub struct Conversation<'a> {
    args: &'a AskArgs,
    broker: Broker,
    configuration: Configuration,
    token: String,
    presentations: Vec<PresentedEvidence>,
}

/// Everything that came back, and what the check of it found.
pub struct Outcome {
    /// What a relying party keeps.
    pub kept: Kept,
    /// What the check of it found.
    pub report: Report,
    /// The tenant's keys as they came.
    pub jwks: Value,
    /// The log's newest checkpoint.
    pub checkpoint: String,
}

impl<'a> Conversation<'a> {
    /// Looks the broker up and gets an access token.
    pub async fn begin(args: &'a AskArgs) -> Result<Self, Failure> {
        let presentations = presentations(args)?;
        let broker = Broker::new(&args.client)?;
        let configuration: Configuration = broker
            .json(&Call::get("/.well-known/pavilion-configuration"))
            .await?;
        let named = configuration.issuer.parse::<url::Url>().ok();
        if named.as_ref().and_then(url::Url::host) != args.client.server.host() {
            let message = format!(
                "{} calls itself {}",
                args.client.server, configuration.issuer
            );
            return Err(Failure::new(Exit::Failed, message)
                .note("hint", "use the tenant's own name in --server"));
        }
        let token = token::get(&broker, &args.client, &configuration.issuer).await?;
        Ok(Self {
            args,
            broker,
            configuration,
            token,
            presentations,
        })
    }

    /// Opens a verification; returns it with the body that opened it.
    pub async fn open(
        &self,
        console: &mut Console,
    ) -> Result<(Verification, Option<Vec<u8>>), Failure> {
        let args = self.args;
        let body = NewVerification {
            policy: args.policy.as_deref().unwrap_or_default(),
            purpose: args.purpose.as_deref().unwrap_or_default(),
            nonce: args.nonce.as_deref(),
            presentations: &self.presentations,
            result: ResultOptions {
                disclose: (!args.disclose.is_empty()).then_some(&args.disclose[..]),
            },
        };
        let body = json_body(&body)?;
        if let Some(dir) = &args.out {
            keep::request(dir, &body)?;
        }
        let opened = self.send("/v1/verifications", &body, console).await?;
        Ok((opened, Some(body)))
    }

    /// Posts under an Idempotency-Key, so that a lost attempt can be made good.
    async fn send(
        &self,
        path: &str,
        body: &[u8],
        console: &mut Console,
    ) -> Result<Verification, Failure> {
        let fresh = || ulid::Ulid::generate().to_string();
        let key = self.args.idempotency_key.clone().unwrap_or_else(fresh);
        let value = HeaderValue::from_str(&key)
            .map_err(|_| Failure::usage("the Idempotency-Key has odd characters"))?;
        let mut call = Call::post(path, "application/json", body.to_vec()).with_token(&self.token);
        call.headers
            .insert(HeaderName::from_static("idempotency-key"), value);
        let sent = self.broker.json(&call).await;
        if sent
            .as_ref()
            .is_err_and(|failure| failure.exit == Exit::Away)
        {
            console.next(&format!(
                "ask again with --idempotency-key {key}; the question then counts once"
            ));
        }
        sent
    }

    /// Sends the presentations for an open verification.
    pub async fn present(&self, id: &str, console: &mut Console) -> Result<Verification, Failure> {
        let body = json_body(&NewEvidence {
            presentations: &self.presentations,
        })?;
        let path = format!("{}/evidence", resource(id)?);
        self.send(&path, &body, console).await
    }

    /// Waits while the broker judges, as long as the person wants to wait at all.
    pub async fn settle(&self, mut verification: Verification) -> Result<Verification, Failure> {
        while verification.state == State::Evaluating {
            if self.broker.time_left() < LOOK_EVERY {
                return Err(Failure::new(
                    Exit::Away,
                    format!("verification {} is still being judged", verification.id),
                ));
            }
            tokio::time::sleep(LOOK_EVERY).await;
            let path = resource(&verification.id)?;
            verification = self
                .broker
                .json(&Call::get(&path).with_token(&self.token))
                .await?;
        }
        Ok(verification)
    }

    /// Fetches answer, receipt and keys, and checks them before anything is shown.
    pub async fn finish(
        &self,
        verification: &Verification,
        request: Option<Vec<u8>>,
    ) -> Result<Outcome, Failure> {
        let unknown = || {
            Failure::new(
                Exit::Away,
                "the broker does not know the key of its log yet",
            )
        };
        let log_key = self
            .configuration
            .log
            .verifier_key
            .as_ref()
            .ok_or_else(unknown)?;
        let resource = resource(&verification.id)?;
        let (result, receipt) = (format!("{resource}/result"), format!("{resource}/receipt"));
        let result = Call::get(&result)
            .with_token(&self.token)
            .accepting(Projection::Jwt.media_type());
        let answer = self.broker.text(&result).await?.trim().to_owned();
        let receipt = self
            .broker
            .text(&Call::get(&receipt).with_token(&self.token))
            .await?;
        let jwks: Value = self
            .broker
            .json(&Call::get("/.well-known/jwks.json"))
            .await?;
        let checkpoint = self.broker.text(&Call::get("/log/checkpoint")).await?;
        let kept = Kept {
            answer,
            request,
            receipt,
            jwks: serde_json::from_value::<Jwks>(jwks.clone()).map_err(|error| {
                Failure::new(
                    Exit::Away,
                    format!("the tenant's key set cannot be read: {error}"),
                )
            })?,
            log_key: log_key.clone(),
        };
        let report = kept.judge(Expected {
            issuer: Some(&self.configuration.issuer),
            audience: Some(self.args.audience()),
            nonce: Some(&verification.nonce),
            ..Expected::at(Timestamp::now())
        });
        Ok(Outcome {
            kept,
            report,
            jwks,
            checkpoint,
        })
    }
}

/// The presentations, read from their files.
fn presentations(args: &AskArgs) -> Result<Vec<PresentedEvidence>, Failure> {
    let mut seen = BTreeSet::new();
    let read = |named: &NamedFile| {
        let evidence = named.name.clone();
        if !seen.insert(evidence.clone()) {
            return Err(Failure::usage(format!("two presentations for {evidence}")));
        }
        Ok(PresentedEvidence {
            evidence,
            presentation: file::token(&named.file)?,
        })
    };
    args.presentations.iter().map(read).collect()
}

/// The body that opened the verification that is finished now, where the first step kept it.
pub fn kept_request(args: &AskArgs) -> Result<Option<Vec<u8>>, Failure> {
    match (&args.continue_id, &args.out) {
        (Some(id), Some(dir)) => keep::request_of(dir, id),
        _ => Ok(None),
    }
}

fn json_body<T: serde::Serialize>(body: &T) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(body)
        .map_err(|error| Failure::usage(format!("the question cannot be written: {error}")))
}

/// The path of a verification; an id is letters and digits, so that it cannot lead elsewhere.
fn resource(id: &str) -> Result<String, Failure> {
    let fits = (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if fits {
        Ok(format!("/v1/verifications/{id}"))
    } else {
        Err(Failure::usage(format!(
            "{id} is not the id of a verification"
        )))
    }
}

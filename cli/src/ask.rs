//! `ask`: one question, from the access token to the checked answer.

mod broker;
mod conversation;
mod keep;
mod refusal;
mod show;
mod tls;
mod token;
mod wire;

use pavilion_results::{Report, Verdict};

use crate::args::{AskArgs, AskFormat};
use crate::console::{Console, Waiting};
use crate::exit::{Exit, Failure};
use crate::render::{Format, structured};
use crate::verify;
pub use conversation::Outcome;
use conversation::{Conversation, kept_request};
use wire::State;
pub use wire::Verification;

/// Asks and prints.
pub fn run(args: &AskArgs, console: &mut Console) -> Result<Exit, Failure> {
    if !args.presentations.is_empty() && args.nonce.is_none() && args.continue_id.is_none() {
        return Err(
            Failure::usage("a presentation is bound to a nonce: name it with --nonce").note(
                "hint",
                "or ask without --presentation first; the broker then hands out a nonce",
            ),
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failure::file(format!("cannot start: {error}")))?;
    runtime.block_on(ask(args, console))
}

async fn ask(args: &AskArgs, console: &mut Console) -> Result<Exit, Failure> {
    match question(args, console).await? {
        Asked::Answered(outcome) => conclude(args, *outcome, console),
        Asked::Waits(verification) => pending(args, &verification, console),
    }
}

/// What a question comes to.
pub enum Asked {
    /// An answer, and what its check found.
    Answered(Box<Outcome>),
    /// Presentations are awaited.
    Waits(Verification),
}

/// Asks, and checks what comes back.
pub async fn question(args: &AskArgs, console: &mut Console) -> Result<Asked, Failure> {
    let waiting = Waiting::on("getting an access token");
    let kept = kept_request(args)?;
    let conversation = Conversation::begin(args).await?;
    waiting.now("asking");
    let (verification, request) = match &args.continue_id {
        Some(id) => (conversation.present(id, console).await?, kept),
        None => conversation.open(console).await?,
    };
    let verification = conversation.settle(verification).await?;
    if verification.state == State::Completed {
        waiting.now("fetching answer and receipt");
        let outcome = conversation.finish(&verification, request).await?;
        return Ok(Asked::Answered(Box::new(outcome)));
    }
    match verification.state {
        State::Created | State::AwaitingEvidence => Ok(Asked::Waits(verification)),
        state => {
            let message = format!("verification {} is {}", verification.id, word(state));
            let failure = Failure::new(Exit::Refused, message);
            Err(match verification.code {
                Some(code) => failure.note("code", code),
                None => failure,
            })
        }
    }
}

/// Prints an answer that holds; one that does not is never shown as one.
fn conclude(args: &AskArgs, outcome: Outcome, console: &mut Console) -> Result<Exit, Failure> {
    let Outcome {
        kept,
        report,
        jwks,
        checkpoint,
    } = outcome;
    let Some(answer) = report.answer() else {
        console.say(&verify::table(&report.checks().iter().collect::<Vec<_>>()));
        let failure = Failure::new(
            Exit::Failed,
            "the broker sent an answer that does not hold; it is not shown",
        );
        return Err(if is_addressed_elsewhere(&report) {
            failure.note(
                "hint",
                "if the RelyingParty has an audience of its own, name it with --audience",
            )
        } else {
            failure
        });
    };
    let text = match args.output {
        AskFormat::Table => show::answer(answer),
        AskFormat::Jwt => kept.answer.clone(),
        AskFormat::Json => structured(Format::Json, answer)?.unwrap_or_default(),
        AskFormat::Yaml => structured(Format::Yaml, answer)?.unwrap_or_default(),
    };
    console.result(&text)?;
    if let Some(dir) = &args.out {
        let returned = keep::Returned {
            jwt: &kept.answer,
            answer,
            receipt: &kept.receipt,
            checkpoint: &checkpoint,
            log_key: &kept.log_key,
            jwks: &jwks,
        };
        keep::returned(dir, &returned)?;
        console.next(&format!(
            "kubectl pavilion verify {} --audience {}",
            dir.display(),
            args.audience()
        ));
    }
    Ok(match answer.verdict {
        Verdict::Pass => Exit::Ok,
        Verdict::Fail => Exit::Failed,
        Verdict::Indeterminate => Exit::Indeterminate,
    })
}

fn is_addressed_elsewhere(report: &Report) -> bool {
    report.checks().iter().any(|finding| {
        finding.name == "answer.audience" && finding.outcome == pavilion_results::Outcome::Failed
    })
}

/// Prints what presentations must be bound to.
fn pending(
    args: &AskArgs,
    verification: &Verification,
    console: &mut Console,
) -> Result<Exit, Failure> {
    if let Some(dir) = &args.out {
        keep::opened(dir, verification)?;
    }
    let text = match args.output {
        AskFormat::Table | AskFormat::Jwt => show::pending(verification),
        AskFormat::Json => structured(Format::Json, verification)?.unwrap_or_default(),
        AskFormat::Yaml => structured(Format::Yaml, verification)?.unwrap_or_default(),
    };
    console.result(&text)?;
    console.next(&format!(
        "present to this nonce and audience, then the same command with --continue {} --presentation EVIDENCE=FILE",
        verification.id
    ));
    Ok(Exit::Ok)
}

fn word(state: State) -> &'static str {
    match state {
        State::Created | State::AwaitingEvidence => "waiting for presentations",
        State::Evaluating => "being judged",
        State::Completed => "completed",
        State::Failed => "failed; the broker could not finish it",
        State::Expired => "expired; nobody finished it in time",
        State::Cancelled => "cancelled",
    }
}

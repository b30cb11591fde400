//! `dev present`: what a wallet does with a credential.

use jiff::Timestamp;
use pavilion_proofs::wallet::{ClaimPath, Holder, Session};

use crate::args::PresentArgs;
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::file;

/// Presents the chosen claims, bound to nonce and audience.
pub fn run(args: &PresentArgs, console: &mut Console) -> Result<Exit, Failure> {
    let holder = Holder::new(file::private_key(&args.holder_key)?);
    let credential = file::token(&args.credential)?;
    let reveal: Vec<ClaimPath> = if args.disclose.is_empty() {
        // The path of no steps is the credential as a whole.
        vec![ClaimPath::default()]
    } else {
        args.disclose
            .iter()
            .map(|path| ClaimPath::from(path.as_str()))
            .collect()
    };
    let session = Session {
        nonce: &args.nonce,
        audience: &args.audience,
        now: Timestamp::now(),
    };
    let presentation = holder
        .present(&credential, &reveal, session)
        .map_err(|error| {
            Failure::file(format!(
                "cannot present {}: {error}",
                args.credential.display()
            ))
        })?;
    console.result(&presentation)?;
    Ok(Exit::Ok)
}

//! `dev issue`: an SD-JWT VC as an issuer would make it.

use jiff::{Timestamp, ToSpan};
use pavilion_jose::{Jwk, SigningKey};
use pavilion_json::Limits;
use pavilion_proofs::sd_jwt::StatusReference;
use pavilion_proofs::wallet::{ClaimPath, Draft, Issuer};
use serde_json::{Map, Value, json};

use crate::args::IssueArgs;
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::file;

/// Issues and prints a credential.
pub fn run(args: &IssueArgs, console: &mut Console) -> Result<Exit, Failure> {
    let issuer = Issuer::new(&args.issuer, issuer_key(args)?);
    let claims = claims(&args.claims)?;
    let now = Timestamp::now();
    let mut draft = Draft::new(&args.credential_type, claims, now);
    draft.disclosable = if args.disclosable.is_empty() {
        draft
            .claims
            .keys()
            .map(|name| ClaimPath::of([name.as_str()]))
            .collect()
    } else {
        args.disclosable
            .iter()
            .map(|path| ClaimPath::from(path.as_str()))
            .collect()
    };
    draft.holder = Some(holder(&file::json(&args.holder_key)?)?);
    // A year in hours: a span in calendar units needs a time zone.
    draft.expires_at = Some(args.expires.unwrap_or(now + (365 * 24).hours()));
    draft.status = args.status_list.as_ref().map(|status| StatusReference {
        uri: status.uri.clone(),
        index: status.index,
    });
    let credential = issuer
        .issue(&draft)
        .map_err(|error| Failure::usage(format!("no credential: {error}")))?;
    console.result(&credential)?;
    Ok(Exit::Ok)
}

/// The issuer's key, named by its thumbprint if it has no `kid`.
fn issuer_key(args: &IssueArgs) -> Result<SigningKey, Failure> {
    let key = file::private_key(&args.issuer_key)?;
    if key.public().kid().is_some() {
        return Ok(key);
    }
    let failed = |error| Failure::file(format!("{}: {error}", args.issuer_key.display()));
    let mut jwk = key.to_jwk().map_err(failed)?;
    jwk["kid"] = json!(key.public().thumbprint());
    SigningKey::from_jwk(&jwk).map_err(failed)
}

/// `JSON` or `@FILE`.
fn claims(text: &str) -> Result<Map<String, Value>, Failure> {
    let value = match text.strip_prefix('@') {
        Some(path) => file::json(path.as_ref())?,
        None => pavilion_json::parse(text.as_bytes(), Limits::CREDENTIAL)
            .map_err(|error| Failure::usage(format!("--claims: {error}")))?,
    };
    match value {
        Value::Object(claims) => Ok(claims),
        _ => Err(Failure::usage("--claims: not a JSON object")),
    }
}

/// The public half of a private or public JWK, without the members that a `cnf` needs not.
fn holder(jwk: &Value) -> Result<Jwk, Failure> {
    let failed = |error| Failure::file(format!("the holder's key is not a JWK: {error}"));
    let members = jwk
        .as_object()
        .ok_or_else(|| Failure::file("the holder's key is not a JSON object"))?;
    let named = ["kty", "crv", "x", "y"];
    let public = members
        .iter()
        .filter(|(name, _)| named.contains(&name.as_str()));
    Jwk::from_members(
        public
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
    .map_err(failed)
}

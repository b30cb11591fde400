//! `dev key`: private keys as JWK.

use pavilion_jose::{Jwk, SigningKey};
use serde_json::{Value, json};

use crate::args::KeyArgs;
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::file;

/// Makes a key, or shows the public half of one.
pub fn run(args: &KeyArgs, console: &mut Console) -> Result<Exit, Failure> {
    if let Some(path) = &args.public {
        return public(&file::private_key(path)?, args.jwks, console);
    }
    let failed = |error| Failure::file(format!("no key could be made: {error}"));
    let key = SigningKey::generate(args.algorithm).map_err(failed)?;
    let mut private = key.to_jwk().map_err(failed)?;
    private["kid"] = json!(key.public().thumbprint());
    let text = format!("{private:#}\n");
    match &args.out {
        None => {
            console.result(&text)?;
            Ok(Exit::Ok)
        }
        Some(path) => {
            file::write_private(path, text.as_bytes())?;
            console.say(&format!(
                "wrote a private {} key to {} (mode 0600)",
                args.algorithm,
                path.display()
            ));
            public(&key, args.jwks, console)
        }
    }
}

fn public(key: &SigningKey, jwks: bool, console: &mut Console) -> Result<Exit, Failure> {
    let public = published(&key.public());
    let document = if jwks {
        json!({"keys": [public]})
    } else {
        public
    };
    console.result(&format!("{document:#}"))?;
    Ok(Exit::Ok)
}

/// The public key as it is published: with `kid`, `alg` and `use`.
pub fn published(key: &Jwk) -> Value {
    let mut members = key.members().clone();
    members
        .entry("kid")
        .or_insert_with(|| json!(key.thumbprint()));
    members.insert("alg".to_owned(), json!(key.algorithm().to_string()));
    members.insert("use".to_owned(), json!("sig"));
    Value::Object(members)
}

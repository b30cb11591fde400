//! What `SoftHSM` needs beside PKCS#11: its configuration file.
//!
//! `SoftHSM` finds its configuration by the environment variable `SOFTHSM2_CONF` when it is
//! initialised. A program that runs threads cannot set a variable of its own safely, so whoever
//! starts the signer sets it, to `softhsm2.conf` beside the token folder; the signer writes the
//! file and refuses to start when the variable leads elsewhere, because `SoftHSM` would then quietly
//! use the machine's tokens.

use std::ffi::OsStr;
use std::path::{Path, PathBuf, absolute};

use super::{StartError, files};

/// The variable `SoftHSM` reads.
pub const VARIABLE: &str = "SOFTHSM2_CONF";

/// Where the configuration of a token folder lies: beside it.
pub fn conf_path(token_directory: &Path) -> PathBuf {
    token_directory.with_file_name("softhsm2.conf")
}

/// Makes the token folder and the configuration that leads to it, and checks that `variable`, the
/// value of [`VARIABLE`], leads to the configuration.
pub(super) fn prepare(token_directory: &Path, variable: Option<&OsStr>) -> Result<(), StartError> {
    let conf = conf_path(token_directory);
    lead_to(&conf, variable)?;
    let text = configuration(token_directory)?;
    files::make_folder(token_directory)
        .map_err(|error| files::cannot_write(token_directory, &error))?;
    files::replace(&conf, text.as_bytes()).map_err(|error| files::cannot_write(&conf, &error))
}

fn lead_to(conf: &Path, variable: Option<&OsStr>) -> Result<(), StartError> {
    let wanted = conf.display();
    let Some(value) = variable else {
        let text = format!("{VARIABLE} is not set; start the signer with {VARIABLE}={wanted}");
        return Err(StartError::Environment(text));
    };
    if absolute(value).ok() == absolute(conf).ok() {
        return Ok(());
    }
    let value = value.display();
    let text =
        format!("{VARIABLE} is {value}, but the tokens of this signer are found by {wanted}");
    Err(StartError::Environment(text))
}

fn configuration(token_directory: &Path) -> Result<String, StartError> {
    let refuse =
        |why: &str| StartError::Environment(format!("{}: {why}", token_directory.display()));
    let folder = absolute(token_directory).map_err(|error| refuse(&error.to_string()))?;
    let folder = folder
        .to_str()
        .ok_or_else(|| refuse("the path is not UTF-8"))?;
    // SoftHSM takes the rest of a line after '#' for a comment and knows no quoting.
    if folder.contains(['#', '\n', '\r']) {
        return Err(refuse(
            "SoftHSM cannot read a path with '#' or a line break",
        ));
    }
    Ok(format!(
        "# Written by pavilion-signer at every start.\n\
         directories.tokendir = {folder}\n\
         objectstore.backend = file\n\
         log.level = ERROR\n\
         slots.removable = false\n"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::fs;

    use super::*;

    #[test]
    fn the_configuration_leads_to_the_token_folder() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = folder.path().join("signer/tokens");
        let conf = conf_path(&tokens);
        prepare(&tokens, Some(conf.as_os_str())).unwrap();
        let text = fs::read_to_string(conf).unwrap();
        assert!(
            text.contains(&format!("directories.tokendir = {}\n", tokens.display())),
            "{text}"
        );
    }

    #[test]
    fn a_missing_or_foreign_variable_is_refused_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = folder.path().join("tokens");
        for variable in [None, Some(OsStr::new("/etc/softhsm/softhsm2.conf"))] {
            let refused = prepare(&tokens, variable).unwrap_err().to_string();
            assert!(refused.starts_with(VARIABLE), "{refused}");
            assert!(refused.contains("softhsm2.conf"), "{refused}");
        }
        assert!(!tokens.exists());
    }

    #[test]
    fn a_path_that_softhsm_would_cut_short_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = folder.path().join("a#b/tokens");
        let conf = conf_path(&tokens);
        assert!(matches!(
            prepare(&tokens, Some(conf.as_os_str())),
            Err(StartError::Environment(_))
        ));
    }
}

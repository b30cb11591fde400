//! The command line that every program understands.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};
use url::Url;

use crate::config::LogLevel;
use crate::run::Identity;

/// What the command line said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub config: PathBuf,
    pub otlp: Option<Url>,
    pub log_level: Option<LogLevel>,
}

/// Reads the command line. `Err` is what clap wants said: help, the version, or what is wrong (exit code 2).
pub(crate) fn parse<I>(identity: &Identity, arguments: I) -> Result<Arguments, clap::Error>
where
    I: IntoIterator<Item: Into<std::ffi::OsString> + Clone>,
{
    let mut matches = command(identity).try_get_matches_from(arguments)?;
    Ok(Arguments {
        config: take(&mut matches, "config").unwrap_or_default(),
        otlp: take(&mut matches, "otlp"),
        log_level: take(&mut matches, "log-level"),
    })
}

fn take<T: Clone + Send + Sync + 'static>(matches: &mut ArgMatches, name: &str) -> Option<T> {
    matches.remove_one(name)
}

fn command(identity: &Identity) -> Command {
    Command::new(identity.name)
        .about(identity.about)
        // Once per process, and clap wants it to live as long.
        .version(&*identity.version_line().leak())
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .help("The configuration file (JSON); paths in it are relative to the working directory")
                .required(true)
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(
            Arg::new("otlp")
                .long("otlp")
                .value_name("URL")
                .help("Send traces to this OTLP/gRPC collector, such as http://127.0.0.1:4317; off without it")
                .value_parser(value_parser!(Url)),
        )
        .arg(
            Arg::new("log-level")
                .long("log-level")
                .value_name("LEVEL")
                .help("error, warn, info, debug or trace; overrides the configuration")
                .value_parser(value_parser!(LogLevel)),
        )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const IDENTITY: Identity = Identity {
        name: "pavilion-test",
        version: "1.2.3",
        about: "Tests.",
    };

    #[test]
    fn the_version_names_the_commit() {
        let said = parse(&IDENTITY, ["pavilion-test", "--version"]).unwrap_err();
        assert_eq!(said.exit_code(), 0);
        let text = said.to_string();
        assert!(text.starts_with("pavilion-test 1.2.3 ("), "{text}");
        assert!(text.contains(crate::COMMIT), "{text}");
    }

    #[test]
    fn everything_can_be_said() {
        let line = "pavilion-test --config a/b.json --otlp http://127.0.0.1:4317 --log-level debug";
        let arguments = parse(&IDENTITY, line.split(' ')).unwrap();
        assert_eq!(arguments.config, PathBuf::from("a/b.json"));
        assert_eq!(arguments.otlp.unwrap().as_str(), "http://127.0.0.1:4317/");
        assert_eq!(arguments.log_level, Some(LogLevel::Debug));
    }

    #[test]
    fn a_wrong_command_line_is_exit_code_2() {
        for line in ["pavilion-test", "pavilion-test --config x --log-level loud"] {
            assert_eq!(
                parse(&IDENTITY, line.split(' ')).unwrap_err().exit_code(),
                2
            );
        }
    }
}

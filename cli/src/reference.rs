//! The reference page of the command line, made from the command line itself.

use std::fmt::Write;

use clap::{Arg, Command, CommandFactory};

use crate::args::Cli;
use crate::exit::Exit;

/// The text of `docs/src/reference/cli.md`.
pub fn page() -> String {
    let mut root = Cli::command();
    root.build();
    let mut out = String::from(
        "# kubectl pavilion\n\n\
         <!-- Generated from the code: UPDATE=1 cargo test -p kubectl-pavilion. -->\n\n\
         The plugin works under kubectl (`kubectl pavilion …`) and alone (`kubectl-pavilion …`). Results go to\n\
         stdout, talk goes to stderr. Colour and progress appear on a terminal only; `NO_COLOR` turns colour off.\n\n\
         ## Exit codes\n\n| code | meaning |\n| --- | --- |\n",
    );
    for exit in Exit::ALL {
        let _ = writeln!(out, "| {} | {} |", exit as u8, exit.meaning());
    }
    for command in root
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
    {
        section(&mut out, command, "kubectl pavilion");
    }
    out
}

/// A command, or the commands below it.
fn section(out: &mut String, command: &Command, above: &str) {
    let name = format!("{above} {}", command.get_name());
    let below: Vec<&Command> = command
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
        .collect();
    if !below.is_empty() {
        for command in below {
            section(out, command, &name);
        }
        return;
    }
    let about = command.get_long_about().or_else(|| command.get_about());
    let _ = write!(
        out,
        "\n## {name}\n\n{}\n",
        about
            .map(ToString::to_string)
            .unwrap_or_default()
            .trim_end()
    );
    let arguments: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| !["help", "version"].contains(&arg.get_id().as_str()))
        .collect();
    if arguments.is_empty() {
        return;
    }
    out.push_str("\n| argument | | |\n| --- | --- | --- |\n");
    for argument in arguments {
        let need = if argument.is_required_set() {
            "required"
        } else {
            ""
        };
        let _ = writeln!(
            out,
            "| `{}` | {need} | {} |",
            spelled(argument),
            told(argument)
        );
    }
}

/// `-o, --output <FORMAT>`, or `[DIR]`.
fn spelled(argument: &Arg) -> String {
    let value = argument
        .get_value_names()
        .filter(|_| argument.get_action().takes_values())
        .map(|names| {
            names
                .iter()
                .map(|name| format!("<{name}>"))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .unwrap_or_default();
    let short = argument
        .get_short()
        .map(|short| format!("-{short}, "))
        .unwrap_or_default();
    match argument.get_long() {
        Some(long) => format!("{short}--{long} {value}").trim_end().to_owned(),
        None => value,
    }
}

/// What it is for, what it may be, and what it is otherwise.
fn told(argument: &Arg) -> String {
    let mut text = argument
        .get_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if !values.is_empty() && argument.get_action().takes_values() {
        let _ = write!(text, ": {}", values.join(", "));
    }
    let takes_value = argument.get_action().takes_values();
    for default in argument.get_default_values().iter().filter(|_| takes_value) {
        let _ = write!(text, ". Default `{}`", default.to_string_lossy());
    }
    text.replace('|', "\\|").replace('\n', " ")
}

//! The commands as clap knows them: with the option that all tables share, and closing prose that is wrapped once, to the
//! reader's terminal. Completion scripts and man pages come from the same.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Args, Command, CommandFactory};

use super::Cli;
use super::output::{print_bytes, print_line};

/// Commands that print a table.
const WITH_TABLE: &[&str] = &[
    "access list",
    "anchor list",
    "anchor run",
    "anchor show",
    "bundle show",
    "config show",
    "figures",
    "figures names list",
    "hold list",
    "key list",
    "key rotate-vault",
    "policy explain",
    "policy gaps",
    "policy list",
    "prices diff",
    "prices list",
    "privacy access",
    "privacy erase",
    "privacy execute",
    "privacy list",
    "privacy restrict",
    "prompt check",
    "prompt history",
    "prompt list",
    "prompt sync",
    "query",
    "retention explain",
    "retention preview",
    "retention triggers",
    "sources",
    "tenant list",
    "tenant set",
    "vault-copy",
    "vault-copy check",
    "vault-copy list",
    "vault-replica",
    "vault-replica check",
    "vault-replica list",
];

/// Options that say which ledger a command is about, and how it is reached. They stand behind the command's own.
const CONNECTION: &[&str] = &[
    "dir",
    "root_key_file",
    "root_key_command",
    "url",
    "tenant",
    "ledger",
    "purpose",
    "token",
];

/// Id of the option of the commands that print a table.
const OUTPUT: &str = "table_output";

/// All commands.
pub(super) fn command() -> Command {
    completed(Cli::command(), "")
}

/// Whether the command that was given prints its table in full.
pub(super) fn asks_for_wide(matches: &ArgMatches) -> bool {
    given(matches, |matches| {
        matches!(matches.try_get_one::<String>(OUTPUT), Ok(Some(_)))
    })
}

/// Whether the command that was given prints for programs.
pub(super) fn asks_for_json(matches: &ArgMatches) -> bool {
    given(matches, |matches| {
        matches!(matches.try_get_one::<bool>("json"), Ok(Some(true)))
    })
}

/// Whether something holds for the command or one above it.
fn given(matches: &ArgMatches, holds: impl Fn(&ArgMatches) -> bool) -> bool {
    let mut matches = matches;
    loop {
        if holds(matches) {
            return true;
        }
        match matches.subcommand() {
            Some((_, below)) => matches = below,
            None => return false,
        }
    }
}

fn completed(command: Command, path: &str) -> Command {
    let prose = command
        .get_after_help()
        .map(|text| unwrapped(&text.to_string()));
    let command = match prose {
        Some(prose) => command.after_help(prose),
        None => command,
    };
    let command = if WITH_TABLE.contains(&path) {
        command.arg(output_option())
    } else {
        command
    };
    let command = command.mut_args(|arg| match arg.get_help().map(ToString::to_string) {
        // A form of JSON without blanks would be one word, wider than the terminal.
        Some(help) if help.starts_with("Print JSON") => arg.help(help.replace("\",", "\", ")),
        _ => arg,
    });
    let command = if command.get_arguments().any(|arg| arg.get_id() == "url") {
        command.mut_args(|arg| {
            if CONNECTION.contains(&arg.get_id().as_str()) {
                arg.help_heading("Connection")
            } else {
                arg
            }
        })
    } else {
        command
    };
    command.mut_subcommands(|below| {
        let path = format!("{path} {}", below.get_name());
        completed(below, path.trim_start())
    })
}

fn output_option() -> Arg {
    Arg::new(OUTPUT)
        .short('o')
        .long("output")
        .value_name("FORM")
        .value_parser(PossibleValuesParser::new(["wide"]))
        .help("Print the table in full, however wide the terminal is")
}

/// A text with the lines of a paragraph as one, which clap wraps. Lines that are indented or aligned stay.
fn unwrapped(text: &str) -> String {
    let is_prose = |line: &str| !line.is_empty() && !line.contains("  ");
    let mut joined = String::new();
    let mut before = "";
    for line in text.lines() {
        if is_prose(before) && is_prose(line) {
            joined.push(' ');
        } else if !joined.is_empty() {
            joined.push('\n');
        }
        joined.push_str(line);
        before = line;
    }
    joined
}

/// Where man pages go.
#[derive(Args)]
#[command(after_help = "\
Example:  trailkeep man --out ~/.local/share/man/man1 && man trailkeep-query")]
pub(super) struct ManArgs {
    /// Directory for the pages, one a command; it is created if it is missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Writes a man page a command.
pub(super) fn write_man_pages(args: &ManArgs) -> anyhow::Result<ExitCode> {
    let out = &args.out;
    std::fs::create_dir_all(out).with_context(|| {
        format!(
            "can't create {}: choose a directory that you can write to",
            out.display()
        )
    })?;
    let mut root = command().disable_help_subcommand(true);
    root.build();
    let pages = write_pages(&root, out)?;
    print_line(&format!("{pages} pages in {}", out.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn write_pages(command: &Command, out: &Path) -> anyhow::Result<usize> {
    let man = clap_mangen::Man::new(command.clone());
    let mut page = Vec::new();
    man.render(&mut page)?;
    let path = out.join(man.get_filename());
    std::fs::write(&path, page).with_context(|| format!("can't write {}", path.display()))?;
    let mut pages = 1;
    for below in command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
    {
        pages += write_pages(below, out)?;
    }
    Ok(pages)
}

/// Prints a completion script.
pub(super) fn print_completions(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "trailkeep", &mut script);
    print_bytes(&script)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_with_a_table_exists() {
        let whole = command();
        for path in WITH_TABLE {
            let mut at = &whole;
            for name in path.split(' ') {
                at = at.find_subcommand(name).unwrap_or_else(|| panic!("{path}"));
            }
            assert!(
                at.get_arguments().any(|arg| arg.get_id() == OUTPUT),
                "{path}"
            );
        }
    }

    #[test]
    fn a_paragraph_is_one_line_and_examples_stay() {
        let text = "Examples:\n  a b\n  c d\n\nOne\ntwo\nthree.\n\nTry it:  x\nStart:   y";
        let expected = "Examples:\n  a b\n  c d\n\nOne two three.\n\nTry it:  x\nStart:   y";
        assert_eq!(unwrapped(text), expected);
    }
}

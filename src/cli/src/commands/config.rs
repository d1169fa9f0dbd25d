//! `trailkeep config`: what a settings' file says, and what is wrong with it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::output::{print_json, print_line};
use super::settings::{Flags, KEYS, Layers, Origin, Settings};
use super::table::{Fit, Table};
use trailkeep_verify::exit::Exit;

#[derive(Subcommand)]
pub(super) enum ConfigCommand {
    /// Check a settings file: list each fault and its remedy
    Check(CheckArgs),
    /// Show the settings in force (file, environment and defaults) and the source of each
    Show(ShowArgs),
}

#[derive(Args)]
#[command(after_help = "\
Example:  trailkeep config check /etc/trailkeep/trailkeep.toml

The environment is checked, too. Exit codes: 0 no fault, 1 faults.")]
pub(super) struct CheckArgs {
    /// The settings' file
    file: PathBuf,
    /// Check the form only, not the files that the settings name
    #[arg(long)]
    form_only: bool,
    /// Print JSON: {"ok","faults":[{"place","key","problem","remedy"}]}
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(after_help = "Example:  trailkeep config show --config /etc/trailkeep/trailkeep.toml")]
pub(super) struct ShowArgs {
    /// Settings file [default: the environment and the defaults only]
    #[arg(long, env = "TRAILKEEP_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON: [{"key","value","from"}]
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: ConfigCommand) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Check(args) => check(&args),
        ConfigCommand::Show(args) => show(&args),
    }
}

fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let faults = Settings::check(&args.file, !args.form_only);
    if args.json {
        print_json(&json!({"ok": faults.is_empty(), "faults": faults}))?;
    } else if faults.is_empty() {
        print_line(&format!("{}: no fault", args.file.display()))?;
    } else {
        for fault in &faults {
            print_line(&format!(
                "{}: {}\n    {}",
                fault.place, fault.problem, fault.remedy
            ))?;
        }
    }
    Ok(if faults.is_empty() {
        ExitCode::SUCCESS
    } else {
        Exit::Failed.into()
    })
}

fn show(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    Settings::read(args.config.as_deref(), Flags::default())?;
    let layers = Layers::new(args.config.as_deref(), Flags::default());
    let rows = KEYS.iter().filter_map(|key| {
        let found = layers.find(key)?;
        let from = match found.origin {
            Origin::Default => "default".to_owned(),
            origin => layers.place(key, &origin),
        };
        Some((key.name, found.text, from))
    });
    if args.json {
        let rows = rows.map(|(key, value, from)| json!({"key": key, "value": value, "from": from}));
        print_json(&rows.collect::<Vec<_>>())?;
    } else {
        let mut table = Table::new([
            ("KEY", Fit::Key),
            ("VALUE", Fit::Part),
            ("FROM", Fit::Spare),
        ])
        .plain();
        for (key, value, from) in rows {
            table.add_row([key, value.as_str(), from.as_str()]);
        }
        print_line(&table.to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

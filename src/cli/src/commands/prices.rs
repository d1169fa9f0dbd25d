//! `trailkeep prices`: price tables of model calls. Those of a tenant are in `recorded.rs`; the rest needs no data directory.

mod recorded;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::failure::Failure;
use super::out_file::{OutFile, Replacing, is_standard_output, refuse_json_beside};
use super::output::{note, print_json, print_line};
use super::table::{Fit, Table};
use super::{TargetArgs, clock};
use trailkeep_prices::import::{IMPORT_BYTES_MAX, Imported, Source, genai_prices, litellm};
use trailkeep_prices::{
    Change, Checked, Difference, FILE_BYTES_MAX, Finding, SHIPPED, check, difference, read, to_toml,
};
use trailkeep_proof::prices::{PriceTable, Verified};
use trailkeep_proof::privacy::Day;
use trailkeep_proof::text::counted;
use trailkeep_verify::exit::Exit;

/// The name of the table that the program ships, where a file is asked for.
const SHIPPED_NAME: &str = "shipped";
/// Rows of what was not imported that are told without `--json`.
const LEFT_OUT_TOLD: usize = 20;
/// Models of one difference that a table names.
const MODELS_TOLD: usize = 3;

#[derive(Subcommand)]
pub(super) enum PricesCommand {
    /// Check a price file: form, dates, sources, and that no price is 100 times off
    #[command(after_help = "\
Examples:
  trailkeep prices check
  trailkeep prices check prices.toml

Without FILE it checks the table that the program ships. Each finding has its line and a remedy. A table that is older than
30 days is a warning. Works offline. Exit codes: 0 no finding, 1 findings.")]
    Check {
        /// The file [default: the shipped table]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Print JSON: {"file","dated","prices","providers","verified":{"page","secondary","unchecked"},"findings":[{"line","rule","problem","remedy"}],"warnings":[{"line","rule","problem","remedy"}]}
        #[arg(long)]
        json: bool,
    },
    /// Compare two price files
    #[command(after_help = "\
Examples:
  trailkeep prices diff old.toml new.toml
  trailkeep prices diff shipped prices.toml

`shipped` is the table that the program ships. Prices are those of a million tokens.")]
    Diff {
        /// The old file
        old: PathBuf,
        /// The new file
        new: PathBuf,
        /// Print JSON: {"differences":[{"provider","models","service_tier","region","from","change","what","old","new"}]}
        #[arg(long)]
        json: bool,
    },
    /// Make a price file from the data of LiteLLM or genai-prices
    #[command(after_help = "\
Examples:
  trailkeep prices import --genai-prices data.json --package-version 0.2.3 --dated 2026-11-10 --out prices.toml
  trailkeep prices import --litellm model_prices_and_context_window.json --package-version 1.110.2 \\
    --dated 2026-11-20 --provider openai --provider azure --out prices.toml

Each price is `secondary` and names the package, its version and the page that the package cites. What a table can't say
exactly is left out and told: prices by the hour, by the image, or with too many digits. docs/prices.md says where the files are.")]
    Import(ImportArgs),
    /// Set a price table for the tenant; its ledger records it
    #[command(after_help = "\
Examples:
  trailkeep prices set prices.toml --dir D
  trailkeep prices set imported.toml --imported --dir D --tenant acme

The table of the tenant `default` is the operator's. A table replaces the one that was set before it in the same place. `shipped` sets
the table that the program ships. A file with findings is refused. The entry has the table without `title` and `note`.")]
    Set(recorded::SetArgs),
    /// List the price tables that were set
    List {
        #[command(flatten)]
        target: TargetArgs,
        /// Print JSON: {"tables":[{"number","layer","dated","sha256","prices","set_at","by","seq","ledger","in_force"}]}
        #[arg(long)]
        json: bool,
    },
    /// Print a price table as a file
    #[command(after_help = "\
Examples:
  trailkeep prices show 3 --dir D > prices.toml
  trailkeep prices show shipped

After a newer table is set, only the entry has the prices of the older one: `trailkeep show SEQ`.")]
    Show {
        #[command(flatten)]
        target: TargetArgs,
        /// Its number, or `shipped`
        number: String,
        /// Print JSON: {"number","layer","dated","sha256","prices","set_at","by","seq","ledger","in_force","table"}
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub(super) struct ImportArgs {
    /// `model_prices_and_context_window.json` of LiteLLM
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "genai_prices",
        conflicts_with = "genai_prices"
    )]
    litellm: Option<PathBuf>,
    /// `data.json` of genai-prices
    #[arg(long, value_name = "FILE")]
    genai_prices: Option<PathBuf>,
    /// Version of the package that the file is from
    #[arg(long, value_name = "V")]
    package_version: String,
    /// Day on which that version was published
    #[arg(long, value_name = "DAY", value_parser = day)]
    dated: Day,
    /// Provider to import, as the package or OpenTelemetry names it. Repeatable [default: all]
    #[arg(long, value_name = "P")]
    provider: Vec<String>,
    /// The price file [default: standard output]
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
    #[command(flatten)]
    replacing: Replacing,
    /// Print JSON: {"out","prices","providers","left_out":[{"provider","model","why"}]}
    #[arg(long)]
    json: bool,
}

fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).ok_or_else(|| "write a day such as 2026-11-30".to_owned())
}

pub(super) async fn run(command: PricesCommand) -> anyhow::Result<ExitCode> {
    match command {
        PricesCommand::Check { file, json } => check_file(file.as_deref(), json),
        PricesCommand::Diff { old, new, json } => diff(&old, &new, json),
        PricesCommand::Import(args) => import(&args),
        PricesCommand::Set(args) => recorded::set(&args).await,
        PricesCommand::List { target, json } => recorded::list(&target, json).await,
        PricesCommand::Show {
            target,
            number,
            json,
        } => recorded::show(&target, &number, json).await,
    }
}

/// A text file of limited size.
fn text_of(path: &Path, bytes_max: usize) -> anyhow::Result<String> {
    let name = path.display();
    let size = std::fs::metadata(path).with_context(|| format!("can't read {name}"))?;
    if size.len() > bytes_max as u64 {
        return Err(Failure::usage(format!("{name} has more than {bytes_max} bytes")).into());
    }
    std::fs::read_to_string(path).with_context(|| format!("can't read {name}"))
}

fn shipped() -> anyhow::Result<PriceTable> {
    let file = read(SHIPPED).map_err(|findings| first_of("the shipped table", &findings))?;
    Ok(file.table)
}

/// A table by the path of its file, or the shipped one by its name.
fn table_of(path: &Path) -> anyhow::Result<PriceTable> {
    if path == Path::new(SHIPPED_NAME) {
        return shipped();
    }
    let text = text_of(path, FILE_BYTES_MAX)?;
    let file = read(&text).map_err(|findings| first_of(&path.display().to_string(), &findings))?;
    Ok(file.table)
}

fn first_of(name: &str, findings: &[Finding]) -> anyhow::Error {
    let first = findings.first();
    let text = first.map_or_else(String::new, |finding| {
        let Finding {
            line,
            problem,
            remedy,
            ..
        } = finding;
        format!("{name}:{line}: {problem}; {remedy} (`trailkeep prices check` shows all findings)")
    });
    anyhow::anyhow!(text)
}

/// How many prices were checked how.
#[derive(Default, Serialize)]
struct Counts {
    page: usize,
    secondary: usize,
    unchecked: usize,
}

impl Counts {
    fn of(table: &PriceTable) -> Self {
        let mut counts = Self::default();
        for price in table.prices() {
            match price.verified {
                Verified::Page => counts.page += 1,
                Verified::Secondary => counts.secondary += 1,
                Verified::Unchecked => counts.unchecked += 1,
            }
        }
        counts
    }
}

fn providers(table: &PriceTable) -> usize {
    let names = table.prices().iter().map(|price| price.provider.as_str());
    names.collect::<BTreeSet<_>>().len()
}

/// So many prices of so many providers.
fn size_in_words(table: &PriceTable) -> String {
    let prices = counted(table.prices().len() as u64, "price");
    format!(
        "{prices} of {}",
        counted(providers(table) as u64, "provider")
    )
}

fn check_file(file: Option<&Path>, json: bool) -> anyhow::Result<ExitCode> {
    let name = file.map_or_else(
        || SHIPPED_NAME.to_owned(),
        |file| file.display().to_string(),
    );
    let (text, before) = match file {
        Some(file) => (text_of(file, FILE_BYTES_MAX)?, Some(shipped()?)),
        None => (SHIPPED.to_owned(), None),
    };
    let today = Day::of(clock().wall());
    let Checked {
        file,
        findings,
        warnings,
    } = check(&text, today, before.as_ref());
    let table = file.as_ref().map(|file| &file.table);
    let code = if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        Exit::Failed.into()
    };
    if json {
        print_json(&json!({
            "file": name,
            "dated": table.map(PriceTable::dated),
            "prices": table.map(|table| table.prices().len()),
            "providers": table.map(providers),
            "verified": table.map(Counts::of),
            "findings": findings,
            "warnings": warnings,
        }))?;
        return Ok(code);
    }
    for (kind, found) in [("", &findings), ("warning: ", &warnings)] {
        for Finding {
            line,
            rule,
            problem,
            remedy,
        } in found
        {
            print_line(&format!(
                "{name}:{line}: {kind}{problem}\n  remedy: {remedy} [{rule}]"
            ))?;
        }
    }
    if let Some(table) = table.filter(|_| findings.is_empty()) {
        let Counts {
            page,
            secondary,
            unchecked,
        } = Counts::of(table);
        let (dated, size) = (table.dated(), size_in_words(table));
        print_line(&format!(
            "{name}: {size}, dated {dated}: no finding\nverified: page {page}, secondary {secondary}, unchecked {unchecked}"
        ))?;
    }
    Ok(code)
}

fn diff(old: &Path, new: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let differences = difference(&table_of(old)?, &table_of(new)?);
    if json {
        print_json(&json!({ "differences": differences }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if differences.is_empty() {
        print_line("no price differs")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new([
        ("provider", Fit::Part),
        ("models", Fit::Key),
        ("", Fit::Spare),
        ("price", Fit::AtLeast(12)),
        ("old", Fit::AtLeast(6)),
        ("new", Fit::AtLeast(6)),
        ("from", Fit::Spare),
        ("service tier", Fit::Spare),
        ("region", Fit::Spare),
    ]);
    for row in differences {
        let Difference {
            provider,
            models,
            service_tier,
            region,
            from,
            change,
            what,
            old,
            new,
        } = row;
        let change = match change {
            Change::Added => "added",
            Change::Removed => "removed",
            Change::Changed => "changed",
        };
        table.add_row([
            provider,
            in_short(&models),
            change.to_owned(),
            what,
            old.unwrap_or_default(),
            new.unwrap_or_default(),
            from.map(|day| day.to_string()).unwrap_or_default(),
            service_tier.unwrap_or_default(),
            region.unwrap_or_default(),
        ]);
    }
    print_line(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

/// The first models of a list, and how many more there are.
fn in_short(models: &[String]) -> String {
    let (first, more) = models.split_at(models.len().min(MODELS_TOLD));
    let first = first.join(" ");
    match more.len() {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn import(args: &ImportArgs) -> anyhow::Result<ExitCode> {
    refuse_json_beside(&args.out, args.json)?;
    let source = Source {
        package_version: &args.package_version,
        dated: args.dated,
        providers: &args.provider,
    };
    let (package, file, imported) = match (&args.litellm, &args.genai_prices) {
        (Some(file), _) => (
            "litellm",
            file,
            litellm(&text_of(file, IMPORT_BYTES_MAX)?, source),
        ),
        (None, Some(file)) => (
            "genai-prices",
            file,
            genai_prices(&text_of(file, IMPORT_BYTES_MAX)?, source),
        ),
        (None, None) => {
            return Err(Failure::usage("name a file: --litellm or --genai-prices").into());
        }
    };
    let imported = imported.with_context(|| format!("can't import {}", file.display()))?;
    let Imported { table, left_out } = imported;
    let title = format!("Prices of {package} {}", args.package_version);
    let mut out = OutFile::at(&args.out, args.replacing)?;
    std::io::Write::write_all(&mut out, to_toml(&table, &title).as_bytes())?;
    out.keep()?;
    if args.json {
        print_json(&json!({
            "out": args.out,
            "prices": table.prices().len(),
            "providers": providers(&table),
            "left_out": left_out,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for row in left_out.iter().take(LEFT_OUT_TOLD) {
        note(&format!(
            "left out: {} {}: {}",
            row.provider, row.model, row.why
        ));
    }
    if let Some(more) = left_out
        .len()
        .checked_sub(LEFT_OUT_TOLD)
        .filter(|more| *more > 0)
    {
        note(&format!("left out: {more} more (--json lists all)"));
    }
    let size = size_in_words(&table);
    if is_standard_output(&args.out) {
        note(&format!("{size} imported"));
    } else {
        print_line(&format!("{size}: {}", args.out.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

//! `trailkeep figures`: calls, tokens, costs, errors and times, and the names that they are told apart by.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::client::{Client, ask};
use super::failure::Failure;
use super::output::{note, print_bytes, print_line};
use super::table::{Fit, Table};
use super::{TargetArgs, clock};
use trailkeep_api::figures::{FiguresAnswer, FiguresQuestion, FiguresRow, NewFiguresName};
use trailkeep_proof::text::counted;
use trailkeep_proof::time::UnixMillis;

const MS_AN_HOUR: u64 = 60 * 60 * 1000;
const HOURS_A_DAY: u64 = 24;

#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  trailkeep figures --dir D
  trailkeep figures --by model --last 7d --step day --dir D
  trailkeep figures --by model,prompt --from 2026-11-01 --to 2026-12-01 --csv --dir D > november.csv
  trailkeep figures names allow llama-3.3-70b-internal --dir D

Figures are those of the events that are left: what was erased or has expired is counted in none. They show no event, so asking for
them is not recorded. Costs are exact sums of what each call cost when it was recorded (docs/figures.md)."
)]
pub(super) struct FiguresArgs {
    #[command(subcommand)]
    command: Option<FiguresCommand>,
    #[command(flatten)]
    show: ShowArgs,
}

#[derive(Args)]
struct ShowArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// What rows are told apart by: provider, model, prompt, outcome, operation, dimension. Several with commas
    #[arg(long, value_name = "WHAT")]
    by: Option<String>,
    /// The last hours or days, such as 24h or 7d [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = hours, conflicts_with_all = ["from", "to"])]
    last: Option<u64>,
    /// Recorded in this hour or later: RFC 3339, or a day, which is its start in UTC
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// Recorded before this time; a begun hour counts whole, a day is excluded
    #[arg(long, value_name = "T")]
    to: Option<String>,
    /// Time of a row: hour, day or all [default: all]
    #[arg(long, value_name = "STEP")]
    step: Option<String>,
    /// Print JSON: {"entries":{"from","to"},"complete","left_out":{"expired","erased","restricted"},"prices","series":[{"start","by","calls","errors","tokens","cost":[{"currency","amount"}],"unpriced","unpriced_because","unmetered","latency_ms":{"p50","p95","p99","n"},"first_token_ms","retrieval":{"calls","hits","empty"},"tools":{"calls","failures"}}]}
    #[arg(long)]
    json: bool,
    /// Print CSV, with each number in a column of its own
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

#[derive(Subcommand)]
enum FiguresCommand {
    /// Names that figures tell apart: list them, allow one
    #[command(subcommand)]
    Names(NamesCommand),
}

#[derive(Subcommand)]
enum NamesCommand {
    /// List the registered names
    List {
        #[command(flatten)]
        target: TargetArgs,
        /// Print JSON: {"names":[{"kind","name","number","by","at","seq","ledger"}]}
        #[arg(long)]
        json: bool,
    },
    /// Register a name that no price table knows; its ledger records it
    #[command(after_help = "\
Examples:
  trailkeep figures names allow llama-3.3-70b-internal --dir D
  trailkeep figures names allow in-house --kind provider --dir D

The name must be written in small letters, as events have it but for capital letters. It shows in figures to everybody who sees them: allow
none that names a person.")]
    Allow {
        #[command(flatten)]
        target: TargetArgs,
        /// The name
        name: String,
        /// What it is of: provider, model or dimension
        #[arg(long, default_value = "model")]
        kind: String,
        /// Print JSON: {"kind","name","number","by","at","seq","ledger"}
        #[arg(long)]
        json: bool,
    },
}

/// Hours of a text such as `24h` or `7d`.
fn hours(text: &str) -> Result<u64, String> {
    let wrong = || "write hours or days, such as 24h or 7d".to_owned();
    let (number, unit) = text
        .split_at_checked(text.len().saturating_sub(1))
        .ok_or_else(wrong)?;
    let each = match unit {
        "h" => 1,
        "d" => HOURS_A_DAY,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let hours = number.checked_mul(each).filter(|hours| *hours > 0);
    hours.ok_or_else(wrong)
}

pub(super) async fn run(args: FiguresArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        None => show(args.show).await,
        Some(FiguresCommand::Names(NamesCommand::List { target, json })) => {
            list(&target, json).await
        }
        Some(FiguresCommand::Names(NamesCommand::Allow {
            target,
            name,
            kind,
            json,
        })) => allow(&target, NewFiguresName { kind, name }, json).await,
    }
}

async fn show(args: ShowArgs) -> anyhow::Result<ExitCode> {
    let from = match args.last {
        // The hour that has begun is one more.
        Some(hours) => {
            let now = clock().wall().get();
            let ago = hours.saturating_mul(MS_AN_HOUR);
            Some(UnixMillis::new(now.saturating_sub(ago)).to_short_rfc3339())
        }
        None => args.from,
    };
    let question = FiguresQuestion {
        from,
        to: args.to,
        step: args.step,
        by: args.by,
    };
    let answer = ask(&args.target, async |client: &Client| {
        client.figures(&question).await
    })
    .await?;
    if args.json {
        answer.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let figures = answer.read()?;
    if args.csv {
        print_bytes(csv(&figures).as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    print_line(&table(&figures).to_string())?;
    tell(&figures);
    Ok(ExitCode::SUCCESS)
}

/// What the numbers leave out, each with what to do.
fn tell(figures: &FiguresAnswer) {
    let sum = |count: fn(&FiguresRow) -> u64| figures.series.iter().map(count).sum::<u64>();
    let left_out = &figures.left_out;
    for (count, why) in [
        (left_out.expired, "expired"),
        (left_out.erased, "were erased"),
        (left_out.restricted, "are restricted"),
    ] {
        if count > 0 {
            note(&format!(
                "{} of this time {why} and are not counted",
                counted(count, "event")
            ));
        }
    }
    let unpriced = sum(|row| row.unpriced);
    if unpriced > 0 {
        note(&format!(
            "{} without a price: the costs above leave them out. `trailkeep figures --json` says why, `trailkeep prices set` sets prices",
            counted(unpriced, "call")
        ));
    }
    let unmetered = sum(|row| row.unmetered);
    if unmetered > 0 {
        note(&format!(
            "{} recorded before there were figures: they are counted nowhere else",
            counted(unmetered, "call")
        ));
    }
}

fn table(figures: &FiguresAnswer) -> Table {
    let groups = groups_of(figures);
    let mut columns = vec![("from".to_owned(), Fit::Key)];
    columns.extend(groups.iter().map(|group| (group.clone(), Fit::Key)));
    for (name, fit) in [
        ("calls", Fit::Part),
        ("errors", Fit::Part),
        ("input", Fit::Part),
        ("output", Fit::Part),
        ("cost", Fit::Part),
        ("unpriced", Fit::Part),
        ("p50 ms", Fit::Spare),
        ("p95 ms", Fit::Spare),
        ("p99 ms", Fit::Spare),
    ] {
        columns.push((name.to_owned(), fit));
    }
    let mut table = Table::new(columns);
    let some = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
    for row in &figures.series {
        let mut cells = vec![row.start.clone()];
        cells.extend(groups.iter().map(|group| row.by[group].clone()));
        let costs = row.cost.iter();
        let costs: Vec<String> = costs
            .map(|cost| format!("{} {}", cost.amount, cost.currency))
            .collect();
        cells.extend([
            row.calls.to_string(),
            row.errors.values().sum::<u64>().to_string(),
            row.tokens.input.to_string(),
            row.tokens.output.to_string(),
            costs.join(", "),
            row.unpriced.to_string(),
            some(row.latency_ms.p50),
            some(row.latency_ms.p95),
            some(row.latency_ms.p99),
        ]);
        table.add_row(cells);
    }
    table
}

fn groups_of(figures: &FiguresAnswer) -> Vec<String> {
    let first = figures.series.first();
    first.map_or_else(Vec::new, |row| row.by.keys().cloned().collect())
}

/// One line for each row and currency: a sheet adds up a column, and currencies are never added.
fn csv(figures: &FiguresAnswer) -> String {
    let groups = groups_of(figures);
    let mut text = String::from("from");
    for group in &groups {
        text.push(',');
        text.push_str(group);
    }
    text.push_str(
        ",calls,errors,input_tokens,cached_input_tokens,output_tokens,reasoning_tokens,currency,cost,unpriced,unmetered,\
         latency_p50_ms,latency_p95_ms,latency_p99_ms,retrievals,retrieved,empty_retrievals,tools,tool_failures\n",
    );
    let some = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
    for row in &figures.series {
        let costs: Vec<(&str, &str)> = row
            .cost
            .iter()
            .map(|cost| (cost.currency.as_str(), cost.amount.as_str()))
            .collect();
        let first = costs.first().copied().unwrap_or(("", ""));
        let mut cells = vec![row.start.clone()];
        // Names have no comma and no quote.
        cells.extend(groups.iter().map(|group| row.by[group].clone()));
        let counts = [
            row.calls.to_string(),
            row.errors.values().sum::<u64>().to_string(),
            row.tokens.input.to_string(),
            row.tokens.cached_input.to_string(),
            row.tokens.output.to_string(),
            row.tokens.reasoning.to_string(),
        ];
        let rest = [
            row.unpriced.to_string(),
            row.unmetered.to_string(),
            some(row.latency_ms.p50),
            some(row.latency_ms.p95),
            some(row.latency_ms.p99),
            row.retrieval.calls.to_string(),
            row.retrieval.hits.to_string(),
            row.retrieval.empty.to_string(),
            row.tools.calls.to_string(),
            row.tools.failures.to_string(),
        ];
        let names = cells.clone();
        cells.extend(counts);
        cells.extend([first.0.to_owned(), first.1.to_owned()]);
        cells.extend(rest);
        text.push_str(&cells.join(","));
        text.push('\n');
        for (currency, amount) in costs.iter().skip(1) {
            let mut cells = names.clone();
            cells.extend(std::iter::repeat_n(String::new(), 6));
            cells.extend([(*currency).to_owned(), (*amount).to_owned()]);
            cells.extend(std::iter::repeat_n(String::new(), 10));
            text.push_str(&cells.join(","));
            text.push('\n');
        }
    }
    text
}

async fn list(target: &TargetArgs, json: bool) -> anyhow::Result<ExitCode> {
    let answer = ask(target, Client::figures_names).await?;
    if json {
        answer.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new([
        ("kind", Fit::Part),
        ("name", Fit::Key),
        ("number", Fit::Part),
        ("by", Fit::Spare),
        ("registered", Fit::Spare),
        ("entry", Fit::Part),
    ]);
    for name in answer.read()?.names {
        table.add_row([
            name.kind,
            name.name,
            name.number.to_string(),
            name.by,
            name.at,
            name.seq.to_string(),
        ]);
    }
    print_line(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

async fn allow(target: &TargetArgs, new: NewFiguresName, json: bool) -> anyhow::Result<ExitCode> {
    if new.name.is_empty() {
        return Err(Failure::usage("write the name").into());
    }
    let answer = ask(target, async |client: &Client| {
        client.allow_name(&new).await
    })
    .await?;
    if json {
        answer.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let name = answer.read()?;
    print_line(&format!(
        "{} {} has the number {} in figures, entry {}",
        name.kind, name.name, name.number, name.seq
    ))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::hours;

    #[test]
    fn a_time_is_hours_or_days() {
        assert_eq!(hours("24h"), Ok(24));
        assert_eq!(hours("7d"), Ok(168));
        for bad in [
            "",
            "h",
            "0h",
            "7",
            "7w",
            "-1h",
            "1.5h",
            "99999999999999999999d",
            "7é",
        ] {
            assert!(hours(bad).is_err(), "{bad}");
        }
    }
}

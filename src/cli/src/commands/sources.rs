//! `trailkeep sources`.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::TargetArgs;
use super::client::ask;
use super::output::{Table, print_json, print_line};

#[derive(Args)]
#[command(after_help = "\
Example:  trailkeep sources --dir D

Events name their producer and its sequence number in `source` {name, seq}. A number between the first and the last that
no event has is missing: the event was never recorded, or it was deleted since (expired or erased). `lost` counts the
missing numbers that no deleted event can explain.")]
pub(super) struct SourcesArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Print JSON: {"sources":[{"name","events","last_number","restarts","repeats","missing","may_be_deleted","gaps"}],"unattributed"}
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: SourcesArgs) -> anyhow::Result<ExitCode> {
    let listed: Value = ask(&args.target, "GET", "/v1/sources", None).await?;
    if args.json {
        print_json(&listed)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new([
        "source", "events", "last", "restarts", "repeats", "missing", "lost", "gaps",
    ]);
    for source in listed["sources"].as_array().into_iter().flatten() {
        let number = |name: &str| source[name].as_u64().unwrap_or_default();
        let gaps = source["gaps"].as_array().into_iter().flatten().take(5);
        let gaps: Vec<String> = gaps
            .map(|gap| match (&gap["first"], &gap["last"]) {
                (first, last) if first == last => first.to_string(),
                (first, last) => format!("{first}-{last}"),
            })
            .collect();
        table.add_row([
            source["name"].as_str().unwrap_or_default().to_owned(),
            number("events").to_string(),
            number("last_number").to_string(),
            number("restarts").to_string(),
            number("repeats").to_string(),
            number("missing").to_string(),
            (number("missing") - number("may_be_deleted")).to_string(),
            gaps.join(", "),
        ]);
    }
    print_line(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

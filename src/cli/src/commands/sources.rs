//! `trailkeep sources`.

use std::process::ExitCode;

use clap::Args;

use super::TargetArgs;
use super::client::{Client, ask};
use super::output::print_line;
use super::table::{Fit, Table};

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
    let listed = ask(&args.target, Client::sources).await?;
    if args.json {
        listed.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new([
        ("source", Fit::Key),
        ("events", Fit::Part),
        ("last", Fit::Part),
        ("restarts", Fit::Spare),
        ("repeats", Fit::Spare),
        ("missing", Fit::Part),
        ("lost", Fit::Part),
        ("gaps", Fit::Spare),
    ]);
    for source in listed.read()?.sources {
        let gaps = source.gaps.iter().take(5).map(|gap| {
            if gap.first == gap.last {
                gap.first.to_string()
            } else {
                format!("{}-{}", gap.first, gap.last)
            }
        });
        let gaps: Vec<String> = gaps.collect();
        table.add_row([
            source.name,
            source.events.to_string(),
            source.last_number.to_string(),
            source.restarts.to_string(),
            source.repeats.to_string(),
            source.missing.to_string(),
            source
                .missing
                .saturating_sub(source.may_be_deleted)
                .to_string(),
            gaps.join(", "),
        ]);
    }
    print_line(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

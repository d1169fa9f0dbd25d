//! Price tables that a tenant's ledger records: set, list, show.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::super::client::{Client, ask};
use super::super::failure::Failure;
use super::super::output::{note, print_bytes, print_line};
use super::super::table::{Fit, Table};
use super::super::{TargetArgs, clock};
use super::{SHIPPED_NAME, first_of, shipped, text_of};
use trailkeep_api::prices::{ListedPrices, NewPrices};
use trailkeep_prices::{Checked, FILE_BYTES_MAX, SHIPPED, check, to_toml};
use trailkeep_proof::prices::PriceTable;
use trailkeep_proof::privacy::Day;
use trailkeep_proof::text::counted;

#[derive(Args)]
pub(in crate::commands) struct SetArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// The price file, or `shipped`
    file: PathBuf,
    /// It is imported data: the operator's and the tenant's own tables come before it
    #[arg(long)]
    imported: bool,
    /// Take prices that are 100 times off those in force
    #[arg(long)]
    accept_leap: bool,
    /// Print JSON: {"number","layer","dated","sha256","prices","set_at","by","seq","ledger","in_force"}
    #[arg(long)]
    json: bool,
}

pub(super) async fn set(args: &SetArgs) -> anyhow::Result<ExitCode> {
    let is_shipped = args.file.as_os_str() == SHIPPED_NAME;
    let text = if is_shipped {
        SHIPPED.to_owned()
    } else {
        text_of(&args.file, FILE_BYTES_MAX)?
    };
    let name = args.file.display().to_string();
    let today = Day::of(clock().wall());
    let answer = ask(&args.target, async |client| {
        let before = in_force(client, args.imported).await?;
        let before = match before {
            Some(before) => before,
            None => shipped()?,
        };
        let Checked {
            file,
            mut findings,
            warnings,
        } = check(&text, today, Some(&before));
        findings.retain(|finding| !(args.accept_leap && finding.rule == "leap"));
        let Some(file) = file.filter(|_| findings.is_empty()) else {
            return Err(first_of(&name, &findings));
        };
        for warning in &warnings {
            note(&format!("warning: {}; {}", warning.problem, warning.remedy));
        }
        let new = NewPrices {
            table: file.table.to_value(),
            imported: args.imported,
        };
        client.set_prices(&new).await
    })
    .await?;
    if args.json {
        answer.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let set = answer.read()?;
    let ListedPrices {
        number,
        layer,
        prices,
        seq,
        dated,
        ..
    } = set;
    print_line(&format!(
        "price table {number} is in force: {}, dated {dated}, layer {layer}, entry {seq}",
        counted(prices, "price")
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The table that another one would replace.
async fn in_force(client: &Client, imported: bool) -> anyhow::Result<Option<PriceTable>> {
    let tables = client.price_tables().await?.read()?.tables;
    let same_place = |table: &&ListedPrices| (table.layer == "imported") == imported;
    // One that the server took in from elsewhere is replaced by none.
    let own = |table: &&ListedPrices| table.in_force && table.by != "server";
    let current = tables.iter().filter(own).find(same_place);
    let Some(current) = current else {
        return Ok(None);
    };
    let shown = client.price_table(current.number).await?.read()?;
    let table = shown.table.as_ref().map(PriceTable::from_value).transpose();
    Ok(table?)
}

pub(super) async fn list(target: &TargetArgs, json: bool) -> anyhow::Result<ExitCode> {
    let answer = ask(target, Client::price_tables).await?;
    if json {
        answer.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new([
        ("number", Fit::Key),
        ("layer", Fit::Part),
        ("dated", Fit::Part),
        ("prices", Fit::Part),
        ("in force", Fit::Part),
        ("set", Fit::Spare),
        ("entry", Fit::Part),
        ("by", Fit::Spare),
        ("sha256", Fit::Spare),
    ]);
    let shipped = shipped()?;
    table.add_row([
        SHIPPED_NAME.to_owned(),
        SHIPPED_NAME.to_owned(),
        shipped.dated().to_string(),
        shipped.prices().len().to_string(),
        "yes".to_owned(),
        String::new(),
        String::new(),
        String::new(),
        shipped.sha256(),
    ]);
    for set in answer.read()?.tables {
        table.add_row([
            set.number.to_string(),
            set.layer,
            set.dated,
            set.prices.to_string(),
            (if set.in_force { "yes" } else { "no" }).to_owned(),
            set.set_at,
            set.seq.to_string(),
            set.by,
            set.sha256,
        ]);
    }
    print_line(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn show(
    target: &TargetArgs,
    number: &str,
    json: bool,
) -> anyhow::Result<ExitCode> {
    if number == SHIPPED_NAME {
        if json {
            let text = shipped()?.canonical();
            print_line(&text)?;
        } else {
            print_bytes(SHIPPED.as_bytes())?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let number: u32 = number
        .parse()
        .map_err(|_| Failure::usage("write the number of a price table, or `shipped`"))?;
    let answer = ask(target, async |client| client.price_table(number).await).await?;
    if json {
        answer.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let shown = answer.read()?;
    let Some(table) = &shown.table else {
        let ListedPrices { seq, ledger, .. } = &shown.listed;
        return Err(Failure::not_found(format!(
            "a newer table replaced price table {number}: its prices are in entry {seq} of {ledger} (`trailkeep show {seq}`)"
        ))
        .into());
    };
    let table = PriceTable::from_value(table)?;
    print_bytes(to_toml(&table, &format!("Price table {number}")).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

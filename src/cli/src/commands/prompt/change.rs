//! Moving labels, and ending versions.

use std::io::IsTerminal;
use std::process::ExitCode;

use serde_json::json;

use super::super::TargetArgs;
use super::super::client::{KnownLabel, Received, ask};
use super::super::confirm::confirm;
use super::super::failure::Failure;
use super::super::output::{note, print_line};
use super::reference::{Labelling, VersionOf};
use super::show::moved_in_words;
use super::{EndArgs, UnitName};
use trailkeep_api::prompts::{NewLabel, PromptEnd, Rollback, ShownLabel, ShownPromptVersion};

/// How long a client may serve a text that it has without asking (`Cache-Control` of the route).
const CACHE_SECONDS: u32 = 60;

pub(super) async fn label(
    target: &TargetArgs,
    name: &str,
    labelling: Labelling,
    (unit, reason): (Option<UnitName>, Option<String>),
    json: bool,
) -> anyhow::Result<ExitCode> {
    let Labelling { label, to } = labelling;
    let new = NewLabel {
        to,
        unit: unit.map(Into::into),
        reason,
    };
    let made = ask(target, async |client| {
        let known = match client.prompt_label(name, &label).await {
            Ok(current) => KnownLabel::MovedBy(current.read()?.id),
            Err(error) if Failure::is_not_found(&error) => KnownLabel::Absent,
            Err(error) => return Err(error),
        };
        client.move_label((name, &label), &known, &new).await
    })
    .await?;
    if json {
        made.print()?;
    } else {
        tell(&made)?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn roll_back(
    target: &TargetArgs,
    name: &str,
    (label, to, reason): (String, Option<u32>, String),
    json: bool,
) -> anyhow::Result<ExitCode> {
    let back = Rollback {
        label: Some(label),
        to,
        reason,
    };
    let made = ask(target, async |client| {
        client.roll_back_prompt(name, &back).await
    })
    .await?;
    if json {
        made.print_with([("cache_seconds", json!(CACHE_SECONDS))])?;
        return Ok(ExitCode::SUCCESS);
    }
    tell(&made)?;
    note(&format!(
        "Applications may serve the old text from their caches for up to {CACHE_SECONDS} s."
    ));
    Ok(ExitCode::SUCCESS)
}

fn tell(made: &Received<ShownLabel>) -> anyhow::Result<()> {
    let made = made.read()?;
    print_line(&format!(
        "{} {}, entry {}",
        made.name,
        moved_in_words(&made),
        made.moved.seq
    ))?;
    for version in &made.restores {
        note(&format!(
            "Version {version} was withdrawn and is served again."
        ));
    }
    Ok(())
}

pub(super) async fn withdraw(args: EndArgs) -> anyhow::Result<ExitCode> {
    let shown = end(&args, "withdraw").await?;
    if args.json {
        shown.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let shown = shown.read()?;
    let seq = shown.withdrawn.map(|act| act.seq).unwrap_or_default();
    print_line(&format!(
        "version {} of {} is withdrawn, entry {seq}",
        shown.version, shown.name
    ))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn erase(args: EndArgs, yes: bool) -> anyhow::Result<ExitCode> {
    let VersionOf(name, version) = &args.version;
    if !yes {
        if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            return Err(Failure::refused(
                "an erasure cannot be undone, and there is no terminal to confirm it; nothing was erased: add --yes",
            )
            .into());
        }
        confirm(&format!("The text of version {version} of {name}"), "erase")?;
    }
    let shown = end(&args, "erase").await?;
    if args.json {
        shown.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let shown = shown.read()?;
    let seq = shown.erased.map(|act| act.seq).unwrap_or_default();
    print_line(&format!(
        "version {} of {} is erased, entry {seq}",
        shown.version, shown.name
    ))?;
    note(
        "Replicas of the vault can no longer open it after the next rotation, within 24 hours. Backups made before hold it until they are deleted.",
    );
    if shown.purge_pending {
        note(
            "Another process reads vault.db, so its log may hold the encrypted text until the next rotation.",
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn end(args: &EndArgs, verb: &str) -> anyhow::Result<Received<ShownPromptVersion>> {
    let VersionOf(name, version) = &args.version;
    let why = PromptEnd {
        reason: args.reason.clone(),
    };
    ask(&args.target, async |client| {
        client
            .end_prompt_version((name, *version), verb, &why)
            .await
    })
    .await
}

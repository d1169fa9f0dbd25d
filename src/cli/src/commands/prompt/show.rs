//! Showing prompts: a text, a difference, the list, the history.

use std::process::ExitCode;

use similar::TextDiff;

use super::super::TargetArgs;
use super::super::client::{Client, ask};
use super::super::output::{note, print_bytes, print_line};
use super::super::table::{Fit, Table};
use super::reference::Reference;
use crate::commands::failure::Failure;
use trailkeep_api::prompts::{PromptQuestion, ShownLabel, ShownPromptVersion, Variant};
use trailkeep_proof::prompts::WEIGHTS;

pub(super) async fn show(
    target: &TargetArgs,
    prompt: &Reference,
    unit: Option<String>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    match prompt {
        Reference::Version(name, version) => {
            let shown = ask(target, async |client| {
                client.prompt_version(name, *version).await
            })
            .await?;
            if json {
                shown.print()?;
            } else {
                print_bytes(text_of(shown.read()?)?.as_bytes())?;
            }
        }
        Reference::Label(name, label) => {
            let question = PromptQuestion {
                label: Some(label.clone()),
                version: None,
                unit,
            };
            let fetched = ask(target, async |client| {
                client.fetch_prompt(name, &question).await
            })
            .await?;
            if json {
                fetched.print()?;
                return Ok(ExitCode::SUCCESS);
            }
            let fetched = fetched.read()?;
            print_bytes(fetched.text.as_bytes())?;
            if let Some(said) = fetched.experiment.and_then(|share| share.note) {
                note(&format!("version {}: {said}", fetched.version));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn text_of(shown: ShownPromptVersion) -> anyhow::Result<String> {
    let ShownPromptVersion {
        version,
        state,
        text,
        ..
    } = shown;
    let gone = || Failure::not_found(format!("the text of version {version} was {state}"));
    Ok(text.ok_or_else(gone)?)
}

pub(super) async fn diff(
    target: &TargetArgs,
    name: &str,
    (old, new): (&str, &str),
) -> anyhow::Result<ExitCode> {
    let (old, new) = ask(target, async |client| {
        Ok((
            version(client, name, old).await?,
            version(client, name, new).await?,
        ))
    })
    .await?;
    let (heads, texts) = ((old.0, new.0), (old.1, new.1));
    let difference = TextDiff::from_lines(&texts.0, &texts.1);
    let mut shown = difference.unified_diff();
    shown.header(&heads.0, &heads.1);
    print_bytes(shown.to_string().as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// A version by its number or by a label: its name and its text.
async fn version(client: &Client, name: &str, which: &str) -> anyhow::Result<(String, String)> {
    let Ok(number) = which.parse() else {
        let question = PromptQuestion {
            label: Some(which.to_owned()),
            ..PromptQuestion::default()
        };
        let fetched = client.fetch_prompt(name, &question).await?.read()?;
        return Ok((format!("{name}/{}", fetched.version), fetched.text));
    };
    let shown = client.prompt_version(name, number).await?.read()?;
    Ok((format!("{name}/{number}"), text_of(shown)?))
}

pub(super) async fn list(target: &TargetArgs, json: bool) -> anyhow::Result<ExitCode> {
    let listed = ask(target, Client::prompts).await?;
    if json {
        listed.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new([
        ("name", Fit::Key),
        ("versions", Fit::Part),
        ("latest", Fit::Part),
        ("labels", Fit::Part),
    ]);
    for prompt in listed.read()?.prompts {
        let labels = prompt.labels.iter();
        let labels: Vec<String> = labels
            .map(|label| format!("{}={}", label.label, in_words(&label.to)))
            .collect();
        table.add_row([
            prompt.name,
            prompt.versions.to_string(),
            prompt
                .latest
                .map(|latest| latest.to_string())
                .unwrap_or_default(),
            labels.join(" "),
        ]);
    }
    print_line(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

/// What a label stands for, as it is given to `prompt label`.
pub(super) fn in_words(to: &[Variant]) -> String {
    let of = |variant: &Variant| match variant.weight {
        WEIGHTS => variant.version.to_string(),
        weight => format!("{}:{weight}", variant.version),
    };
    to.iter().map(of).collect::<Vec<_>>().join(",")
}

pub(super) async fn history(
    target: &TargetArgs,
    name: &str,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let history = ask(target, async |client| client.prompt_history(name).await).await?;
    if json {
        history.print()?;
        return Ok(ExitCode::SUCCESS);
    }
    let history = history.read()?;
    let mut table = Table::new([
        ("at", Fit::Part),
        ("what", Fit::Key),
        ("by", Fit::Spare),
        ("reason", Fit::Part),
        ("entry", Fit::Part),
    ]);
    let mut rows = Vec::new();
    for version in &history.versions {
        let number = version.version;
        rows.push((&version.registered, format!("version {number}")));
        let withdrawn = version.withdrawn.as_ref();
        rows.extend(withdrawn.map(|act| (act, format!("version {number} withdrawn"))));
        let erased = version.erased.as_ref();
        rows.extend(erased.map(|act| (act, format!("version {number} erased"))));
    }
    for made in &history.moves {
        rows.push((&made.moved, moved_in_words(made)));
    }
    rows.sort_by(|(one, _), (other, _)| (&one.at, one.seq).cmp(&(&other.at, other.seq)));
    for (act, what) in rows {
        table.add_row([
            act.at.clone(),
            what,
            act.by.clone().unwrap_or_else(|| "unknown".to_owned()),
            act.reason.clone().unwrap_or_default(),
            act.seq.to_string(),
        ]);
    }
    print_line(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

/// A move of a label in words.
pub(super) fn moved_in_words(made: &ShownLabel) -> String {
    let before = match made.from.as_slice() {
        [] => "nothing".to_owned(),
        from => in_words(from),
    };
    let back = if made.rollback { " (rollback)" } else { "" };
    format!("{}: {before} -> {}{back}", made.label, in_words(&made.to))
}

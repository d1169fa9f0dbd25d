//! Prompts as the files of a folder: registering those that differ, and comparing.

mod folder;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;

use self::folder::{PromptFile, commit_of, read_folder};
use super::super::TargetArgs;
use super::super::client::{Client, ask};
use super::super::output::{note, print_json, print_line};
use super::super::table::{Fit, Table};
use trailkeep_api::prompts::{ListedPrompt, NewPromptVersion};
use trailkeep_proof::text::counted;
use trailkeep_verify::exit::Exit;

/// A version that was registered, or would be.
#[derive(Serialize)]
struct Registered {
    name: String,
    version: u32,
    sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    path: String,
}

pub(super) async fn sync(
    target: &TargetArgs,
    folder: &Path,
    (git, dry_run): (bool, bool),
    json: bool,
) -> anyhow::Result<ExitCode> {
    let files = read_folder(folder)?;
    let mut commits = BTreeMap::new();
    if git {
        for file in &files {
            commits.insert(file.name.clone(), commit_of(folder, &file.path)?);
        }
    }
    let count = files.len();
    let registered = ask(target, async |client| {
        let known = known(client).await?;
        let mut registered = Vec::new();
        for file in files {
            let before = known.get(&file.name);
            let newest = before.and_then(|prompt| prompt.newest_sha256.as_ref());
            if newest == Some(&file.sha256) {
                continue;
            }
            let path = file.path.display().to_string();
            let (version, seq) = if dry_run {
                (before.map_or(0, |prompt| prompt.newest) + 1, None)
            } else {
                let new = NewPromptVersion {
                    text: file.text,
                    git_commit: commits.get(&file.name).cloned(),
                    path: Some(path.clone()),
                    reason: None,
                };
                let made = client.register_prompt(&file.name, &new).await?.read()?;
                (made.version, Some(made.registered.seq))
            };
            registered.push(Registered {
                name: file.name,
                version,
                sha256: file.sha256,
                seq,
                path,
            });
        }
        Ok(registered)
    })
    .await?;
    let unchanged = count - registered.len();
    if json {
        print_json(&json!({
            "registered": registered,
            "unchanged": unchanged,
            "dry_run": dry_run,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    tell_registered(&registered, unchanged, dry_run)?;
    Ok(ExitCode::SUCCESS)
}

fn tell_registered(
    registered: &[Registered],
    unchanged: usize,
    dry_run: bool,
) -> anyhow::Result<()> {
    if !registered.is_empty() {
        let mut table = Table::new([
            ("name", Fit::Key),
            ("version", Fit::Part),
            ("entry", Fit::Part),
            ("sha256", Fit::Spare),
        ]);
        for one in registered {
            table.add_row([
                one.name.clone(),
                one.version.to_string(),
                one.seq.map(|seq| seq.to_string()).unwrap_or_default(),
                one.sha256.clone(),
            ]);
        }
        print_line(&table.to_string())?;
    }
    let done = if dry_run {
        "would be registered"
    } else {
        "registered"
    };
    print_line(&format!(
        "{} {done}, {unchanged} unchanged",
        counted(registered.len() as u64, "version")
    ))?;
    if !dry_run && !registered.is_empty() {
        note("No label was moved: `trailkeep prompt label NAME production=VERSION`.");
    }
    Ok(())
}

/// The prompts that are registered, by name.
async fn known(client: &Client) -> anyhow::Result<BTreeMap<String, ListedPrompt>> {
    let listed = client.prompts().await?.read()?.prompts;
    let named = listed
        .into_iter()
        .map(|prompt| (prompt.name.clone(), prompt));
    Ok(named.collect())
}

/// What differs between a folder and the registry.
#[derive(Serialize)]
struct Difference {
    name: String,
    /// `changed`, `not-registered` or `no-file`.
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// The newest version, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
}

pub(super) async fn check(
    target: &TargetArgs,
    folder: &Path,
    partial: bool,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let files = read_folder(folder)?;
    let known = ask(target, known).await?;
    let differences = differences(&files, &known, partial);
    let changed = differences.iter().filter(|one| one.path.is_some()).count();
    let same = files.len() - changed;
    if json {
        print_json(&json!({ "same": same, "differences": differences }))?;
    } else {
        tell_differences(&differences, same)?;
    }
    Ok(if differences.is_empty() {
        ExitCode::SUCCESS
    } else {
        Exit::Failed.into()
    })
}

fn differences(
    files: &[PromptFile],
    known: &BTreeMap<String, ListedPrompt>,
    partial: bool,
) -> Vec<Difference> {
    let mut found = Vec::new();
    for file in files {
        let prompt = known.get(&file.name);
        let newest = prompt.and_then(|prompt| prompt.newest_sha256.as_ref());
        if newest == Some(&file.sha256) {
            continue;
        }
        found.push(Difference {
            name: file.name.clone(),
            what: prompt.map_or("not-registered", |_| "changed"),
            path: Some(file.path.display().to_string()),
            version: prompt.map(|prompt| prompt.newest),
        });
    }
    if partial {
        return found;
    }
    let has_file = |name: &String| files.iter().any(|file| file.name == *name);
    let without = known.values().filter(|prompt| !has_file(&prompt.name));
    let served = without.filter(|prompt| prompt.latest.is_some());
    found.extend(served.map(|prompt| Difference {
        name: prompt.name.clone(),
        what: "no-file",
        path: None,
        version: Some(prompt.newest),
    }));
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

fn tell_differences(differences: &[Difference], same: usize) -> anyhow::Result<()> {
    if !differences.is_empty() {
        let mut table = Table::new([
            ("name", Fit::Key),
            ("difference", Fit::Part),
            ("newest version", Fit::Part),
        ]);
        for one in differences {
            let what = match one.what {
                "changed" => "the file has another text",
                "not-registered" => "not registered",
                _ => "served, and has no file",
            };
            table.add_row([
                one.name.clone(),
                what.to_owned(),
                one.version
                    .map(|version| version.to_string())
                    .unwrap_or_default(),
            ]);
        }
        print_line(&table.to_string())?;
    }
    print_line(&format!(
        "{}, {} as registered",
        counted(differences.len() as u64, "difference"),
        counted(same as u64, "file")
    ))?;
    if differences.iter().any(|one| one.path.is_some()) {
        note("`trailkeep prompt sync` registers files that differ.");
    }
    Ok(())
}

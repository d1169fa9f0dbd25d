//! The files of a folder of prompts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use sha2::{Digest, Sha256};

use crate::commands::failure::Failure;
use trailkeep_core::govern::prompts::TEXT_BYTES_MAX;
use trailkeep_proof::ids::hex;
use trailkeep_proof::prompts::PromptName;

/// Folders in folders.
const DEPTH_MAX: usize = 32;

/// A prompt's file.
pub(super) struct PromptFile {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) text: String,
    pub(super) sha256: String,
}

/// The prompts of a folder, by name. A file that can't be one refuses the whole folder: it would be missed silently.
pub(super) fn read_folder(folder: &Path) -> anyhow::Result<Vec<PromptFile>> {
    let mut paths = Vec::new();
    collect(folder, 0, &mut paths)?;
    let mut all: BTreeMap<String, PromptFile> = BTreeMap::new();
    for path in paths {
        let file = read_file(folder, path)?;
        if let Some(other) = all.get(&file.name) {
            return Err(Failure::usage(format!(
                "{} and {} are both the prompt {}: rename one of them",
                other.path.display(),
                file.path.display(),
                file.name
            ))
            .into());
        }
        all.insert(file.name.clone(), file);
    }
    Ok(all.into_values().collect())
}

fn collect(folder: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let name = folder.display();
    if depth > DEPTH_MAX {
        return Err(Failure::usage(format!("{name}: the folders are nested too deeply")).into());
    }
    let entries = std::fs::read_dir(folder).with_context(|| format!("can't read {name}"))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("can't read {name}"))?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        let kind = entry
            .file_type()
            .with_context(|| format!("can't read {}", path.display()))?;
        if kind.is_dir() {
            collect(&path, depth + 1, paths)?;
        } else if kind.is_file() {
            paths.push(path);
        } else {
            return Err(Failure::usage(format!(
                "{} is neither a file nor a folder: replace links by what they point to",
                path.display()
            ))
            .into());
        }
    }
    Ok(())
}

fn read_file(folder: &Path, path: PathBuf) -> anyhow::Result<PromptFile> {
    let shown = path.display();
    let name = name_of(folder, &path).ok_or_else(|| {
        Failure::usage(format!(
            "{shown}: the path without its ending is not the name of a prompt: use a-z, 0-9, `.`, `_` and `-`, at most 128 characters, and no last part that is a number"
        ))
    })?;
    let size = std::fs::metadata(&path).with_context(|| format!("can't read {shown}"))?;
    if size.len() == 0 || size.len() > TEXT_BYTES_MAX as u64 {
        return Err(Failure::usage(format!(
            "{shown} has {} bytes: a prompt has 1 to {TEXT_BYTES_MAX}",
            size.len()
        ))
        .into());
    }
    let bytes = std::fs::read(&path).with_context(|| format!("can't read {shown}"))?;
    let sha256 = hex(&Sha256::digest(&bytes));
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("{shown} is not UTF-8: save it as UTF-8")))?;
    Ok(PromptFile {
        name,
        path,
        text,
        sha256,
    })
}

/// The path in the folder, without the file ending.
fn name_of(folder: &Path, path: &Path) -> Option<String> {
    let inside = path.strip_prefix(folder).ok()?.with_extension("");
    let parts: Option<Vec<&str>> = inside.iter().map(|part| part.to_str()).collect();
    let name = PromptName::parse(&parts?.join("/")).ok()?;
    Some(name.to_string())
}

/// The commit that a file was changed by last. A file that differs from it is refused: the commit would vouch for another text.
pub(super) fn commit_of(folder: &Path, path: &Path) -> anyhow::Result<String> {
    let name = path.display();
    let inside = path.strip_prefix(folder).unwrap_or(path);
    let git = |arguments: &[&str]| -> anyhow::Result<String> {
        let mut command = Command::new("git");
        command.arg("-C").arg(folder).args(arguments).arg("--");
        let output = command.arg(inside).output().context("can't run git")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(anyhow::anyhow!("git: {}", said.trim()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    if !git(&["status", "--porcelain", "--ignored"])?.is_empty() {
        return Err(Failure::usage(format!(
            "{name} differs from its last commit: commit it first, or leave out --git"
        ))
        .into());
    }
    let commit = git(&["log", "-1", "--format=%H"])?;
    if commit.is_empty() {
        return Err(Failure::usage(format!("{name} is in no commit: commit it first")).into());
    }
    Ok(commit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_the_folder_is_a_name_without_its_ending() {
        let name = |path: &str| name_of(Path::new("prompts"), Path::new(path));
        assert_eq!(
            name("prompts/support/refund.md").as_deref(),
            Some("support/refund")
        );
        assert_eq!(name("prompts/a.b.txt").as_deref(), Some("a.b"));
        assert_eq!(name("prompts/plain").as_deref(), Some("plain"));
        for wrong in [
            "prompts/README.md",
            "prompts/a b.md",
            "prompts/a/3.md",
            "else/x.md",
        ] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
    }
}

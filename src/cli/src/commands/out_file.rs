//! Files that a command writes: `--out`, and what stands there already.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::failure::Failure;
use trailkeep_files::{Folder, NewFile, NotOurs, folder_of};

/// What may be replaced.
#[derive(Args, Clone, Copy, Default)]
pub(super) struct Replacing {
    /// Replace an existing regular file; anything else is never replaced
    #[arg(long)]
    force: bool,
}

/// A file that appears in its place when it is complete, for its owner alone; or standard output, for `-`.
pub(super) struct OutFile {
    sink: Sink,
    path: PathBuf,
    replacing: Replacing,
}

enum Sink {
    File {
        folder: Folder,
        name: OsString,
        file: NewFile,
    },
    StandardOutput(io::Stdout),
}

/// Whether a path means standard output.
pub(super) fn is_standard_output(out: &Path) -> bool {
    out == Path::new("-")
}

/// Refuses standard output where more than one thing would go there.
pub(super) fn refuse_standard_output(out: &Path, why: &str) -> anyhow::Result<()> {
    if is_standard_output(out) {
        return Err(Failure::usage(format!("`-` is standard output: {why}")).into());
    }
    Ok(())
}

/// The same under `--json`, whose answer goes there.
pub(super) fn refuse_json_beside(out: &Path, json: bool) -> anyhow::Result<()> {
    if json {
        refuse_standard_output(out, "--json prints its answer there: name a file")?;
    }
    Ok(())
}

impl OutFile {
    /// Begins it. A place that can't be written to is found before any work is done.
    pub(super) fn at(out: &Path, replacing: Replacing) -> anyhow::Result<Self> {
        let sink = if is_standard_output(out) {
            Sink::StandardOutput(io::stdout())
        } else {
            let (folder, name) = match folder_of(out) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
                    "{}: its directory does not exist: create it, or name another file",
                    cant_write(out)
                ),
                opened => opened.with_context(|| cant_write(out))?,
            };
            check(&folder, name, out, replacing)?;
            Sink::File {
                file: folder.begin_hidden(name).with_context(|| cant_write(out))?,
                name: name.to_owned(),
                folder,
            }
        };
        Ok(Self {
            sink,
            path: out.to_owned(),
            replacing,
        })
    }

    /// Puts it where it belongs, synced.
    pub(super) fn keep(self) -> anyhow::Result<()> {
        let path = self.path;
        match self.sink {
            Sink::StandardOutput(mut output) => Ok(output.flush()?),
            Sink::File { folder, name, file } => {
                // Somebody may have put something there since.
                check(&folder, &name, &path, self.replacing)?;
                let kept = if self.replacing.force {
                    file.replace()
                } else {
                    file.place_new()
                };
                match kept {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => exists(&path),
                    kept => kept.with_context(|| cant_write(&path)),
                }
            }
        }
    }

    /// Puts two files where they belong that are nothing without each other.
    pub(super) fn keep_both(self, other: Self) -> anyhow::Result<()> {
        let alone = match &self.sink {
            Sink::File { folder, name, .. } if folder.look(name)?.is_none() => {
                Some((folder.clone(), name.clone()))
            }
            _ => None,
        };
        self.keep()?;
        let kept = other.keep();
        if let (Err(_), Some((folder, name))) = (&kept, alone) {
            let _ = folder.remove(&name);
        }
        kept
    }
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.sink {
            Sink::File { file, .. } => file.file().write(bytes),
            Sink::StandardOutput(output) => output.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::File { file, .. } => file.file().flush(),
            Sink::StandardOutput(output) => output.flush(),
        }
    }
}

/// What stands there may be replaced, or nothing does.
fn check(folder: &Folder, name: &OsStr, out: &Path, replacing: Replacing) -> anyhow::Result<()> {
    let there = folder.kind_of(name).with_context(|| cant_write(out))?;
    let what = match there {
        None => return Ok(()),
        Some(Ok(())) if replacing.force => return Ok(()),
        Some(Ok(())) => return exists(out),
        Some(Err(NotOurs::Kind(what))) => what,
        Some(Err(_)) => "a symbolic link",
    };
    bail!(
        "{} is {what}: it is not replaced, and nothing was written; name a regular file, or `-` for standard output",
        out.display()
    )
}

fn exists(out: &Path) -> anyhow::Result<()> {
    bail!(
        "{} already exists: nothing was written; choose another name, or replace the file with --force",
        out.display()
    )
}

fn cant_write(out: &Path) -> String {
    format!("can't write {}", out.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORCE: Replacing = Replacing { force: true };
    const KEEP: Replacing = Replacing { force: false };

    fn write(out: &Path, text: &str, replacing: Replacing) -> Result<(), String> {
        let written = || -> anyhow::Result<()> {
            let mut file = OutFile::at(out, replacing)?;
            file.write_all(text.as_bytes())?;
            file.keep()
        };
        written().map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_file_that_came_meanwhile_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let file = OutFile::at(&out, KEEP).unwrap();
        std::fs::write(&out, "came meanwhile").unwrap();
        assert!(file.keep().unwrap_err().to_string().contains("--force"));
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "came meanwhile");
        write(&out, "new", FORCE).unwrap();
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn of_two_files_there_are_both_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (
            folder.path().join("c.json"),
            folder.path().join("c.json.sig"),
        );
        let both = || {
            (
                OutFile::at(&first, KEEP).unwrap(),
                OutFile::at(&second, KEEP).unwrap(),
            )
        };
        let (one, other) = both();
        std::fs::write(&second, "came meanwhile").unwrap();
        one.keep_both(other).unwrap_err();
        assert!(!first.exists());
        std::fs::remove_file(&second).unwrap();
        let (one, other) = both();
        one.keep_both(other).unwrap();
        assert!(first.exists() && second.exists());
    }

    #[test]
    fn a_directory_that_is_not_there_is_named_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let refused = write(&folder.path().join("no/out"), "text", KEEP).unwrap_err();
        assert!(
            refused.ends_with("create it, or name another file"),
            "{refused}"
        );
    }

    #[test]
    fn a_name_of_the_greatest_length_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("n".repeat(255));
        write(&out, "text", KEEP).unwrap();
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "text");
    }
}

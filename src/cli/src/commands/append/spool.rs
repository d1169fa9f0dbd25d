//! `append --spool`: events wait in files while the server can't take them, and are sent in their order later.
//!
//! Each event has an id before it is sent first, so sending it twice records it once. A file is written under another
//! name, synced and renamed, and stays until the server has answered. Its first line has the hash of the rest.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use sha2::{Digest, Sha256};

use super::Many;
use crate::commands::client::Client;
use crate::commands::failure::{Failure, Fault};
use crate::commands::output::note;
use trailkeep_crypto::secret::random_bytes;
use trailkeep_files::directory::make_private_folder;
use trailkeep_files::private::{destroy_file, read_own_file, write_private_file};
use trailkeep_proof::ids::hex;
use trailkeep_proof::ledger::event::{parse_event, split_ndjson};

/// Begins the first line of a file.
const FORM: &str = "trailkeep-spool/1 ";
/// Ends the name of a file that waits.
const WAITING: &str = "ndjson";
/// Ends the name of a file whose bytes are not those that were written.
const DAMAGED: &str = "damaged";
/// Ends the name of a file with events that the server refuses as they are.
const REFUSED: &str = "refused";
/// A server that says nothing for so long is out of reach.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A directory with events that wait, for one process at a time.
pub(super) struct Spool {
    folder: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
}

/// What became of events.
#[derive(Default)]
pub(super) struct Delivered {
    pub(super) total: Many,
    /// Events that were put into the spool.
    pub(super) spooled: usize,
    /// Files that were set aside.
    pub(super) set_aside: Vec<PathBuf>,
}

/// What became of a request.
enum Sent {
    /// The server has recorded it.
    Recorded(Many),
    /// The server can't take it now.
    NotNow,
    /// It has a fault, and is refused as it is.
    Faulty(anyhow::Error),
}

impl Spool {
    /// Opens the directory, and creates it if it is missing. Waits for another process that has it open.
    pub(super) fn open(folder: &Path) -> anyhow::Result<Self> {
        let unusable = || format!("can't use the spool {}", folder.display());
        if !folder.exists() {
            make_private_folder(folder).with_context(unusable)?;
        }
        let mut options = OpenOptions::new();
        let lock = options.write(true).create(true).mode(0o600);
        let lock = lock.open(folder.join("lock")).with_context(unusable)?;
        lock.lock().with_context(unusable)?;
        Ok(Self {
            folder: folder.to_owned(),
            _lock: lock,
        })
    }

    /// The files that wait, in the order in which they came.
    pub(super) fn waiting(&self) -> anyhow::Result<Vec<PathBuf>> {
        let mut files = self.numbered()?;
        files.retain(|(_, path)| path.extension().is_some_and(|end| end == WAITING));
        Ok(files.into_iter().map(|(_, path)| path).collect())
    }

    /// All files with a number, those that were set aside, too.
    fn numbered(&self) -> anyhow::Result<Vec<(u64, PathBuf)>> {
        let unreadable = || format!("can't read the spool {}", self.folder.display());
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.folder).with_context(unreadable)? {
            let path = entry.with_context(unreadable)?.path();
            let number = path.file_stem().and_then(|stem| stem.to_str());
            if let Some(number) = number.and_then(|number| number.parse().ok()) {
                files.push((number, path));
            }
        }
        files.sort_unstable();
        Ok(files)
    }

    /// Keeps lines of events, behind those that wait. On disk when it returns.
    pub(super) fn keep(&self, lines: &[u8]) -> anyhow::Result<()> {
        let last = self.numbered()?.pop().map_or(0, |(number, _)| number);
        self.write(last + 1, WAITING, lines)?;
        Ok(())
    }

    fn write(&self, number: u64, end: &str, lines: &[u8]) -> anyhow::Result<PathBuf> {
        let path = self.folder.join(format!("{number:020}.{end}"));
        let mut text = format!("{FORM}{}\n", hex(&Sha256::digest(lines))).into_bytes();
        text.extend_from_slice(lines);
        write_private_file(&path, &text)?;
        Ok(path)
    }

    /// Sends what waits, oldest first. `false` where the server can't take it now. What can never be sent is set aside, so
    /// it keeps nothing else waiting.
    pub(super) async fn flush(
        &self,
        client: &Client,
        delivered: &mut Delivered,
    ) -> anyhow::Result<bool> {
        for path in self.waiting()? {
            let stored = read_own_file(&path)?.unwrap_or_default();
            let Some(lines) = lines_of(&stored) else {
                let aside = path.with_extension(DAMAGED);
                std::fs::rename(&path, &aside)?;
                note(&format!(
                    "{} is damaged: it is not what was written. It was set aside; look for its events in the application",
                    aside.display()
                ));
                delivered.set_aside.push(aside);
                continue;
            };
            match send(client, lines).await? {
                Sent::Recorded(answer) => delivered.total.add(answer, false),
                Sent::NotNow => return Ok(false),
                Sent::Faulty(_) => {
                    if !self.send_apart(client, &path, lines, delivered).await? {
                        return Ok(false);
                    }
                }
            }
            destroy_file(&path)?;
        }
        Ok(true)
    }

    /// One event of a file is refused, and all with it: each is sent by itself, and those that are refused are set aside.
    async fn send_apart(
        &self,
        client: &Client,
        path: &Path,
        lines: &[u8],
        delivered: &mut Delivered,
    ) -> anyhow::Result<bool> {
        let mut refused = Vec::new();
        for (_, line) in split_ndjson(lines) {
            match send(client, line).await? {
                Sent::Recorded(answer) => delivered.total.add(answer, false),
                // The file stays whole: what was recorded of it is a repeat the next time.
                Sent::NotNow => return Ok(false),
                Sent::Faulty(error) => {
                    note(&format!(
                        "an event of {} is refused: {error:#}",
                        path.display()
                    ));
                    refused.extend_from_slice(line);
                    refused.push(b'\n');
                }
            }
        }
        if !refused.is_empty() {
            let number = path.file_stem().and_then(|stem| stem.to_str());
            let number = number.and_then(|number| number.parse().ok()).unwrap_or(0);
            let aside = self.write(number, REFUSED, &refused)?;
            note(&format!("{} has the refused events", aside.display()));
            delivered.set_aside.push(aside);
        }
        Ok(true)
    }

    /// Sends lines, or keeps them where the server can't take them, or could not take those before them.
    pub(super) async fn send_or_keep(
        &self,
        client: &Client,
        lines: &[u8],
        is_open: &mut bool,
        delivered: &mut Delivered,
    ) -> anyhow::Result<()> {
        if *is_open {
            match send(client, lines).await? {
                Sent::Recorded(answer) => {
                    delivered.total.add(answer, false);
                    return Ok(());
                }
                Sent::NotNow => *is_open = false,
                Sent::Faulty(error) => return Err(error),
            }
        }
        self.keep(lines)?;
        delivered.spooled += split_ndjson(lines).count();
        Ok(())
    }
}

async fn send(client: &Client, lines: &[u8]) -> anyhow::Result<Sent> {
    let asked = client.append("application/x-ndjson", lines.to_vec());
    let Ok(answer) = tokio::time::timeout(ANSWER_WITHIN, asked).await else {
        note("the server did not answer within 60 s");
        return Ok(Sent::NotNow);
    };
    match answer {
        Ok(answer) => Ok(Sent::Recorded(answer.read_as()?)),
        Err(error) => match Fault::of(&error) {
            Fault::Temporary => {
                note(&format!("{error:#}"));
                Ok(Sent::NotNow)
            }
            Fault::OfTheEvent => Ok(Sent::Faulty(error)),
            Fault::Other => Err(error),
        },
    }
}

/// The lines of a file, if they are those that were written.
fn lines_of(stored: &[u8]) -> Option<&[u8]> {
    let end = stored.iter().position(|byte| *byte == b'\n')?;
    let (head, lines) = (stored.get(..end)?, stored.get(end + 1..)?);
    let sum = std::str::from_utf8(head).ok()?.strip_prefix(FORM)?;
    (hex(&Sha256::digest(lines)) == sum).then_some(lines)
}

/// An event as a line that can be sent again: valid, and with an id.
pub(super) fn line_of(event: &[u8], number: usize) -> anyhow::Result<Vec<u8>> {
    let valid =
        parse_event(event).map_err(|error| Failure::usage(format!("event {number}: {error}")))?;
    // A line end stands between tokens alone: a string has none.
    let text = event.trim_ascii().iter();
    let mut line: Vec<u8> = text
        .map(|byte| {
            if matches!(byte, b'\n' | b'\r') {
                b' '
            } else {
                *byte
            }
        })
        .collect();
    if valid.section("id").is_none() {
        let id = format!("{{\"id\":\"{}\",", hex(&random_bytes::<16>()?));
        line.splice(..1, id.into_bytes());
    }
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_an_id_and_no_line_end_in_it() {
        let line = line_of(
            b"\n{\n \"action\":\"a.b\",\r\n\"actor\":{\"id\":\"x\"}}\n",
            1,
        )
        .unwrap();
        let text = String::from_utf8(line).unwrap();
        assert_eq!(text.matches(['\n', '\r']).count(), 1, "{text}");
        let event: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(event["id"].as_str().map(str::len), Some(32), "{text}");
        assert_eq!(event["action"], "a.b");
        let kept = br#"{"id":"e","action":"a.b","actor":{"id":"x"}}"#;
        assert_eq!(line_of(kept, 1).unwrap(), [kept.as_slice(), b"\n"].concat());
        assert!(
            line_of(b"{\"acton\":1}", 3)
                .unwrap_err()
                .to_string()
                .starts_with("event 3: ")
        );
    }

    #[test]
    fn a_changed_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(&folder.path().join("spool")).unwrap();
        spool.keep(b"{}\n").unwrap();
        spool.keep(b"[]\n").unwrap();
        let files = spool.waiting().unwrap();
        assert_eq!(files.len(), 2);
        let mut stored = std::fs::read(&files[0]).unwrap();
        assert_eq!(lines_of(&stored), Some(b"{}\n".as_slice()));
        stored.pop();
        assert_eq!(lines_of(&stored), None);
        assert_eq!(lines_of(b""), None);
    }
}

//! `trailkeep append`.

mod spool;

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::spool::{Delivered, Spool, line_of};
use super::TargetArgs;
use super::client::Client;
use super::failure::Failure;
use super::output::{events_in_words, note, print_json, print_line, progress_bar};
use trailkeep_api::events::{Appended, AppendedOne};
use trailkeep_proof::ledger::event::split_array;
use trailkeep_proof::text::{agreeing, counted};
use trailkeep_verify::exit::Exit;

/// Events of one request.
const EVENTS_PER_REQUEST: usize = 1_000;
/// Bytes of one request.
const BYTES_PER_REQUEST: usize = 8 << 20;
/// Most bytes of an input that is one document.
const DOCUMENT_BYTES_MAX: u64 = 32 << 20;

#[derive(Args)]
#[command(after_help = "\
Examples:
  trailkeep append --dir D events.ndjson
  echo '{\"action\":\"chat.completion\",\"actor\":{\"id\":\"app\"}}' | trailkeep append --dir D -
  trailkeep append --url http://127.0.0.1:8787 --token T events.ndjson --json
  trailkeep append --url http://127.0.0.1:8787 --token T --spool S events.ndjson
  trailkeep append --url http://127.0.0.1:8787 --token T --spool S --flush

The input is one object per line (NDJSON), one object, or an array. Events are sent in requests of 1,000; each request
is all or nothing. Appending the same file again adds nothing if its events have ids.

With --spool, events that the server cannot take now (429, 503, 507, no answer) wait in a directory, in their order and
in plain text. The next call with --spool sends them first. Exit code 10: spooled, not recorded.")]
pub(super) struct AppendArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// File with events, or - for standard input
    #[arg(required_unless_present = "flush")]
    file: Option<PathBuf>,
    /// Keep events in this directory while the server cannot take them, and send first what waits there
    #[arg(long, value_name = "DIR")]
    spool: Option<PathBuf>,
    /// Send what waits in the spool, and nothing else
    #[arg(long, requires = "spool", conflicts_with = "file")]
    flush: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The answer to several events, added up over the requests.
#[derive(Default, Serialize, Deserialize)]
struct Many {
    accepted: u64,
    duplicates: u64,
    first_seq: Option<u64>,
    last_seq: Option<u64>,
    events: Vec<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unavailable: Vec<serde_json::Value>,
    checkpoint: String,
}

/// What is appended: its first line, and the rest.
struct Input {
    first_line: Vec<u8>,
    rest: Box<dyn BufRead>,
    /// An object a line; otherwise one object or one array.
    is_lines: bool,
}

impl Input {
    fn open(file: &Path) -> anyhow::Result<Self> {
        let mut rest: Box<dyn BufRead> = if file.as_os_str() == "-" {
            Box::new(BufReader::new(std::io::stdin()))
        } else {
            let file =
                File::open(file).with_context(|| format!("can't open {}", file.display()))?;
            Box::new(BufReader::new(file))
        };
        let mut first_line = Vec::new();
        while first_line.trim_ascii().is_empty() {
            first_line.clear();
            if rest.read_until(b'\n', &mut first_line)? == 0 {
                bail!("the input has no event");
            }
        }
        let is_whole_object = first_line.trim_ascii_start().first() == Some(&b'{')
            && serde_json::from_slice::<serde::de::IgnoredAny>(&first_line).is_ok();
        let is_lines = is_whole_object && !rest.fill_buf()?.is_empty();
        Ok(Self {
            first_line,
            rest,
            is_lines,
        })
    }

    /// The whole document.
    fn document(self) -> anyhow::Result<Vec<u8>> {
        let mut text = self.first_line;
        self.rest.take(DOCUMENT_BYTES_MAX).read_to_end(&mut text)?;
        Ok(text)
    }
}

pub(super) async fn run(args: AppendArgs) -> anyhow::Result<ExitCode> {
    if let Some(folder) = &args.spool {
        return run_with_spool(&args, folder).await;
    }
    let file = args.file.as_deref().unwrap_or(Path::new("-"));
    let input = Input::open(file)?;
    let client = Client::to(&args.target)?;
    let outcome = if input.is_lines {
        append_lines(&client, input.first_line, input.rest, args.json).await
    } else {
        append_document(&client, input.document()?, args.json).await
    };
    let closed = client.close().await;
    outcome?;
    closed?;
    Ok(ExitCode::SUCCESS)
}

async fn run_with_spool(args: &AppendArgs, folder: &Path) -> anyhow::Result<ExitCode> {
    // What must be read first may come slowly, and the spool is for one process at a time.
    let input = args.file.as_deref().map(Input::open).transpose()?;
    let spool = Spool::open(folder)?;
    let client = Client::to(&args.target)?;
    let mut delivered = Delivered::default();
    let outcome = deliver(&client, &spool, input, &mut delivered).await;
    let closed = client.close().await;
    outcome.with_context(|| {
        let recorded = delivered.total.accepted + delivered.total.duplicates;
        format!(
            "{} {} recorded and {} spooled before this error",
            events_in_words(recorded),
            agreeing(recorded, "was", "were"),
            delivered.spooled
        )
    })?;
    closed?;
    let waiting = spool.waiting()?.len();
    let Delivered {
        total,
        spooled,
        set_aside,
    } = delivered;
    if args.json {
        print_json(&json!({
            "accepted": total.accepted, "duplicates": total.duplicates, "first_seq": total.first_seq,
            "last_seq": total.last_seq, "checkpoint": total.checkpoint, "spooled": spooled,
            "waiting_files": waiting, "set_aside": set_aside,
        }))?;
    } else {
        print_line(&format!(
            "{} accepted, {} recorded before, {spooled} spooled",
            total.accepted, total.duplicates
        ))?;
        if waiting > 0 {
            let waiting = waiting as u64;
            note(&format!(
                "{} in {dir} {} not recorded yet: run `trailkeep append --spool {dir} --flush` to send them",
                counted(waiting, "file"),
                agreeing(waiting, "is", "are"),
                dir = folder.display()
            ));
        }
    }
    Ok(match (set_aside.is_empty(), waiting) {
        (false, _) => Exit::Failed.into(),
        (true, 0) => ExitCode::SUCCESS,
        (true, _) => Exit::Spooled.into(),
    })
}

/// Sends what waits, then the input, in requests of many lines each.
async fn deliver(
    client: &Client,
    spool: &Spool,
    input: Option<Input>,
    delivered: &mut Delivered,
) -> anyhow::Result<()> {
    let mut is_open = spool.flush(client, delivered).await?;
    let Some(input) = input else {
        return Ok(());
    };
    let mut request = Vec::new();
    let (mut number, mut lines) = (0, 0);
    let mut events = events_of(input)?;
    loop {
        let event = events.next().transpose()?;
        let line = event.map(|event| {
            number += 1;
            line_of(&event, number)
        });
        let line = line.transpose()?;
        let next = line.as_ref().map_or(0, Vec::len);
        let is_full = lines >= EVENTS_PER_REQUEST || request.len() + next > BYTES_PER_REQUEST;
        if (line.is_none() || is_full) && lines > 0 {
            let sent = std::mem::take(&mut request);
            spool
                .send_or_keep(client, &sent, &mut is_open, delivered)
                .await?;
            lines = 0;
        }
        let Some(line) = line else {
            return Ok(());
        };
        request.extend_from_slice(&line);
        lines += 1;
    }
}

/// The events of an input, one after the other.
fn events_of(input: Input) -> anyhow::Result<Box<dyn Iterator<Item = std::io::Result<Vec<u8>>>>> {
    if input.is_lines {
        let rest = input.rest.split(b'\n');
        let lines = std::iter::once(Ok(input.first_line)).chain(rest);
        let is_event = |line: &std::io::Result<Vec<u8>>| {
            line.as_ref()
                .map_or(true, |line| !line.trim_ascii().is_empty())
        };
        return Ok(Box::new(lines.filter(is_event)));
    }
    let text = input.document()?;
    let events = if text.trim_ascii_start().first() == Some(&b'[') {
        let events = split_array(&text).map_err(|error| Failure::usage(error.to_string()))?;
        events.into_iter().map(<[u8]>::to_vec).collect()
    } else {
        vec![text]
    };
    Ok(Box::new(events.into_iter().map(Ok)))
}

/// One object or one array: one request.
async fn append_document(client: &Client, text: Vec<u8>, json: bool) -> anyhow::Result<()> {
    let answer = client.append("application/json", text).await?;
    if json {
        return answer.print();
    }
    match answer.read()? {
        Appended::One(event) => {
            let AppendedOne {
                id, seq, receipt, ..
            } = event;
            print_line(&format!("seq {seq}  id {id}\n\n{receipt}"))?;
        }
        Appended::Many(events) => print_line(&format!(
            "{} accepted, {} recorded before",
            events.accepted, events.duplicates
        ))?,
        Appended::Deleted(event) => print_line(&format!(
            "0 accepted, 1 recorded before: the payload of {} was deleted since",
            event.id
        ))?,
    }
    Ok(())
}

/// An object a line: requests of many lines each, read as they go.
async fn append_lines(
    client: &Client,
    first: Vec<u8>,
    mut input: Box<dyn BufRead>,
    json: bool,
) -> anyhow::Result<()> {
    let bar = progress_bar(0, "appending");
    let mut total = Many::default();
    let (mut request, mut lines, mut lines_before) = (first, 1, 0);
    loop {
        let mut line = Vec::new();
        let ended = input.read_until(b'\n', &mut line)? == 0;
        let full = lines >= EVENTS_PER_REQUEST || request.len() + line.len() > BYTES_PER_REQUEST;
        if (ended || full) && !request.trim_ascii().is_empty() {
            bar.inc_length(lines as u64);
            let sent = std::mem::take(&mut request);
            let answer = client.append("application/x-ndjson", sent).await;
            let answer: Many = answer.and_then(|answer| answer.read_as()).with_context(|| {
                let recorded = total.accepted + total.duplicates;
                format!(
                    "lines {} to {} were refused (line numbers below count from there); {} before them {} recorded",
                    lines_before + 1,
                    lines_before + lines,
                    events_in_words(recorded),
                    agreeing(recorded, "is", "are")
                )
            })?;
            bar.inc(answer.accepted + answer.duplicates);
            total.add(answer, json);
            lines_before += lines;
            lines = 0;
        }
        if ended {
            break;
        }
        if line.last() != Some(&b'\n') {
            line.push(b'\n');
        }
        request.extend_from_slice(&line);
        lines += 1;
    }
    bar.finish_and_clear();
    if json {
        return print_json(&total);
    }
    let seqs = |seq: Option<u64>| seq.map_or_else(|| "-".to_owned(), |seq| seq.to_string());
    print_line(&format!(
        "{} accepted, {} recorded before, seq {} to {}\n\n{}",
        total.accepted,
        total.duplicates,
        seqs(total.first_seq),
        seqs(total.last_seq),
        total.checkpoint.trim_end()
    ))?;
    if total.accepted > 0 {
        note(
            "Keep this checkpoint: `trailkeep verify --against FILE` proves later that nothing before it was changed.",
        );
    }
    Ok(())
}

impl Many {
    fn add(&mut self, other: Self, with_events: bool) {
        self.accepted += other.accepted;
        self.duplicates += other.duplicates;
        self.first_seq = [self.first_seq, other.first_seq]
            .into_iter()
            .flatten()
            .min();
        self.last_seq = self.last_seq.max(other.last_seq);
        self.checkpoint = other.checkpoint;
        if with_events {
            self.events.extend(other.events);
            self.unavailable.extend(other.unavailable);
        }
    }
}

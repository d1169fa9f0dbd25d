//! `trailkeep append`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::TargetArgs;
use super::client::Client;
use super::output::{note, print_json, print_line, progress_bar};
use trailkeep_api::events::{Appended, AppendedOne};

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

The input is one object per line (NDJSON), one object, or an array. Events are sent in requests of 1,000; each request
is all or nothing. Appending the same file again adds nothing if its events have ids.")]
pub(super) struct AppendArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// File with events, or - for standard input
    file: PathBuf,
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

pub(super) async fn run(args: AppendArgs) -> anyhow::Result<ExitCode> {
    let mut input: Box<dyn BufRead> = if args.file.as_os_str() == "-" {
        Box::new(BufReader::new(std::io::stdin()))
    } else {
        let file = File::open(&args.file)
            .with_context(|| format!("can't open {}", args.file.display()))?;
        Box::new(BufReader::new(file))
    };
    let mut first_line = Vec::new();
    while first_line.trim_ascii().is_empty() {
        first_line.clear();
        if input.read_until(b'\n', &mut first_line)? == 0 {
            bail!("the input has no event");
        }
    }
    let client = Client::to(&args.target)?;
    let is_whole_object = first_line.trim_ascii_start().first() == Some(&b'{')
        && serde_json::from_slice::<serde::de::IgnoredAny>(&first_line).is_ok();
    let rest_is_empty = input.fill_buf()?.is_empty();
    let outcome = if is_whole_object && !rest_is_empty {
        append_lines(&client, first_line, input, args.json).await
    } else {
        append_document(&client, first_line, input, args.json).await
    };
    let closed = client.close().await;
    outcome?;
    closed?;
    Ok(ExitCode::SUCCESS)
}

/// One object or one array: one request.
async fn append_document(
    client: &Client,
    mut text: Vec<u8>,
    rest: Box<dyn BufRead>,
    json: bool,
) -> anyhow::Result<()> {
    rest.take(DOCUMENT_BYTES_MAX).read_to_end(&mut text)?;
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
                let sofar = total.accepted + total.duplicates;
                format!("lines {} to {} were refused (line numbers below count from there); the {sofar} events before them are recorded", lines_before + 1, lines_before + lines)
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

//! The figures, as Markdown tables for people and docs/performance.md, and as JSON.

use std::fmt;
use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::machine::Machine;
use crate::support::preload::Preloaded;
use crate::support::server::FileSizes;

/// All that was measured.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) loads: Vec<LoadRow>,
    pub(crate) preload: Option<Preloaded>,
    pub(crate) reads: Vec<ReadRow>,
    pub(crate) verifies: Vec<TimeRow>,
    pub(crate) starts: Vec<TimeRow>,
    pub(crate) files: Vec<FilesRow>,
}

/// One load on a ledger of one size.
#[derive(Serialize)]
pub(crate) struct LoadRow {
    pub(crate) name: &'static str,
    pub(crate) connections: usize,
    pub(crate) batch: u64,
    pub(crate) new_subjects: bool,
    /// Events that were stored before.
    pub(crate) stored: u64,
    /// Events a second.
    pub(crate) rate: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) requests: usize,
}

/// One way of reading, one request after the other.
#[derive(Serialize)]
pub(crate) struct ReadRow {
    pub(crate) name: &'static str,
    pub(crate) stored: u64,
    pub(crate) requests: usize,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// How long something took on a ledger of one size.
#[derive(Serialize)]
pub(crate) struct TimeRow {
    pub(crate) stored: u64,
    pub(crate) ms: f64,
}

/// What events take on disk.
#[derive(Serialize)]
pub(crate) struct FilesRow {
    pub(crate) what: String,
    pub(crate) events: u64,
    /// Bytes of their JSON.
    pub(crate) raw_bytes: u64,
    pub(crate) sizes: FileSizes,
}

impl Report {
    /// A report without figures.
    pub(crate) fn new(machine: Machine) -> Self {
        Self {
            machine,
            loads: Vec::new(),
            preload: None,
            reads: Vec::new(),
            verifies: Vec::new(),
            starts: Vec::new(),
            files: Vec::new(),
        }
    }

    fn loads_table(&self) -> Table {
        let mut table = table(&[
            "events stored before",
            "connections",
            "events a request",
            "subjects",
            "events/s",
            "p50 ms",
            "p99 ms",
        ]);
        for row in &self.loads {
            table.add_row([
                grouped(row.stored as f64),
                row.connections.to_string(),
                grouped(row.batch as f64),
                if row.new_subjects {
                    "all new"
                } else {
                    "10,000"
                }
                .to_owned(),
                grouped(row.rate),
                millis(row.p50_ms),
                millis(row.p99_ms),
            ]);
        }
        table
    }

    fn preload_table(&self) -> Table {
        let mut table = table(&["events stored", "events/s since the row above"]);
        for mark in self.preload.iter().flat_map(|preload| &preload.marks) {
            table.add_row([grouped(mark.stored as f64), grouped(mark.rate)]);
        }
        table
    }

    fn reads_table(&self) -> Table {
        let mut table = table(&["read", "events stored", "p50 ms", "p99 ms"]);
        for row in &self.reads {
            table.add_row([
                row.name.to_owned(),
                grouped(row.stored as f64),
                millis(row.p50_ms),
                millis(row.p99_ms),
            ]);
        }
        table
    }

    fn times_table(&self) -> Table {
        let mut table = table(&["events stored", "verify s", "verified events/s", "start ms"]);
        let mut sizes: Vec<u64> = self.verifies.iter().map(|row| row.stored).collect();
        sizes.extend(self.starts.iter().map(|row| row.stored));
        sizes.sort_unstable();
        sizes.dedup();
        for stored in sizes {
            let ms_of = |rows: &[TimeRow]| {
                let row = rows.iter().find(|row| row.stored == stored);
                row.map(|row| row.ms)
            };
            let (verify, start) = (ms_of(&self.verifies), ms_of(&self.starts));
            let shown = |figure: Option<String>| figure.unwrap_or_else(|| "-".to_owned());
            table.add_row([
                grouped(stored as f64),
                shown(verify.map(|ms| format!("{:.1}", ms / 1_000.0))),
                shown(verify.map(|ms| grouped(stored as f64 * 1_000.0 / ms))),
                shown(start.map(millis)),
            ]);
        }
        table
    }

    fn files_table(&self) -> Table {
        let mut table = table(&[
            "after",
            "events",
            "JSON B/event",
            "ledger.db B/event",
            "index.db B/event",
            "vault.db B/event",
            "all B/event",
            "all / JSON",
        ]);
        for row in &self.files {
            let each = |bytes: u64| grouped(bytes as f64 / row.events.max(1) as f64);
            let FileSizes {
                ledger,
                index,
                vault,
            } = row.sizes;
            let all = ledger + index + vault;
            table.add_row([
                row.what.clone(),
                grouped(row.events as f64),
                each(row.raw_bytes),
                each(ledger),
                each(index),
                each(vault),
                each(all),
                format!("{:.2}", all as f64 / row.raw_bytes.max(1) as f64),
            ]);
        }
        table
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables = [
            ("Appending over HTTP", self.loads_table()),
            ("Preload, in process", self.preload_table()),
            ("Reading over HTTP, one connection", self.reads_table()),
            ("Verify and start", self.times_table()),
            ("On disk, after closing", self.files_table()),
        ];
        for (title, table) in tables {
            if table.row_count() > 0 {
                writeln!(f, "\n## {title}\n\n{table}")?;
            }
        }
        Ok(())
    }
}

/// Says on standard error what is under way.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "  {text}");
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn millis(ms: f64) -> String {
    if ms < 10.0 {
        format!("{ms:.2}")
    } else {
        format!("{ms:.1}")
    }
}

/// A whole number with commas: 12,345.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

//! Writing to the terminal: results on standard output, progress on standard error. Text that others wrote may stand
//! in all of it, so whatever is printed here has its control characters as escapes (`trailkeep_proof::text`).

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use trailkeep_proof::text;

/// Prints text with a line end.
pub(super) fn print_line(text: &str) -> io::Result<()> {
    write_out(format!("{}\n", text::block(text)).as_bytes())
}

/// Prints what programs read. They get the bytes as they are, a terminal gets its control characters as escapes.
pub(super) fn print_bytes(bytes: &[u8]) -> io::Result<()> {
    if io::stdout().is_terminal() {
        let text = String::from_utf8_lossy(bytes);
        write_out(text::block(&text).as_bytes())
    } else {
        write_out(bytes)
    }
}

/// Prints a value as one JSON document. Programs get an event's text byte for byte.
pub(super) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut document = serde_json::to_string(value)?;
    document.push('\n');
    if io::stdout().is_terminal() {
        document = text::json(&document).into_owned();
    }
    Ok(write_out(document.as_bytes())?)
}

fn write_out(bytes: &[u8]) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(bytes)?;
    output.flush()
}

/// A number of events in words.
pub(super) fn events_in_words(number: u64) -> String {
    text::counted(number, "event")
}

/// A note for the person at the terminal, beside the result.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{}", text::block(text));
}

/// Says that a command was given by its old name.
pub(super) fn renamed(old: &str, new: &str) {
    note(&format!(
        "`trailkeep {old}` is now `trailkeep {new}`; the old name still works"
    ));
}

/// A progress bar on standard error where that is a terminal; otherwise nothing.
pub(super) fn progress_bar(total: u64, what: &'static str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(
        "{msg:>12} [{bar:32}] {human_pos}/{human_len} ({per_sec}, {eta} left)",
    );
    let bar = ProgressBar::new(total).with_message(what);
    match style {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

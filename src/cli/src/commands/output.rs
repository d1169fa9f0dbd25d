//! Writing to the terminal: results on standard output, progress on standard error. Text that others wrote may stand
//! in all of it, so whatever is printed here has its control characters as escapes (`trailkeep_proof::text`).

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::table;
use trailkeep_proof::period::CalendarPeriod;
use trailkeep_proof::text;

/// Prints text with a line end. A terminal gets lines that fit it.
pub(super) fn print_line(text: &str) -> io::Result<()> {
    let shown = fitted(&text::block(text), table::room(io::stdout()));
    write_out(format!("{shown}\n").as_bytes())
}

/// The sentences of a text on lines of this width. What is indented or belongs to a table stays as it is: a command must be one line
/// for whoever copies it, and a table has its own way to fit.
fn fitted(text: &str, room: Option<usize>) -> String {
    let Some(room) = room else {
        return text.to_owned();
    };
    let is_prose = |line: &str| !line.starts_with([' ', '\u{2500}', '\u{2550}']);
    let lines = text.split('\n').map(|line| {
        if is_prose(line) {
            text::wrapped(line, room)
        } else {
            line.to_owned()
        }
    });
    lines.collect::<Vec<_>>().join("\n")
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

/// A period for people; a text that is not a period stays as it is.
pub(super) fn period_in_words(text: &str) -> String {
    let period = CalendarPeriod::parse(text);
    period.map_or_else(|_| text.to_owned(), CalendarPeriod::in_words)
}

/// A number of events in words.
pub(super) fn events_in_words(number: u64) -> String {
    text::counted(number, "event")
}

/// A note for the person at the terminal, beside the result.
pub(super) fn note(text: &str) {
    let shown = fitted(&text::block(text), table::room(io::stderr()));
    let _ = writeln!(io::stderr(), "{shown}");
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

#[cfg(test)]
mod tests {
    use super::fitted;

    #[test]
    fn sentences_fit_and_commands_and_tables_stay_whole() {
        let table = " seq   recorded   what it was about";
        let command = "  trailkeep verify --dir D --against FILE";
        let text = format!("one two three four\n{table}\n{command}");
        let shown = format!("one two\nthree four\n{table}\n{command}");
        assert_eq!(fitted(&text, Some(10)), shown);
        assert_eq!(fitted(&text, None), text);
    }
}

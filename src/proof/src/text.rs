//! Untrusted text for people: control characters become escapes, so that no text steers a terminal, a page or a log.
//!
//! Events, requests and bundles carry what others wrote. A raw ESC moves a reader's cursor, a bidirectional override
//! turns words around, a line end forges a line. Everything that is shown to a person goes through here.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

/// The text with each character that could steer its reader's screen as `\u001b`; line ends and tabs stay.
pub fn block(text: &str) -> Cow<'_, str> {
    escape_where(text, |c| steers(c) && c != '\n' && c != '\t')
}

/// The same for one line, such as a table's cell: line ends and tabs are escaped, too.
pub fn line(text: &str) -> Cow<'_, str> {
    escape_where(text, steers)
}

/// A JSON document for a terminal: the same values, with raw control characters of its strings as JSON's own escapes.
pub fn json(document: &str) -> Cow<'_, str> {
    block(document)
}

/// A number with what it counts, whose plural ends in `s` or `ies`: `1 event`, `0 events`, `2 entries`.
pub fn counted(number: u64, one: &str) -> String {
    match (number, one.strip_suffix("ry")) {
        (1, _) => format!("1 {one}"),
        (_, Some(stem)) => format!("{number} {stem}ries"),
        (_, None) => format!("{number} {one}s"),
    }
}

/// The form of a verb or pronoun that fits a number: `one` for 1, else `others`, such as `is` and `are`.
pub const fn agreeing(number: u64, one: &'static str, others: &'static str) -> &'static str {
    if number == 1 { one } else { others }
}

/// The words of a text on lines of this width, as a terminal shows them. Line ends and the blanks that begin a line stay,
/// and begin each line that it is wrapped to. A word that is wider stands whole on its own line.
pub fn wrapped(text: &str, width: usize) -> String {
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let words = line.trim_start_matches(' ');
        let indent = &line[..line.len() - words.len()];
        let mut filled = indent.to_owned();
        for word in words.split(' ') {
            if filled.len() > indent.len() && filled.width() + 1 + word.width() > width {
                lines.push(std::mem::replace(&mut filled, indent.to_owned()));
            } else if filled.len() > indent.len() {
                filled.push(' ');
            }
            filled.push_str(word);
        }
        lines.push(filled);
    }
    lines.join("\n")
}

/// A number of bytes for people, in powers of 1024: `1.4 GiB`, `512 bytes`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let in_tenths = |power: usize| {
        let one = 1_u128 << (10 * (power + 1));
        (u128::from(bytes) * 10 + one / 2) / one
    };
    // Rounding must not make 1024 of a unit.
    let fits = (0..UNITS.len()).find(|power| in_tenths(*power) < 10_240);
    let power = fits.unwrap_or(UNITS.len() - 1);
    let (whole, tenth) = (in_tenths(power) / 10, in_tenths(power) % 10);
    if tenth == 0 || whole >= 100 {
        format!("{whole} {}", UNITS[power])
    } else {
        format!("{whole}.{tenth} {}", UNITS[power])
    }
}

/// Whether a character changes how a screen shows the text around it: C0, DEL, C1, the separators of lines and
/// paragraphs, the controls of Unicode's bidirectional algorithm (UAX #9), and those that show nothing at all.
pub fn steers(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn escape_where(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_escaped(c) {
            push_escape(&mut shown, c);
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// As JSON writes it (RFC 8259 section 7), in UTF-16.
fn push_escape(shown: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing to a string can't fail.
        let _ = write!(shown, "\\u{unit:04x}");
    }
}

/// A writer of text whose lines hold nothing that steers a screen. Each write must hold whole characters, as a
/// logger's do.
#[derive(Clone, Debug)]
pub struct Shown<W>(pub W);

impl<W: Write> Write for Shown<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.0.write_all(block(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_screen_is_shown_as_an_escape() {
        for (raw, shown) in [
            ("\u{1b}[2J", "\\u001b[2J"),
            ("\u{9b}31m", "\\u009b31m"),
            ("\u{1b}]0;t\u{7}", "\\u001b]0;t\\u0007"),
            ("a\rb\u{7f}", "a\\u000db\\u007f"),
            ("\u{202e}cba\u{202c}", "\\u202ecba\\u202c"),
            ("\u{2066}x\u{2069}\u{200f}", "\\u2066x\\u2069\\u200f"),
            ("\u{2028}", "\\u2028"),
            ("\u{e0041}", "\\udb40\\udc41"),
            (
                "Zo\u{eb}, \u{65e5}\u{672c}, \u{1f600}",
                "Zo\u{eb}, \u{65e5}\u{672c}, \u{1f600}",
            ),
        ] {
            assert_eq!(line(raw), shown);
            assert_eq!(block(raw), shown);
        }
    }

    #[test]
    fn what_is_counted_has_a_plural() {
        let said = [0, 1, 2].map(|number| counted(number, "event"));
        assert_eq!(said, ["0 events", "1 event", "2 events"]);
        assert_eq!(counted(1, "entry"), "1 entry");
        assert_eq!(counted(3, "entry"), "3 entries");
        assert_eq!(counted(2, "key"), "2 keys");
    }

    #[test]
    fn words_stay_whole_on_lines_of_a_width() {
        for (text, lines) in [
            ("", ""),
            ("one two three", "one two\nthree"),
            ("  one two three", "  one\n  two\n  three"),
            ("one\n\ntwo", "one\n\ntwo"),
            ("a-word-that-is-wider b", "a-word-that-is-wider\nb"),
            (
                "\u{5ba2}\u{5ba2} \u{5ba2}\u{5ba2}",
                "\u{5ba2}\u{5ba2}\n\u{5ba2}\u{5ba2}",
            ),
        ] {
            assert_eq!(wrapped(text, 8), lines);
        }
    }

    #[test]
    fn bytes_have_a_unit_that_people_read() {
        for (bytes, shown) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (1024 * 1024 - 1, "1 MiB"),
            (268_435_456, "256 MiB"),
            (1_503_238_554, "1.4 GiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
    }

    #[test]
    fn a_line_has_no_line_end_and_a_block_has() {
        assert_eq!(line("a\n\tb"), "a\\u000a\\u0009b");
        assert_eq!(block("a\n\tb"), "a\n\tb");
    }

    #[test]
    fn a_json_document_keeps_its_values() {
        let value = serde_json::json!({"a": "\u{9b}\u{7f}\u{202e}\n", "b": ["\u{e0041}"]});
        let document = serde_json::to_string_pretty(&value).unwrap();
        let shown = json(&document);
        assert!(!shown.contains(|c| steers(c) && c != '\n'), "{shown}");
        let read: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(read, value);
    }

    #[test]
    fn a_writer_shows_what_is_written() {
        let mut written = Vec::new();
        writeln!(Shown(&mut written), "x\u{1b}[31m").unwrap();
        assert_eq!(written, b"x\\u001b[31m\n");
    }
}

//! events.csv: the disclosed events for a spreadsheet (docs/format.md, "events.csv").
//!
//! The verifier writes the same table again from events.jsonl and compares, so every byte of it is fixed.

use serde_json::Value;

use super::line::Line;
use crate::time::UnixMillis;

/// Names of the columns.
pub const COLUMNS: [&str; 18] = [
    "seq",
    "recorded_at",
    "occurred_at",
    "id",
    "action",
    "outcome",
    "actor_id",
    "actor_type",
    "subjects",
    "conversation",
    "provider",
    "request_model",
    "response_model",
    "input_tokens",
    "output_tokens",
    "input",
    "output",
    "redacted",
];

/// Most characters of an input or output in its cell; the rest is in events.jsonl.
const TEXT_CHARACTERS_MAX: usize = 500;

/// What spreadsheets take for the beginning of a formula, or skip before one, full-width forms included.
const FORMULA_STARTS: [char; 11] = [
    '=', '+', '-', '@', '\t', '\r', '\n', '\u{FF1D}', '\u{FF0B}', '\u{FF0D}', '\u{FF20}',
];

/// The first line.
pub fn header() -> Vec<u8> {
    record(COLUMNS.map(str::to_owned))
}

/// The line of an event.
pub fn row(line: &Line<'_>, recorded_at: UnixMillis) -> Vec<u8> {
    let section = |name: &str| {
        line.text(name)
            .and_then(|text| serde_json::from_str::<Value>(text).ok())
            .unwrap_or(Value::Null)
    };
    let (actor, llm) = (section("actor"), section("llm"));
    let member =
        |value: &Value, pointer: &str| value.pointer(pointer).map(plain).unwrap_or_default();
    let subjects = section("subjects");
    let subjects = subjects.as_array().into_iter().flatten();
    let subjects: Vec<String> = subjects.map(|subject| member(subject, "/id")).collect();
    record([
        line.seq.to_string(),
        recorded_at.to_string(),
        plain(&section("occurred_at")),
        plain(&section("id")),
        plain(&section("action")),
        plain(&section("outcome")),
        member(&actor, "/id"),
        member(&actor, "/type"),
        subjects.join("; "),
        member(&section("context"), "/conversation"),
        member(&llm, "/provider"),
        member(&llm, "/request_model"),
        member(&llm, "/response_model"),
        member(&llm, "/usage/input_tokens"),
        member(&llm, "/usage/output_tokens"),
        excerpt(line.text("input")),
        excerpt(line.text("output")),
        line.redacted().collect::<Vec<_>>().join(" "),
    ])
}

/// A string as it is, anything else as its JSON, nothing for null.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The beginning of a string as decoded, or of any other value's exact text.
fn excerpt(section: Option<&str>) -> String {
    let text = section.unwrap_or_default();
    let decoded = text
        .starts_with('"')
        .then(|| serde_json::from_str::<String>(text).ok())
        .flatten();
    let text = decoded.as_deref().unwrap_or(text);
    match text.char_indices().nth(TEXT_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
        None => text.to_owned(),
    }
}

/// A line of a table for spreadsheets, with its end. What one of them would take for a formula gets a `'` in front.
pub fn record(cells: impl IntoIterator<Item = String>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    let guarded = cells.into_iter().map(|cell| {
        if cell.starts_with(FORMULA_STARTS) {
            format!("'{cell}")
        } else {
            cell
        }
    });
    // Writing one record to memory can't fail.
    let written = writer.write_record(guarded).is_ok();
    debug_assert!(written, "one record always has as many cells as the first");
    writer.into_inner().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::line::Section;
    use crate::ids::{SectionSalt, Seq};

    fn line(sections: &[(&'static str, &'static str)]) -> Line<'static> {
        let disclosed = |json: &'static str| Section::Disclosed {
            salt: SectionSalt::new([0; 32]),
            json: json.into(),
        };
        Line {
            seq: Seq::new(7),
            sections: sections
                .iter()
                .map(|(name, json)| ((*name).into(), disclosed(json)))
                .collect(),
        }
    }

    #[test]
    fn no_cell_is_a_formula() {
        for start in ["=", "+", "-", "@", "\\t", "\\r", "\\n", "\u{FF1D}"] {
            let id = format!("\"{start}cmd|' /C calc'!A0\"");
            let id: &'static str = Box::leak(id.into_boxed_str());
            let row = row(
                &line(&[("action", "\"a\""), ("id", id)]),
                UnixMillis::new(0),
            );
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .from_reader(&row[..]);
            let record = reader.records().next().unwrap().unwrap();
            assert_eq!(record.len(), COLUMNS.len());
            assert!(record[3].starts_with('\''), "{start}: {:?}", &record[3]);
        }
    }

    #[test]
    fn long_texts_are_cut_and_numbers_are_plain() {
        let long: &'static str =
            Box::leak(format!("\"{}\"", "\u{e9}".repeat(600)).into_boxed_str());
        let event = line(&[
            ("action", "\"a\""),
            ("input", long),
            ("llm", "{\"usage\":{\"input_tokens\":12}}"),
            ("subjects", "[{\"id\":\"a\"},{\"id\":\"b\"}]"),
        ]);
        let text = String::from_utf8(row(&event, UnixMillis::new(0))).unwrap();
        assert!(
            text.starts_with("7,1970-01-01T00:00:00.000Z,,,a,"),
            "{text}"
        );
        assert!(text.contains(",a; b,") && text.contains(",12,"), "{text}");
        assert!(
            text.contains(&format!("{}\u{2026}", "\u{e9}".repeat(500))),
            "{text}"
        );
        assert!(text.ends_with("\r\n"));
    }
}

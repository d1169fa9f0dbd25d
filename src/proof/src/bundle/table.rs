//! events.csv: the disclosed events for a spreadsheet (docs/format.md, "events.csv").
//!
//! The verifier writes the same table again from events.jsonl and compares, so every byte of it is fixed.

use std::borrow::Cow;

use serde_json::Value;

use super::line::{Line, Section};
use super::usual::{contains_any, json};
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

/// The sections that a row shows, in ascending order.
const SHOWN: [&str; 10] = [
    "action",
    "actor",
    "context",
    "id",
    "input",
    "llm",
    "occurred_at",
    "outcome",
    "output",
    "subjects",
];

/// Members of the objects that are open at a time, in nearly every event.
const NAMES_EXPECTED: usize = 32;

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
    let mut row = Vec::with_capacity(1_024);
    write_row(&mut row, line, recorded_at);
    row
}

/// Writes the line of an event behind what is there.
pub(super) fn write_row<'l>(out: &mut Vec<u8>, line: &'l Line<'_>, recorded_at: UnixMillis) {
    let names = &mut json::Names::with_capacity(NAMES_EXPECTED);
    let [
        action,
        actor,
        context,
        id,
        input,
        llm,
        occurred_at,
        outcome,
        output,
        subjects,
    ] = texts(line);
    let section = |text: Option<&'l str>| text.unwrap_or("null");
    let [actor_id, actor_type] = cells(section(actor), names, ["id", "type"]);
    let [conversation] = cells(section(context), names, ["conversation"]);
    let (model, usage) = llm_cells(section(llm), names);
    let [provider, request_model, response_model] = model;
    let [input_tokens, output_tokens] = usage;
    let mut redacted = line.redacted();
    let first = redacted.next().unwrap_or_default().to_owned();
    let redacted = redacted.fold(first, |names, name| names + " " + name);
    let cells = [
        Cow::Owned(line.seq.to_string()),
        Cow::Owned(recorded_at.to_string()),
        whole(section(occurred_at), names),
        whole(section(id), names),
        whole(section(action), names),
        whole(section(outcome), names),
        actor_id,
        actor_type,
        subject_ids(section(subjects), names),
        conversation,
        provider,
        request_model,
        response_model,
        input_tokens,
        output_tokens,
        excerpt(input, names),
        excerpt(output, names),
        Cow::Owned(redacted),
    ];
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write_cell(out, cell);
    }
    out.extend_from_slice(b"\r\n");
}

/// The texts of the sections that a row shows, in the order of [`SHOWN`].
fn texts<'l>(line: &'l Line<'_>) -> [Option<&'l str>; SHOWN.len()] {
    let mut texts = [None; SHOWN.len()];
    // Both ascend.
    let mut shown = SHOWN.iter().zip(&mut texts).peekable();
    for (name, section) in &line.sections {
        while shown.next_if(|(next, _)| **next < &**name).is_some() {}
        if let Some((_, place)) = shown.next_if(|(next, _)| **next == &**name)
            && let Section::Disclosed { json, .. } = section
        {
            *place = Some(&**json);
        }
    }
    texts
}

/// Members of an object, those of these names; empty where there is none. `None` where the text is not usual.
fn named<'t, const N: usize>(
    section: &'t str,
    names: &mut json::Names<'t>,
    wanted: [&str; N],
) -> Option<[&'t str; N]> {
    let mut found = [""; N];
    json::members(section, names, &mut |name, value| {
        if let Some(place) = wanted.iter().position(|known| *known == name) {
            found[place] = value;
        }
    })?;
    Some(found)
}

/// Cells of an object's members, those of these names.
fn cells<'t, const N: usize>(
    section: &'t str,
    names: &mut json::Names<'t>,
    wanted: [&str; N],
) -> [Cow<'t, str>; N] {
    match named(section, names, wanted) {
        Some(found) => found.map(cell),
        None => cells_of(&tree(section), wanted),
    }
}

fn cells_of<'t, const N: usize>(value: &Value, wanted: [&str; N]) -> [Cow<'t, str>; N] {
    wanted.map(|name| value.get(name).map(plain).unwrap_or_default().into())
}

/// The cells of the model and of what it used.
fn llm_cells<'t>(
    section: &'t str,
    names: &mut json::Names<'t>,
) -> ([Cow<'t, str>; 3], [Cow<'t, str>; 2]) {
    const MODEL: [&str; 3] = ["provider", "request_model", "response_model"];
    const USED: [&str; 2] = ["input_tokens", "output_tokens"];
    let [provider, request_model, response_model] = MODEL;
    let wanted = [provider, request_model, response_model, "usage"];
    if let Some([provider, request_model, response_model, usage]) = named(section, names, wanted) {
        let model = [provider, request_model, response_model];
        return (model.map(cell), cells(usage, names, USED));
    }
    let value = tree(section);
    let usage = value.get("usage").unwrap_or(&Value::Null);
    (cells_of(&value, MODEL), cells_of(usage, USED))
}

/// The ids of the data subjects in one cell.
fn subject_ids<'t>(section: &'t str, names: &mut json::Names<'t>) -> Cow<'t, str> {
    let mut subjects = Vec::new();
    let read = json::elements(section, names, &mut |subject| subjects.push(subject));
    if read.is_none() {
        let value = tree(section);
        let subjects = value.as_array().into_iter().flatten();
        let id = |subject: &Value| subject.get("id").map(plain).unwrap_or_default();
        return subjects.map(id).collect::<Vec<_>>().join("; ").into();
    }
    let mut id = |subject: &'t str| {
        let [id] = cells(subject, names, ["id"]);
        id
    };
    match subjects.as_slice() {
        [one] => id(one),
        all => {
            let ids: Vec<Cow<'_, str>> = all.iter().map(|subject| id(subject)).collect();
            ids.join("; ").into()
        }
    }
}

/// The cell of a whole section.
fn whole<'t>(section: &'t str, names: &mut json::Names<'t>) -> Cow<'t, str> {
    if json::is_usual(section, names) {
        cell(section)
    } else {
        plain(&tree(section)).into()
    }
}

/// The cell of a value that is [usual](json::is_usual), or of nothing.
fn cell(value: &str) -> Cow<'_, str> {
    let is_counting = value.bytes().all(|byte| byte.is_ascii_digit());
    if is_counting || value == "null" {
        return if is_counting { value } else { "" }.into();
    }
    match inner(value) {
        Some(inner) if !inner.contains('\\') => inner.into(),
        _ => plain(&tree(value)).into(),
    }
}

/// What stands between the quotes of a string.
fn inner(value: &str) -> Option<&str> {
    value.strip_prefix('"')?.strip_suffix('"')
}

/// The value of a text; `null` where it is no JSON.
fn tree(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
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
fn excerpt<'t>(section: Option<&'t str>, names: &mut json::Names<'t>) -> Cow<'t, str> {
    let text = section.unwrap_or_default();
    if !text.starts_with('"') {
        return beginning(text);
    }
    match inner(text) {
        Some(inner) if !inner.contains('\\') && json::is_usual(text, names) => beginning(inner),
        _ => match serde_json::from_str::<String>(text) {
            Ok(decoded) => beginning(&decoded).into_owned().into(),
            Err(_) => beginning(text),
        },
    }
}

fn beginning(text: &str) -> Cow<'_, str> {
    // No character is shorter than a byte.
    let Some(bytes) = text.as_bytes().get(..TEXT_CHARACTERS_MAX) else {
        return text.into();
    };
    let end = if bytes.is_ascii() {
        (text.len() > TEXT_CHARACTERS_MAX).then_some(TEXT_CHARACTERS_MAX)
    } else {
        let next = text.char_indices().nth(TEXT_CHARACTERS_MAX);
        next.map(|(end, _)| end)
    };
    match end.and_then(|end| text.get(..end)) {
        Some(beginning) => format!("{beginning}\u{2026}").into(),
        None => text.into(),
    }
}

/// Writes a cell as the writer of CSV does, with a `'` before what a spreadsheet would take for a formula.
fn write_cell(out: &mut Vec<u8>, cell: &str) {
    let is_quoted = contains_any(cell.as_bytes(), [b',', b'"', b'\r', b'\n']);
    if is_quoted {
        out.push(b'"');
    }
    if cell.starts_with(FORMULA_STARTS) {
        out.push(b'\'');
    }
    let mut rest = cell.as_bytes();
    while is_quoted && let Some(quote) = rest.iter().position(|byte| *byte == b'"') {
        let (before, behind) = rest.split_at(quote + 1);
        out.extend_from_slice(before);
        out.push(b'"');
        rest = behind;
    }
    out.extend_from_slice(rest);
    if is_quoted {
        out.push(b'"');
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
mod tests;

//! The table: what stands in its cells, and each byte against what 0.1.0 wrote.

use super::*;
use proptest::prelude::*;

use crate::bundle::usual::json::tests::{json, near_json};
use crate::ids::{SectionDigest, SectionSalt, Seq};

/// Names of the sections that a row shows, ascending.
const SECTIONS: [&str; 11] = [
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
    "z",
];

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
    let long: &'static str = Box::leak(format!("\"{}\"", "\u{e9}".repeat(600)).into_boxed_str());
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

/// The row as 0.1.0 wrote it, by a tree of each section and a writer of CSV: what every later version must write.
mod by_tree {
    use super::super::*;

    pub(super) fn row(line: &Line<'_>, recorded_at: UnixMillis) -> Vec<u8> {
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
}

fn any_section() -> impl Strategy<Value = String> {
    prop_oneof![
        json().prop_map(|value| value.to_string()),
        json().prop_map(|value| serde_json::to_string_pretty(&value).unwrap()),
        near_json(),
        "[-=a-c\u{e9}\u{FF1D}\\\\,\"\n\r]{0,4}[a\u{e9}]{495,505}"
            .prop_map(|text| { serde_json::to_string(&text).unwrap() }),
        "[=a]{0,2}[a\u{e9}]{495,505}",
        "[-=a-c;]{0,4}".prop_map(|id| format!(
            "{{\"id\":\"{id}\",\"type\":7,\"usage\":{{\"input_tokens\":{id}1.50}}}}"
        )),
        "[-0-9]{1,3}".prop_map(|number| {
            format!(
                "{{\"provider\":-0,\"usage\":{{\"output_tokens\":{number},\"input_tokens\":1}}}}"
            )
        }),
        prop::collection::vec("[=a]{1,2}", 0..4).prop_map(|ids| {
            let ids = ids.iter().map(|id| format!("{{\"id\":\"{id}\"}}"));
            format!("[{}]", ids.collect::<Vec<_>>().join(", "))
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn every_byte_of_a_row_is_that_of_the_first_release(
        texts in prop::collection::vec(
            prop::option::of(prop::option::of(any_section())),
            SECTIONS.len(),
        ),
        recorded_at in 0..=UnixMillis::MAX.get(),
    ) {
        let digest = SectionDigest::new([1; 32]);
        let sections = SECTIONS.iter().zip(&texts).filter_map(|(name, text)| {
            let section = match text.as_ref()? {
                Some(text) => Section::Disclosed {
                    salt: SectionSalt::new([0; 32]),
                    json: text.into(),
                },
                None => Section::Redacted(digest),
            };
            Some(((*name).into(), section))
        });
        let line = Line { seq: Seq::new(recorded_at), sections: sections.collect() };
        let recorded_at = UnixMillis::new(recorded_at);
        let (row, expected) = (row(&line, recorded_at), by_tree::row(&line, recorded_at));
        prop_assert_eq!(String::from_utf8(row).unwrap(), String::from_utf8(expected).unwrap());
    }
}

//! The quick way to parse an event and the other one accept the same events, and give the same sections.

use super::*;
use proptest::prelude::*;

const EVENTS: [&str; 4] = [
    r#"{"id":"e","action":"a.b","actor":{"id":"x"},"input":"say \"hi\" \\ {[","attributes":{"n":[1,-2.5e3,true,null,{}]}}"#,
    "{ \"action\" : \"a.b\" ,\r\n\t\"actor\":{ \"id\" : \"x\" } , \"outcome\":\"success\"} ",
    r#"{"actor":{"id":"x"},"action":"a.b","subjects":[{"id":"ada"},{"id":"bob","namespace":"crm"}],"llm":{"usage":{"input_tokens":12}}}"#,
    r#"{"action":"a.b","actor":{"id":"\u00e9"},"output":[[],[[]],"]"],"occurred_at":"2026-11-30T10:00:00Z"}"#,
];

/// What the other way gives.
fn parsed_slowly(text: &str) -> Option<Vec<Section>> {
    let mut walk = Walk::new();
    let raw = split_sections(&mut walk, text).ok()?;
    for (field, value) in &raw {
        json::walk(&mut walk, field, value, 0);
    }
    let has = |name| raw.iter().any(|(known, _)| known.name == name);
    let lacks = SECTIONS
        .iter()
        .any(|field| field.required && !has(field.name));
    if lacks || !walk.into_faults().is_empty() {
        return None;
    }
    Some(event_of(raw).ok()?.into_sections())
}

fn parsed_quickly(text: &str) -> Option<Vec<Section>> {
    Some(parse_quickly(text)?.ok()?.into_sections())
}

#[test]
fn events_as_they_come_take_the_quick_way() {
    for event in EVENTS {
        let sections = parsed_quickly(event).unwrap();
        assert_eq!(Some(sections), parsed_slowly(event), "{event}");
    }
}

#[test]
fn what_is_wrong_or_odd_takes_the_other_way() {
    for event in [
        "",
        "{",
        "{}",
        "[]",
        r#"{"action":"a.b"}"#,
        r#"{"action":"a.b","actor":{"id":"x"}"#,
        r#"{"action":"a.b","actor":{"id":"x"}}x"#,
        r#"{"action":"a.b","actor":{"id":"x"},}"#,
        r#"{"action":"a.b","actor":{"id":"x"},"action":"a.b"}"#,
        r#"{"action":"a.b","actor":{"id":"x"},"inputs":1}"#,
        r#"{"action":"a.b","actor":{"id":"x"},"received":{}}"#,
        r#"{"\u0061ction":"a.b","actor":{"id":"x"}}"#,
        r#"{"action":"a.b","actor":{"id":"x"},"input":[}}"#,
        r#"{"action":"a.b","actor":{"id":"x"},"input":1 2}"#,
        r#"{"action":"a.b","actor":{"id":"x"},"input":}"#,
        r#"{"action":"a.b","actor":{"id":"x"},"input":01}"#,
        r#"{"action":"a.b" "actor":{"id":"x"}}"#,
        "{\"action\":\"a.b\",\u{c}\"actor\":{\"id\":\"x\"}}",
    ] {
        assert!(parse_quickly(event).is_none(), "{event}");
    }
}

proptest! {
    #[test]
    fn both_ways_agree_on_events_with_a_change(
        event in prop::sample::select(&EVENTS[..]),
        place in any::<prop::sample::Index>(),
        removed in 0..3_usize,
        added in prop::sample::select(&["", " ", "\"", "\\", "{", "}", "[", "]", ",", ":", "1", "\t", "\u{c}", "e", "null"][..]),
    ) {
        let characters: Vec<char> = event.chars().collect();
        let at = place.index(characters.len());
        let mut changed: String = characters[..at].iter().collect();
        changed.push_str(added);
        changed.extend(characters.iter().skip(at + removed));
        let quick = parsed_quickly(&changed);
        let is_event = parse_event(changed.as_bytes()).is_ok();
        if let Some(quick) = quick {
            prop_assert_eq!(Some(quick), parsed_slowly(&changed), "{}", changed);
            prop_assert!(is_event);
        } else {
            // What the quick way leaves may still be an event, such as one with an escape in a name.
            prop_assert_eq!(is_event, parsed_slowly(&changed).is_some(), "{}", changed);
        }
    }
}

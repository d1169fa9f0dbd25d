//! From bytes to an [`Event`], and from a request's body to the events in it.

use std::fmt;

use serde::de::{Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{self, Walk};
use super::names::NameSeed;
use super::scan;
use super::shape::{Field, OWN, SECTIONS};
use super::{Event, EventError, Facts, Fault, MAX_ARRAY_EVENTS, MAX_EVENT_BYTES, Section};
use crate::near::suggestion;

/// Reads and validates one event. The sections keep the bytes exactly as they came.
pub fn parse_event(text: &[u8]) -> Result<Event, EventError> {
    if text.len() > MAX_EVENT_BYTES {
        return Err(EventError::TooLarge {
            bytes: text.len(),
            limit: MAX_EVENT_BYTES,
        });
    }
    let text = strict_text(text)?;
    if !text.trim_start_matches(WHITE).starts_with('{') {
        return Err(EventError::of(
            "an event must be one JSON object, beginning with `{`",
        ));
    }
    if let Some(event) = parse_quickly(text) {
        return event;
    }
    let mut walk = Walk::new();
    let raw = split_sections(&mut walk, text)?;
    for (field, value) in &raw {
        if walk.is_full() {
            break;
        }
        json::walk(&mut walk, field, value, offset_in(text, value));
    }
    for field in SECTIONS.iter().filter(|field| field.required) {
        if !raw.iter().any(|(known, _)| known.name == field.name) {
            walk.fault(json::missing(field.name));
        }
    }
    let faults = walk.into_faults();
    if !faults.is_empty() {
        return Err(EventError::Invalid(faults));
    }
    event_of(raw)
}

/// The same in one pass less, where nothing is wrong: the places of the sections are told by their brackets and quotation
/// marks alone, and each is read once. Of anything else it gives nothing, so that the other way says what is wrong.
fn parse_quickly(text: &str) -> Option<Result<Event, EventError>> {
    let raw = sections_at(text)?;
    let mut walk = Walk::new();
    for (field, value) in &raw {
        json::walk(&mut walk, field, value, 0);
    }
    let has = |name| raw.iter().any(|(known, _)| known.name == name);
    let is_whole = SECTIONS
        .iter()
        .all(|field| !field.required || has(field.name));
    (is_whole && walk.into_faults().is_empty()).then(|| event_of(raw))
}

/// The texts of the sections; none where a name is unknown, occurs twice or has an escape, or where the object itself is malformed.
/// A text may still be no JSON.
fn sections_at(text: &str) -> Option<RawSections<'_>> {
    let bytes = text.as_bytes();
    let expect = |at: usize, byte: u8| (bytes.get(at) == Some(&byte)).then_some(at + 1);
    let mut raw = RawSections::with_capacity(16);
    let mut at = expect(scan::after_space(bytes, 0), b'{')?;
    loop {
        let name_at = expect(scan::after_space(bytes, at), b'"')?;
        let name_end = scan::end_of_string(bytes, name_at - 1)?;
        let name = text.get(name_at..name_end - 1)?;
        let field = SECTIONS.iter().find(|field| field.name == name)?;
        if raw.iter().any(|(known, _)| known.name == field.name) {
            return None;
        }
        let colon = expect(scan::after_space(bytes, name_end), b':')?;
        let value_at = scan::after_space(bytes, colon);
        let end = scan::end_of_value(bytes, value_at)?;
        raw.push((field, text.get(value_at..end)?));
        at = scan::after_space(bytes, end);
        match bytes.get(at)? {
            b',' => at += 1,
            b'}' => break,
            _ => return None,
        }
    }
    (scan::after_space(bytes, at + 1) == bytes.len()).then_some(raw)
}

fn event_of(raw: RawSections<'_>) -> Result<Event, EventError> {
    let mut sections: Vec<Section> = raw
        .into_iter()
        .map(|(field, value)| Section::new(field.name, value.as_bytes()))
        .collect();
    sections.sort_unstable_by_key(|section| section.name);
    let event = Event::from_valid(sections)?;
    if is_reserved(&event.facts().action) {
        return Err(EventError::Invalid(vec![Fault {
            pointer: "/action".to_owned(),
            detail: format!(
                "actions that begin with `{RESERVED}` are the server's own statements: name the action after your application"
            ),
        }]));
    }
    Ok(event)
}

/// The first word of the actions that only the server records.
const RESERVED: &str = "trailkeep";

/// Whether only the server records this action. Ledgers of 0.1.0 may hold such events of applications: what is recorded
/// is read, exported and verified all the same.
fn is_reserved(action: &str) -> bool {
    action.split('.').next() == Some(RESERVED)
}

/// Checks one section that the server adds, by the rules for what clients send.
pub(super) fn check_section(name: &str, value: &[u8]) -> Result<&'static Field, EventError> {
    let json = strict_text(value)?;
    let mut walk = Walk::new();
    let Some(field) = SECTIONS.iter().find(|field| field.name == name) else {
        walk.section_fault(None, UNKNOWN_ADDED);
        return Err(EventError::Invalid(walk.into_faults()));
    };
    json::walk(&mut walk, field, json, 0);
    if json.trim_matches(WHITE).len() != json.len() {
        walk.section_fault(
            Some(field.name),
            "there is white space around the value: remove it",
        );
    }
    let faults = walk.into_faults();
    if faults.is_empty() {
        Ok(field)
    } else {
        Err(EventError::Invalid(faults))
    }
}

const UNKNOWN_ADDED: &str = "unknown section: only those of the schema can be added";

/// What JSON takes for white space.
const WHITE: [char; 4] = [' ', '\t', '\n', '\r'];

fn strict_text(bytes: &[u8]) -> Result<&str, EventError> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(EventError::of("begins with a byte order mark: remove it"));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let place = error.valid_up_to();
        EventError::of(format!(
            "not UTF-8, at byte {place}: encode the event as UTF-8"
        ))
    })
}

/// Where `part`, a slice of `whole`, begins in it.
fn offset_in(whole: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize)
}

type RawSections<'de> = Vec<(&'static Field, &'de str)>;

/// The known sections with their exact texts. What is in them has only been skipped so far, which
/// serde_json does without recursion.
fn split_sections<'de>(walk: &mut Walk, text: &'de str) -> Result<RawSections<'de>, EventError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let mut raw = RawSections::new();
    let read = reader.deserialize_map(TopLevel {
        walk: &mut *walk,
        raw: &mut raw,
    });
    match read.and_then(|()| reader.end()) {
        Ok(()) => Ok(raw),
        Err(error) => Err(EventError::of(syntax(&error, text, "the event"))),
    }
}

fn syntax(error: &serde_json::Error, text: &str, what: &str) -> String {
    if error.is_syntax() && error.to_string().starts_with("trailing characters") {
        return format!("data follows after {what}: remove it");
    }
    json::syntax_detail(error, text, 0)
}

struct TopLevel<'w, 'de> {
    walk: &'w mut Walk,
    raw: &'w mut RawSections<'de>,
}

impl<'de> Visitor<'de> for TopLevel<'_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key_seed(NameSeed)? {
            let value: &RawValue = members.next_value()?;
            let field = SECTIONS.iter().find(|field| field.name == name);
            match field {
                Some(field) if self.raw.iter().any(|(known, _)| known.name == field.name) => {
                    self.walk.section_fault(Some(field.name), json::REPEATED);
                }
                Some(field) => self.raw.push((field, value.get())),
                None if OWN.contains(&&*name) => {
                    let own = OWN.into_iter().find(|own| *own == name);
                    let detail = format!("`{name}` is set by the server: remove it");
                    self.walk.section_fault(own, detail);
                }
                None => self.walk.section_fault(
                    None,
                    format!(
                        "unknown section{} (known: {}; other data belongs under `attributes`)",
                        suggestion(&name, SECTIONS.iter().map(|field| field.name)),
                        json::list_names(SECTIONS)
                    ),
                ),
            }
        }
        Ok(())
    }
}

/// The lines of a body of newline-delimited JSON, each with its number from 1. Lines end with LF or
/// CRLF; blank ones are left out, but counted.
pub fn split_ndjson(body: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    body.split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .zip(1..)
        .filter(|(line, _)| !line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')))
        .map(|(line, number)| (number, line))
}

/// The exact bytes of each element of a JSON array. What is in them is not looked at.
pub fn split_array(body: &[u8]) -> Result<Vec<&[u8]>, EventError> {
    let text = strict_text(body)?;
    if !text.trim_start_matches(WHITE).starts_with('[') {
        return Err(EventError::of("must be a JSON array, beginning with `[`"));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = reader.deserialize_seq(Elements);
    match read.and_then(|elements| reader.end().map(|()| elements)) {
        Ok(elements) => Ok(elements),
        // `Elements` itself has only one reason to stop.
        Err(error) if error.is_data() => Err(EventError::TooMany {
            limit: MAX_ARRAY_EVENTS,
        }),
        Err(error) => Err(EventError::of(syntax(&error, text, "the array"))),
    }
}

struct Elements;

impl<'de> Visitor<'de> for Elements {
    type Value = Vec<&'de [u8]>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(value) = values.next_element::<&RawValue>()? {
            // A body of 32 MiB could have millions of elements, each to be remembered.
            if elements.len() == MAX_ARRAY_EVENTS {
                return Err(serde::de::Error::custom("too many"));
            }
            elements.push(value.get().as_bytes());
        }
        Ok(elements)
    }
}

impl Event {
    /// Takes sections that were validated, in order.
    fn from_valid(sections: Vec<Section>) -> Result<Self, EventError> {
        let pairs = sections
            .iter()
            .map(|section| (section.name, &*section.bytes));
        let facts =
            Facts::from_sections(pairs).map_err(|error| EventError::of(error.to_string()))?;
        Ok(Self { sections, facts })
    }

    /// The event with one more section, which the server adds, such as a missing `id`. `received` is no section of the
    /// event yet: it is written when the event is recorded.
    /// Refused where the event has it already, or where the schema does.
    pub fn with_section(
        mut self,
        name: &str,
        bytes: impl Into<Box<[u8]>>,
    ) -> Result<Self, EventError> {
        let bytes = bytes.into();
        let field = check_section(name, &bytes)?;
        match self
            .sections
            .binary_search_by(|section| section.name.cmp(name))
        {
            Ok(_) => Err(EventError::Invalid(vec![Fault {
                pointer: format!("/{}", field.name),
                detail: "the event has this section already".to_owned(),
            }])),
            Err(place) => {
                self.sections.insert(
                    place,
                    Section {
                        name: field.name,
                        bytes,
                    },
                );
                Self::from_valid(self.sections)
            }
        }
    }
}

#[cfg(test)]
mod tests;

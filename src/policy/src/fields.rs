//! Fields of events that policies ask for or forbid, in the words of the event's schema.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use trailkeep_proof::ledger::event::Event;
use trailkeep_proof::ledger::event::shape::{Field, SECTIONS, Shape};

/// A field that events should have: a dotted path in the event's schema (`actor.role`, `subjects`,
/// `attributes.approver`), or several of which one is enough, divided by `|`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredField {
    text: String,
    paths: Vec<Vec<String>>,
}

/// Not a field of the event's schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a field of the event schema{hint}")]
pub struct FieldError {
    /// The path.
    pub name: String,
    /// What may be meant, or nothing.
    pub hint: String,
}

impl RequiredField {
    /// Reads it, and compares it with the schema.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let paths = text.split('|').map(|path| {
            let steps: Vec<String> = path.trim().split('.').map(str::to_owned).collect();
            if is_known(SECTIONS, &steps) {
                Ok(steps)
            } else {
                let name = path.trim().to_owned();
                let hint = hint(&name);
                Err(FieldError { name, hint })
            }
        });
        Ok(Self {
            text: text.to_owned(),
            paths: paths.collect::<Result<_, _>>()?,
        })
    }

    /// As the policy writes it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where the first of its paths would stand in an event, as a JSON pointer.
    pub fn pointer(&self) -> String {
        let first = self.paths.first().map(|steps| steps.join("/"));
        format!("/{}", first.unwrap_or_default())
    }

    /// Whether an event has it: one of its paths leads to something that is not null, an empty string or an empty
    /// list. Of a list one element is enough.
    pub fn is_in(&self, view: &mut EventView<'_>) -> bool {
        self.paths.iter().any(|path| match path.split_first() {
            Some((section, rest)) => view.has(section, rest),
            None => false,
        })
    }
}

impl fmt::Display for RequiredField {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

fn is_known(fields: &[Field], steps: &[String]) -> bool {
    let Some((first, rest)) = steps.split_first() else {
        return false;
    };
    let field = fields.iter().find(|field| field.name == first);
    field.is_some_and(|field| leads_on(&field.shape, rest))
}

fn leads_on(shape: &Shape, rest: &[String]) -> bool {
    if rest.is_empty() {
        return true;
    }
    match shape {
        Shape::Object(fields) => is_known(fields, rest),
        Shape::List { of, .. } => leads_on(of, rest),
        Shape::Any | Shape::FreeObject => rest.iter().all(|step| !step.is_empty()),
        Shape::Integer | Shape::Amount | Shape::Number | Shape::Text(_) => false,
    }
}

/// What somebody may mean who writes a name that audit logs often have.
fn hint(name: &str) -> String {
    let meant = match name {
        "event_id" | "received_at" | "recorded_at" | "received" | "seq" => {
            return ": the server sets it in every event, remove it".to_owned();
        }
        "actor_role" | "role" => "actor.role",
        "actor_id" | "user" | "user_id" => "actor.id",
        "patient" | "subject" | "data_subject" => "subjects",
        "resource" | "object" | "target" => "targets",
        "purpose" => "context.purpose",
        "ip" | "source_ip" | "address" => "context.ip",
        "host" => "context.host",
        "service" => "context.service",
        "session" => "context.session",
        "record" | "record_id" => "retention.record",
        _ => {
            return format!(": other data belongs under `attributes.{name}`");
        }
    };
    format!(": write `{meant}`")
}

/// An event whose sections are read as they are asked for, each once.
pub struct EventView<'e> {
    event: &'e Event,
    read: HashMap<&'e str, Value>,
}

impl<'e> EventView<'e> {
    /// Of an event.
    pub fn of(event: &'e Event) -> Self {
        let read = HashMap::new();
        Self { event, read }
    }

    fn has(&mut self, section: &str, rest: &[String]) -> bool {
        let mut sections = self.event.sections().iter();
        let Some(section) = sections.find(|own| own.name == section) else {
            return false;
        };
        if rest.is_empty() {
            return !matches!(&*section.bytes, b"null" | b"\"\"" | b"[]")
                && !is_blank_list(&section.bytes);
        }
        let value = self.read.entry(section.name).or_insert_with(|| {
            // Every section was validated as JSON.
            serde_json::from_slice(&section.bytes).unwrap_or(Value::Null)
        });
        leads_to_something(value, rest)
    }
}

/// `[ ]` with white space in it.
fn is_blank_list(bytes: &[u8]) -> bool {
    let inner = bytes
        .strip_prefix(b"[")
        .and_then(|rest| rest.strip_suffix(b"]"));
    inner.is_some_and(|inner| inner.trim_ascii().is_empty())
}

fn leads_to_something(value: &Value, rest: &[String]) -> bool {
    match (value, rest.split_first()) {
        (Value::Array(values), _) => values.iter().any(|value| leads_to_something(value, rest)),
        (Value::Object(members), Some((step, rest))) => {
            let member = members.get(step);
            member.is_some_and(|value| leads_to_something(value, rest))
        }
        (_, Some(_)) | (Value::Null, None) => false,
        (Value::String(text), None) => !text.is_empty(),
        (_, None) => true,
    }
}

/// A name that no member may have, at any depth: compared without case, `_` and `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForbiddenName {
    text: String,
    plain: String,
}

impl ForbiddenName {
    /// None where nothing is left to compare, or where every event has such a member.
    pub fn new(text: &str) -> Option<Self> {
        let plain = plain_name(text);
        let is_needed = ["", "action", "actor", "id"].contains(&plain.as_str());
        (!is_needed).then(|| Self {
            text: text.to_owned(),
            plain,
        })
    }

    /// As the policy writes it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn plain_name(name: &str) -> String {
    let kept = name.chars().filter(|c| !matches!(c, '_' | '-'));
    kept.flat_map(char::to_lowercase).collect()
}

/// Where an event has members of forbidden names: the position of the name, and a JSON pointer in which `?` stands for
/// names on the way that the schema does not know, since those may be personal.
pub fn find_forbidden(event: &Event, names: &[&ForbiddenName]) -> Vec<(usize, String)> {
    let mut search = Search {
        names,
        path: Vec::new(),
        found: Vec::new(),
    };
    for section in event.sections() {
        let known = SECTIONS.iter().find(|field| *field.name == *section.name);
        search.step(section.name, known, |search, shape| {
            let mut reader = serde_json::Deserializer::from_slice(&section.bytes);
            // Every section was validated as JSON.
            let _ = Node { search, shape }.deserialize(&mut reader);
        });
    }
    search.found
}

/// Most places that are named of one event.
const FOUND_MAX: usize = 20;

struct Search<'n> {
    names: &'n [&'n ForbiddenName],
    path: Vec<Cow<'static, str>>,
    found: Vec<(usize, String)>,
}

impl Search<'_> {
    /// Looks at a member's name, and goes on into its value.
    fn step(
        &mut self,
        name: &str,
        known: Option<&'static Field>,
        inside: impl FnOnce(&mut Self, Option<&'static Shape>),
    ) {
        let plain = plain_name(name);
        let forbidden = self.names.iter().position(|other| other.plain == plain);
        let step = match (known, forbidden) {
            (Some(field), _) => Cow::Borrowed(field.name),
            (None, Some(position)) => Cow::Owned(self.names[position].text.clone()),
            (None, None) => Cow::Borrowed("?"),
        };
        self.path.push(step);
        if let Some(position) = forbidden
            && self.found.len() < FOUND_MAX
        {
            let pointer = format!("/{}", self.path.join("/"));
            self.found.push((position, pointer));
        }
        inside(self, known.map(|field| &field.shape));
        self.path.pop();
    }
}

/// A value on the way, with its shape while the schema knows it.
struct Node<'s, 'n> {
    search: &'s mut Search<'n>,
    shape: Option<&'static Shape>,
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let fields = match self.shape {
            Some(Shape::Object(fields)) => *fields,
            _ => &[],
        };
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            let known = fields.iter().find(|field| field.name == name);
            let mut read = Ok(());
            self.search.step(&name, known, |search, shape| {
                read = members.next_value_seed(Node { search, shape });
            });
            read?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        let of = match self.shape {
            Some(Shape::List { of, .. }) => Some(*of),
            _ => None,
        };
        for index in 0_usize.. {
            self.search.path.push(Cow::Owned(index.to_string()));
            let search = &mut *self.search;
            let read = values.next_element_seed(Node { search, shape: of })?;
            self.search.path.pop();
            if read.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trailkeep_proof::ledger::event::parse_event;

    fn event(more: &str) -> Event {
        let text = format!(r#"{{"action":"a.b","actor":{{"id":"u","role":"nurse"}}{more}}}"#);
        parse_event(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_field_is_one_of_the_schema() {
        for known in [
            "actor.role",
            "subjects",
            "subjects.id",
            "context.ip|context.host",
            "attributes.approver",
            "attributes.change.before",
            "input",
            "input.text",
            "retention.record",
        ] {
            RequiredField::parse(known).unwrap();
        }
        for (unknown, hint) in [
            ("event_id", "remove it"),
            ("received_at", "remove it"),
            ("actor_role", "`actor.role`"),
            ("approver", "`attributes.approver`"),
            ("actor.rol", "`attributes.actor.rol`"),
            ("occurred_at.year", ""),
            ("attributes.", ""),
            ("", ""),
            ("context.ip|", ""),
        ] {
            let error = RequiredField::parse(unknown).unwrap_err().to_string();
            assert!(error.contains(hint), "{error}");
        }
    }

    #[test]
    fn what_says_nothing_is_missing() {
        let is_in = |field: &str, more: &str| {
            let event = event(more);
            RequiredField::parse(field)
                .unwrap()
                .is_in(&mut EventView::of(&event))
        };
        for (field, more, there) in [
            ("actor.role", "", true),
            ("actor.name", "", false),
            ("subjects", "", false),
            ("subjects", r#","subjects":[ ]"#, false),
            ("subjects", r#","subjects":[{"id":"p"}]"#, true),
            ("subjects.namespace", r#","subjects":[{"id":"p"}]"#, false),
            (
                "subjects.namespace",
                r#","subjects":[{"id":"p"},{"id":"q","namespace":"n"}]"#,
                true,
            ),
            ("input", r#","input":null"#, false),
            ("input", r#","input":0"#, true),
            ("attributes.x", r#","attributes":{"x":""}"#, false),
            ("attributes.x", r#","attributes":{"x":[]}"#, false),
            ("attributes.x", r#","attributes":{"x":null}"#, false),
            ("attributes.x", r#","attributes":{"x":{}}"#, true),
            ("attributes.x.y", r#","attributes":{"x":{"y":false}}"#, true),
            (
                "context.ip|context.host",
                r#","context":{"host":"h"}"#,
                true,
            ),
            (
                "context.ip|context.host",
                r#","context":{"region":"h"}"#,
                false,
            ),
        ] {
            assert_eq!(is_in(field, more), there, "{field} in {more}");
        }
    }

    #[test]
    fn forbidden_names_are_found_at_any_depth() {
        let names = ["cvv", "card_verification_code"].map(|name| ForbiddenName::new(name).unwrap());
        let names: Vec<&ForbiddenName> = names.iter().collect();
        let more = r#","attributes":{"CVV":1,"card":[{"Card-Verification-Code":"1"}],"cvv_check":"ok","s":"cvv"},
            "input":{"john@example.com":{"c_v_v":null}},"downstream":[{"arguments":{"cvv":[]}}]"#;
        let found = find_forbidden(&event(more), &names);
        let pointers: Vec<&str> = found.iter().map(|(_, pointer)| pointer.as_str()).collect();
        let expected = [
            "/attributes/cvv",
            "/attributes/?/0/card_verification_code",
            "/downstream/0/arguments/cvv",
            "/input/?/cvv",
        ];
        assert_eq!(pointers, expected);
        assert_eq!(found[1].0, 1);
        assert_eq!(ForbiddenName::new("_id-"), None);
        assert_eq!(ForbiddenName::new("--"), None);
    }
}

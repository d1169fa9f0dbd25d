//! Strict JSON: duplicate names, lone surrogates, depth and numbers, in one pass without a tree.
//!
//! serde_json holds the grammar. [`walk`] reads one value with it, compares the value with its
//! shape on the way, and goes on after a fault as long as the text is JSON.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::names::{NameSeed, Names};
use super::shape::{self, Field, Shape};
use super::{Fault, MAX_DEPTH, MAX_FAULTS};
use crate::near::suggestion;

/// One step of the way from the event to a value. Names that the schema does not know are not
/// kept: they may be personal.
#[derive(Clone, Copy)]
enum Step {
    Name(&'static str),
    Unknown,
    Index(usize),
}

/// Where the reader is, and what it found.
pub(super) struct Walk {
    path: Vec<Step>,
    faults: Vec<Fault>,
}

impl Walk {
    pub(super) fn new() -> Self {
        Self {
            path: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Notes a fault of the value at hand.
    pub(super) fn fault(&mut self, detail: impl Into<String>) {
        if !self.is_full() {
            self.faults.push(Fault {
                pointer: self.pointer(),
                detail: detail.into(),
            });
        }
    }

    /// Notes a fault of a section.
    pub(super) fn section_fault(&mut self, name: Option<&'static str>, detail: impl Into<String>) {
        self.path.push(name.map_or(Step::Unknown, Step::Name));
        self.fault(detail);
        self.path.pop();
    }

    /// Whether more faults would not be reported.
    pub(super) fn is_full(&self) -> bool {
        self.faults.len() >= MAX_FAULTS
    }

    pub(super) fn into_faults(self) -> Vec<Fault> {
        self.faults
    }

    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in &self.path {
            pointer.push('/');
            match step {
                Step::Name(name) => pointer.push_str(name),
                Step::Unknown => pointer.push('?'),
                Step::Index(index) => pointer.push_str(&index.to_string()),
            }
        }
        pointer
    }

    /// Refuses a container that would stand too deep, before anything in it is read.
    fn enter<E: serde::de::Error>(&mut self) -> Result<(), E> {
        // The event's own object is level 1.
        if self.path.len() + 1 > MAX_DEPTH {
            self.fault(format!(
                "nested deeper than {MAX_DEPTH} levels: flatten it, or send it as a string"
            ));
            return Err(E::custom(STOP));
        }
        Ok(())
    }

    fn step<E: serde::de::Error>(
        &mut self,
        step: Step,
        read: impl FnOnce(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.is_full() {
            return Err(E::custom(STOP));
        }
        self.path.push(step);
        // After an error the path stays: it says where the text stopped being JSON.
        read(self)?;
        self.path.pop();
        Ok(())
    }
}

/// Text of the error that ends a walk whose fault is already noted. Nobody sees it.
const STOP: &str = "stop";

/// Reads the value of a section against its shape. `offset` is its place in the event.
pub(super) fn walk(walk: &mut Walk, field: &'static Field, json: &str, offset: usize) {
    walk.path.clear();
    walk.path.push(Step::Name(field.name));
    let mut reader = serde_json::Deserializer::from_str(json);
    let read = Node {
        walk: &mut *walk,
        shape: &field.shape,
    }
    .deserialize(&mut reader);
    if let Err(error) = read.and_then(|()| reader.end())
        && !error.is_data()
    {
        walk.fault(syntax_detail(&error, json, offset));
    }
    walk.path.clear();
}

/// Checks that a text reads the same in every JSON reader, as each section of an event does: one value without white
/// space around it, no name twice in an object, no lone surrogate, no number beyond a double, not too deep. The error
/// quotes nothing of the text.
pub fn check_json(text: &str) -> Result<(), String> {
    static ANY: Field = Field {
        name: "",
        required: false,
        shape: Shape::Any,
    };
    if text.trim_matches([' ', '\t', '\n', '\r']).len() != text.len() {
        return Err("there is white space around the value".to_owned());
    }
    let mut found = Walk::new();
    walk(&mut found, &ANY, text, 0);
    match found.into_faults().into_iter().next() {
        None => Ok(()),
        Some(fault) => Err(fault.detail),
    }
}

/// What is wrong with the text, and at which byte. serde_json's own words quote nothing for errors
/// of syntax; data errors, which would, do not come here.
pub(super) fn syntax_detail(error: &serde_json::Error, json: &str, offset: usize) -> String {
    let words = error.to_string();
    let words = words.split(" at line ").next().unwrap_or_default();
    let start = match error.line() {
        0 | 1 => 0,
        line => json
            .match_indices('\n')
            .nth(line - 2)
            .map_or(0, |(place, _)| place + 1),
    };
    let place = offset + (start + error.column()).min(json.len());
    let hint = match words {
        "number out of range" => "the number is beyond the range of a double: send it as a string",
        "control character (\\u0000-\\u001F) found while parsing a string" => {
            "a string has a raw control character: escape it"
        }
        "lone leading surrogate in hex escape" | "unexpected end of hex escape" => {
            "a string has a lone surrogate, which is not a character: send the pair, or remove it"
        }
        _ => return format!("not JSON, near byte {place}: {words}"),
    };
    format!("{hint} (near byte {place})")
}

/// Reads one value.
struct Node<'w> {
    walk: &'w mut Walk,
    shape: &'static Shape,
}

impl Node<'_> {
    fn refuse(self) {
        let detail = format!("must be {}", self.shape.expected());
        self.walk.fault(detail);
    }

    fn refuse_unless(self, fits: bool) {
        if !fits {
            self.refuse();
        }
    }

    fn number(self, number: f64) {
        let fits = match self.shape {
            Shape::Any | Shape::Number => true,
            Shape::Amount => number >= 0.0,
            Shape::Integer => shape::as_integer(number).is_some(),
            _ => false,
        };
        self.refuse_unless(fits);
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        let fits = matches!(self.shape, Shape::Any);
        self.refuse_unless(fits);
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        let fits = matches!(self.shape, Shape::Any);
        self.refuse_unless(fits);
        Ok(())
    }

    // Rounding does no harm: what is beyond 2^53 is refused, or not looked at.
    #[expect(
        clippy::cast_precision_loss,
        reason = "the range check comes to the same"
    )]
    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.number(number as f64);
        Ok(())
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "the range check comes to the same"
    )]
    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.number(number as f64);
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.number(number);
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        let fits = match self.shape {
            Shape::Any => true,
            Shape::Text(form) => form.fits(text),
            _ => false,
        };
        self.refuse_unless(fits);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        self.walk.enter()?;
        let (of, max) = match self.shape {
            Shape::List { of, max } => (*of, *max),
            _ => (&Shape::Any, usize::MAX),
        };
        if !matches!(self.shape, Shape::Any | Shape::List { .. }) {
            Node {
                walk: &mut *self.walk,
                shape: self.shape,
            }
            .refuse();
        }
        let mut count = 0;
        loop {
            // One fault says that the list is too long; what stands behind is not compared.
            if count == max {
                Node {
                    walk: &mut *self.walk,
                    shape: self.shape,
                }
                .refuse_rest(&mut values)?;
                return Ok(());
            }
            let mut more = false;
            self.walk.step(Step::Index(count), |walk| {
                more = values
                    .next_element_seed(Node { walk, shape: of })?
                    .is_some();
                Ok(())
            })?;
            if !more {
                return Ok(());
            }
            count += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        self.walk.enter()?;
        let fields = match self.shape {
            Shape::Object(fields) => Some(*fields),
            Shape::Any | Shape::FreeObject => None,
            _ => {
                Node {
                    walk: &mut *self.walk,
                    shape: self.shape,
                }
                .refuse();
                None
            }
        };
        let mut names = Names::default();
        while let Some(name) = members.next_key_seed(NameSeed)? {
            let field = fields.and_then(|fields| fields.iter().find(|field| field.name == name));
            let step = field.map_or(Step::Unknown, |field| Step::Name(field.name));
            let known = field.is_some() || fields.is_none();
            let hint = match fields {
                Some(fields) if !known => suggestion(&name, fields.iter().map(|field| field.name)),
                _ => String::new(),
            };
            let repeated = !names.insert(name);
            self.walk.step(step, |walk| {
                if repeated {
                    walk.fault(REPEATED);
                }
                if let (false, Some(fields)) = (known, fields) {
                    walk.fault(format!(
                        "unknown member{hint} (known here: {}; other data belongs under `attributes`)",
                        list_names(fields)
                    ));
                }
                let shape = field.map_or(&Shape::Any, |field| &field.shape);
                members.next_value_seed(Node { walk, shape })
            })?;
        }
        for field in fields.unwrap_or_default() {
            if field.required && !names.contains(field.name) {
                self.walk.fault(missing(field.name));
            }
        }
        Ok(())
    }
}

impl Node<'_> {
    /// Reads the values beyond the list's limit, which are a fault if there are any.
    fn refuse_rest<'de, A: SeqAccess<'de>>(self, values: &mut A) -> Result<(), A::Error> {
        let Self { walk, shape } = self;
        let beyond = values.next_element_seed(Node {
            walk: &mut *walk,
            shape: &Shape::Any,
        })?;
        if beyond.is_some() {
            Node {
                walk: &mut *walk,
                shape,
            }
            .refuse();
            while values
                .next_element_seed(Node {
                    walk: &mut *walk,
                    shape: &Shape::Any,
                })?
                .is_some()
            {}
        }
        Ok(())
    }
}

/// Detail of a name that stands twice in one object.
pub(super) const REPEATED: &str = "the name occurs twice in this object: keep one";

/// Detail of a required member that is not there.
pub(super) fn missing(name: &str) -> String {
    format!("`{name}` is missing: add it")
}

/// The names, for a message.
pub(super) fn list_names(fields: &[Field]) -> String {
    fields
        .iter()
        .map(|field| field.name)
        .collect::<Vec<_>>()
        .join(", ")
}

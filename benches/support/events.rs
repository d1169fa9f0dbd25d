//! Events to send: those of the demo, again and again, with ids, conversations, traces and persons of their own.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use trailkeep::demo::demo_events;
use trailkeep_proof::time::UnixMillis;

/// Demo events that the templates are chosen from.
const DEMO_EVENTS: usize = 4_000;
/// The same templates in every run.
const SEED: u64 = 3;
/// 2026-11-24T09:30:00Z.
const STARTING_AT: UnixMillis = UnixMillis::new(1_795_512_600_000);
/// Persons that the events are about, unless each has a new one.
const PERSONS: u64 = 10_000;
/// Events of one conversation.
const CONVERSATION_EVENTS: u64 = 6;

/// Which sizes the events have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Size {
    /// 1 to 2.5 KB, as in practice.
    Usual,
    /// About 1 KB, so that millions fit.
    Compact,
}

/// Whom the events are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persons {
    /// One of 10,000.
    Known,
    /// Somebody new each time.
    New,
}

/// What stands in a hole of a template.
#[derive(Clone, Copy, Debug)]
enum Hole {
    Id,
    Conversation,
    Trace,
    Person,
}

/// An event cut at the values that change: each text is followed by its hole.
struct Template {
    parts: Vec<(String, Hole)>,
    tail: String,
}

/// An endless supply of events. Clones share the numbering.
#[derive(Clone)]
pub(crate) struct Events {
    templates: Arc<Vec<Template>>,
    persons: Persons,
    next: Arc<AtomicU64>,
}

impl Events {
    /// A supply whose first event is number 0.
    pub(crate) fn new(size: Size, persons: Persons) -> anyhow::Result<Self> {
        let bytes = match size {
            Size::Usual => 1_000..2_500,
            Size::Compact => 850..2_000,
        };
        let texts = demo_events(DEMO_EVENTS, SEED, STARTING_AT);
        let templates: Vec<Template> = texts
            .iter()
            .filter(|text| bytes.contains(&text.len()))
            .filter_map(|text| Template::of(text))
            .collect();
        anyhow::ensure!(
            templates.len() >= 50,
            "the demo has only {} events of {bytes:?} bytes about one person",
            templates.len()
        );
        Ok(Self {
            templates: Arc::new(templates),
            persons,
            next: Arc::default(),
        })
    }

    /// Reserves the numbers of the next events.
    pub(crate) fn take(&self, count: u64) -> std::ops::Range<u64> {
        let first = self.next.fetch_add(count, Ordering::Relaxed);
        first..first + count
    }

    /// Adds event number `number` to `text`.
    pub(crate) fn write(&self, number: u64, text: &mut Vec<u8>) {
        let template = &self.templates[(number % self.templates.len() as u64) as usize];
        let person = match self.persons {
            Persons::Known => scatter(number) % PERSONS,
            Persons::New => number,
        };
        for (part, hole) in &template.parts {
            text.extend_from_slice(part.as_bytes());
            let _ = match hole {
                Hole::Id => write!(text, "{}", id(number)),
                Hole::Conversation => {
                    write!(text, "conv-{:012x}", scatter(number / CONVERSATION_EVENTS))
                }
                Hole::Trace => write!(text, "{:016x}{number:016x}", scatter(number)),
                Hole::Person => write!(text, "person-{person:08}"),
            };
        }
        text.extend_from_slice(template.tail.as_bytes());
    }

    /// The next `count` events, one a line.
    pub(crate) fn ndjson(&self, count: u64) -> Vec<u8> {
        let mut text = Vec::with_capacity(count as usize * 2_048);
        for number in self.take(count) {
            self.write(number, &mut text);
            text.push(b'\n');
        }
        text
    }
}

impl Template {
    /// Cuts up an event that is about exactly one person.
    fn of(text: &str) -> Option<Self> {
        let event: Value = serde_json::from_str(text).ok()?;
        let subjects = event.get("subjects")?.as_array()?;
        let [subject] = subjects.as_slice() else {
            return None;
        };
        let at = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let holes = [
            (at("/id"), Hole::Id),
            (at("/context/conversation"), Hole::Conversation),
            (at("/context/trace_id"), Hole::Trace),
            (subject.get("id").and_then(Value::as_str), Hole::Person),
        ];
        let mut template = Self {
            parts: Vec::new(),
            tail: text.to_owned(),
        };
        while let Some((at, value, hole)) = next_hole(&template.tail, &holes) {
            let rest = template.tail.split_off(at + value.len());
            template.tail.truncate(at);
            let part = std::mem::replace(&mut template.tail, rest);
            template.parts.push((part, hole));
        }
        Some(template)
    }
}

/// The first of the values that stands in the text as a whole JSON string.
fn next_hole<'a>(text: &str, holes: &[(Option<&'a str>, Hole)]) -> Option<(usize, &'a str, Hole)> {
    let found = holes.iter().filter_map(|(value, hole)| {
        let value = (*value)?;
        let quoted = format!("\"{value}\"");
        Some((text.find(&quoted)? + 1, value, *hole))
    });
    found.min_by_key(|(at, ..)| *at)
}

/// The id of an event.
pub(crate) fn id(number: u64) -> String {
    format!("bench-{number:010}")
}

/// Spreads numbers (SplitMix64's last steps, to 48 bits).
pub(crate) const fn scatter(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) >> 16
}

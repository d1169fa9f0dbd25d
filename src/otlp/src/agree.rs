//! Whether two reports can be of one call. What they say of it must not contradict: a fact that only one of them has is no
//! contradiction, another question, answer or user is.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::event::Mapped;
use super::late::Recorded;
use super::telemetry::Span;

/// Members of messages in which texts stand.
const TEXT_MEMBERS: [&str; 14] = [
    "arguments",
    "content",
    "contents",
    "input",
    "message",
    "messages",
    "output",
    "parts",
    "prompt",
    "reasoning",
    "response",
    "result",
    "system",
    "value",
];

/// What one report, or several that are one call, say: the texts of question and answer, and the user.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    asked: BTreeSet<String>,
    answered: BTreeSet<String>,
    users: BTreeSet<String>,
}

impl Said {
    pub(super) fn of(sections: &Map<String, Value>) -> Self {
        let texts_of = |name: &str| {
            let mut texts = BTreeSet::new();
            if let Some(value) = sections.get(name) {
                texts_in(value, &mut texts);
            }
            texts
        };
        let subjects = sections.get("subjects").and_then(Value::as_array);
        let users = subjects.into_iter().flatten();
        Self {
            asked: texts_of("input"),
            answered: texts_of("output"),
            users: users
                .filter_map(|user| user.get("id")?.as_str().map(str::to_owned))
                .collect(),
        }
    }

    /// Whether both can be said of one call. Of texts one has all that the other has, as far as both have any; some libraries
    /// report less.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        let fits = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
            one.is_subset(other) || other.is_subset(one)
        };
        let is_for_one = self.users.is_empty()
            || other.users.is_empty()
            || !self.users.is_disjoint(&other.users);
        is_for_one && fits(&self.asked, &other.asked) && fits(&self.answered, &other.answered)
    }

    /// Adds what another report of the same call says.
    pub(super) fn join(&mut self, other: Self) {
        self.asked.extend(other.asked);
        self.answered.extend(other.answered);
        self.users.extend(other.users);
    }
}

fn texts_in(value: &Value, texts: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            let words: Vec<&str> = text.split_whitespace().collect();
            if !words.is_empty() {
                texts.insert(words.join(" "));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts_in(item, texts)),
        Value::Object(members) => {
            let told = members
                .iter()
                .filter(|(name, _)| TEXT_MEMBERS.contains(&name.as_str()));
            told.for_each(|(_, value)| texts_in(value, texts));
        }
        _ => {}
    }
}

/// Whether two reports with one span id can't be of one span: a fact that both have differs.
pub(super) fn spans_contradict(one: &Span, other: &Span) -> bool {
    let differs = |one: u64, other: u64| one != 0 && other != 0 && one != other;
    // What is reported before it is over has no end yet, or its beginning for an end.
    let end = |span: &Span| {
        if span.end_ns > span.start_ns {
            span.end_ns
        } else {
            0
        }
    };
    let texts_differ =
        |one: &str, other: &str| !one.is_empty() && !other.is_empty() && one != other;
    let codes_differ =
        one.status_code != 0 && other.status_code != 0 && one.status_code != other.status_code;
    let (few, many) = if one.attributes.len() <= other.attributes.len() {
        (&one.attributes, &other.attributes)
    } else {
        (&other.attributes, &one.attributes)
    };
    differs(one.start_ns, other.start_ns)
        || differs(end(one), end(other))
        || codes_differ
        || texts_differ(&one.name, &other.name)
        || texts_differ(&one.status_message, &other.status_message)
        || members_differ(few, many)
        || (!one.events.is_empty() && !other.events.is_empty() && one.events != other.events)
}

fn members_differ(few: &Map<String, Value>, many: &Map<String, Value>) -> bool {
    few.iter()
        .any(|(name, value)| many.get(name).is_some_and(|other| other != value))
}

/// Whether a recorded event with the id of a report's span can't be of the same span.
pub fn contradicts(recorded: &Recorded, mapped: &Mapped) -> bool {
    let reported = &mapped.sections;
    let (known, new) = (span_of(recorded), span_of(reported));
    let (Some(known), Some(new)) = (known, new) else {
        // Log records are pieces of a report: late facts say what the event lacks.
        return false;
    };
    let differs = |one: Option<&Value>, other: Option<&Value>| {
        one.zip(other).is_some_and(|(one, other)| one != other)
    };
    let of_llm = |sections: &Recorded, name: &str| sections.get("llm")?.get(name).cloned();
    let latency = |sections| of_llm(sections, "latency_ms").filter(|ms| ms.as_f64() != Some(0.0));
    let is_known = |sections: &Recorded| {
        let outcome = sections.get("outcome").cloned();
        outcome.filter(|outcome| outcome != "unknown")
    };
    let of_span = ["name", "status_message", "events"]
        .iter()
        .any(|name| differs(known.get(name), new.get(name)));
    let of_event = ["occurred_at", "input", "output"]
        .iter()
        .any(|name| differs(recorded.get(*name), reported.get(*name)));
    of_span
        || of_event
        || differs(latency(recorded).as_ref(), latency(reported).as_ref())
        || differs(is_known(recorded).as_ref(), is_known(reported).as_ref())
        || attributes_contradict(known.get("attributes"), new.get("attributes"))
}

/// Whether an attribute that both have differs.
pub(super) fn attributes_contradict(one: Option<&Value>, other: Option<&Value>) -> bool {
    let object = |value: Option<&Value>| value.and_then(Value::as_object).cloned();
    let both = object(one).zip(object(other));
    both.is_some_and(|(one, other)| members_differ(&one, &other))
}

fn span_of(sections: &Recorded) -> Option<&Value> {
    sections.get("attributes")?.get("otel")?.get("span")
}

/// Whether a recorded event can be of the same call as a report of another span.
pub fn agrees_with(recorded: &Recorded, mapped: &Mapped) -> bool {
    Said::of(recorded).agrees(&Said::of(&mapped.sections))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(input: &str, output: Option<&str>, users: &[&str]) -> Said {
        let message = |text: &str| json!({"messages": [{"role": "user", "parts": [{"type": "text", "content": text}]}]});
        let subjects: Vec<Value> = users.iter().map(|id| json!({"id": id})).collect();
        let mut sections = Map::from_iter([
            ("input".to_owned(), message(input)),
            ("subjects".to_owned(), subjects.into()),
        ]);
        sections.extend(output.map(|text| ("output".to_owned(), message(text))));
        Said::of(&sections)
    }

    #[test]
    fn another_question_answer_or_user_is_another_call() {
        let one = said("q", Some("a"), &["u"]);
        for (other, agrees) in [
            (said(" q\n", Some("a"), &["u", "mail"]), true),
            (said("q", None, &[]), true),
            (said("", Some("a"), &[]), true),
            (said("Is this safe: q", Some("a"), &["u"]), false),
            (said("q", Some("b"), &["u"]), false),
            (said("q", Some("a"), &["v"]), false),
        ] {
            assert_eq!(one.agrees(&other), agrees, "{other:?}");
            assert_eq!(other.agrees(&one), agrees, "{other:?}");
        }
    }

    #[test]
    fn a_span_that_is_reported_before_its_end_does_not_contradict_the_whole() {
        let whole = Span {
            start_ns: 5,
            end_ns: 9,
            status_code: 2,
            attributes: Map::from_iter([("a".to_owned(), json!(1)), ("b".to_owned(), json!(2))]),
            ..Span::default()
        };
        let begun = Span {
            start_ns: 5,
            end_ns: 5,
            attributes: Map::from_iter([("a".to_owned(), json!(1))]),
            ..Span::default()
        };
        assert!(!spans_contradict(&whole, &begun) && !spans_contradict(&begun, &whole));
        for other in [
            Span {
                start_ns: 6,
                ..whole.clone()
            },
            Span {
                end_ns: 8,
                ..whole.clone()
            },
            Span {
                status_code: 1,
                ..whole.clone()
            },
            Span {
                attributes: Map::from_iter([("a".to_owned(), json!(3))]),
                ..whole.clone()
            },
        ] {
            assert!(spans_contradict(&whole, &other) && spans_contradict(&other, &whole));
        }
    }
}

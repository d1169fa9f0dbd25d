//! One event as the person sees it.

use askama::Template;
use serde_json::Value;

use crate::export::person::{PersonScope, section};
use crate::export::summary::reading;
use trailkeep_proof::ids::Seq;
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::ledger::event::Facts;
use trailkeep_proof::time::UnixMillis;

/// Characters of a text that is shown.
const TEXT_CHARACTERS: usize = 1_500;

/// What an event was for, in words; empty where nothing is recorded. Dates and purposes are the person's, whoever
/// acted.
pub(in crate::export) fn purpose_of(sections: &[(String, Vec<u8>)]) -> String {
    let context = section(sections, "context");
    context["purpose"].as_str().map(words).unwrap_or_default()
}

#[derive(Template)]
#[template(path = "person/card.html")]
struct Card {
    what: String,
    when: String,
    purpose: String,
    rows: Vec<(&'static str, String)>,
    seq: Seq,
}

/// Renders an event as the person sees it, with what stands in these sections left out.
pub(in crate::export) fn card_of(
    person: &PersonScope,
    entry: &Entry,
    sections: &[(String, Vec<u8>)],
    redacted: &[&str],
) -> String {
    let pairs = sections
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    let facts = Facts::from_sections(pairs).ok();
    let shown = |name: &str| {
        if redacted.contains(&name) {
            Value::Null
        } else {
            section(sections, name)
        }
    };
    // Dates and purposes are the person's, whoever acted.
    let purpose = section(sections, "context")["purpose"]
        .as_str()
        .map(words)
        .unwrap_or_default();
    let action = facts.as_ref().map_or("", |facts| &facts.action);
    let at = facts.as_ref().and_then(|facts| facts.occurred_at);
    let actor = facts
        .as_ref()
        .map(|facts| person.actor_words(facts, sections));
    let hidden = ["input", "output", "downstream", "attributes", "targets"];
    let is_hidden = redacted.iter().any(|name| hidden.contains(name));
    let not_shown = "Data that may be about another person in this event.";
    let mut rows = vec![
        ("Who acted", actor.unwrap_or_default()),
        ("Asked", question(&shown("input"))),
        ("Answered", text_of(&shown("output"))),
        ("Answered by", model(&shown("llm"))),
        ("Done to", downstream(&shown("downstream"))),
        (
            "Result",
            outcome(section(sections, "outcome").as_str()).to_owned(),
        ),
        (
            "Not shown",
            if is_hidden { not_shown } else { "" }.to_owned(),
        ),
    ];
    rows.retain(|(_, text)| !text.is_empty());
    let rows = rows.into_iter().map(|(name, text)| (name, cut(&text)));
    let card = Card {
        what: words(action),
        when: moment(at.unwrap_or(entry.recorded_at)),
        purpose: purpose.to_lowercase(),
        rows: rows.collect(),
        seq: entry.seq,
    };
    let mut html = card.to_string();
    html.push('\n');
    html
}

/// `chat.completion` as `Chat completion`.
pub(super) fn words(name: &str) -> String {
    let text = name.replace(['.', '_', '-'], " ");
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => text,
    }
}

/// A moment for people.
pub(in crate::export) fn moment(at: UnixMillis) -> String {
    at.to_datetime().format("%-d %B %Y, %H:%M UTC").to_string()
}

/// A day for people.
pub(in crate::export) fn date(at: UnixMillis) -> String {
    at.to_datetime().format("%-d %B %Y").to_string()
}

/// What was asked: the last message of the user where the input is a conversation.
fn question(input: &Value) -> String {
    let messages = input.as_array().or(input["messages"].as_array());
    let asked =
        messages.and_then(|messages| messages.iter().rfind(|message| message["role"] == "user"));
    text_of(asked.unwrap_or(input))
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => reading(&other.to_string()),
    }
}

fn model(llm: &Value) -> String {
    let name = llm["response_model"]
        .as_str()
        .or(llm["request_model"].as_str());
    match (name, llm["provider"].as_str()) {
        (Some(name), Some(provider)) => format!("the model {name} of {provider}"),
        (Some(name), None) => format!("the model {name}"),
        _ => String::new(),
    }
}

fn downstream(actions: &Value) -> String {
    let actions = actions.as_array().map(Vec::as_slice).unwrap_or_default();
    let done = actions.iter().map(|action| {
        let kind = words(action["type"].as_str().unwrap_or_default());
        match action["name"].as_str() {
            Some(name) if kind.is_empty() => name.to_owned(),
            Some(name) => format!("{kind}: {name}"),
            None => kind,
        }
    });
    done.collect::<Vec<_>>().join("; ")
}

const fn outcome_words() -> [(&'static str, &'static str); 4] {
    [
        ("success", "Done"),
        ("failure", "Failed"),
        ("denied", "Refused"),
        ("error", "Interrupted"),
    ]
}

fn outcome(word: Option<&str>) -> &'static str {
    let known = outcome_words()
        .into_iter()
        .find(|(name, _)| word == Some(*name));
    match (known, word) {
        (Some((_, words)), _) => words,
        (None, Some(_)) => "Not known",
        (None, None) => "",
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARACTERS) {
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_program_become_words() {
        assert_eq!(words("chat.completion"), "Chat completion");
        assert_eq!(words("care_administration"), "Care administration");
        assert_eq!(words(""), "");
        assert_eq!(outcome(Some("denied")), "Refused");
        assert_eq!(outcome(Some("unknown")), "Not known");
    }

    #[test]
    fn the_question_is_what_the_person_said_last() {
        let input = serde_json::json!([
            {"role": "system", "content": "rules"},
            {"role": "user", "content": "first"},
            {"role": "user", "content": "Where is my order?"},
            {"role": "tool", "content": "{}"},
        ]);
        assert_eq!(question(&input), "Where is my order?");
        assert_eq!(question(&serde_json::json!("plain")), "plain");
        assert_eq!(question(&Value::Null), "");
    }
}

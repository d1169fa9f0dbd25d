//! The people in an event, from the point of view of the one who asks: who acted, who else is in it, and what of it stays
//! with them.

use serde_json::Value;

use crate::export::person::exact::Exact;
use crate::export::person::turns::last_words_of_user;
use crate::export::person::{PersonScope, section};
use trailkeep_proof::ledger::event::{Facts, Person};
use trailkeep_proof::privacy::Withholding;

/// Kinds of actors that are no people, in the words that producers use.
const SOFTWARE: [&str; 15] = [
    "service",
    "service_account",
    "system",
    "application",
    "app",
    "software",
    "model",
    "llm",
    "assistant",
    "ai_agent",
    "bot",
    "job",
    "tool",
    "function",
    "workflow",
];

/// Sections whose text may be about everybody in the event.
const SHARED: [&str; 6] = [
    "subjects",
    "targets",
    "input",
    "output",
    "downstream",
    "attributes",
];

/// What of `context` says who acted, rather than when, where and why.
const ACTORS_CONTEXT: [&str; 4] = ["ip", "user_agent", "session", "host"];

/// Identifiers shorter than this are looked for as whole texts only: they would stand in any other.
const NAME_CHARACTERS_MIN: usize = 3;

/// Who acted, from the person's point of view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Actor {
    /// The person.
    Person,
    /// No human being.
    Software,
    /// Another person whom the event is about.
    Other,
    /// Somebody of the house.
    Staff,
}

/// The people in an event.
pub(super) struct People {
    pub(super) actor: Actor,
    /// The event is about others too, and they are not shown.
    hides_others: bool,
    hides_actor: bool,
    /// Their identifiers and names, in lower case.
    hidden_names: Vec<String>,
}

impl People {
    pub(super) fn of(scope: &PersonScope, facts: &Facts, sections: &[(String, Vec<u8>)]) -> Self {
        let others: Vec<&Person> = facts
            .subjects
            .iter()
            .filter(|person| **person != scope.subject)
            .collect();
        let section = section(sections, "actor");
        let kind = section["type"].as_str().unwrap_or_default();
        let actor = if facts.actor == scope.subject {
            Actor::Person
        } else if SOFTWARE.contains(&kind.to_lowercase().as_str()) {
            Actor::Software
        } else if others.contains(&&facts.actor) {
            Actor::Other
        } else {
            Actor::Staff
        };
        let behalf = &section["on_behalf_of"];
        let is_for_another = behalf["id"].is_string()
            && behalf["id"].as_str() != Some(&scope.subject.id)
            && !scope.show_others;
        let hides_others = !others.is_empty() && !scope.show_others;
        let hides_actor = is_for_another
            || match actor {
                Actor::Person | Actor::Software => false,
                Actor::Other => !scope.show_others,
                Actor::Staff => !scope.show_staff,
            };
        let mut names: Vec<&str> = Vec::new();
        if hides_others {
            names.extend(others.iter().map(|person| person.id.as_str()));
        }
        if hides_actor && matches!(actor, Actor::Other | Actor::Staff) {
            names.extend([facts.actor.id.as_str()]);
            names.extend(section["name"].as_str());
        }
        if is_for_another {
            names.extend(
                ["id", "name"]
                    .iter()
                    .filter_map(|name| behalf[name].as_str()),
            );
        }
        let own = scope.subject.id.to_lowercase();
        let names = names.into_iter().map(str::to_lowercase);
        Self {
            actor,
            hides_others,
            hides_actor,
            hidden_names: names.filter(|name| *name != own).collect(),
        }
    }

    pub(super) fn redacts<'a>(
        &self,
        sections: &'a [(String, Vec<u8>)],
    ) -> Vec<(Withholding, &'a str)> {
        let of_actor = if self.actor == Actor::Staff {
            Withholding::Staff
        } else {
            Withholding::Others
        };
        let reason = |name: &str, bytes: &[u8]| {
            if self.hides_others && SHARED.contains(&name) {
                return Some(Withholding::Others);
            }
            let says_who = name == "actor" || (name == "context" && says_who_acted(bytes));
            if self.hides_actor && says_who {
                return Some(of_actor);
            }
            let of_names = if self.hides_others {
                Withholding::Others
            } else {
                of_actor
            };
            self.names_somebody(bytes).then_some(of_names)
        };
        let withheld = sections
            .iter()
            .filter_map(|(name, bytes)| Some((reason(name, bytes)?, name.as_str())));
        withheld.collect()
    }

    /// What the requester wrote in an input that is withheld because of others: theirs is the turn with which they acted.
    /// Nothing where anything says that somebody or something else wrote it, or where it names another person.
    pub(super) fn own_words(&self, facts: &Facts, sections: &[(String, Vec<u8>)]) -> Vec<String> {
        let actor = section(sections, "actor");
        let acts_for_another = actor["on_behalf_of"].is_object();
        if self.actor != Actor::Person
            || !self.hides_others
            || acts_for_another
            || machine_of(facts, sections).is_some()
        {
            return Vec::new();
        }
        let input = Exact::section(sections, "input");
        let is_model_call = section(sections, "llm").is_object();
        let words = match &input {
            Exact::Text(text) if is_model_call => Some(vec![text.clone()]),
            other => last_words_of_user(other),
        };
        let mut words = words.unwrap_or_default();
        if words.iter().any(|text| self.names(text)) {
            words.clear();
        }
        words
    }

    /// Whether a text of the section holds the identifier or name of somebody who is not shown.
    fn names_somebody(&self, bytes: &[u8]) -> bool {
        fn any_text(value: &Value, test: &dyn Fn(&str) -> bool) -> bool {
            match value {
                Value::String(text) => test(text),
                Value::Array(items) => items.iter().any(|item| any_text(item, test)),
                Value::Object(members) => members
                    .iter()
                    .any(|(name, value)| test(name) || any_text(value, test)),
                _ => false,
            }
        }
        if self.hidden_names.is_empty() {
            return false;
        }
        let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
            return true;
        };
        any_text(&value, &|text| self.names(text))
    }

    fn names(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.hidden_names.iter().any(|name| {
            text == *name
                || (name.chars().count() >= NAME_CHARACTERS_MIN && text.contains(name.as_str()))
        })
    }
}

/// The machine that acted, in words, where an event has a machine or a tool as its actor or is a tool's own: telemetry
/// names the user as the actor of what a tool did for them.
pub(super) fn machine_of(facts: &Facts, sections: &[(String, Vec<u8>)]) -> Option<String> {
    let actor = section(sections, "actor");
    let kind = actor["type"].as_str().unwrap_or_default().to_lowercase();
    let shown = actor["name"].as_str().filter(|name| !name.is_empty());
    let shown = shown.unwrap_or(&facts.actor.id);
    let named = match &*kind {
        "tool" | "function" => format!("The tool \"{shown}\""),
        "bot" => format!("The bot \"{shown}\""),
        "assistant" | "ai_agent" | "llm" | "model" => format!("The assistant \"{shown}\""),
        kind if SOFTWARE.contains(&kind) => format!("Our system \"{shown}\""),
        _ => {
            let is_tool = section(sections, "llm")["operation"] == "execute_tool"
                || facts
                    .action
                    .split('.')
                    .any(|word| matches!(word, "tool" | "execute_tool" | "tool_call"));
            if !is_tool {
                return None;
            }
            let tool = facts.targets.iter().find(|target| target.kind == "tool");
            tool.map_or_else(
                || "A tool".to_owned(),
                |tool| format!("The tool \"{}\"", tool.id),
            )
        }
    };
    Some(named)
}

fn says_who_acted(bytes: &[u8]) -> bool {
    let context: Value = serde_json::from_slice(bytes).unwrap_or_default();
    ACTORS_CONTEXT
        .iter()
        .any(|name| context.get(name).is_some())
}

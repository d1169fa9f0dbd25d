//! A person's own events: which they are, and what of them stays with the other people in them.
//!
//! GDPR Art. 15(4) and recital 63: other persons' data is redacted, and nothing is refused for it. Staff who acted
//! are people too: the person learns when and for what purpose, names only where somebody decides so (CJEU
//! C-579/21, Pankki S). What is redacted stands as its digest, so each event still proves.

mod card;
mod events;
mod look_ups;
pub(super) mod page;
pub(super) mod portable;
pub(super) mod withheld;

use serde_json::Value;

pub(super) use self::card::{card_of, date, moment, purpose_of};
pub use self::events::PersonsEvents;
pub(super) use self::events::all_seqs;
pub use self::withheld::join_withheld;
use trailkeep_proof::bundle::line::ALWAYS_DISCLOSED;
use trailkeep_proof::ledger::event::{Facts, Person};
use trailkeep_proof::privacy::{Day, Regime, Withholding};

/// Kinds of actors that are no people, in the words that producers use.
const SOFTWARE: [&str; 12] = [
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

/// The form of a person's copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyForm {
    /// A signed bundle, with a page for the person.
    Bundle,
    /// JSON alone, for machines.
    Json,
}

/// A person's request for their own data.
#[derive(Clone, Debug)]
pub struct PersonScope {
    /// The person.
    pub subject: Person,
    /// Also the events in which they only acted.
    pub include_acted: bool,
    /// Shows what may be about other persons in the same events.
    pub show_others: bool,
    /// Shows who of the staff acted.
    pub show_staff: bool,
    /// In what form.
    pub form: CopyForm,
    /// The request's random id.
    pub request: String,
    /// The number that the person was given.
    pub receipt: String,
    /// The day of receipt.
    pub received_on: Day,
    /// Under which law.
    pub regime: Regime,
}

impl PersonScope {
    /// What stays with others, for the record of the export.
    pub(super) fn withholds(&self) -> Vec<&'static str> {
        let choices = [("others", self.show_others), ("staff", self.show_staff)];
        let withheld = choices.into_iter().filter(|(_, shown)| !shown);
        withheld.map(|(name, _)| name).collect()
    }

    /// The sections of an event that stand as digests, each with the reason.
    pub(super) fn withheld_of(&self, sections: &[(String, Vec<u8>)]) -> withheld::OfEvent {
        let pairs = sections
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        let mut withheld: Vec<(Withholding, &str)> = Vec::new();
        if let Ok(facts) = Facts::from_sections(pairs) {
            let people = People::of(self, &facts, sections);
            withheld.extend(people.redacts(sections));
        } else {
            // An event that can't be read can't be told apart: it shows no more than that it is there.
            let all = sections.iter();
            withheld.extend(all.map(|(name, _)| (Withholding::Unreadable, name.as_str())));
        }
        withheld.retain(|(_, name)| !ALWAYS_DISCLOSED.contains(name));
        let owned = withheld.into_iter();
        owned
            .map(|(reason, name)| (reason, name.to_owned()))
            .collect()
    }

    /// How the person's page calls who acted.
    pub(super) fn actor_words(&self, facts: &Facts, sections: &[(String, Vec<u8>)]) -> String {
        let actor = section(sections, "actor");
        let text = |name: &str| actor[name].as_str().filter(|text| !text.is_empty());
        let role = text("role");
        let with_role = |who: &str| match role {
            Some(role) => format!("{who} ({role})"),
            None => who.to_owned(),
        };
        let shown = text("name").unwrap_or(&facts.actor.id);
        match People::of(self, facts, sections).actor {
            Actor::Person => "You".to_owned(),
            Actor::Software => with_role(&format!("Our system {shown}")),
            Actor::Other if self.show_others => with_role(shown),
            Actor::Other => "Another person".to_owned(),
            Actor::Staff if self.show_staff => with_role(shown),
            Actor::Staff => with_role("One of our staff"),
        }
    }
}

/// Who acted, from the person's point of view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Actor {
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
struct People {
    actor: Actor,
    /// The event is about others too, and they are not shown.
    hides_others: bool,
    hides_actor: bool,
    /// Their identifiers and names, in lower case.
    hidden_names: Vec<String>,
}

impl People {
    fn of(scope: &PersonScope, facts: &Facts, sections: &[(String, Vec<u8>)]) -> Self {
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

    fn redacts<'a>(&self, sections: &'a [(String, Vec<u8>)]) -> Vec<(Withholding, &'a str)> {
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
        any_text(&value, &|text| {
            let text = text.to_lowercase();
            self.hidden_names.iter().any(|name| {
                text == *name
                    || (name.chars().count() >= NAME_CHARACTERS_MIN && text.contains(name.as_str()))
            })
        })
    }
}

fn says_who_acted(bytes: &[u8]) -> bool {
    let context: Value = serde_json::from_slice(bytes).unwrap_or_default();
    ACTORS_CONTEXT
        .iter()
        .any(|name| context.get(name).is_some())
}

pub(super) fn section(sections: &[(String, Vec<u8>)], wanted: &str) -> Value {
    let found = sections.iter().find(|(name, _)| name == wanted);
    found
        .and_then(|(_, bytes)| serde_json::from_slice(bytes).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(show_others: bool, show_staff: bool) -> PersonScope {
        PersonScope {
            subject: Person {
                namespace: "crm".to_owned(),
                id: "A-17".to_owned(),
            },
            include_acted: false,
            show_others,
            show_staff,
            form: CopyForm::Bundle,
            request: "r".to_owned(),
            receipt: "R".to_owned(),
            received_on: Day::parse("2026-11-24").unwrap(),
            regime: Regime::Gdpr,
        }
    }

    fn sections(event: &Value) -> Vec<(String, Vec<u8>)> {
        let members = event.as_object().unwrap().iter();
        members
            .map(|(name, value)| (name.clone(), value.to_string().into_bytes()))
            .collect()
    }

    fn redacted(scope: &PersonScope, event: &Value) -> String {
        let withheld = scope.withheld_of(&sections(event)).into_iter();
        let mut names: Vec<String> = withheld.map(|(_, name)| name).collect();
        names.sort();
        names.join(" ")
    }

    /// COMPLIANCE T12: two persons in one event, one asks.
    #[test]
    fn what_may_be_about_another_person_is_withheld_unless_asked() {
        let event = serde_json::json!({
            "id": "e", "action": "file.share", "outcome": "success",
            "actor": {"id": "A-17", "namespace": "crm"},
            "subjects": [{"id": "A-17", "namespace": "crm"}, {"id": "B-4", "namespace": "crm"}],
            "input": "to B", "output": "done", "context": {"purpose": "sharing"},
            "llm": {"request_model": "m", "prompt": {"name": "for b-4"}},
        });
        assert_eq!(
            redacted(&scope(false, false), &event),
            "input llm output subjects"
        );
        assert_eq!(redacted(&scope(true, false), &event), "");
    }

    /// CJEU C-579/21: dates and purposes yes, staff by choice.
    #[test]
    fn who_of_the_staff_acted_is_withheld_unless_asked() {
        let event = serde_json::json!({
            "id": "emp-031", "action": "record.read",
            "actor": {"id": "emp-031", "name": "Ilse Marchetti", "type": "employee", "role": "adviser"},
            "subjects": [{"id": "A-17", "namespace": "crm"}],
            "context": {"purpose": "care", "ip": "192.0.2.7"},
            "input": "shown", "attributes": {"note": "seen by ILSE Marchetti"},
        });
        let hidden = scope(false, false);
        assert_eq!(redacted(&hidden, &event), "actor attributes context");
        assert_eq!(redacted(&scope(false, true), &event), "");
        let sections = sections(&event);
        let pairs = sections
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        let facts = Facts::from_sections(pairs).unwrap();
        assert_eq!(
            hidden.actor_words(&facts, &sections),
            "One of our staff (adviser)"
        );
        assert_eq!(
            scope(false, true).actor_words(&facts, &sections),
            "Ilse Marchetti (adviser)"
        );
    }

    #[test]
    fn a_person_alone_and_a_machine_are_shown_whole() {
        let own = serde_json::json!({
            "id": "e", "action": "chat.completion",
            "actor": {"id": "A-17", "namespace": "crm", "type": "end_user"},
            "subjects": [{"id": "A-17", "namespace": "crm"}],
            "context": {"ip": "192.0.2.7"}, "input": "hello",
        });
        assert_eq!(redacted(&scope(false, false), &own), "");
        let mut machine = own.clone();
        machine["actor"] = serde_json::json!({"id": "support-bot", "type": "Service"});
        assert_eq!(redacted(&scope(false, false), &machine), "");
        // The same id elsewhere is somebody else.
        let mut other = own;
        other["actor"] = serde_json::json!({"id": "A-17", "namespace": "staff"});
        assert_eq!(redacted(&scope(false, false), &other), "actor context");
    }

    #[test]
    fn one_letter_ids_do_not_swallow_every_text() {
        let event = serde_json::json!({
            "id": "e", "action": "a", "actor": {"id": "x", "type": "employee"},
            "subjects": [{"id": "A-17", "namespace": "crm"}],
            "input": "extra", "attributes": {"by": "X"},
        });
        assert_eq!(redacted(&scope(false, false), &event), "actor attributes");
    }
}

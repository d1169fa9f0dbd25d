//! A person's own events: which they are, and what of them stays with the other people in them.
//!
//! GDPR Art. 15(4) and recital 63: other persons' data is redacted, and nothing is refused for it. Staff who acted
//! are people too: the person learns when and for what purpose, names only where somebody decides so (CJEU
//! C-579/21, Pankki S). What is redacted stands as its digest, so each event still proves.

mod card;
mod events;
mod exact;
mod look_ups;
pub(super) mod page;
mod people;
pub(super) mod portable;
mod sentence;
mod telling;
mod turns;
pub(super) mod withheld;

use serde_json::Value;

pub(super) use self::card::{card_of, purpose_of};
pub(crate) use self::card::{date, moment};
pub use self::events::PersonsEvents;
pub(super) use self::events::all_seqs;
pub(crate) use self::page::named;
pub(crate) use self::withheld::in_words as withheld_in_words;
pub use self::withheld::join_withheld;
use crate::export::person::people::{Actor, People, machine_of};
use trailkeep_proof::bundle::line::ALWAYS_DISCLOSED;
use trailkeep_proof::ledger::event::{Facts, Person};
use trailkeep_proof::privacy::{Day, Regime, Withholding};

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

    /// What the requester wrote in an input that is withheld because the event is about others, too.
    pub(super) fn own_words(&self, sections: &[(String, Vec<u8>)]) -> Vec<String> {
        let pairs = sections
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        let facts = Facts::from_sections(pairs);
        facts.map_or_else(
            |_| Vec::new(),
            |facts| People::of(self, &facts, sections).own_words(&facts, sections),
        )
    }

    /// How the person's page calls who acted.
    fn actor_words(&self, facts: &Facts, sections: &[(String, Vec<u8>)]) -> String {
        let actor = section(sections, "actor");
        let text = |name: &str| actor[name].as_str().filter(|text| !text.is_empty());
        let role = text("role");
        let with_role = |who: &str| match role {
            Some(role) => format!("{who} ({role})"),
            None => who.to_owned(),
        };
        let shown = text("name").unwrap_or(&facts.actor.id);
        let machine = machine_of(facts, sections);
        match People::of(self, facts, sections).actor {
            Actor::Person => machine.unwrap_or_else(|| "You".to_owned()),
            Actor::Software => with_role(&machine.unwrap_or_default()),
            Actor::Other if self.show_others => with_role(shown),
            Actor::Other => "Another person".to_owned(),
            Actor::Staff if self.show_staff => with_role(shown),
            Actor::Staff => with_role("One of our staff"),
        }
    }
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

    /// Their own prompt is theirs, and only where nothing says that somebody else wrote it.
    #[test]
    fn own_words_are_shown_beside_another_person_and_no_others() {
        let event = serde_json::json!({
            "id": "e", "action": "chat.completion", "llm": {"request_model": "m"},
            "actor": {"id": "A-17", "namespace": "crm", "type": "end_user"},
            "subjects": [{"id": "A-17", "namespace": "crm"}, {"id": "B-4", "namespace": "crm"}],
            "input": [{"role": "user", "content": "of before"}, {"role": "user", "content": "mine"}],
        });
        let own = |event: &Value| scope(false, false).own_words(&sections(event));
        assert_eq!(own(&event), ["mine"]);
        let with = |name: &str, value: Value| {
            let mut changed = event.clone();
            changed[name] = value;
            own(&changed)
        };
        assert_eq!(with("input", "typed".into()), ["typed"]);
        let none: [&str; 0] = [];
        let other = serde_json::json!({"id": "B-4", "namespace": "crm"});
        let bot = serde_json::json!({"id": "A-17", "namespace": "crm", "type": "bot"});
        let for_another =
            serde_json::json!({"id": "A-17", "namespace": "crm", "on_behalf_of": {"id": "B-4"}});
        assert_eq!(with("actor", other), none);
        assert_eq!(with("actor", bot), none);
        assert_eq!(with("actor", for_another), none);
        assert_eq!(with("action", "gen_ai.execute_tool".into()), none);
        let names_b = serde_json::json!([{"role": "user", "content": "The file of b-4: ..."}]);
        assert_eq!(with("input", names_b), none);
        let mut no_model = event.clone();
        no_model.as_object_mut().unwrap().remove("llm");
        no_model["input"] = "the text of both".into();
        assert_eq!(own(&no_model), none);
        // Nothing is withheld where somebody decided to show others: there is nothing to pick out.
        assert_eq!(scope(true, false).own_words(&sections(&event)), none);
    }

    /// Telemetry names the user as the actor of what a tool did for them.
    #[test]
    fn a_machine_or_a_tool_is_never_you() {
        let event = serde_json::json!({
            "id": "e", "action": "gen_ai.execute_tool", "llm": {"operation": "execute_tool"},
            "actor": {"id": "A-17", "namespace": "crm"},
            "subjects": [{"id": "A-17", "namespace": "crm"}],
            "targets": [{"type": "tool", "id": "refund_order"}],
        });
        let words = |event: &Value| {
            let sections = sections(event);
            let pairs = sections.iter().map(|(name, bytes)| (&**name, &**bytes));
            scope(false, false).actor_words(&Facts::from_sections(pairs).unwrap(), &sections)
        };
        assert_eq!(words(&event), "The tool \"refund_order\"");
        let mut bot = event.clone();
        bot["action"] = "chat.completion".into();
        bot["llm"] = serde_json::json!({});
        assert_eq!(words(&bot), "You");
        bot["actor"]["type"] = "Bot".into();
        assert_eq!(words(&bot), "The bot \"A-17\"");
        bot["actor"] = serde_json::json!({"id": "svc", "type": "service"});
        assert_eq!(words(&bot), "Our system \"svc\"");
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

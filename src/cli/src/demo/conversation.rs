//! Plays a script: each turn is one call, with all earlier messages in its input.

use serde_json::{Map, Value, json};

use super::event::{Call, Ending, employee, end_user};
use super::models::{CHAT_MODELS, Model};
use super::persons::{EMPLOYEES, PERSONS, Person, Staff};
use super::phrases::{Facts, compose, fill};
use super::random::Random;
use super::scenarios::{
    FORBIDDEN_REQUESTS, Fields, GREETINGS, NUDGES, OFFERS, REFUSALS, Scenario, Tool, scenarios,
};

const USER_AGENTS: &[&str] = &[
    "MeridaleApp/4.12.0 (iOS 19.1)",
    "MeridaleApp/4.11.3 (Android 16)",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0",
];

/// A conversation in progress.
#[derive(Debug)]
pub(super) struct Conversation {
    scenario: &'static Scenario,
    person: Person,
    companion: Person,
    /// The employee who types for the person, if one does.
    adviser: Option<Staff>,
    model: Model,
    facts: Facts,
    messages: Vec<Value>,
    turn: u64,
    stage: usize,
    stages: usize,
    unanswered: bool,
    id: String,
    session: String,
    ip: String,
    user_agent: &'static str,
    source: usize,
}

impl Conversation {
    /// Opens a conversation about some person.
    pub(super) fn open(random: &mut Random) -> Self {
        let scripts: Vec<&'static Scenario> = scenarios().collect();
        let scenario = *random.pick(&scripts);
        let circle: Vec<Person> = PERSONS
            .iter()
            .filter(|person| person.namespace == scenario.namespace)
            .copied()
            .collect();
        let index = random.between(0, circle.len() as u64) as usize;
        let (person, companion) = (circle[index], circle[(index + 1) % circle.len()]);
        let facts = Facts::draw(random, person, companion);
        let adviser = random.chance(15).then(|| *random.pick(&EMPLOYEES));
        let shortened = usize::from(random.chance(25));
        Self {
            scenario,
            person,
            companion,
            adviser,
            model: *random.pick(&CHAT_MODELS),
            messages: vec![json!({
                "role": "system",
                "content": fill(scenario.system, &facts, random),
            })],
            facts,
            turn: 0,
            stage: 0,
            stages: scenario.stages.len() - shortened,
            unanswered: false,
            id: format!("conv-{}", random.hex(12)),
            session: format!("sess-{}", random.hex(16)),
            ip: address(random, adviser.is_some()),
            user_agent: *random.pick(USER_AGENTS),
            source: if adviser.is_some() {
                2
            } else {
                usize::from(random.chance(40))
            },
        }
    }

    /// Whether all turns are played.
    pub(super) const fn is_over(&self) -> bool {
        self.stage >= self.stages
    }

    /// Plays the next turn.
    pub(super) fn turn(&mut self, random: &mut Random) -> Call {
        let ending = match random.between(0, 100) {
            0..3 => Ending::Failed,
            3..8 if self.turn > 0 => Ending::Refused,
            8..10 => Ending::CutOff,
            _ => Ending::Answered,
        };
        self.ask(ending, random);
        let input = json!(self.messages);
        let mut downstream = Vec::new();
        let mut output = Value::Null;
        if ending != Ending::Failed {
            if let Some(tool) = self.tool(ending) {
                downstream.push(self.call_tool(tool, random));
            }
            output = json!({"role": "assistant", "content": self.answer(ending, random)});
            self.messages.push(output.clone());
        }
        self.unanswered = ending == Ending::Failed;
        self.turn += 1;
        if matches!(ending, Ending::Answered | Ending::CutOff) {
            self.stage += 1;
        }
        self.call(ending, input, output, downstream, random)
    }

    fn ask(&mut self, ending: Ending, random: &mut Random) {
        let facts = &self.facts;
        let question = if ending == Ending::Refused {
            compose(&[FORBIDDEN_REQUESTS], facts, random)
        } else if self.unanswered {
            compose(&[NUDGES], facts, random)
        } else {
            compose(self.scenario.stages[self.stage].user, facts, random)
        };
        let greeting = if self.turn == 0 {
            compose(&[GREETINGS], facts, random)
        } else {
            String::new()
        };
        let content = format!("{greeting} {question}").trim().to_owned();
        self.messages
            .push(json!({"role": "user", "content": content}));
    }

    const fn tool(&self, ending: Ending) -> Option<&'static Tool> {
        match ending {
            Ending::Answered | Ending::CutOff => self.scenario.stages[self.stage].tool.as_ref(),
            Ending::Refused | Ending::Failed => None,
        }
    }

    fn call_tool(&mut self, tool: &Tool, random: &mut Random) -> Value {
        let arguments = fields(tool.arguments, &self.facts, random);
        let failed = random.chance(3);
        let result = if failed {
            json!({"error": "the register did not answer in time", "retried": random.between(1, 4)})
        } else {
            fields(tool.result, &self.facts, random)
        };
        self.messages
            .push(json!({"role": "tool", "name": tool.name, "content": result}));
        json!({
            "type": tool.kind,
            "name": tool.name,
            "id": format!("call_{}", random.hex(12)),
            "arguments": arguments,
            "result": result,
            "outcome": if failed { "failure" } else { "success" },
        })
    }

    fn answer(&self, ending: Ending, random: &mut Random) -> String {
        let facts = &self.facts;
        if ending == Ending::Refused {
            return compose(&[REFUSALS], facts, random);
        }
        let offer = compose(&[OFFERS], facts, random);
        let mut answer = compose(self.scenario.stages[self.stage].assistant, facts, random);
        if ending == Ending::CutOff {
            let kept = answer.chars().count() * 2 / 3;
            answer = answer.chars().take(kept).collect();
        } else if !offer.is_empty() {
            answer = format!("{answer} {offer}");
        }
        answer
    }

    fn call(
        &self,
        ending: Ending,
        input: Value,
        output: Value,
        downstream: Vec<Value>,
        random: &mut Random,
    ) -> Call {
        let mut subjects = vec![self.person];
        if self.scenario.two_subjects {
            subjects.push(self.companion);
        }
        let kind = match self.scenario.namespace {
            "travel" => "booking",
            "clinic" => "appointment",
            _ => "account_case",
        };
        let mut attributes = json!({
            "turn": self.turn,
            "release": *random.pick(&["2026.44.1", "2026.45.0", "2026.45.2"]),
            "region": *random.pick(&["eu-north", "eu-west"]),
        });
        if ending == Ending::Failed
            && let Some(attributes) = attributes.as_object_mut()
        {
            let status = *random.pick(&[429, 503, 504]);
            let error = json!({"type": "provider_unavailable", "status": status});
            attributes.insert("error".to_owned(), error);
        }
        Call {
            action: "chat.completion",
            operation: "chat",
            ending,
            actor: self.adviser.map_or_else(|| end_user(self.person), employee),
            subjects,
            targets: json!([{"id": self.facts.get("reference"), "type": kind}]),
            context: json!({
                "ip": self.ip,
                "user_agent": self.user_agent,
                "session": self.session,
                "conversation": self.id,
                "trace_id": random.hex(32),
                "span_id": random.hex(16),
                "purpose": self.scenario.purpose,
            }),
            model: self.model,
            prompt: Some((self.scenario.prompt, self.scenario.version)),
            input,
            output,
            downstream,
            source: self.source,
            attributes,
        }
    }
}

/// An address of the ranges that are set aside for documentation, or of the company's own network.
fn address(random: &mut Random, inside: bool) -> String {
    let last = random.between(2, 250);
    match random.between(0, 3) {
        _ if inside => format!("10.20.{}.{last}", random.between(0, 8)),
        0 => format!("203.0.113.{last}"),
        1 => format!("198.51.100.{last}"),
        _ => format!("2001:db8:{}::{last:x}", random.hex(3)),
    }
}

/// Fills names and templates into a JSON object.
fn fields(templates: Fields, facts: &Facts, random: &mut Random) -> Value {
    let mut members = Map::new();
    for (name, template) in templates {
        let text = fill(template, facts, random);
        let number = text
            .strip_prefix('#')
            .and_then(|digits| digits.parse::<serde_json::Number>().ok());
        members.insert(
            (*name).to_owned(),
            number.map_or(Value::String(text), Value::Number),
        );
    }
    Value::Object(members)
}

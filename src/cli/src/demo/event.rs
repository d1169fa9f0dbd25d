//! Puts an event together: sections in the order in which people read them.

use serde_json::{Value, json};

use super::models::Model;
use super::persons::{Person, Staff};
use super::random::Random;
use trailkeep_proof::time::UnixMillis;

/// How a call of a model ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The model answered in full.
    Answered,
    /// The answer was cut off at the limit of tokens.
    CutOff,
    /// The request was against the rules and refused.
    Refused,
    /// The provider gave no answer.
    Failed,
}

/// One call of a model, before it becomes an event.
#[derive(Debug)]
pub(super) struct Call {
    /// The dotted name of the action.
    pub(super) action: &'static str,
    /// The kind of call, in the words of OpenTelemetry.
    pub(super) operation: &'static str,
    pub(super) ending: Ending,
    /// Who called.
    pub(super) actor: Value,
    /// About whom.
    pub(super) subjects: Vec<Person>,
    /// What was touched.
    pub(super) targets: Value,
    /// Where and why.
    pub(super) context: Value,
    /// The model called.
    pub(super) model: Model,
    /// Name and version of the prompt, if there is one.
    pub(super) prompt: Option<(&'static str, &'static str)>,
    /// What the model was given.
    pub(super) input: Value,
    /// What it answered; null when it failed.
    pub(super) output: Value,
    /// What was done on it.
    pub(super) downstream: Vec<Value>,
    /// Index into [`SOURCES`].
    pub(super) source: usize,
    /// Free-form data.
    pub(super) attributes: Value,
}

/// The producers of events. Each numbers its own events without gaps.
pub(super) const SOURCES: [&str; 4] = [
    "assistant-web",
    "assistant-app",
    "employee-desk",
    "batch-worker",
];

/// The actor section of a customer.
pub(super) fn end_user(person: Person) -> Value {
    json!({"id": person.id, "type": "end_user", "name": person.name, "namespace": person.namespace})
}

/// The actor section of an employee.
pub(super) fn employee(staff: Staff) -> Value {
    json!({"id": staff.id, "type": "employee", "name": staff.name, "role": staff.role, "namespace": "staff"})
}

/// The actor section of a service.
pub(super) fn service(staff: Staff) -> Value {
    json!({"id": staff.id, "type": "service", "name": staff.name, "role": staff.role})
}

impl Call {
    /// The event as one line of JSON.
    pub(super) fn into_event(
        self,
        number: u64,
        sequence: u64,
        at: UnixMillis,
        random: &mut Random,
    ) -> String {
        let llm = self.llm(random);
        let outcome = match self.ending {
            Ending::Answered | Ending::CutOff => "success",
            Ending::Refused => "denied",
            Ending::Failed => "failure",
        };
        let subjects: Vec<Value> = self
            .subjects
            .iter()
            .map(|person| json!({"id": person.id, "namespace": person.namespace}))
            .collect();
        let sections = [
            ("id", json!(format!("demo-{number:06}"))),
            ("occurred_at", json!(at.to_string())),
            ("action", json!(self.action)),
            ("outcome", json!(outcome)),
            ("actor", self.actor),
            ("subjects", Value::Array(subjects)),
            ("targets", self.targets),
            ("context", self.context),
            ("llm", llm),
            ("input", self.input),
            ("output", self.output),
            ("downstream", Value::Array(self.downstream)),
            (
                "source",
                json!({"name": SOURCES[self.source], "seq": sequence}),
            ),
            ("attributes", self.attributes),
        ];
        let members: Vec<String> = sections
            .iter()
            .filter(|(_, value)| !is_empty(value))
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", members.join(","))
    }

    fn llm(&self, random: &mut Random) -> Value {
        let input_tokens = tokens(&self.input);
        let output_tokens = if self.operation == "embeddings" {
            0
        } else {
            tokens(&self.output)
        };
        let nanos = input_tokens * self.model.input_price + output_tokens * self.model.output_price;
        let first_token = random.between(
            self.model.first_token_ms * 7 / 10,
            self.model.first_token_ms * 2,
        );
        let latency = if self.ending == Ending::Failed {
            30_000 + random.between(0, 400)
        } else {
            first_token + output_tokens * self.model.token_ms + random.between(3, 90)
        };
        let mut llm = json!({
            "provider": self.model.provider,
            "operation": self.operation,
            "request_model": self.model.requested,
            "usage": {"input_tokens": input_tokens, "output_tokens": output_tokens},
            "latency_ms": latency,
        });
        if self.ending != Ending::Failed {
            llm["response_model"] = json!(self.model.answering);
            llm["cost"] = json!({"amount": dollars(nanos), "currency": "USD"});
        }
        if let Some((name, version)) = self.prompt {
            llm["prompt"] = json!({"name": name, "version": version});
            let temperature = *random.pick(&[0.0, 0.2, 0.2, 0.7]);
            llm["parameters"] = json!({"temperature": temperature, "max_tokens": 800});
            llm["finish_reason"] = json!(match self.ending {
                Ending::Answered => "stop",
                Ending::CutOff => "length",
                Ending::Refused => "content_filter",
                Ending::Failed => "error",
            });
            if self.ending != Ending::Failed {
                llm["time_to_first_token_ms"] = json!(first_token);
            }
        }
        llm
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// About four bytes a token, as in English text.
fn tokens(value: &Value) -> u64 {
    if value.is_null() {
        0
    } else {
        value.to_string().len() as u64 / 4 + 1
    }
}

/// Billionths of a dollar as a number of dollars with six places.
fn dollars(nanos: u64) -> Value {
    let micros = nanos.div_ceil(1_000);
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
        .parse::<f64>()
        .map_or(Value::Null, |amount| json!(amount))
}

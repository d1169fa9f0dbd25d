//! What is counted of one event.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::known::Counted;
use crate::journal::append::Incoming;
use crate::journal::append::register::Wanted;
use crate::tenant::metering::{Asked, Metering, Served};
use crate::tenant::prompts::Prompts;
use trailkeep_otlp::late::{DUPLICATE_OF, LATE_ACTION};
use trailkeep_prices::Layer;
use trailkeep_proof::ledger::event::Facts;
use trailkeep_proof::metered::{
    Cost, Currency, Ended, Fault, Kind, Metered, Money, Named, Operation, Reason,
};
use trailkeep_proof::prices::{Amount, Basis, Usage, cost_by};
use trailkeep_proof::privacy::Day;
use trailkeep_proof::system::NameKind;
use trailkeep_proof::time::UnixMillis;

/// The way of telemetry: its ids and marks are the server's.
const VIA_TELEMETRY: &str = "otlp";
const TOOL: &str = "gen_ai.execute_tool";
/// Operations of `gen_ai.` actions that ask no model.
const NO_CALLS: [&str; 10] = [
    "agent_event",
    "create_agent",
    "execute_task",
    "invoke_agent",
    "invoke_workflow",
    "late",
    "request",
    "response",
    "tool_decision",
    "user_prompt",
];
/// The price is that of the day of the call where that was not longer ago than this.
const PRICED_LATE_MS_MAX: u64 = 72 * 60 * 60 * 1000;
/// Largest number in a section `metered`: 2^53 - 1.
const NUMBER_MAX: f64 = 9_007_199_254_740_991.0;

/// What is read of the section `llm`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Llm<'a> {
    pub(super) provider: Option<String>,
    operation: Option<String>,
    pub(super) request_model: Option<String>,
    pub(super) response_model: Option<String>,
    prompt: Option<Prompt>,
    pub(super) usage: Option<Tokens>,
    #[serde(borrow)]
    cost: Option<Said<'a>>,
    latency_ms: Option<f64>,
    time_to_first_token_ms: Option<f64>,
    finish_reason: Option<String>,
    error_type: Option<String>,
    service_tier: Option<String>,
    retrieval: Option<Vec<IgnoredAny>>,
}

#[derive(Debug, Deserialize)]
struct Prompt {
    name: Option<String>,
    version: Option<String>,
}

/// Numbers as they may be written: `7.0` is an integer in JSON Schema.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(
    clippy::struct_field_names,
    reason = "each is the member of `llm.usage` of its name"
)]
pub(super) struct Tokens {
    input_tokens: Option<f64>,
    output_tokens: Option<f64>,
    cached_input_tokens: Option<f64>,
    cache_write_input_tokens: Option<f64>,
    cache_write_1h_input_tokens: Option<f64>,
    reasoning_tokens: Option<f64>,
    audio_input_tokens: Option<f64>,
    audio_output_tokens: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    amount: &'a RawValue,
    currency: String,
}

impl Tokens {
    pub(super) fn usage(&self) -> Usage {
        Usage {
            input: whole(self.input_tokens),
            cached_input: whole(self.cached_input_tokens),
            cache_write: whole(self.cache_write_input_tokens),
            cache_write_1h: whole(self.cache_write_1h_input_tokens),
            output: whole(self.output_tokens),
            reasoning: whole(self.reasoning_tokens),
            audio_input: whole(self.audio_input_tokens),
            audio_cached_input: None,
            audio_output: whole(self.audio_output_tokens),
        }
    }
}

/// A number of the schema as the nearest whole one.
fn whole(number: Option<f64>) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between 0 and 2^53 - 1"
    )]
    number.map(|number| number.round().clamp(0.0, NUMBER_MAX) as u64)
}

impl<'a> Llm<'a> {
    /// Whether it says nothing of a call.
    pub(super) fn is_empty(&self) -> bool {
        self.provider.is_none() && self.request_model.is_none() && self.response_model.is_none()
    }

    /// The section of an event; an empty one where it has none, or where it is not what the schema says.
    pub(super) fn of(section: Option<&'a [u8]>) -> Self {
        let read = section.map(serde_json::from_slice);
        read.and_then(Result::ok).unwrap_or_default()
    }
}

/// As what an event counts; none: as nothing.
pub(super) fn kind_of(event: &Incoming) -> Option<Kind> {
    let facts = event.event.facts();
    let is_ours = event.via == VIA_TELEMETRY;
    if is_ours && facts.action == LATE_ACTION {
        let id = facts.id.as_deref().unwrap_or_default();
        let has_counts = event.event.section("llm").is_some();
        return (id.contains(":late:") && has_counts).then_some(Kind::Late);
    }
    if facts.action == TOOL {
        return Some(Kind::Tool);
    }
    if !is_call(&facts.action) || event.event.section("llm").is_none() {
        return None;
    }
    if is_ours && is_marked_duplicate(event) {
        return Some(Kind::Duplicate);
    }
    Some(Kind::Call)
}

/// Whether an action with a section `llm` is a call of a model.
pub(crate) fn is_call(action: &str) -> bool {
    match action.strip_prefix("gen_ai.") {
        Some("execute_tool") => false,
        Some(operation) => !NO_CALLS.contains(&operation),
        None => action == "chat.completion",
    }
}

/// Whether the server marked it as another report of a recorded call.
fn is_marked_duplicate(event: &Incoming) -> bool {
    let attributes = event.event.section("attributes");
    // Of nearly all events the text alone says that they are none.
    let marks = |text: &&[u8]| {
        let mut places = text.windows(DUPLICATE_OF.len());
        places.any(|place| place == DUPLICATE_OF.as_bytes())
    };
    let read = attributes
        .filter(marks)
        .and_then(|text| serde_json::from_slice::<Value>(text).ok());
    read.is_some_and(|attributes| attributes.get(DUPLICATE_OF).is_some())
}

/// Makes the sections of a request's events, and notes what has to be stated first.
pub(super) struct Meter<'a> {
    found: &'a Metering,
    prompts: &'a Prompts,
    wanted: &'a mut Wanted,
    now: UnixMillis,
}

impl<'a> Meter<'a> {
    pub(super) fn new(
        (found, prompts): (&'a Metering, &'a Prompts),
        wanted: &'a mut Wanted,
        now: UnixMillis,
    ) -> Self {
        Self {
            found,
            prompts,
            wanted,
            now,
        }
    }

    /// What is counted of an event. Of a later report it is what that adds to `counted`.
    pub(super) fn measure(&mut self, event: &Incoming, kind: Kind, counted: &Counted) -> Metered {
        let facts = event.event.facts();
        let llm = Llm::of(event.event.section("llm"));
        let kind = match kind {
            // A first report that counts as nothing hides no call.
            Kind::Duplicate if !counted.is_call => Kind::Call,
            kind => kind,
        };
        let is_follow_up = matches!(kind, Kind::Late | Kind::Duplicate);
        let mut metered = Metered {
            ended: facts.outcome.as_deref().and_then(Ended::of_word),
            fault: fault(facts, &llm),
            total_ms: whole(llm.latency_ms),
            ..Metered::of(kind)
        };
        if kind == Kind::Tool {
            return metered;
        }
        metered.operation = Some(match (&llm.operation, counted.operation) {
            (None, Some(of_first)) if is_follow_up => of_first,
            _ => operation(facts, &llm),
        });
        metered.first_token_ms = whole(llm.time_to_first_token_ms);
        metered.retrieved = retrieved(&llm, metered.operation);
        let usage = llm.usage.as_ref().map(Tokens::usage).unwrap_or_default();
        let called_on = Day::of(self.called_at(facts));
        let served = self.served(called_on, &llm, counted);
        (metered.provider, metered.model) = (served.provider, served.model);
        (metered.prompt, metered.prompt_version) = self.prompt(&llm);
        let said = said(&llm);
        let by_table = served
            .price
            .and_then(|place| self.by_table(place, &usage, called_on));
        let cost = cost(&metered, &usage, (by_table, said), served.names_model);
        if is_follow_up {
            // The first report said how it ended and how long it took, as far as it did.
            (metered.ended, metered.fault, metered.total_ms) = (None, None, None);
            metered.usage = counted.beyond(&usage);
            metered.cost = counted.beyond_cost(cost, metered.usage == usage);
        } else {
            metered.usage = usage;
            metered.cost = cost;
            let is_beside = |said: &Money| cost.money().is_some_and(|counts| counts != said);
            metered.said = said.filter(is_beside);
        }
        let has_tokens = metered.usage != Usage::default();
        metered.basis = has_tokens.then_some(Basis::Inclusive);
        metered
    }

    /// Who served a call, and which price it has on its day. A later report may leave the names to the first one.
    fn served(&mut self, day: Day, llm: &Llm<'_>, counted: &Counted) -> Served {
        let names_model = llm.response_model.is_some() || llm.request_model.is_some();
        let of_first = |at: usize| counted.models.get(at).map(String::as_str);
        let asked = Asked {
            provider: llm.provider.as_deref().or(counted.provider.as_deref()),
            models: if names_model {
                [llm.response_model.as_deref(), llm.request_model.as_deref()]
            } else {
                [of_first(0), of_first(1)]
            },
            service_tier: llm.service_tier.as_deref(),
            day,
        };
        let served = self.found.served(&asked);
        let wanted = served.wanted.iter().cloned();
        self.wanted.names.extend(wanted);
        served
    }

    /// The moment whose price holds.
    fn called_at(&self, facts: &Facts) -> UnixMillis {
        let is_near = |at: &UnixMillis| {
            let ago = self.now.get().checked_sub(at.get());
            ago.is_some_and(|ago| ago <= PRICED_LATE_MS_MAX)
        };
        facts.occurred_at.filter(is_near).unwrap_or(self.now)
    }

    /// The prompt and its version, as far as the registry knows them.
    fn prompt(&mut self, llm: &Llm<'_>) -> (Named, Option<u32>) {
        let Some(Prompt { name, version }) = &llm.prompt else {
            return (Named::Absent, None);
        };
        let Some(name) = name else {
            return (Named::Absent, None);
        };
        if !self.prompts.knows(name, None) {
            return (Named::Other, None);
        }
        let number = self.found.numbers.get(NameKind::Prompt, name);
        if number.is_none() && !self.found.numbers.is_full(NameKind::Prompt) {
            self.wanted.names.insert((NameKind::Prompt, name.clone()));
        }
        let version = version.as_ref().and_then(|version| version.parse().ok());
        let version = version.filter(|version| self.prompts.knows(name, Some(*version)));
        (number.map_or(Named::Other, Named::Number), version)
    }

    fn by_table(
        &mut self,
        (layer, at): (Layer, usize),
        usage: &Usage,
        called_on: Day,
    ) -> Result<Cost, Reason> {
        let table = self.found.layers.table(layer);
        let price = table.and_then(|table| table.prices().get(at));
        let price = price.ok_or(Reason::Model)?;
        let (amount, _) =
            cost_by(price, usage, Basis::Inclusive).map_err(|why| Reason::from(&why))?;
        let days = Day::of(self.now).days_after(called_on);
        let currency = Currency::parse(&price.currency).ok_or(Reason::Model)?;
        let number = self.table(layer).ok_or(Reason::Model)?;
        Ok(Cost::Table {
            money: Money { amount, currency },
            table: number,
            place: u32::try_from(at).map_err(|_| Reason::TooMany)?,
            days_before: u8::try_from(days).map_err(|_| Reason::Day)?,
        })
    }

    fn table(&mut self, layer: Layer) -> Option<u32> {
        let number = self.found.table_number(layer);
        if number.is_none() {
            self.wanted.tables.insert(layer);
        }
        number
    }
}

/// By a price table; else as the producer says. A call that failed before it used a token has none.
fn cost(
    metered: &Metered,
    usage: &Usage,
    (by_table, said): (Result<Cost, Reason>, Option<Money>),
    names_model: bool,
) -> Cost {
    let may_lack_model = metered.operation.is_some_and(Operation::may_lack_model);
    let is_free_of_tokens = metered.fault.is_some() || !names_model && may_lack_model;
    if *usage == Usage::default() && is_free_of_tokens {
        return said.map_or(Cost::None, Cost::Producer);
    }
    match (by_table, said) {
        (Ok(cost), _) => cost,
        (Err(_), Some(said)) => Cost::Producer(said),
        (Err(reason), None) => Cost::Unpriced(reason),
    }
}

/// What the producer says that it cost.
fn said(llm: &Llm<'_>) -> Option<Money> {
    let said = llm.cost.as_ref()?;
    Some(Money {
        amount: Amount::nearest(said.amount.get())?,
        currency: Currency::parse(&said.currency)?,
    })
}

fn operation(facts: &Facts, llm: &Llm<'_>) -> Operation {
    let named = llm.operation.as_deref();
    let of_action = facts.action.strip_prefix("gen_ai.").unwrap_or("chat");
    Operation::of_word(named.unwrap_or(of_action)).unwrap_or(Operation::Other)
}

/// Documents that were fetched: of a retrieval without any, 0.
fn retrieved(llm: &Llm<'_>, operation: Option<Operation>) -> Option<u64> {
    let documents = llm
        .retrieval
        .as_ref()
        .map(|documents| documents.len() as u64);
    let is_retrieval = operation == Some(Operation::Retrieval);
    documents.or(is_retrieval.then_some(0))
}

/// What went wrong, by the event's own words for it.
fn fault(facts: &Facts, llm: &Llm<'_>) -> Option<Fault> {
    let has_failed = matches!(facts.outcome.as_deref(), Some("error" | "failure"));
    let Some(said) = &llm.error_type else {
        let is_filtered = llm.finish_reason.as_deref() == Some("content_filter");
        return match (is_filtered, has_failed) {
            (true, _) => Some(Fault::ContentFilter),
            (false, true) => Some(Fault::Other),
            (false, false) => None,
        };
    };
    let status = said
        .parse()
        .ok()
        .filter(|status| (100..=599).contains(status));
    if let Some(status) = status {
        return Some(Fault::Status(status));
    }
    let plain: String = said.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = plain.to_ascii_lowercase();
    let words = [
        ("timeout", Fault::Timeout),
        ("timedout", Fault::Timeout),
        ("ratelimit", Fault::RateLimit),
        ("contentfilter", Fault::ContentFilter),
        ("cancel", Fault::Canceled),
        ("abort", Fault::Canceled),
        ("connect", Fault::Connection),
    ];
    let found = words.into_iter().find(|(word, _)| plain.contains(word));
    Some(found.map_or(Fault::Other, |(_, fault)| fault))
}

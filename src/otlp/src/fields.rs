//! The plain fields of a call: model, provider, tokens, times, parameters. One table of names for each.

use serde_json::{Map, Value, json};

use super::finish::one_spelling;
use super::lookup::{Lookup, as_text};
use super::telemetry::Span;

pub(super) const INVOCATION: &str = "llm.invocation_parameters";
const EMBEDDING_INVOCATION: &str = "embedding.invocation_parameters";

const PROVIDER: &[&str] = &[
    "gen_ai.provider.name",
    "gen_ai.system",
    "llm.provider",
    "llm.system",
    "ai.model.provider",
    "server.address",
];
const RESPONSE_ID: &[&str] = &["gen_ai.response.id", "ai.response.id"];
const ERROR_TYPE: &[&str] = &["error.type"];

/// Fields of `llm.usage`, and the names under which families report them.
const USAGE: &[(&str, &[&str])] = &[
    (
        "input_tokens",
        &[
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.prompt_tokens",
            "llm.token_count.prompt",
            "ai.usage.inputTokens",
            "ai.usage.promptTokens",
            "llm.usage.prompt_tokens",
            "ai.usage.tokens",
        ],
    ),
    (
        "output_tokens",
        &[
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.completion_tokens",
            "llm.token_count.completion",
            "ai.usage.outputTokens",
            "ai.usage.completionTokens",
            "llm.usage.completion_tokens",
        ],
    ),
    (
        "total_tokens",
        &[
            "gen_ai.usage.total_tokens",
            "llm.token_count.total",
            "llm.usage.total_tokens",
            "ai.usage.totalTokens",
        ],
    ),
    (
        "cached_input_tokens",
        &[
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            "llm.token_count.prompt_details.cache_read",
            "ai.usage.cachedInputTokens",
            "ai.usage.inputTokenDetails.cacheReadTokens",
        ],
    ),
    (
        "cache_write_input_tokens",
        &[
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_write.input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
            "llm.token_count.prompt_details.cache_write",
            "ai.usage.inputTokenDetails.cacheWriteTokens",
        ],
    ),
    (
        "reasoning_tokens",
        &[
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.details.reasoning_tokens",
            "llm.token_count.completion_details.reasoning",
            "ai.usage.reasoningTokens",
            "ai.usage.outputTokenDetails.reasoningTokens",
        ],
    ),
    (
        "audio_input_tokens",
        &["llm.token_count.prompt_details.audio"],
    ),
    (
        "audio_output_tokens",
        &["llm.token_count.completion_details.audio"],
    ),
    (
        "cache_write_1h_input_tokens",
        &[
            "gen_ai.usage.cache_creation.ephemeral_1h_input_tokens",
            "gen_ai.usage.details.ephemeral_1h_input_tokens",
        ],
    ),
];
const SERVICE_TIER: &[&str] = &[
    "openai.response.service_tier",
    "gen_ai.openai.response.service_tier",
    "gen_ai.response.service_tier",
];

/// Prefixes behind which parameters of the call stand.
const PARAMETERS: &[&str] = &["gen_ai.request.", "gen_ai.openai.request.", "ai.settings."];
/// What of those is no parameter, since it has a field of its own.
const NO_PARAMETERS: [&str; 2] = ["model", "user"];

/// A string for look-ups: no control characters, at most so many characters, never empty.
pub(super) fn line(text: &str, characters_max: usize) -> String {
    let cleaned: String = text
        .chars()
        .map(|character| {
            if character.is_control() {
                '\u{fffd}'
            } else {
                character
            }
        })
        .take(characters_max)
        .collect();
    if cleaned.is_empty() {
        "unknown".to_owned()
    } else {
        cleaned
    }
}

fn short(text: &str, characters_max: usize) -> String {
    text.chars().take(characters_max).collect()
}

/// Which provider answered.
pub(super) fn provider(lookup: &Lookup<'_>) -> Option<String> {
    let named = lookup.first_text(PROVIDER)?;
    // The `ai` SDK writes `openai.chat`: the provider, and which of its interfaces.
    let is_vercel = lookup.get("ai.operationId").is_some();
    Some(match named.split_once('.') {
        Some((provider, _)) if is_vercel => provider.to_owned(),
        _ => named,
    })
}

pub(super) fn text_inside(lookup: &Lookup<'_>, name: &str, path: &[&str]) -> Option<String> {
    as_text(&lookup.inside(name, path)?)
}

/// The model that was asked for.
pub(super) fn request_model(lookup: &Lookup<'_>) -> Option<String> {
    lookup
        .first_text(&[
            "gen_ai.request.model",
            "ai.model.id",
            "llm.request.model_name",
        ])
        .or_else(|| text_inside(lookup, INVOCATION, &["model"]))
        .or_else(|| text_inside(lookup, EMBEDDING_INVOCATION, &["model"]))
        .or_else(|| text_inside(lookup, "input.value", &["model"]))
        .or_else(|| lookup.first_text(&["llm.model_name", "embedding.model_name"]))
}

/// The model that answered. After an error `llm.model_name` is the one that was asked.
pub(super) fn response_model(lookup: &Lookup<'_>, is_error: bool) -> Option<String> {
    let answered = lookup.first_text(&[
        "gen_ai.response.model",
        "ai.response.model",
        "llm.response.model_name",
    ]);
    if is_error {
        // Some repeat the model that was asked; one that answered has given its answer an id.
        return answered.filter(|_| response_id(lookup).is_some());
    }
    answered
        .or_else(|| lookup.text("llm.model_name"))
        .or_else(|| text_inside(lookup, "output.value", &["model"]))
        .or_else(|| lookup.text("embedding.model_name"))
}

/// The provider's identifier of the answer, by which one call that two libraries report is known.
pub(super) fn response_id(lookup: &Lookup<'_>) -> Option<String> {
    let named = lookup.first_text(RESPONSE_ID);
    named.or_else(|| text_inside(lookup, "output.value", &["id"]))
}

/// Kind of error.
pub(super) fn error_type(lookup: &Lookup<'_>, span: Option<&Span>) -> Option<String> {
    let exception = || {
        let events = span.map(|span| &span.events)?;
        let event = events.iter().find(|event| event.name == "exception")?;
        event.attributes.get("exception.type").and_then(as_text)
    };
    let named = lookup.first_text(ERROR_TYPE).or_else(exception)?;
    // Python's `str(type)`.
    let bare = named
        .strip_prefix("<class '")
        .and_then(|rest| rest.strip_suffix("'>"));
    Some(short(bare.unwrap_or(&named), 256))
}

/// Reasons for stopping, as they came, one for each choice.
pub(super) fn finish_reasons(lookup: &Lookup<'_>, from_messages: Vec<String>) -> Vec<String> {
    let listed = match lookup.parsed("gen_ai.response.finish_reasons") {
        Some(Value::Array(values)) => values.iter().filter_map(as_text).collect(),
        Some(value) => as_text(&value).into_iter().collect(),
        None => Vec::new(),
    };
    let raw = || {
        let choices = lookup.inside("output.value", &["choices"]);
        let choices = choices.as_ref().and_then(Value::as_array);
        let reasons = choices.into_iter().flatten();
        reasons
            .filter_map(|choice| as_text(choice.get("finish_reason")?))
            .collect::<Vec<_>>()
    };
    let single = || {
        let single = lookup.first_text(&[
            "llm.finish_reason",
            "ai.response.finishReason",
            "anthropic.message.stop_reason",
            "llm.response.finish_reason",
        ]);
        single.into_iter().collect::<Vec<_>>()
    };
    let mut reasons = listed;
    for more in [from_messages, single(), raw()] {
        // One library gives a single reason, the answer itself one for each choice.
        if more.len() > reasons.len() {
            reasons = more;
        }
    }
    reasons.truncate(128);
    reasons.iter().map(|reason| short(reason, 256)).collect()
}

/// The reason in one spelling.
pub(super) fn finish_reason(reasons: &[String]) -> Option<String> {
    reasons.iter().find_map(|reason| one_spelling(reason))
}

/// Tokens, as far as they are known.
pub(super) fn usage(lookup: &Lookup<'_>) -> Map<String, Value> {
    let fields = USAGE.iter().filter_map(|(field, names)| {
        let count = names.iter().find_map(|name| lookup.count(name))?;
        Some(((*field).to_owned(), Value::from(count)))
    });
    let fields: Map<String, Value> = fields.collect();
    if fields.is_empty() {
        return super::content::google_usage(lookup);
    }
    fields
}

/// The service tier that the provider says to have used; what was asked for is a parameter.
pub(super) fn service_tier(lookup: &Lookup<'_>) -> Option<String> {
    let tier = lookup.first_text(SERVICE_TIER)?;
    Some(line(&tier, 128))
}

/// What a call cost. Libraries that say it and no currency mean US dollars.
pub(super) fn cost(lookup: &Lookup<'_>) -> Option<Value> {
    const AMOUNT: [&str; 7] = [
        "gen_ai.cost.total_cost",
        "gen_ai.usage.cost",
        "gen_ai.usage.total_cost",
        "operation.cost",
        "llm.cost.total",
        "llm.usage.total_cost",
        "cost_usd",
    ];
    let amount = AMOUNT.iter().find_map(|name| lookup.amount(name))?;
    let currency = lookup.first_text(&["gen_ai.cost.currency", "operation.cost.currency"]);
    let currency = currency.map(|text| text.trim().to_ascii_uppercase());
    let is_code =
        |text: &String| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    let currency = currency.filter(is_code).unwrap_or_else(|| "USD".to_owned());
    Some(json!({"amount": amount, "currency": currency}))
}

/// Parameters of the call, with the names that the provider has for them.
pub(super) fn parameters(lookup: &Lookup<'_>) -> Map<String, Value> {
    let mut parameters = Map::new();
    for prefix in PARAMETERS {
        for (name, value) in lookup.with_prefix(prefix) {
            parameters.entry(name).or_insert_with(|| value.clone());
        }
    }
    for name in [INVOCATION, EMBEDDING_INVOCATION] {
        if let Some(Value::Object(given)) = lookup.parsed(name) {
            for (name, value) in given {
                parameters.entry(name).or_insert(value);
            }
        }
    }
    parameters.retain(|name, value| !NO_PARAMETERS.contains(&name.as_str()) && !value.is_null());
    parameters
}

/// Whether the answer was streamed.
pub(super) fn is_streamed(lookup: &Lookup<'_>, span: Option<&Span>) -> bool {
    let flags = [
        "gen_ai.request.stream",
        "gen_ai.is_streaming",
        "llm.is_streaming",
    ];
    let is_flagged = flags
        .iter()
        .any(|name| lookup.get(name).and_then(Value::as_bool) == Some(true));
    let is_asked = lookup.inside(INVOCATION, &["stream"]) == Some(Value::Bool(true));
    let is_vercel = lookup
        .text("ai.operationId")
        .is_some_and(|operation| operation.ends_with(".doStream"));
    is_flagged || is_asked || is_vercel || first_chunk_ns(span).is_some()
}

fn first_chunk_ns(span: Option<&Span>) -> Option<u64> {
    const NAMES: [&str; 4] = [
        "First Token Stream Event",
        "gen_ai.content.completion.chunk",
        "llm.content.completion.chunk",
        "ai.stream.firstChunk",
    ];
    let mut events = span?.events.iter();
    let first = events.find(|event| NAMES.contains(&event.name.as_str()))?;
    Some(first.time_ns)
}

/// Milliseconds from the request to the first part of the answer.
pub(super) fn time_to_first_token_ms(lookup: &Lookup<'_>, span: Option<&Span>) -> Option<f64> {
    let seconds = [
        "gen_ai.response.time_to_first_chunk",
        "gen_ai.server.time_to_first_token",
    ];
    let reported = seconds.iter().find_map(|name| lookup.amount(name));
    reported
        .map(|seconds| seconds * 1000.0)
        .or_else(|| lookup.amount("ai.response.msToFirstChunk"))
        .or_else(|| {
            let passed_ns = first_chunk_ns(span)?.checked_sub(span?.start_ns)?;
            Some(milliseconds(passed_ns))
        })
}

/// Nanoseconds as milliseconds.
pub(super) fn milliseconds(nanoseconds: u64) -> f64 {
    let micros = u32::try_from(nanoseconds / 1_000);
    // Beyond an hour a thousandth of a millisecond is of no use.
    micros.map_or_else(
        |_| f64::from(u32::try_from(nanoseconds / 1_000_000).unwrap_or(u32::MAX)),
        |micros| f64::from(micros) / 1000.0,
    )
}

/// Documents that a retrieval found, best first.
pub(super) fn retrieval(lookup: &Lookup<'_>) -> Vec<Value> {
    let listed = ["retrieval.documents.", "reranker.output_documents."]
        .iter()
        .find_map(|prefix| lookup.tree(prefix))
        .or_else(|| lookup.parsed("gen_ai.retrieval.documents"));
    let documents = listed.as_ref().and_then(Value::as_array);
    let document = |(position, document): (usize, &Value)| {
        let document = document.get("document").unwrap_or(document);
        let id = document.get("id").and_then(as_text);
        let mut found = json!({"id": line(&id.unwrap_or_else(|| position.to_string()), 2048)});
        if let Some(score) = document.get("score").filter(|score| score.is_number()) {
            found["score"] = score.clone();
        }
        if let Some(content) = document.get("content").filter(|content| !content.is_null()) {
            found["content"] = content.clone();
        }
        found
    };
    documents
        .into_iter()
        .flatten()
        .enumerate()
        .take(1024)
        .map(document)
        .collect()
}

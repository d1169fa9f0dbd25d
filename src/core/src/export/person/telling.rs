//! What the page says of an event in its own words.

use std::fmt::Write as _;

use crate::export::person::exact::Exact;
use crate::export::person::sentence::{call, phrase, rows, spaced};
use crate::export::person::withheld::OfEvent;
use trailkeep_proof::privacy::Withholding;

/// What a tool was called with and what it gave, as sentences; the rest of its input and output stays.
pub(super) fn of_tool(
    tool: Option<&str>,
    (input, output): (Exact, Exact),
    sentences: &mut Vec<String>,
) -> (Exact, Exact) {
    let Some(tool) = tool else {
        return (input, output);
    };
    let without = |value: Exact, name: &str| match value {
        Exact::Members(mut members) => {
            members.retain(|(known, _)| known != name);
            if members.is_empty() {
                Exact::Null
            } else {
                Exact::Members(members)
            }
        }
        other => other,
    };
    if *input.get("arguments") != Exact::Null {
        sentences.push(call(tool, input.get("arguments")));
    }
    if *output.get("result") != Exact::Null {
        let result = phrase(&output.get("result").unpacked());
        sentences.push(format!("\"{tool}\" answered: {result}"));
    }
    (without(input, "arguments"), without(output, "result"))
}

/// What was done then, a sentence an action; `rest` takes what the sentences leave out.
pub(super) fn downstream(actions: &Exact, rest: &mut Vec<(String, String)>) -> Vec<String> {
    let Exact::List(actions) = actions else {
        return Vec::new();
    };
    let mut sentences = Vec::new();
    for (index, action) in actions.iter().enumerate() {
        let text = |name: &str| action.get(name).text().unwrap_or_default();
        let kind = text("type");
        let mut sentence = if kind.is_empty() || kind.contains("tool") || kind.contains("function")
        {
            call(text("name"), action.get("arguments"))
        } else {
            let with = match action.get("arguments") {
                Exact::Null => String::new(),
                arguments => format!(" with {}", phrase(&arguments.unpacked())),
            };
            let name = text("name");
            let name = if name.is_empty() {
                String::new()
            } else {
                format!(": {name}")
            };
            format!("{}{name}{with}.", words(kind))
        };
        if *action.get("result") != Exact::Null {
            let result = phrase(&action.get("result").unpacked());
            let _ = write!(sentence, " The answer was: {result}.");
        }
        if let Some(word) = action.get("outcome").text() {
            let _ = write!(sentence, " Result: {}.", outcome(Some(word)).to_lowercase());
        }
        sentences.push(sentence);
        for (name, value) in action.members() {
            if !matches!(
                &**name,
                "type" | "name" | "arguments" | "result" | "outcome"
            ) {
                let label = format!("What was done {} \u{203a} {}", index + 1, spaced(name));
                rows(&label, value, rest);
            }
        }
    }
    sentences
}

/// What is left out of an event, and why.
pub(super) fn not_shown(withheld: &OfEvent) -> String {
    let of = |reason: Withholding| {
        let names = withheld.iter().filter(|(of, _)| *of == reason);
        let names: Vec<&str> = names.map(|(_, name)| plain_name(name)).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let reasons = [
        (
            Withholding::Others,
            "Data that may be about another person in this event",
        ),
        (Withholding::Staff, "Who of our staff acted"),
        (Withholding::Unreadable, "What our program cannot read"),
    ];
    let said = reasons
        .into_iter()
        .filter_map(|(reason, words)| Some(format!("{words}: {}.", of(reason)?)));
    said.collect::<Vec<_>>().join(" ")
}

/// How the page calls a section that it leaves out.
fn plain_name(section: &str) -> &str {
    match section {
        "input" => "what was asked",
        "output" => "what was answered",
        "downstream" => "what was done then",
        "subjects" => "whom else it is about",
        "targets" => "what it was about",
        "attributes" => "further details",
        "actor" => "name and identifier",
        "context" => "address, device and session",
        "llm" => "details of the model",
        "metered" => "what is counted of it",
        other => other,
    }
}

/// How the page calls a section whose values stand in rows.
pub(super) fn label(section: &str) -> &str {
    match section {
        "actor" => "Who acted",
        "attributes" => "Details",
        "context" => "Circumstances",
        "id" => "Event id",
        "llm" => "Model",
        "occurred_at" => "Happened at",
        "received" => "On receipt",
        "regimes" => "Rules that apply",
        "retention" => "Retention",
        "source" => "Numbered by",
        "subjects" => "About",
        "targets" => "Concerns",
        other => other,
    }
}

/// `chat.completion` as `Chat completion`.
pub(in crate::export) fn words(name: &str) -> String {
    let name = name.strip_prefix("gen_ai.").unwrap_or(name);
    let text = name.replace(['.', '_', '-'], " ");
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => text,
    }
}

pub(super) fn model(llm: &Exact) -> String {
    let text = |name: &str| llm.get(name).text();
    let name = text("response_model").or(text("request_model"));
    match (name, text("provider")) {
        (Some(name), Some(provider)) => format!("the model {name} of {provider}"),
        (Some(name), None) => format!("the model {name}"),
        _ => String::new(),
    }
}

const fn outcome_words() -> [(&'static str, &'static str); 4] {
    [
        ("success", "Done"),
        ("failure", "Failed"),
        ("denied", "Refused"),
        ("error", "Interrupted"),
    ]
}

pub(super) fn outcome(word: Option<&str>) -> &'static str {
    let known = outcome_words()
        .into_iter()
        .find(|(name, _)| word == Some(*name));
    match (known, word) {
        (Some((_, words)), _) => words,
        (None, Some(_)) => "Not known",
        (None, None) => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_program_become_words() {
        assert_eq!(words("chat.completion"), "Chat completion");
        assert_eq!(words("gen_ai.execute_tool"), "Execute tool");
        assert_eq!(words("care_administration"), "Care administration");
        assert_eq!(words(""), "");
        assert_eq!(outcome(Some("denied")), "Refused");
        assert_eq!(outcome(Some("unknown")), "Not known");
    }
}

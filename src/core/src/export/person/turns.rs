//! A conversation as turns: who said what, in order, from the forms in which applications and telemetry record it.

use crate::export::person::exact::Exact;
use crate::export::person::sentence::{call, phrase, rows, spaced};

/// Members of a message that a turn tells by itself.
const TOLD: [&str; 6] = [
    "role",
    "content",
    "parts",
    "tool_calls",
    "name",
    "tool_call_id",
];

/// One turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) by: Speaker,
    pub(super) said: Vec<Said>,
}

/// Who has the turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    /// Role `user`.
    User,
    Assistant,
    /// Role `system` or `developer`.
    Instructions,
    /// A tool, by its name where it has one.
    Tool(String),
    /// Another role, as the application calls it.
    Other(String),
}

/// A part of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Words as they were recorded.
    Words(String),
    /// A sentence of the page, about something that is no text.
    Sentence(String),
}

impl Speaker {
    fn of(role: &str, tool: &str) -> Self {
        match role {
            "user" | "human" => Self::User,
            "assistant" | "model" | "ai" => Self::Assistant,
            "system" | "developer" => Self::Instructions,
            "tool" | "function" => Self::Tool(tool.to_owned()),
            other => Self::Other(other.to_owned()),
        }
    }
}

/// The messages of an input or output, where it is a conversation.
pub(super) fn messages(value: &Exact) -> &[Exact] {
    let list = match value {
        Exact::List(items) => items,
        other => match other.get("messages") {
            Exact::List(items) => items,
            _ => return &[],
        },
    };
    let is_message = |item: &Exact| item.get("role").text().is_some();
    if list.iter().all(is_message) {
        list
    } else {
        &[]
    }
}

/// The turns of an input and its output. `rest` takes what stands beside the messages, so that nothing is left out.
pub(super) fn turns(input: &Exact, output: &Exact, rest: &mut Vec<(String, String)>) -> Vec<Turn> {
    let mut turns = Vec::new();
    let mut calls = Vec::new();
    for (value, alone, label) in [
        (input, Speaker::User, "Asked"),
        (output, Speaker::Assistant, "Answered"),
    ] {
        let messages = messages(value);
        if messages.is_empty() {
            turns.extend(alone_turn(value, alone, label, rest));
            continue;
        }
        if let Some(turn) = instructions(value.get("system")) {
            turns.push(turn);
        }
        for (name, value) in value.members() {
            if !matches!(&**name, "messages" | "system") {
                rows(&format!("{label} \u{203a} {}", spaced(name)), value, rest);
            }
        }
        turns.extend(messages.iter().map(|message| turn(message, &mut calls)));
    }
    turns.retain(|turn| !turn.said.is_empty());
    turns
}

/// An input or output that is no conversation: a text is what was asked or answered, anything else stands in rows.
fn alone_turn(
    value: &Exact,
    by: Speaker,
    label: &str,
    rest: &mut Vec<(String, String)>,
) -> Option<Turn> {
    match value {
        Exact::Null => None,
        Exact::Text(text) => Some(Turn {
            by,
            said: vec![Said::Words(text.clone())],
        }),
        other => {
            rows(label, other, rest);
            None
        }
    }
}

fn instructions(system: &Exact) -> Option<Turn> {
    let mut said = Vec::new();
    parts(system, &mut Vec::new(), &mut said);
    (!said.is_empty()).then_some(Turn {
        by: Speaker::Instructions,
        said,
    })
}

/// One message. `calls` remembers ids and names of tool calls, since an answer names the id alone.
fn turn(message: &Exact, calls: &mut Vec<(String, String)>) -> Turn {
    let text = |name: &str| message.get(name).text().unwrap_or_default();
    let mut said = Vec::new();
    for name in ["content", "parts"] {
        parts(message.get(name), calls, &mut said);
    }
    if let Exact::List(items) = message.get("tool_calls") {
        said.extend(items.iter().map(|item| tool_call(item, calls)));
    }
    let known = calls.iter().rfind(|(id, _)| *id == text("tool_call_id"));
    let tool = match (text("name"), known) {
        ("", Some((_, name))) => name.clone(),
        (name, _) => name.to_owned(),
    };
    let by = Speaker::of(text("role"), &tool);
    for (name, value) in message.members() {
        let is_tools_name = name != "name" || matches!(by, Speaker::Tool(_));
        let told = is_tools_name && TOLD.contains(&&**name);
        if !told && *value != Exact::Null {
            said.push(Said::Sentence(format!(
                "{}: {}",
                spaced(name),
                phrase(value)
            )));
        }
    }
    Turn { by, said }
}

fn parts(content: &Exact, calls: &mut Vec<(String, String)>, said: &mut Vec<Said>) {
    match content {
        Exact::Null => {}
        Exact::Text(text) if text.is_empty() => {}
        Exact::Text(text) => said.push(Said::Words(text.clone())),
        Exact::List(items) => items.iter().for_each(|item| said.push(part(item, calls))),
        other => said.push(part(other, calls)),
    }
}

fn part(part: &Exact, calls: &mut Vec<(String, String)>) -> Said {
    let kind = part.get("type").text().unwrap_or_default();
    let text = ["content", "text"]
        .iter()
        .find_map(|name| part.get(name).text());
    match (part, kind, text) {
        (Exact::Text(text), ..) => Said::Words(text.clone()),
        (_, "text" | "input_text" | "output_text" | "", Some(text))
            if part.members().len() <= 2 =>
        {
            Said::Words(text.to_owned())
        }
        (_, "tool_call" | "tool_use" | "function_call", _) => tool_call(part, calls),
        (_, "tool_call_response" | "tool_result", _) => tool_result(part, calls),
        _ => Said::Sentence(phrase(part)),
    }
}

fn tool_call(item: &Exact, calls: &mut Vec<(String, String)>) -> Said {
    let function = match item.get("function") {
        Exact::Null => item,
        function => function,
    };
    let name = function.get("name").text().unwrap_or_default();
    if let Some(id) = item.get("id").text() {
        calls.push((id.to_owned(), name.to_owned()));
    }
    let arguments = ["arguments", "input", "args"]
        .iter()
        .map(|name| function.get(name))
        .find(|value| **value != Exact::Null);
    Said::Sentence(call(name, arguments.unwrap_or(&Exact::Null)))
}

fn tool_result(part: &Exact, calls: &[(String, String)]) -> Said {
    let id = ["id", "tool_use_id", "tool_call_id"]
        .iter()
        .find_map(|name| part.get(name).text());
    let name = part.get("name").text().or_else(|| {
        let known = calls.iter().rfind(|(known, _)| Some(&**known) == id);
        known.map(|(_, name)| &**name)
    });
    let result = ["response", "result", "content", "output"]
        .iter()
        .map(|name| part.get(name))
        .find(|value| **value != Exact::Null);
    let said = result.map_or_else(|| "nothing".to_owned(), |value| phrase(&value.unpacked()));
    match name {
        Some(name) => Said::Sentence(format!("\"{name}\" answered: {said}")),
        None => Said::Sentence(format!("The tool answered: {said}")),
    }
}

/// The words of the last turn with role `user`, where it is words alone and names nobody as its author: `None` of
/// anything else.
pub(super) fn last_words_of_user(input: &Exact) -> Option<Vec<String>> {
    let last = messages(input)
        .iter()
        .rfind(|message| message.get("role").text() == Some("user"))?;
    let only = |(name, _): &(String, Exact)| matches!(&**name, "role" | "content" | "parts");
    if !last.members().iter().all(only) {
        return None;
    }
    let said = turn(last, &mut Vec::new()).said.into_iter();
    said.map(|said| match said {
        Said::Words(text) => Some(text),
        Said::Sentence(_) => None,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &str, output: &str) -> Vec<String> {
        let mut rest = Vec::new();
        let turns = turns(&Exact::read(input), &Exact::read(output), &mut rest);
        let said = turns.iter().flat_map(|turn| {
            turn.said.iter().map(move |said| match said {
                Said::Words(text) | Said::Sentence(text) => format!("{:?}: {text}", turn.by),
            })
        });
        let rest = rest
            .into_iter()
            .map(|(name, text)| format!("{name}={text}"));
        said.chain(rest).collect()
    }

    #[test]
    fn all_turns_of_a_conversation_are_told_in_order() {
        let input = r#"[
            {"role":"system","content":"Be kind."},
            {"role":"user","content":"Where is 4711?"},
            {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function",
              "function":{"name":"find_order","arguments":"{\"order\":4711}"}}]},
            {"role":"tool","tool_call_id":"c1","content":"on its way"},
            {"role":"assistant","content":"On its way."},
            {"role":"user","content":[{"type":"text","text":"Refund it."},{"type":"image_url","image_url":{"url":"u"}}]}]"#;
        let output = r#"{"messages":[{"role":"assistant","parts":[{"type":"text","content":"Done."},
            {"type":"tool_call","id":"c2","name":"refund","arguments":{"amount":12.50}},
            {"type":"tool_call_response","id":"c2","response":{"ok":true}}],"finish_reason":"stop"}],"seed":7}"#;
        assert_eq!(
            all(input, output),
            [
                "Instructions: Be kind.",
                "User: Where is 4711?",
                "Assistant: The assistant called \"find_order\" with order 4711.",
                "Tool(\"find_order\"): on its way",
                "Assistant: On its way.",
                "User: Refund it.",
                "User: type image_url, image url (url u)",
                "Assistant: Done.",
                "Assistant: The assistant called \"refund\" with amount 12.50.",
                "Assistant: \"refund\" answered: ok yes",
                "Assistant: finish reason: stop",
                "Answered › seed=7",
            ]
        );
        assert_eq!(all("\"hi\"", "null"), ["User: hi"]);
        assert_eq!(
            all(r#"{"arguments":{"a":1}}"#, "[1]"),
            ["Asked › arguments › a=1", "Answered=1"]
        );
    }

    #[test]
    fn own_words_are_the_last_of_the_user_and_words_alone() {
        let last = |input: &str| last_words_of_user(&Exact::read(input));
        let said = |text: &str| Some(vec![text.to_owned()]);
        let earlier = r#"[{"role":"user","content":"first"},{"role":"user","content":"second"},{"role":"tool","content":"x"}]"#;
        assert_eq!(last(earlier), said("second"));
        for not_theirs in [
            r#"[{"role":"user","content":"x","name":"bob"}]"#,
            r#"[{"role":"user","content":[{"type":"file","file":"x"}]}]"#,
            r#"[{"role":"assistant","content":"x"}]"#,
            r#""a text""#,
            r#"{"question":"x"}"#,
        ] {
            assert_eq!(last(not_theirs), None, "{not_theirs}");
        }
    }
}

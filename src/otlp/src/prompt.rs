//! Which prompt a call was made with: name, version, hash of the template. An application knows it often only on the span of
//! its request, so a call inherits it as it does the user.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::fields::{INVOCATION, line, text_inside};
use super::lookup::{Lookup, as_text, parsed};
use super::telemetry::Attributes;
use trailkeep_proof::ids::hex;

const NAME: &[&str] = &[
    "gen_ai.prompt.name",
    "traceloop.prompt.key",
    "llm.prompt_template.name",
    "langfuse.observation.prompt.name",
    "ai.telemetry.metadata.promptName",
];
const VERSION: &[&str] = &[
    "gen_ai.prompt.version",
    "traceloop.prompt.version",
    "llm.prompt_template.version",
    "langfuse.observation.prompt.version",
    "ai.telemetry.metadata.promptVersion",
];
const TEMPLATE: &[&str] = &["llm.prompt_template.template", "traceloop.prompt.template"];
/// `name@version`, or JSON with both.
const LANGFUSE: &str = "ai.telemetry.metadata.langfusePrompt";
/// Of a span that is not a call it is the version of a workflow.
const OWN_VERSION: &str = "traceloop.entity.version";
const OWN_NAME: &str = "ai.telemetry.functionId";

/// Whether an attribute of a span that becomes no event is needed by the calls in it.
pub(super) fn is_needed(name: &str) -> bool {
    name == LANGFUSE
        || [NAME, VERSION, TEMPLATE]
            .iter()
            .any(|names| names.contains(&name))
}

/// The prompt of a call. What it does not say itself the spans around it say, from the inside out, and then the resource, up
/// to the first that speaks of another prompt.
pub(super) fn prompt<'a>(
    own: &Lookup<'_>,
    around: impl Iterator<Item = &'a Attributes>,
) -> Map<String, Value> {
    let mut prompt = said(own);
    if let Some(version) = own.text(OWN_VERSION) {
        prompt
            .entry("version")
            .or_insert(line(&version, 256).into());
    }
    for layer in around {
        let outer = said(&Lookup::new(vec![layer]));
        let is_other = |(field, value): (&String, &Value)| {
            prompt.get(field).is_some_and(|known| known != value)
        };
        if outer.iter().any(is_other) {
            break;
        }
        prompt.extend(outer);
    }
    if let Some(function) = own.text(OWN_NAME) {
        prompt.entry("name").or_insert(line(&function, 256).into());
    }
    prompt
}

/// What one place says of it.
fn said(lookup: &Lookup<'_>) -> Map<String, Value> {
    let inside = |field: &str| text_inside(lookup, INVOCATION, &["metadata", field]);
    let (tagged_name, tagged_version) =
        langfuse(lookup).map_or((None, None), |(name, version)| (Some(name), version));
    let name = lookup
        .first_text(NAME)
        .or_else(|| inside("prompt_name"))
        .or(tagged_name);
    let version = lookup
        .first_text(VERSION)
        .or_else(|| inside("prompt_version"))
        .or(tagged_version);
    let template = lookup.first_text(TEMPLATE);
    let sha256 = template.map(|template| hex(&Sha256::digest(template.as_bytes())));
    let fields = [
        ("name", name.map(|name| line(&name, 256))),
        ("version", version.map(|version| line(&version, 256))),
        ("sha256", sha256),
    ];
    fields
        .into_iter()
        .filter_map(|(field, value)| Some((field.to_owned(), Value::from(value?))))
        .collect()
}

fn langfuse(lookup: &Lookup<'_>) -> Option<(String, Option<String>)> {
    let value = parsed(lookup.get(LANGFUSE)?);
    if let Some(name) = value.get("name").and_then(as_text) {
        return Some((name, value.get("version").and_then(as_text)));
    }
    let text = as_text(&value)?;
    Some(match text.rsplit_once('@') {
        Some((name, version)) if !name.is_empty() => (name.to_owned(), Some(version.to_owned())),
        _ => (text, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(layers: &[Value]) -> Value {
        let layers: Vec<Attributes> = layers
            .iter()
            .map(|layer| layer.as_object().unwrap().clone())
            .collect();
        prompt(&Lookup::new(vec![&layers[0]]), layers[1..].iter()).into()
    }

    #[test]
    fn a_call_inherits_the_prompt_that_it_does_not_name() {
        let request = json!({"gen_ai.prompt.name": "refunds", "gen_ai.prompt.version": "7"});
        let whole = json!({"name": "refunds", "version": "7"});
        assert_eq!(of(&[json!({}), json!({}), request.clone()]), whole);
        assert_eq!(
            of(&[json!({"gen_ai.prompt.name": "refunds"}), request.clone()]),
            whole
        );
        assert_eq!(
            of(&[json!({"ai.telemetry.functionId": "ask"}), request.clone()]),
            whole
        );
        assert_eq!(
            of(&[json!({"ai.telemetry.functionId": "ask"})]),
            json!({"name": "ask"})
        );
        // The version is that of another prompt.
        let other = json!({"gen_ai.prompt.name": "greeting"});
        assert_eq!(
            of(&[
                other,
                request.clone(),
                json!({"gen_ai.prompt.version": "1"})
            ]),
            json!({"name": "greeting"})
        );
        let older = json!({"gen_ai.prompt.version": "6"});
        assert_eq!(of(&[older, request]), json!({"version": "6"}));
        let workflow = json!({"traceloop.entity.version": 3});
        assert_eq!(of(std::slice::from_ref(&workflow)), json!({"version": "3"}));
        assert_eq!(of(&[json!({}), workflow]), json!({}));
    }
}

//! The OpenAPI document as a list of requests to send, and as a judge of the answers.

use serde_json::{Value, json};
use trailkeep_core::keys::role::Right;
use trailkeep_server::document;

use super::Answer;

/// One operation of the document, with a request made of its examples.
pub struct Route {
    pub method: String,
    /// The path with its parameters' names.
    pub path: String,
    /// The path with its parameters' examples.
    pub example: String,
    pub body: String,
    pub content_type: String,
    /// The right that it needs, as the type of the handler's argument says; none: it is open.
    pub right: Option<Right>,
    operation: &'static Value,
}

/// All operations.
pub fn routes() -> Vec<Route> {
    let paths = document()["paths"].as_object().unwrap();
    let items = paths.iter().flat_map(|(path, item)| {
        let operations = item.as_object().unwrap().iter();
        operations.map(move |(method, operation)| Route::of(method, path, operation))
    });
    items.collect()
}

impl Route {
    fn of(method: &str, path: &str, operation: &'static Value) -> Self {
        let mut example = path.to_owned();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] == "path" {
                let value = &parameter["example"];
                let value = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                let name = parameter["name"].as_str().unwrap();
                example = example.replace(&format!("{{{name}}}"), &value);
            }
        }
        let contents = operation["requestBody"]["content"].as_object();
        let (content_type, content) = contents
            .and_then(|contents| contents.iter().next())
            .map_or(("application/json", &Value::Null), |(kind, content)| {
                (kind.as_str(), content)
            });
        let body = match &content["example"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Self {
            method: method.to_uppercase(),
            path: path.to_owned(),
            example,
            body,
            content_type: content_type.to_owned(),
            right: serde_json::from_value(operation["x-trailkeep-right"].clone()).ok(),
            operation,
        }
    }

    /// Panics unless the document says that the answer may be so: its status, type and form.
    pub fn assert_describes(&self, answer: &Answer) {
        let place = format!("{} {}: {}", self.method, self.path, answer.status);
        let described = &self.operation["responses"][answer.status.to_string()];
        assert!(
            !described.is_null(),
            "{place} is not described: {}",
            answer.text()
        );
        let described = match described["$ref"].as_str() {
            Some(reference) => document().pointer(&reference[1..]).unwrap(),
            None => described,
        };
        let Some(contents) = described["content"].as_object() else {
            assert!(
                answer.body.is_empty(),
                "{place} has a body that is not described"
            );
            return;
        };
        let sent = answer.header("content-type").unwrap_or_default();
        let kind = sent.split(';').next().unwrap();
        let content = contents
            .get(kind)
            .unwrap_or_else(|| panic!("{place}: {kind} is not described"));
        if kind == "application/problem+json" {
            let kind = answer.json()["type"].as_str().unwrap().to_owned();
            let examples = content["examples"].as_object().unwrap().values();
            let mut kinds = examples.map(|example| example["value"]["type"].as_str().unwrap());
            assert!(
                kinds.any(|known| known == kind),
                "{place}: {kind} is not described"
            );
        }
        if ["application/json", "application/problem+json"].contains(&kind) {
            assert_has_form(&content["schema"], &answer.json(), &place);
        }
    }
}

/// Panics unless the value is of the schema, and has no member that the schema does not name.
fn assert_has_form(schema: &Value, value: &Value, place: &str) {
    let mut components = document()["components"].clone();
    // What others are composed of may have members beside its own.
    let text = components.to_string();
    let parts: Vec<String> = text
        .split("\"allOf\":[")
        .skip(1)
        .map(|part| part.split(']').next().unwrap().to_owned())
        .collect();
    for (name, object) in components["schemas"].as_object_mut().unwrap() {
        let is_part = parts
            .iter()
            .any(|part| part.contains(&format!("schemas/{name}\"")));
        if object["properties"].is_object() && !is_part {
            object["additionalProperties"] = json!(false);
        }
    }
    let mut whole = schema.clone();
    whole["components"] = components;
    if schema["$ref"].is_string() {
        whole["unevaluatedProperties"] = json!(false);
    }
    let validator = jsonschema::validator_for(&whole).unwrap();
    let faults: Vec<String> = validator
        .iter_errors(value)
        .map(|error| error.to_string())
        .collect();
    assert!(faults.is_empty(), "{place}: {faults:?}");
}

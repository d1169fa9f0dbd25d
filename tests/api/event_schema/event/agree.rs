//! The table of fields and the schema, compared field by field.

use jsonschema::Validator;
use serde_json::{Value, json};
use trailkeep_proof::ledger::event::shape::{Field, Form, OUTCOMES, SECTIONS, Shape, Text};

use super::super::{good, schema, validator};

fn compare(path: &str, schema: &Value, shape: &Shape) {
    match shape {
        Shape::Any => assert!(schema.get("type").is_none(), "{path}"),
        Shape::FreeObject => {
            assert_eq!(schema["type"], "object", "{path}");
            assert!(schema.get("properties").is_none(), "{path}");
            assert!(schema.get("additionalProperties").is_none(), "{path}");
        }
        Shape::Integer => {
            assert_eq!(schema["type"], "integer", "{path}");
            assert_eq!(schema["minimum"], 0, "{path}");
            assert_eq!(schema["maximum"], (1_u64 << 53) - 1, "{path}");
        }
        Shape::Amount => {
            assert_eq!(
                (&schema["type"], &schema["minimum"]),
                (&json!("number"), &json!(0)),
                "{path}"
            );
        }
        Shape::Number => {
            assert_eq!(
                (&schema["type"], schema.get("minimum")),
                (&json!("number"), None),
                "{path}"
            );
        }
        Shape::Text(text) => compare_text(path, schema, *text),
        Shape::List { of, max } => {
            assert_eq!(
                (&schema["type"], &schema["maxItems"]),
                (&json!("array"), &json!(max)),
                "{path}"
            );
            compare(&format!("{path}/*"), &schema["items"], of);
        }
        Shape::Object(fields) => compare_fields(path, schema, fields),
    }
}

fn compare_text(path: &str, schema: &Value, text: Text) {
    assert_eq!(schema["type"], "string", "{path}");
    if text.form == Form::Outcome {
        assert_eq!(schema["enum"], json!(OUTCOMES), "{path}");
    } else {
        assert_eq!(schema["maxLength"], text.max, "{path}");
    }
    let minimum = (text.form == Form::Line).then_some(json!(1));
    assert_eq!(schema.get("minLength"), minimum.as_ref(), "{path}");
    let has_pattern = !matches!(text.form, Form::Free | Form::Outcome);
    assert_eq!(schema.get("pattern").is_some(), has_pattern, "{path}");
    assert_eq!(
        schema.get("format").is_some(),
        text.form == Form::Time,
        "{path}"
    );
}

fn compare_fields(path: &str, schema: &Value, fields: &[Field]) {
    assert_eq!(schema["type"], "object", "{path}");
    assert_eq!(schema["additionalProperties"], false, "{path}");
    let properties = schema["properties"].as_object().unwrap();
    let mut ours: Vec<_> = fields.iter().map(|field| field.name).collect();
    ours.sort_unstable();
    let mut theirs: Vec<_> = properties.keys().map(String::as_str).collect();
    theirs.sort_unstable();
    assert_eq!(ours, theirs, "{path}");
    let required = schema.get("required").and_then(Value::as_array);
    for field in fields {
        let needed = required.is_some_and(|names| names.contains(&json!(field.name)));
        assert_eq!(field.required, needed, "{path}/{}", field.name);
        compare(
            &format!("{path}/{}", field.name),
            &properties[field.name],
            &field.shape,
        );
    }
}

#[test]
fn the_table_is_the_schema() {
    compare_fields("", &schema(), SECTIONS);
}

/// Calls `visit` with every part of the schema that describes a value.
fn every_part(path: &str, part: &Value, visit: &mut dyn FnMut(&str, &Value)) {
    visit(path, part);
    for (name, inner) in part
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        every_part(&format!("{path}/{name}"), inner, visit);
    }
    if let Some(items) = part.get("items") {
        every_part(&format!("{path}/*"), items, visit);
    }
}

#[test]
fn every_field_is_described_and_its_examples_are_valid() {
    let mut count = 0;
    every_part("", &schema(), &mut |path, part| {
        assert!(
            part["description"]
                .as_str()
                .is_some_and(|text| text.len() > 10),
            "{path}"
        );
        let examples = part["examples"]
            .as_array()
            .unwrap_or_else(|| panic!("{path}: no examples"));
        assert!(!examples.is_empty(), "{path}");
        let validator: Validator = jsonschema::options()
            .should_validate_formats(true)
            .build(part)
            .unwrap();
        for example in examples {
            assert!(validator.is_valid(example), "{path}: {example}");
            count += 1;
        }
    });
    assert!(count > 80, "{count}");
}

#[test]
fn examples_pass_the_validator_in_their_place() {
    let schema = schema();
    let whole = validator();
    for example in schema["examples"].as_array().unwrap() {
        assert!(whole.is_valid(example));
        good(&example.to_string());
    }
    for (name, section) in schema["properties"].as_object().unwrap() {
        for example in section["examples"].as_array().unwrap() {
            let mut event = schema["examples"][0].clone();
            event[name] = example.clone();
            good(&event.to_string());
        }
        for (field, inner) in section
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            for example in inner["examples"].as_array().unwrap() {
                let mut event = schema["examples"][0].clone();
                if name == "source" {
                    event[name] = json!({"name": "n", "seq": 1});
                }
                event[name][field] = example.clone();
                good(&event.to_string());
            }
        }
    }
}

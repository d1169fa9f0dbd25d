//! schema/policy.schema.json and the parser of policy files say the same, as far as a schema can.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use jsonschema::Validator;
use serde_json::{Map, Value, json};
use trailkeep_policy::set::SHIPPED;
use trailkeep_policy::{DEFAULT_90D, Policy};
use trailkeep_proof::ledger::event::shape::SECTIONS;

const SCHEMA: &str = include_str!("../../schema/policy.schema.json");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn validator() -> Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .build(&schema())
        .unwrap()
}

/// A TOML text as the JSON that the schema is about.
fn as_json(text: &str) -> Option<Value> {
    fn convert(value: toml::Value) -> Value {
        match value {
            toml::Value::String(text) => Value::String(text),
            toml::Value::Integer(number) => json!(number),
            toml::Value::Float(number) => json!(number),
            toml::Value::Boolean(is) => json!(is),
            toml::Value::Datetime(moment) => Value::String(moment.to_string()),
            toml::Value::Array(values) => values.into_iter().map(convert).collect(),
            toml::Value::Table(members) => convert_table(members),
        }
    }
    fn convert_table(table: toml::Table) -> Value {
        let members = table
            .into_iter()
            .map(|(name, value)| (name, convert(value)));
        Value::Object(members.collect())
    }
    text.parse::<toml::Table>().ok().map(convert_table)
}

/// JSON as TOML: dates are the strings that look like one.
fn as_toml(value: &Value) -> String {
    let is_day = |text: &str| {
        let bytes = text.as_bytes();
        bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-' && bytes[0].is_ascii_digit()
    };
    match value {
        Value::String(text) if is_day(text) => text.clone(),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(as_toml).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("{} = {}", json!(name), as_toml(value)))
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
        other => other.to_string(),
    }
}

fn document(value: &Value) -> String {
    let members = value.as_object().unwrap().iter();
    let lines = members.map(|(name, value)| format!("{name} = {}\n", as_toml(value)));
    lines.collect()
}

/// What the schema has for each key with properties of its own, by the path to it.
fn objects(schema: &Value) -> Vec<(String, &Map<String, Value>)> {
    fn collect<'s>(path: &str, node: &'s Value, found: &mut Vec<(String, &'s Map<String, Value>)>) {
        if let Some(properties) = node["properties"].as_object() {
            found.push((path.to_owned(), properties));
            for (name, inner) in properties {
                collect(&format!("{path}.{name}"), inner, found);
            }
        }
        for inner in ["items", "additionalProperties"] {
            if node[inner].is_object() {
                collect(path, &node[inner], found);
            }
        }
    }
    let mut found = Vec::new();
    collect("", schema, &mut found);
    found
}

#[test]
fn the_shipped_policies_follow_the_schema() {
    let validator = validator();
    for (id, text) in SHIPPED {
        let value = as_json(text).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{id}: {errors:?}");
    }
}

#[test]
fn every_key_has_a_description_and_an_example() {
    let schema = schema();
    for (path, properties) in objects(&schema) {
        for (name, key) in properties {
            assert!(key["description"].is_string(), "{path}.{name}");
            let is_table = key["properties"].is_object();
            assert!(is_table || key["examples"].is_array(), "{path}.{name}");
        }
    }
}

/// A policy of the schema's own examples, with every key that there is.
fn example_of(node: &Value) -> Value {
    if let Some(properties) = node["properties"].as_object() {
        let members = properties.iter();
        return Value::Object(
            members
                .map(|(name, key)| (name.clone(), example_of(key)))
                .collect(),
        );
    }
    for (list, wrap) in [("items", true), ("additionalProperties", false)] {
        if node[list]["properties"].is_object() {
            let inner = example_of(&node[list]);
            return if wrap {
                json!([inner])
            } else {
                json!({ "example": inner })
            };
        }
    }
    node["examples"][0].clone()
}

#[test]
fn the_parser_takes_every_key_with_its_example() {
    let schema = schema();
    let example = example_of(&schema);
    assert!(validator().is_valid(&example), "{example}");
    let text = document(&example);
    if let Err(error) = Policy::parse(&text) {
        panic!("{error}\n{text}");
    }
    // Each further example has the form of its key, too.
    let definitions = schema["$defs"].as_object().unwrap();
    for (name, definition) in definitions {
        for example in definition["examples"].as_array().unwrap() {
            let inner = json!({"$ref": format!("#/$defs/{name}"), "$defs": definitions});
            assert!(jsonschema::is_valid(&inner, example), "{name}: {example}");
        }
    }
}

#[test]
fn the_parser_knows_no_other_key() {
    let schema = schema();
    let example = example_of(&schema);
    for (path, properties) in objects(&schema) {
        let mut asked = example.clone();
        let mut place = &mut asked;
        for step in path.split('.').skip(1) {
            place = &mut place[step];
            if place.is_array() {
                place = &mut place[0];
            }
            if step == "class" {
                place = &mut place["example"];
            }
        }
        place["unheard_of"] = json!(1);
        assert!(!validator().is_valid(&asked), "{path}");
        let error = Policy::parse(&document(&asked)).unwrap_err().to_string();
        let (_, known) = error
            .split_once("expected ")
            .unwrap_or_else(|| panic!("{error}"));
        let known: BTreeSet<&str> = known.split('`').skip(1).step_by(2).collect();
        let own: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
        assert_eq!(known, own, "{path}");
    }
}

#[test]
fn the_schema_names_the_sections_of_events() {
    let schema = schema();
    let pattern = schema["$defs"]["field"]["pattern"].as_str().unwrap();
    let named = pattern.split(['(', ')']).nth(1).unwrap();
    let sections: Vec<&str> = SECTIONS.iter().map(|field| field.name).collect();
    assert_eq!(named.split('|').collect::<Vec<_>>(), sections);
}

#[test]
fn what_one_refuses_the_other_refuses() {
    let validator = validator();
    let cases = [
        ("schema = 1", "schema = 2"),
        ("schema = 1", ""),
        ("version = 1", "version = 0"),
        ("version = 1", "version = -1"),
        ("version = 1", "version = 4294967296"),
        ("version = 1", "version = \"1\""),
        ("id = \"default-90d\"", "id = \"Default\""),
        ("id = \"default-90d\"", "id = \"-a\""),
        ("id = \"default-90d\"", ""),
        ("title = \"Events", "title = \" \" # \"Events"),
        ("jurisdiction = [\"*\"]", "jurisdiction = [\"usa\"]"),
        ("jurisdiction = [\"*\"]", "jurisdiction = [\"US-\"]"),
        ("jurisdiction = [\"*\"]", "jurisdiction = \"EU\""),
        ("review_by = 2027-11-24", "review_by = 2027-11-24T00:00:00Z"),
        ("review_by = 2027-11-24", "review_by = 12:00:00"),
        ("regimes = []", "regimes = [\"A\"]"),
        ("event_types = [\"*\"]", "event_types = []"),
        ("event_types = [\"*\"]", "event_types = [\"a b\"]"),
        ("kind = \"law\"", "kind = \"custom\""),
        ("citation = \"GDPR", "citation = \"\" # \"GDPR"),
        ("keep_at_least = \"P0D\"", "keep_at_least = \"0\""),
        ("keep_at_least = \"P0D\"", "keep_at_least = \"P\""),
        ("keep_at_least = \"P0D\"", "keep_at_least = \"PT1H\""),
        ("keep_at_least = \"P0D\"", "keep_at_least = \"P1D1Y\""),
        ("keep_at_least = \"P0D\"", "keep_at_least = \"P1Y1Y\""),
        ("keep_at_least = \"P0D\"", "keep_at_least = \"P99999999Y\""),
        ("keep_at_least = \"P0D\"", ""),
        ("keep_force = \"none\"", "keep_force = \"guidance\""),
        ("delete_force = \"custom\"", "delete_force = \"habit\""),
        ("delete_force = \"custom\"", "figure_force = \"none\""),
        ("\nclock = \"received\"", "\nclock = \"later_of:received\""),
        ("\nclock = \"received\"", "\nclock = \"trigger:A\""),
        (
            "\nclock = \"received\"",
            "\nclock = \"later_of:received,later_of:received,occurred\"",
        ),
        ("[erasure]", "timezone = \"CET\"\n[erasure]"),
        ("[erasure]", "follows_record = 1\n[erasure]"),
        ("[erasure]", "min_margin = \"1\"\n[erasure]"),
        (
            "[erasure]",
            "[retention.class.A]\nevent_types = [\"a\"]\n[erasure]",
        ),
        (
            "[erasure]",
            "[retention.class.a]\nkeep_at_least = \"P1D\"\n[erasure]",
        ),
        (
            "[erasure]",
            "[retention.class.a]\nevent_types = [\"a\"]\nkeep_force = \"law\"\n[erasure]",
        ),
        ("request = \"honour\"", "request = \"obey\""),
        ("request = \"honour\"", ""),
        ("[erasure]", "[hold]\nblocks_erasure = false\n[erasure]"),
        ("[erasure]", "[hold]\non_release = \"restart\"\n[erasure]"),
        (
            "[erasure]",
            "[hold]\nreview_every = \"6 months\"\n[erasure]",
        ),
        (
            "[erasure]",
            "[record]\nrequired_event_fields = [\"event_id\"]\n[erasure]",
        ),
        (
            "[erasure]",
            "[record]\nrequired_event_fields = [\"patient\", \"outcome\"]\n[erasure]",
        ),
        (
            "[erasure]",
            "[record]\nrequired_event_fields = [\"context.ip|\"]\n[erasure]",
        ),
        (
            "[erasure]",
            "[record]\nrequired_for = {\"A\" = []}\n[erasure]",
        ),
        (
            "[erasure]",
            "[record]\nforbidden_event_fields = [\"_ID\"]\n[erasure]",
        ),
        (
            "[erasure]",
            "[record]\nforbidden_event_fields = [\"--\"]\n[erasure]",
        ),
        ("[erasure]", "[record]\nmax_clock_skew = \"5s\"\n[erasure]"),
    ];
    for (from, to) in cases {
        assert!(DEFAULT_90D.contains(from), "{from}");
        let text = DEFAULT_90D.replacen(from, to, 1);
        assert!(Policy::parse(&text).is_err(), "the parser takes {to}");
        let value = as_json(&text).unwrap_or_else(|| panic!("{to} is no TOML"));
        assert!(!validator.is_valid(&value), "the schema takes {to}");
    }
    for (from, to) in [
        ("schema = 1", "schema = 1\n# a comment"),
        ("P90D", "P1Y2M3W4D"),
        (
            "\nclock = \"received\"",
            "\nclock = \"later_of:received, trigger:a_1?\"",
        ),
        (
            "\nclock = \"received\"",
            "\nclock = \"later_of: occurred , trigger:a\"",
        ),
        (
            "jurisdiction = [\"*\"]",
            "jurisdiction = [\"EU\", \"US-NY\", \"DE-BY\", \"EEA\"]",
        ),
        ("event_types = [\"*\"]", ""),
        (
            "[erasure]",
            "[record]\nrequired_event_fields = [\"context.ip | attributes.a-b.c\"]\n[erasure]",
        ),
        (
            "[erasure]",
            "[record]\nforbidden_event_fields = [\"identity\", \"actions\"]\nmax_clock_skew = \"PT1H5S\"\n[erasure]",
        ),
    ] {
        let text = DEFAULT_90D.replacen(from, to, 1);
        Policy::parse(&text).unwrap_or_else(|error| panic!("{to}: {error}"));
        assert!(
            validator.is_valid(&as_json(&text).unwrap()),
            "the schema refuses {to}"
        );
    }
}

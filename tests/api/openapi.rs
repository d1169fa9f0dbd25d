//! The OpenAPI document: as checked in, of every route, and true of what the server answers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::support::Directory;
use serde_json::Value;
use trailkeep_server::document;

const CHECKED_IN: &str = "schema/openapi.json";

/// `TRAILKEEP_UPDATE=1 cargo test --test api openapi` writes the document anew.
#[test]
fn the_document_is_the_one_that_is_checked_in() {
    let path = crate::support::root().join(CHECKED_IN);
    if std::env::var_os("TRAILKEEP_UPDATE").is_some() {
        let text = serde_json::to_string_pretty(document()).unwrap();
        std::fs::write(&path, text + "\n").unwrap();
    }
    let checked_in: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert!(
        checked_in == *document(),
        "{CHECKED_IN} is not what the handlers say: TRAILKEEP_UPDATE=1 cargo test --test api openapi"
    );
}

#[test]
fn the_document_is_served_to_everybody() {
    let directory = Directory::new();
    let server = directory.serve();
    let nobody = [("Authorization", "none")];
    let answer = server
        .client()
        .request("GET", "/openapi.json", &nobody, b"")
        .unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), *document());
    server.stop();
}

/// Routes come into the router with their description, and in no other way.
#[test]
fn no_route_is_registered_without_its_description() {
    let root = crate::support::root().join("src");
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            for past in [
                ".route(\"",
                ".route_service(",
                ".nest_service(",
                ".nest(\"",
                "fallback_service(",
            ] {
                assert!(!text.contains(past), "{}: {past}", path.display());
            }
        }
    }
}

#[test]
fn the_document_is_whole() {
    let text = document().to_string();
    let references = text.split("\"$ref\":\"#").skip(1);
    for reference in references {
        let pointer = reference.split('"').next().unwrap();
        assert!(
            document().pointer(pointer).is_some(),
            "{pointer} leads nowhere"
        );
    }
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in document()["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name), "two operations are {name}");
            let has = |member: &str| {
                operation[member]
                    .as_str()
                    .is_some_and(|text| !text.is_empty())
            };
            assert!(has("summary"), "{method} {path} says not what it does");
            for name in path
                .split('{')
                .skip(1)
                .map(|rest| rest.split('}').next().unwrap())
            {
                let parameters = operation["parameters"].as_array().unwrap();
                let described = parameters
                    .iter()
                    .find(|parameter| parameter["name"] == name);
                let described =
                    described.unwrap_or_else(|| panic!("{path}: {name} is not described"));
                assert!(
                    !described["example"].is_null(),
                    "{path}: {name} has no example"
                );
            }
        }
    }
    assert_eq!(document()["openapi"], "3.1.0");
    let event: Value =
        serde_json::from_str(include_str!("../../schema/event.schema.json")).unwrap();
    assert_eq!(
        document()["components"]["schemas"]["Event"]["properties"],
        event["properties"]
    );
}

/// Whoever sends a change of a tenant's settings finds each one in the form.
#[test]
fn each_setting_of_a_tenant_is_in_the_form_of_its_change() {
    let change = &document()["paths"]["/v1/tenants/{name}"]["patch"]["requestBody"];
    let reference = change["content"]["application/json"]["schema"]["$ref"]
        .as_str()
        .unwrap();
    let form = document().pointer(&reference[1..]).unwrap();
    let names: Vec<&String> = form["properties"].as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "default_regimes",
            "keep_requests",
            "public_log",
            "read_audit",
            "strict",
            "unknown_regime"
        ]
    );
}

//! What holds for all routes: roles, headers, and the problems that come from a right, a body or a ledger.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::PartialSchema;
use utoipa::openapi::OpenApi;

use super::Bytes;
use crate::problem::status_of;
use trailkeep_api::problem::{Kind, LineFault, Problem};
use trailkeep_api::{LEDGER_HEADER, PURPOSE_HEADER};
use trailkeep_core::keys::role::{Right, Role};

/// Adds to what the handlers say what holds for all of them.
pub(super) fn complete(collected: &OpenApi) -> Value {
    let mut document =
        serde_json::to_value(collected).expect("a document of strings always has a JSON form");
    document["components"]["securitySchemes"] = json!({"token": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key's token, `trailkeep_<role>_<id>_<secret>`: `trailkeep key create`",
    }});
    document["components"]["schemas"]["Problem"] = json!(Problem::schema());
    let fault = LineFault::schema();
    document["components"]["schemas"]["LineFault"] = json!(fault);
    document["components"]["schemas"]["Event"] = event_schema();
    let paths = std::mem::take(&mut document["paths"]);
    let paths = match paths {
        Value::Object(paths) => paths,
        _ => Map::new(),
    };
    let mut completed = Map::new();
    for (path, mut item) in paths {
        for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
            let is_otlp = operation["x-trailkeep-otlp"] == json!(true);
            let kinds = complete_operation(&path, operation);
            if is_otlp {
                describe_exporters_errors(&kinds, operation, &mut document);
                continue;
            }
            for (status, kinds) in by_status(&kinds) {
                let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
                let name = names.join("-or-");
                let reference = format!("#/components/responses/{name}");
                operation["responses"][status.to_string()] = json!({ "$ref": reference });
                document["components"]["responses"][name] = problem_response(&kinds);
            }
        }
        // What axum writes {*path} is to OpenAPI a parameter as any other.
        completed.insert(path.replace("{*", "{"), item);
    }
    document["paths"] = Value::Object(completed);
    name_form_of_times(&mut document);
    document
}

/// Errors of the routes of OTLP: `google.rpc.Status`, and one status for all that is not the sender's fault.
fn describe_exporters_errors(kinds: &[Kind], operation: &mut Value, document: &mut Value) {
    let statuses = kinds
        .iter()
        .map(|kind| crate::otlp::status_for_exporters(status_of(*kind)));
    for status in statuses.collect::<std::collections::BTreeSet<_>>() {
        let name = format!("otlp-{}", status.as_u16());
        let reference = format!("#/components/responses/{name}");
        operation["responses"][status.as_str()] = json!({ "$ref": reference });
        let schema = json!({
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
        });
        document["components"]["responses"][name] = json!({
            "description": status.canonical_reason().unwrap_or_default(),
            "content": {
                "application/json": {"schema": schema},
                "application/x-protobuf": {"schema": Bytes::schema()},
            },
        });
    }
}

/// schema/event.schema.json, as a part of the document.
fn event_schema() -> Value {
    let mut schema: Value =
        serde_json::from_str(include_str!("../../../../schema/event.schema.json"))
            .expect("the file is part of this program, and a test reads it");
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("$schema");
        schema.remove("$id");
    }
    schema
}

/// Times that are asked for have the form of those in events.
fn name_form_of_times(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.get("format") == Some(&json!("date-time")) {
                let pattern = event_schema()["properties"]["occurred_at"]["pattern"].take();
                members.entry("pattern").or_insert(pattern);
            }
            members.values_mut().for_each(name_form_of_times);
        }
        Value::Array(elements) => elements.iter_mut().for_each(name_form_of_times),
        _ => {}
    }
}

fn without_null(schema: &mut Value) {
    if let Some([kind, _null]) = schema["type"].as_array().map(Vec::as_slice) {
        schema["type"] = kind.clone();
    }
}

/// The resource that a path is about.
fn tag_of(path: &str) -> &str {
    let rest = path.strip_prefix("/v1/");
    let rest = rest.or_else(|| path.strip_prefix("/api/public/v2/"));
    let tag = rest.and_then(|rest| rest.split('/').next());
    tag.unwrap_or("server")
}

/// Adds what the right says. Gives the problems that may come.
fn complete_operation(path: &str, operation: &mut Value) -> Vec<Kind> {
    operation["tags"] = json!([tag_of(path)]);
    // What may be left out is not therefore null.
    let parameters = operation.get_mut("parameters");
    let parameters = parameters.and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        without_null(&mut parameter["schema"]);
    }
    let text = operation.pointer_mut("/requestBody/content/text~1plain/schema");
    text.into_iter().for_each(without_null);
    let right: Option<Right> =
        serde_json::from_value(operation["x-trailkeep-right"].take()).unwrap_or_default();
    let is_opened = operation["x-trailkeep-unless-public"].take() == json!(true);
    let is_tagged = operation["x-trailkeep-tagged"].take() == json!(true);
    let writes = operation["x-trailkeep-writes"].take().as_bool();
    let named: Vec<String> =
        serde_json::from_value(operation["x-trailkeep-problems"].take()).unwrap_or_default();
    let mut kinds: Vec<Kind> = named.iter().filter_map(|name| Kind::named(name)).collect();
    let members = operation.as_object_mut().into_iter();
    members.for_each(|members| members.retain(|name, _| !name.starts_with("x-trailkeep-")));
    operation["security"] = match right {
        None => json!([]),
        Some(_) if is_opened => json!([{"token": []}, {}]),
        Some(_) => json!([{"token": []}]),
    };
    if let Some(right) = right {
        let roles: Vec<Role> = Role::ALL
            .into_iter()
            .filter(|role| role.may(right))
            .collect();
        operation["x-trailkeep-right"] = json!(right);
        operation["x-trailkeep-roles"] = json!(roles);
        kinds.extend([
            Kind::BadRequest,
            Kind::Unauthorized,
            Kind::Forbidden,
            Kind::Damaged,
            Kind::TooMany,
        ]);
        if is_recorded(right) {
            kinds.extend([Kind::Unavailable, Kind::DiskFull]);
        }
    }
    if right == Some(Right::Read) {
        add_parameter(operation, purpose());
    }
    match writes {
        // Whoever names a superseded ledger is told which is active.
        Some(true) => kinds.push(Kind::SupersededLedger),
        Some(false) => {
            add_parameter(operation, ledger());
            kinds.push(Kind::NotFound);
        }
        None => {}
    }
    if is_tagged {
        let known = "The `ETag` of a cached answer: 304 if it is still current.";
        let parameter = json!({
            "name": "If-None-Match", "in": "header", "required": false, "description": known,
            "schema": {"type": "string"},
        });
        add_parameter(operation, parameter);
        operation["responses"]["304"] = json!({"description": "The cached answer is current."});
        operation["responses"]["200"]["headers"]["ETag"] = json!({"schema": {"type": "string"}});
    }
    // Every body comes in one way (body/intake.rs), every request names a host.
    if operation.get("requestBody").is_some() {
        kinds.extend([
            Kind::TooSlow,
            Kind::TooLarge,
            Kind::MediaType,
            Kind::Unavailable,
        ]);
    }
    kinds.extend([Kind::BadRequest, Kind::Internal]);
    kinds
}

fn add_parameter(operation: &mut Value, parameter: Value) {
    let parameters = &mut operation["parameters"];
    if parameters.is_null() {
        *parameters = json!([]);
    }
    if let Some(parameters) = parameters.as_array_mut() {
        parameters.push(parameter);
    }
}

/// Whether what needs the right leaves an entry, so that it needs room and the clock.
fn is_recorded(right: Right) -> bool {
    !matches!(
        right,
        Right::Prove
            | Right::Verify
            | Right::SeeAccess
            | Right::SeeMetrics
            | Right::FetchPrompts
            | Right::SeePrompts
    )
}

fn ledger() -> Value {
    json!({
        "name": LEDGER_HEADER,
        "in": "header",
        "required": false,
        "description": "Which ledger of the tenant is read, by name; the active one if nothing is said.",
        "schema": {"type": "string"},
    })
}

fn purpose() -> Value {
    json!({
        "name": PURPOSE_HEADER,
        "in": "header",
        "required": false,
        "description": "Purpose of the read, as the caller states it; it is recorded in the read audit.",
        "schema": {"type": "string", "maxLength": 256, "pattern": "^[ -~]*$"},
        "example": "case 17",
    })
}

/// Problems by their status, in the order of the list of kinds, each once.
fn by_status(kinds: &[Kind]) -> BTreeMap<u16, Vec<Kind>> {
    let mut statuses: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
    for kind in Kind::ALL.iter().filter(|kind| kinds.contains(kind)) {
        let status = kind.status();
        statuses.entry(status).or_default().push(*kind);
    }
    statuses
}

/// The response of problems that share a status, with an example each.
fn problem_response(kinds: &[Kind]) -> Value {
    let said = kinds
        .iter()
        .map(|kind| format!("{} (`{}`)", kind.title(), kind.name()));
    let examples = kinds.iter().map(|kind| {
        let example = json!({
            "type": kind.to_type(),
            "title": kind.title(),
            "status": kind.status(),
            "detail": "what is wrong, and the remedy",
        });
        (kind.name().to_owned(), json!({ "value": example }))
    });
    let mut response = json!({
        "description": said.collect::<Vec<_>>().join("; "),
        "content": {"application/problem+json": {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "examples": examples.collect::<Map<_, _>>(),
        }},
    });
    if kinds.iter().any(|kind| kind.is_for_later()) {
        response["headers"] = json!({"Retry-After": {
            "description": "Seconds after which to retry.",
            "schema": {"type": "integer", "minimum": 0},
        }});
    }
    if kinds.contains(&Kind::Unauthorized) {
        response["headers"] = json!({"WWW-Authenticate": {"schema": {"type": "string"}}});
    }
    response
}

//! The demo's last part: one person asks for a copy, then to be forgotten; the ledger verifies again.

use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use crate::commands::TargetArgs;
use crate::commands::client::Client;
use crate::commands::out_file::Replacing;
use crate::commands::output::print_line;

/// Answers both requests over the data directory, as `trailkeep privacy` does.
pub(super) async fn show_person(target: &TargetArgs, path: &Path) -> anyhow::Result<()> {
    let client = Client::to(target)?;
    let done = answer_and_erase(&client, path).await;
    client.close().await?;
    done
}

async fn answer_and_erase(client: &Client, path: &Path) -> anyhow::Result<()> {
    let person = person_of(client).await?;
    let copy = path.join("person.zip");
    let request = post(client, "/v1/privacy/requests", &ask("access", &person)).await?;
    let id = id_of(&request)?;
    let bytes =
        crate::commands::privacy::save_copy(client, (&id, None), (&copy, Replacing::default()))
            .await?;
    let close = format!("/v1/privacy/requests/{id}/close");
    post(client, &close, &json!({"decision": "answered"})).await?;
    print_line(&format!(
        "\n9  Access        data subject {} asks for a copy: {} events, as person.html in {} ({} KiB)",
        person["id"].as_str().unwrap_or_default(),
        request["held"]["as_subject"],
        copy.display(),
        bytes / 1024,
    ))?;

    let asked = ask("erasure", &person);
    let request = post(client, "/v1/privacy/requests", &asked).await?;
    let id = id_of(&request)?;
    let execute = format!("/v1/privacy/requests/{id}/execute");
    post(client, &execute, &json!({"now": true})).await?;
    let certificate = path.join("certificate.json");
    crate::commands::privacy::save_certificate(client, &id, (&certificate, Replacing::default()))
        .await?;
    let said: Value = serde_json::from_slice(&std::fs::read(&certificate)?)?;
    print_line(&format!(
        "\n10 Erasure       {} events destroyed with their keys, {} kept for the minimum of a law; the certificate is {}",
        said["events"]["destroyed"],
        said["events"]["kept"],
        certificate.display(),
    ))
    .map_err(anyhow::Error::from)
}

/// Somebody whom an event is about, but not the first one: that stays for you to look at.
async fn person_of(client: &Client) -> anyhow::Result<Value> {
    let first = client.send("GET", "/v1/events/demo-000001", None, Vec::new());
    let first: Value = first.await?.json().await?;
    let page = client.send("GET", "/v1/events?order=newest", None, Vec::new());
    let page: Value = page.await?.json().await?;
    let events = page["events"].as_array();
    let mut persons = events
        .into_iter()
        .flatten()
        .filter_map(|event| event["event"]["subjects"].get(0));
    let other = persons.find(|person| **person != first["event"]["subjects"][0]);
    other
        .cloned()
        .context("the demo's events are all about one data subject: this is a fault of trailkeep")
}

fn ask(kind: &str, person: &Value) -> Value {
    json!({
        "type": kind,
        "subject": {"id": person["id"], "namespace": person["namespace"].as_str().unwrap_or_default()},
        "reference": "demo",
        "identity_verified_by": "the demo",
    })
}

async fn post(client: &Client, path: &str, body: &Value) -> anyhow::Result<Value> {
    let body = serde_json::to_vec(body)?;
    let answer = client.send("POST", path, Some("application/json"), body);
    answer.await?.json().await
}

fn id_of(request: &Value) -> anyhow::Result<String> {
    let id = request["id"].as_str().map(str::to_owned);
    id.context("the request has no id: this is a fault of trailkeep")
}

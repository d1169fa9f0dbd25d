//! Each filter's first page and a page far behind, newest first.

use std::collections::HashMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::support::events::{Events, Persons, Size};
use crate::support::load::{Connection, Latencies, Target};
use crate::support::preload::preload;
use crate::support::say;
use crate::support::server::Site;

/// Events of a page: small, so that a page 1,000 exists where a filter lets 20,000 events through.
const LIMIT: u64 = 20;
/// The page behind.
const FAR: u64 = 1_000;
/// Values that a rare filter is asked with.
const VALUES: u64 = 50;

/// A filter: its name, and its questions, one or several of a kind.
struct Filter {
    name: &'static str,
    questions: Vec<Value>,
}

pub(crate) async fn measure(folder: &Path, stored: u64, requests: u64) -> anyhow::Result<()> {
    let site = Site::make(folder, "pages")?;
    let server = site.serve().await?;
    let events = Events::new(Size::Compact, Persons::Known)?;
    let preloaded = preload(&server, &events, stored, stored).await?;
    say(&format!(
        "{} events stored, {LIMIT} a page, newest first, one connection; each request is recorded before its answer.\n",
        preloaded.events
    ))?;
    say("| filter | first page p50 / p99 ms | page | p50 / p99 ms |")?;
    say("|---|---|---|---|")?;
    for filter in filters(&server.target, &events, stored).await? {
        let first = ask(&server.target, &filter.questions, None, requests).await?;
        let (page, cursor) = walk(&server.target, &filter.questions[0]).await?;
        let far = match &cursor {
            Some(cursor) => {
                let questions = &filter.questions[..1];
                quantiles(&ask(&server.target, questions, Some(cursor), requests).await?)
            }
            None => "there is no second".to_owned(),
        };
        say(&format!(
            "| {} | {} | {page} | {far} |",
            filter.name,
            quantiles(&first)
        ))?;
    }
    server.close().await?;
    site.remove()
}

fn quantiles(latencies: &Latencies) -> String {
    let [p50, p99] = [0.5, 0.99].map(|share| latencies.quantile_ms(share));
    format!("{p50:.2} / {p99:.2}")
}

/// The filters, with values that many events have, or few.
async fn filters(target: &Target, events: &Events, stored: u64) -> anyhow::Result<Vec<Filter>> {
    let mut text = Vec::new();
    let some = stored.min(2_000);
    let mut parsed: Vec<Value> = Vec::new();
    for number in 0..some {
        text.clear();
        events.write(number, &mut text);
        parsed.push(serde_json::from_slice(&text)?);
    }
    // The value that most of the events have, at a place of theirs.
    let common = |pointer: &str| -> anyhow::Result<String> {
        let mut counted: HashMap<&str, u64> = HashMap::new();
        let values = parsed
            .iter()
            .filter_map(|event| event.pointer(pointer)?.as_str());
        values.for_each(|value| *counted.entry(value).or_default() += 1);
        let most = counted.into_iter().max_by_key(|(_, count)| *count);
        Ok(most
            .with_context(|| format!("no event has {pointer}"))?
            .0
            .to_owned())
    };
    let of_some = |make: &dyn Fn(&Value) -> Value| -> Vec<Value> {
        let every = (parsed.len() as u64 / VALUES).max(1) as usize;
        let made = parsed.iter().map(make);
        let has_value = |question: &Value| {
            question
                .as_object()
                .is_some_and(|fields| !fields.values().any(Value::is_null))
        };
        made.filter(has_value).step_by(every).collect()
    };
    let (prompt, actor) = (common("/llm/prompt/name")?, common("/actor/id")?);
    let of_prompt = |event: &&Value| event["llm"]["prompt"]["name"] == prompt.as_str();
    let version = parsed
        .iter()
        .find(of_prompt)
        .map(|event| &event["llm"]["prompt"]["version"]);
    let id = common("/targets/0/id")?;
    let touched = |event: &&Value| event["targets"][0]["id"] == id.as_str();
    let touched = parsed.iter().find(touched).context("it is there")?;
    let (from, to) = middle(target).await?;
    let one = |name, question| Filter {
        name,
        questions: vec![question],
    };
    Ok(vec![
        one("none", json!({})),
        one("time", json!({"from": from, "to": to})),
        one("action", json!({"action": common("/action")?})),
        one("outcome", json!({"outcome": common("/outcome")?})),
        one("actor", json!({"actor": {"id": actor}})),
        Filter {
            name: "subject",
            questions: of_some(&|event| json!({"subject": event["subjects"][0]})),
        },
        one("target", json!({"target": touched["targets"][0]})),
        Filter {
            name: "conversation",
            questions: of_some(&|event| json!({"conversation": event["context"]["conversation"]})),
        },
        Filter {
            name: "trace",
            questions: of_some(&|event| json!({"trace": event["context"]["trace_id"]})),
        },
        one("model", json!({"model": common("/llm/request_model")?})),
        one("prompt", json!({"prompt": prompt})),
        one(
            "prompt and version",
            json!({"prompt": prompt, "prompt_version": version}),
        ),
        one("regime", json!({"regime": "default-90d"})),
        one(
            "action and outcome",
            json!({"action": common("/action")?, "outcome": common("/outcome")?}),
        ),
    ])
}

/// The middle half of the time in which the events were recorded.
async fn middle(target: &Target) -> anyhow::Result<(String, String)> {
    let mut connection = Connection::open(target).await?;
    let mut moment = async |order: &str| {
        let found = question(
            &mut connection,
            &json!({"order": order, "limit": 1}),
            "edges",
        )
        .await?;
        let at = found["events"][0]["recorded_at"]
            .as_str()
            .context("no event")?;
        let at = trailkeep_proof::time::UnixMillis::parse_rfc3339(at).context("no time")?;
        anyhow::Ok(at.get())
    };
    let (oldest, newest) = (moment("oldest").await?, moment("newest").await?);
    let quarter = (newest - oldest) / 4;
    let text = |at: u64| trailkeep_proof::time::UnixMillis::new(at).to_string();
    Ok((text(oldest + quarter), text(newest - quarter)))
}

/// Asks the questions in turn. Each says another purpose, so that none shares another's entry.
async fn ask(
    target: &Target,
    questions: &[Value],
    cursor: Option<&str>,
    requests: u64,
) -> anyhow::Result<Latencies> {
    let mut connection = Connection::open(target).await?;
    let mut micros = Vec::new();
    for number in 0..requests {
        let mut asked = questions[number as usize % questions.len()].clone();
        asked["limit"] = json!(LIMIT);
        asked["order"] = json!("newest");
        if let Some(cursor) = cursor {
            asked["cursor"] = json!(cursor);
        }
        let from = Instant::now();
        question(&mut connection, &asked, &format!("request {number}")).await?;
        micros.push(from.elapsed().as_micros() as u64);
    }
    Ok(Latencies::of(micros))
}

/// Goes on from page to page: gives the number of the last that was reached, and the cursor that leads to it.
async fn walk(target: &Target, asked: &Value) -> anyhow::Result<(u64, Option<String>)> {
    let mut connection = Connection::open(target).await?;
    let (mut page, mut cursor): (u64, Option<String>) = (1, None);
    loop {
        let mut asked = asked.clone();
        asked["limit"] = json!(LIMIT);
        asked["order"] = json!("newest");
        if let Some(cursor) = &cursor {
            asked["cursor"] = json!(cursor);
        }
        let found = question(&mut connection, &asked, "walk").await?;
        let Some(next) = found["next_cursor"].as_str().filter(|_| page < FAR) else {
            return Ok((page, cursor));
        };
        cursor = Some(next.to_owned());
        page += 1;
    }
}

async fn question(
    connection: &mut Connection,
    asked: &Value,
    purpose: &str,
) -> anyhow::Result<Value> {
    connection.set_purpose(purpose);
    let body = serde_json::to_vec(asked)?;
    let status = connection
        .post("/v1/events/query", "application/json", &body)
        .await?;
    ensure!(status == 200, "{status}: {}", connection.text());
    Ok(serde_json::from_str(&connection.text())?)
}

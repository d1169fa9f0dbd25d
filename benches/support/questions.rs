//! Questions: a page by each filter, newest first.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::events::Events;
use super::load::{Connection, Latencies, Target};

/// Events of a page: small, so that a page 1,000 exists where a filter lets 20,000 events through.
pub(crate) const LIMIT: u64 = 20;
/// Values that a rare filter is asked with.
const VALUES: u64 = 50;

/// A filter: its name, and its questions, one or several of a kind.
pub(crate) struct Filter {
    pub(crate) name: &'static str,
    pub(crate) questions: Vec<Value>,
}

/// The filters, with values that many events have, or few.
pub(crate) fn filters(
    events: &Events,
    stored: u64,
    (from, to): (String, String),
) -> anyhow::Result<Vec<Filter>> {
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
        let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
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
pub(crate) async fn middle(target: &Target) -> anyhow::Result<(String, String)> {
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

/// Requests that were asked so far.
static ASKED: AtomicU64 = AtomicU64::new(0);

/// Asks the questions in turn. Each says another purpose, so that none shares another's entry.
pub(crate) async fn ask(
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
        let why = format!("request {}", ASKED.fetch_add(1, Ordering::Relaxed));
        question(&mut connection, &asked, &why).await?;
        micros.push(from.elapsed().as_micros() as u64);
    }
    Ok(Latencies::of(micros))
}

/// Asks one question, with why it is asked.
pub(crate) async fn question(
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

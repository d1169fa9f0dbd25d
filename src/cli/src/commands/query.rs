//! `trailkeep query`.

use std::io::Read;
use std::process::ExitCode;

use anyhow::Context;
use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::TargetArgs;
use super::client::Client;
use super::output::{Table, note, print_bytes, print_json, print_line};
use super::read::Shown;
use trailkeep_core::query::PAGE_EVENTS_MAX;
use trailkeep_proof::bundle::table::{plain, record};
use trailkeep_proof::text::block;

/// Columns that have a name, and where they stand in an event; the rest are asked for by JSON pointer.
const NAMED: &[(&str, &str)] = &[
    ("occurred_at", "/occurred_at"),
    ("action", "/action"),
    ("outcome", "/outcome"),
    ("actor_id", "/actor/id"),
    ("actor_type", "/actor/type"),
    ("subjects", "/subjects"),
    ("targets", "/targets"),
    ("conversation", "/context/conversation"),
    ("trace", "/context/trace_id"),
    ("provider", "/llm/provider"),
    ("request_model", "/llm/request_model"),
    ("response_model", "/llm/response_model"),
    ("prompt", "/llm/prompt/name"),
    ("prompt_version", "/llm/prompt/version"),
    ("input_tokens", "/llm/usage/input_tokens"),
    ("output_tokens", "/llm/usage/output_tokens"),
    ("regimes", "/regimes"),
    ("input", "/input"),
    ("output", "/output"),
];
/// Columns of the entry itself.
const OF_ENTRY: &[&str] = &["seq", "recorded_at", "id", "leaf_hash"];
/// Columns of a table on a terminal.
const USUAL: &[&str] = &["seq", "recorded_at", "action", "outcome", "actor_id", "id"];

/// In which order.
#[derive(Clone, Copy, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Order {
    Oldest,
    Newest,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  trailkeep query --dir D --action chat.completion --limit 20 --order newest
  trailkeep query --dir D --subject p-7 --subject-namespace crm --json
  trailkeep query --dir D --model gpt-4o --outcome error --columns seq,id,/llm/error_type
  trailkeep query --dir D --from 2026-11-01T00:00:00Z --to 2026-12-01T00:00:00Z --csv > november.csv
  echo '{\"subject\":{\"id\":\"p-7\"}}' | trailkeep query --dir D --question -

All filters must match. Times are when an event was recorded; --from is inclusive, --to exclusive.
Your shell's history keeps what --subject says: --question - reads it from standard input.")]
pub(super) struct QueryArgs {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    filters: FilterArgs,
    /// Order [default: oldest first]
    #[arg(long, value_enum)]
    order: Option<Order>,
    /// Maximum number of events
    #[arg(long, value_name = "N", default_value = "100", value_parser = at_least_one())]
    limit: usize,
    /// Continue at `next_cursor` of the previous answer
    #[arg(long, value_name = "C")]
    cursor: Option<String>,
    /// Query as for POST /v1/events/query, from a file or - for standard input; other filters are added to it
    #[arg(long, value_name = "FILE")]
    question: Option<String>,
    /// Columns: seq, recorded_at, id, leaf_hash, action, outcome, actor_id, subjects, ... or JSON pointers into the event
    #[arg(long, value_name = "C,C,...", value_delimiter = ',', value_parser = read_column)]
    columns: Vec<String>,
    /// Print CSV for spreadsheets
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print JSON: {"events","next_cursor","restricted"}; with --columns each event has only these
    #[arg(long)]
    json: bool,
}

/// What is asked for.
#[derive(Args, Serialize)]
struct FilterArgs {
    /// Recorded at this moment (RFC 3339) or later
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// Recorded before this moment (RFC 3339)
    #[arg(long, value_name = "T")]
    to: Option<String>,
    /// With this action
    #[arg(long, value_name = "A")]
    action: Option<String>,
    /// With this outcome
    #[arg(long, value_name = "O")]
    outcome: Option<String>,
    /// In this conversation
    #[arg(long, value_name = "ID")]
    conversation: Option<String>,
    /// In this trace
    #[arg(long, value_name = "ID")]
    trace: Option<String>,
    /// Of this model, requested or answering
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// Made with this prompt template
    #[arg(long, value_name = "NAME")]
    prompt: Option<String>,
    /// Made with this version of a prompt template
    #[arg(long, value_name = "V")]
    prompt_version: Option<String>,
    /// Under this retention regime
    #[arg(long, value_name = "R")]
    regime: Option<String>,
    /// Done by this actor
    #[arg(long, value_name = "ID")]
    #[serde(skip)]
    actor: Option<String>,
    /// Namespace of the actor's id
    #[arg(long, value_name = "NS", requires = "actor")]
    #[serde(skip)]
    actor_namespace: Option<String>,
    /// About this data subject
    #[arg(long, value_name = "ID")]
    #[serde(skip)]
    subject: Option<String>,
    /// Namespace of the data subject's id
    #[arg(long, value_name = "NS", requires = "subject")]
    #[serde(skip)]
    subject_namespace: Option<String>,
    /// With this target
    #[arg(long, value_name = "ID")]
    #[serde(skip)]
    target: Option<String>,
    /// Type of the target
    #[arg(long, value_name = "TYPE", requires = "target")]
    #[serde(skip)]
    target_type: Option<String>,
}

impl FilterArgs {
    /// As the route takes it.
    fn add_to(&self, question: &mut Map<String, Value>) -> anyhow::Result<()> {
        let mut given = json!(self);
        for (name, id, more, context) in [
            ("actor", &self.actor, "namespace", &self.actor_namespace),
            (
                "subject",
                &self.subject,
                "namespace",
                &self.subject_namespace,
            ),
            ("target", &self.target, "type", &self.target_type),
        ] {
            if let Some(id) = id {
                given[name] = json!({"id": id, more: context.as_deref().unwrap_or_default()});
            }
        }
        let given = given.as_object().context("filters are an object")?;
        let given = given.iter().filter(|(_, value)| !value.is_null());
        question.extend(given.map(|(name, value)| (name.clone(), value.clone())));
        Ok(())
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Page {
    events: Vec<Shown>,
    next_cursor: Option<String>,
    /// Those that answer and are restricted.
    #[serde(default)]
    restricted: u64,
}

pub(super) async fn run(args: QueryArgs) -> anyhow::Result<ExitCode> {
    let question = read_question(&args)?;
    let client = Client::to(&args.target)?;
    let page = collect(&client, question, &args).await;
    client.close().await?;
    let page = page?;
    if args.json && args.columns.is_empty() {
        print_json(&page)?;
        return Ok(ExitCode::SUCCESS);
    }
    let columns = columns_of(&args);
    let rows = page.events.iter().map(|shown| row(shown, &columns));
    let rows = rows.collect::<anyhow::Result<Vec<_>>>()?;
    if args.json {
        let object = |row: Vec<Value>| columns.iter().cloned().zip(row).collect::<Map<_, _>>();
        let events: Vec<_> = rows.into_iter().map(object).collect();
        print_json(
            &json!({"events": events, "next_cursor": page.next_cursor, "restricted": page.restricted}),
        )?;
    } else if args.csv {
        print_bytes(&record(columns.iter().cloned()))?;
        for row in rows {
            let cells = row.iter().map(|value| block(&plain(value)).into_owned());
            print_bytes(&record(cells))?;
        }
    } else {
        print_table(&columns, &rows)?;
        let more = page
            .next_cursor
            .map(|cursor| format!("; more with --cursor {cursor}"));
        print_line(&format!(
            "{} events{}",
            rows.len(),
            more.unwrap_or_default()
        ))?;
        if page.restricted > 0 {
            note(&format!(
                "{} more are restricted: state a lawful --purpose to see them",
                page.restricted
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

/// The name of a column, or a JSON pointer.
fn read_column(text: &str) -> Result<String, String> {
    let named = NAMED.iter().map(|(name, _)| *name);
    let names: Vec<&str> = OF_ENTRY.iter().copied().chain(named).collect();
    if text.starts_with('/') || names.contains(&text) {
        return Ok(text.to_owned());
    }
    let names = names.join(", ");
    Err(format!(
        "unknown column `{text}`; columns are: {names}, and JSON pointers such as /llm/usage"
    ))
}

fn columns_of(args: &QueryArgs) -> Vec<String> {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    if !args.columns.is_empty() {
        args.columns.clone()
    } else if args.csv {
        let named = NAMED.iter().map(|(name, _)| *name);
        owned(
            &["seq", "recorded_at", "id"]
                .into_iter()
                .chain(named)
                .collect::<Vec<_>>(),
        )
    } else {
        owned(USUAL)
    }
}

fn row(shown: &Shown, columns: &[String]) -> anyhow::Result<Vec<Value>> {
    let event: Value = serde_json::from_str(shown.event.get())?;
    let cell = |column: &String| match column.as_str() {
        "seq" => json!(shown.seq),
        "recorded_at" => json!(shown.recorded_at),
        "id" => json!(shown.id),
        "leaf_hash" => json!(shown.leaf_hash),
        other => {
            let named = NAMED.iter().find(|(name, _)| *name == other);
            let pointer = named.map_or(other, |(_, pointer)| pointer);
            event.pointer(pointer).cloned().unwrap_or(Value::Null)
        }
    };
    Ok(columns.iter().map(cell).collect())
}

fn print_table(columns: &[String], rows: &[Vec<Value>]) -> anyhow::Result<()> {
    let heads = columns.iter().map(|name| match name.as_str() {
        "recorded_at" => "recorded",
        "actor_id" => "actor",
        other => other,
    });
    let mut table = Table::new(heads);
    for row in rows {
        table.add_row(row.iter().map(plain));
    }
    Ok(print_line(&table.to_string())?)
}

/// The question of `--question` with what is given beside it.
fn read_question(args: &QueryArgs) -> anyhow::Result<Map<String, Value>> {
    let mut question = match args.question.as_deref() {
        None => Map::new(),
        Some(name) => {
            let mut text = String::new();
            match name {
                "-" => std::io::stdin().read_to_string(&mut text),
                file => {
                    std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text))
                }
            }
            .with_context(|| format!("can't read the query from {name}"))?;
            serde_json::from_str(&text).context("the query must be a JSON object")?
        }
    };
    args.filters.add_to(&mut question)?;
    if let Some(order) = args.order {
        question.insert("order".to_owned(), json!(order));
    }
    if let Some(cursor) = &args.cursor {
        question.insert("cursor".to_owned(), json!(cursor));
    }
    Ok(question)
}

/// Pages until there are as many events as were asked for.
async fn collect(
    client: &Client,
    mut question: Map<String, Value>,
    args: &QueryArgs,
) -> anyhow::Result<Page> {
    let mut page = Page::default();
    loop {
        let missing = args.limit - page.events.len().min(args.limit);
        question.insert("limit".to_owned(), json!(missing.clamp(1, PAGE_EVENTS_MAX)));
        let body = serde_json::to_vec(&question)?;
        let answer = client.send("POST", "/v1/events/query", Some("application/json"), body);
        let next: Page = answer.await?.json().await?;
        page.events.extend(next.events);
        page.next_cursor = next.next_cursor;
        page.restricted += next.restricted;
        match &page.next_cursor {
            Some(cursor) if page.events.len() < args.limit => {
                question.insert("cursor".to_owned(), json!(cursor));
            }
            _ => return Ok(page),
        }
    }
}

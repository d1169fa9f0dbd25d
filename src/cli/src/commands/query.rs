//! `trailkeep query`.

use std::io::Read;
use std::process::ExitCode;

use anyhow::Context;
use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::TargetArgs;
use super::client::{Client, ask};
use super::failure::Failure;
use super::output::{events_in_words, note, print_bytes, print_json, print_line};
use super::table::{Fit, Table};
use trailkeep_api::events::RecordedEvent;
use trailkeep_api::query::{self, EventQuestion, PersonAsked, TargetAsked};
use trailkeep_core::query::PAGE_EVENTS_MAX;
use trailkeep_proof::bundle::table::{plain, record};
use trailkeep_proof::near::{suggestion, suggestion_for_field};
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
#[derive(Clone, Copy, ValueEnum)]
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
  trailkeep query --dir D --from 2026-11-01 --to 2026-12-01 --csv > november.csv
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
#[derive(Args)]
struct FilterArgs {
    /// Recorded at this time or later: RFC 3339, or a day, which is its start in UTC
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// Recorded before this time; a day is excluded whole
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
    actor: Option<String>,
    /// Namespace of the actor's id
    #[arg(long, value_name = "NS", requires = "actor")]
    actor_namespace: Option<String>,
    /// About this data subject
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Namespace of the data subject's id
    #[arg(long, value_name = "NS", requires = "subject")]
    subject_namespace: Option<String>,
    /// With this target
    #[arg(long, value_name = "ID")]
    target: Option<String>,
    /// Type of the target
    #[arg(long, value_name = "TYPE", requires = "target")]
    target_type: Option<String>,
}

impl FilterArgs {
    /// Adds what is given to a question.
    fn add_to(&self, question: &mut EventQuestion) {
        let given = |filter: &mut Option<String>, value: &Option<String>| {
            if value.is_some() {
                filter.clone_from(value);
            }
        };
        given(&mut question.from, &self.from);
        given(&mut question.to, &self.to);
        given(&mut question.action, &self.action);
        given(&mut question.outcome, &self.outcome);
        given(&mut question.conversation, &self.conversation);
        given(&mut question.trace, &self.trace);
        given(&mut question.model, &self.model);
        given(&mut question.prompt, &self.prompt);
        given(&mut question.prompt_version, &self.prompt_version);
        given(&mut question.regime, &self.regime);
        let person = |id: &Option<String>, namespace: &Option<String>| {
            id.clone().map(|id| PersonAsked {
                id,
                namespace: namespace.clone().unwrap_or_default(),
            })
        };
        let actor = person(&self.actor, &self.actor_namespace);
        question.actor = actor.or(question.actor.take());
        let subject = person(&self.subject, &self.subject_namespace);
        question.subject = subject.or(question.subject.take());
        let target = self.target.clone().map(|id| TargetAsked {
            id,
            kind: self.target_type.clone().unwrap_or_default(),
        });
        question.target = target.or(question.target.take());
    }
}

/// Pages as one. Events are kept byte for byte.
#[derive(Default, Serialize, Deserialize)]
struct Page {
    events: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
    /// Those that answer and are restricted.
    #[serde(default)]
    restricted: u64,
}

pub(super) async fn run(args: QueryArgs) -> anyhow::Result<ExitCode> {
    let question = read_question(&args)?;
    let asked = async |client: &Client| collect(client, question, args.limit).await;
    let page = ask(&args.target, asked).await?;
    if args.json && args.columns.is_empty() {
        print_json(&page)?;
        return Ok(ExitCode::SUCCESS);
    }
    let columns = columns_of(&args);
    let rows = page.events.iter().map(|event| row(event, &columns));
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
            "{}{}",
            events_in_words(rows.len() as u64),
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
    let hint = suggestion(text, names.iter().copied());
    let names = names.join(", ");
    Err(format!(
        "unknown column `{text}`; columns are: {names}, and JSON pointers such as /llm/usage{hint}"
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

fn row(event: &RawValue, columns: &[String]) -> anyhow::Result<Vec<Value>> {
    let shown: RecordedEvent = serde_json::from_str(event.get())?;
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
        "recorded_at" => ("recorded", Fit::Part),
        "actor_id" => ("actor", Fit::Part),
        "outcome" => ("outcome", Fit::Spare),
        "seq" => ("seq", Fit::Key),
        "id" => ("id", Fit::Key),
        other => (other, Fit::Part),
    });
    let mut table = Table::new(heads);
    for row in rows {
        table.add_row(row.iter().map(plain));
    }
    Ok(print_line(&table.to_string())?)
}

/// The question of `--question` with what is given beside it.
fn read_question(args: &QueryArgs) -> anyhow::Result<EventQuestion> {
    let mut question = match args.question.as_deref() {
        None => EventQuestion::default(),
        Some(name) => {
            let mut text = String::new();
            match name {
                "-" => std::io::stdin().read_to_string(&mut text),
                file => {
                    std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text))
                }
            }
            .with_context(|| format!("can't read the query from {name}"))?;
            serde_json::from_str(&text).map_err(|error| {
                let hint = suggestion_for_field(&error.to_string());
                let form =
                    "the query must be a JSON object with filters, as for POST /v1/events/query";
                Failure::usage(format!("{form}: {error}{hint}"))
            })?
        }
    };
    args.filters.add_to(&mut question);
    if let Some(order) = args.order {
        question.order = Some(match order {
            Order::Oldest => query::Order::Oldest,
            Order::Newest => query::Order::Newest,
        });
    }
    if args.cursor.is_some() {
        question.cursor.clone_from(&args.cursor);
    }
    Ok(question)
}

/// Pages until there are as many events as were asked for.
async fn collect(
    client: &Client,
    mut question: EventQuestion,
    limit: usize,
) -> anyhow::Result<Page> {
    let mut page = Page::default();
    loop {
        let missing = limit - page.events.len().min(limit);
        question.limit = Some(missing.clamp(1, PAGE_EVENTS_MAX) as u64);
        let next: Page = client.query(&question).await?.read_as()?;
        page.events.extend(next.events);
        page.next_cursor = next.next_cursor;
        page.restricted += next.restricted;
        if page.next_cursor.is_none() || page.events.len() >= limit {
            return Ok(page);
        }
        question.cursor.clone_from(&page.next_cursor);
    }
}

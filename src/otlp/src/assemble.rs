//! From the parts that wait together to events: each call once, whoever reports it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use super::agent;
use super::agree::spans_contradict;
use super::classify::{Keep, Kind, classify, is_gen_ai_event};
use super::content::Places;
pub use super::event::{Mapped, RESPONSE_TARGET, event_id};
use super::event::{Source, map, report_digest};
use super::grouping::same_call;
use super::identity::{Identity, is_needed};
use super::lookup::Lookup;
use super::rejection::{Alteration, Alterations};
use super::telemetry::{Attributes, Item, LogRecord, Part, Span};

/// Spans around a call that are asked for who it was for: a loop of parents must end.
const ANCESTORS_MAX: usize = 64;
/// Reports of one span with which a further one is compared.
const REPORTS_COMPARED: usize = 16;
/// The log record that holds a whole call.
const DETAILS: &str = "gen_ai.client.inference.operation.details";

/// A span by its trace and its id.
pub type SpanKey = (String, String);

/// What came of parts.
#[derive(Debug, Default)]
pub struct Assembled {
    /// The events, by the time of their spans.
    pub events: Vec<Mapped>,
    /// Spans of traces that are not due, which an event of this round has taken up.
    pub taken_up: Vec<SpanKey>,
    /// Spans of due traces that became no event.
    pub dropped_spans: u64,
    /// Reports of a call that another report had already.
    pub merged: u64,
    /// Who spans that became no event say the user was.
    pub persons: Vec<KnownPerson>,
}

/// A person whom a span names that became no event.
#[derive(Debug)]
pub struct KnownPerson {
    pub span: SpanKey,
    /// Whether it is the root of its trace: then all in the trace is for this person.
    pub is_root: bool,
    /// Who.
    pub identity: Identity,
}

/// What waits, by span.
struct Trace<'a> {
    /// Reports of each span, the earliest first. There is one, unless they contradict.
    spans: BTreeMap<SpanKey, Vec<(&'a Part, Cow<'a, Span>)>>,
    logs: BTreeMap<SpanKey, Vec<(&'a Part, &'a LogRecord)>>,
    /// Log records that are events by themselves.
    records: Vec<(&'a Part, &'a LogRecord)>,
}

/// The calls of some traces, each mapped by itself.
#[derive(Debug, Default)]
pub struct Calls {
    mapped: Vec<Mapped>,
    /// The ids of the traces that are due.
    due: BTreeSet<String>,
    dropped_spans: u64,
    persons: Vec<KnownPerson>,
}

impl Calls {
    /// Maps the calls among the parts of some traces. All parts of a trace must be given together.
    pub fn of(parts: &[Part], due: BTreeSet<String>, keep: Keep) -> Self {
        let mut calls = Self::default();
        calls.map(&Trace::of(parts), &due, keep);
        join_tools(&mut calls.mapped);
        Self { due, ..calls }
    }

    fn map(&mut self, trace: &Trace<'_>, due: &BTreeSet<String>, keep: Keep) {
        let reports = trace.spans.iter().flat_map(|(key, reports)| {
            let numbered = reports.iter().enumerate();
            numbered.map(move |(number, (part, span))| (key, number, part, span.as_ref()))
        });
        for (key, number, part, span) in reports {
            let kind = classify(&span.attributes);
            if kind.is_kept(keep) {
                let source = trace.source(key, part, Some((number, span)));
                self.mapped.push(Mapped {
                    is_other: number > 0,
                    ..map(kind, &source)
                });
            } else if due.contains(&key.0) {
                self.dropped_spans += 1;
                self.persons.extend(known_person(key, part, span));
            }
        }
        let log_only = trace
            .logs
            .iter()
            .filter(|(key, _)| !trace.spans.contains_key(*key) && due.contains(&key.0));
        for (key, logs) in log_only {
            if let Some((part, _)) = logs.first() {
                let kind = kind_of_logs(logs);
                self.mapped.push(map(kind, &trace.source(key, part, None)));
            }
        }
        let records = trace.records.iter();
        let records =
            records.filter(|(part, _)| part.trace_id().is_some_and(|id| due.contains(id)));
        self.mapped
            .extend(records.map(|(part, log)| agent::map(part, log)));
    }
}

/// Assembles all calls of the traces that are due. Where a span of another trace reports the same call, it joins the event.
pub fn assemble(of_traces: Vec<Calls>) -> Assembled {
    let mut assembled = Assembled::default();
    let mut due = BTreeSet::new();
    let mut calls = Vec::new();
    for of_some in of_traces {
        calls.extend(of_some.mapped);
        due.extend(of_some.due);
        assembled.dropped_spans += of_some.dropped_spans;
        assembled.persons.extend(of_some.persons);
    }
    // However the traces were divided, the same report of a call is the first one.
    calls.sort_by(|one, other| {
        (&one.trace_id, &one.span_id).cmp(&(&other.trace_id, &other.span_id))
    });
    for group in same_call(calls) {
        if !group.iter().any(|call| due.contains(&call.trace_id)) {
            continue;
        }
        let foreign = group.iter().filter(|call| !due.contains(&call.trace_id));
        let foreign = foreign.map(|call| (call.trace_id.clone(), call.span_id.clone()));
        assembled.taken_up.extend(foreign);
        assembled.merged += group.len() as u64 - 1;
        assembled.events.extend(merge(group));
    }
    let began = |call: &Mapped| call.sections.get("occurred_at").map(Value::to_string);
    assembled
        .events
        .sort_by_cached_key(|call| (began(call), call.span_id.clone()));
    assembled
}

fn known_person(key: &SpanKey, part: &Part, span: &Span) -> Option<KnownPerson> {
    let identity = Identity::of([&span.attributes].into_iter());
    identity.has_person().then(|| KnownPerson {
        span: key.clone(),
        is_root: part.is_local_root(),
        identity,
    })
}

impl<'a> Trace<'a> {
    fn of(parts: &'a [Part]) -> Self {
        let mut trace = Self {
            spans: BTreeMap::new(),
            logs: BTreeMap::new(),
            records: Vec::new(),
        };
        for part in parts {
            let (Some(trace_id), Some(span_id)) = (part.trace_id(), part.span_id()) else {
                continue;
            };
            let key = (trace_id.to_owned(), span_id.to_owned());
            match &part.item {
                Item::Span(span) => trace.add_span(key, part, span),
                Item::Log(log) if log.record.is_some() => trace.records.push((part, log)),
                Item::Log(log) => trace.logs.entry(key).or_default().push((part, log)),
            }
        }
        for logs in trace.logs.values_mut() {
            logs.sort_by_key(|(_, log)| log.time_ns);
        }
        // Whatever the order in which they came, the same report is the first one.
        for reports in trace.spans.values_mut().filter(|reports| reports.len() > 1) {
            reports.sort_by_cached_key(|(_, span)| (span.start_ns, report_digest(span)));
        }
        trace
    }

    /// Reports of a span that say different things of it are one report, unless they contradict.
    fn add_span(&mut self, key: SpanKey, part: &'a Part, span: &'a Span) {
        let reports = self.spans.entry(key).or_default();
        let known = reports
            .iter_mut()
            .take(REPORTS_COMPARED)
            .find(|(_, known)| !spans_contradict(known, span));
        let Some((_, known)) = known else {
            reports.push((part, Cow::Borrowed(span)));
            return;
        };
        let known = known.to_mut();
        for (name, value) in &span.attributes {
            known
                .attributes
                .entry(name.clone())
                .or_insert_with(|| value.clone());
        }
        if known.events.is_empty() {
            known.events.clone_from(&span.events);
        }
        if known.status_code == 0 {
            known.status_code = span.status_code;
            known.status_message.clone_from(&span.status_message);
        }
        known.end_ns = known.end_ns.max(span.end_ns);
    }

    fn source<'b>(
        &'b self,
        key: &'b SpanKey,
        part: &'b Part,
        report: Option<(usize, &'b Span)>,
    ) -> Source<'b> {
        let logs = self.logs.get(key).into_iter().flatten();
        let logs: Vec<&LogRecord> = logs
            .map(|(_, log)| *log)
            .filter(|log| report.is_none_or(|(number, _)| self.report_of(key, log) == number))
            .collect();
        let span = report.map(|(_, span)| span);
        let own = span.map(|span| &span.attributes);
        let of_logs = logs.iter().map(|log| &log.attributes);
        let details = span.into_iter().flat_map(|span| &span.events);
        let details = details
            .filter(|event| event.name == DETAILS)
            .map(|event| &event.attributes);
        Source {
            part,
            trace_id: &key.0,
            span_id: &key.1,
            places: Places {
                lookup: Lookup::new(own.into_iter().chain(of_logs).chain(details).collect()),
                span,
                logs,
            },
            ancestors: self.ancestors(key, span),
            altered: self.altered(key, part, span),
        }
    }

    /// What of a call's parts differs from what was sent, and of the spans around it what says who it was for.
    fn altered(&self, key: &SpanKey, part: &Part, span: Option<&Span>) -> Vec<Alteration> {
        let mut altered = Alterations::of(&part.altered);
        for (log, _) in self.logs.get(key).into_iter().flatten() {
            altered.extend(&log.altered);
        }
        for part in self.around(key, span) {
            let of_person = part.altered.iter().filter(|one| is_needed(&one.field));
            for one in of_person {
                altered.add(&one.field, one.reason);
            }
        }
        altered.into_inner()
    }

    /// Which of a span's reports a log record belongs to: the one in whose time it was written.
    fn report_of(&self, key: &SpanKey, log: &LogRecord) -> usize {
        let reports = self.spans.get(key);
        let position = reports.and_then(|reports| {
            reports
                .iter()
                .position(|(_, span)| (span.start_ns..=span.end_ns).contains(&log.time_ns))
        });
        position.unwrap_or(0)
    }

    /// Attributes of the spans around one, from the inside out.
    fn ancestors(&self, key: &SpanKey, span: Option<&Span>) -> Vec<&Attributes> {
        let around = self.around(key, span).into_iter();
        around
            .filter_map(|part| match &part.item {
                Item::Span(span) => Some(&span.attributes),
                Item::Log(_) => None,
            })
            .collect()
    }

    /// The spans around one, from the inside out.
    fn around(&self, key: &SpanKey, span: Option<&Span>) -> Vec<&'a Part> {
        let mut found = Vec::new();
        let mut parent = span.and_then(|span| span.parent_span_id.clone());
        while let Some(id) = parent.take() {
            let reports = self.spans.get(&(key.0.clone(), id));
            let Some((part, span)) = reports.and_then(|reports| reports.first()) else {
                break;
            };
            if found.len() == ANCESTORS_MAX {
                break;
            }
            found.push(*part);
            parent.clone_from(&span.parent_span_id);
        }
        found
    }
}

/// What log records without their span are about.
fn kind_of_logs(logs: &[(&Part, &LogRecord)]) -> Kind {
    let named = logs.iter().map(|(_, log)| classify(&log.attributes));
    let mut named = named.filter(|kind| matches!(kind, Kind::Call(_)));
    let is_gen_ai = logs.iter().any(|(_, log)| is_gen_ai_event(&log.event_name));
    named.next().unwrap_or_else(|| {
        if is_gen_ai {
            Kind::Call("chat".to_owned())
        } else {
            Kind::Other
        }
    })
}

/// Says of each tool that a model asked for how it went, where its execution is here too.
fn join_tools(calls: &mut [Mapped]) {
    let mut executed: HashMap<SpanKey, Map<String, Value>> = HashMap::new();
    for tool in calls.iter() {
        let Some(id) = &tool.tool_call_id else {
            continue;
        };
        let of_llm = |name: &str| tool.sections.get("llm").and_then(|llm| llm.get(name));
        let result = tool
            .sections
            .get("output")
            .and_then(|output| output.get("result"));
        let fields = [
            ("outcome", tool.sections.get("outcome")),
            ("occurred_at", tool.sections.get("occurred_at")),
            ("latency_ms", of_llm("latency_ms")),
            ("error_type", of_llm("error_type")),
            ("result", result),
        ];
        let fields = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.clone())));
        executed.insert((tool.trace_id.clone(), id.clone()), fields.collect());
    }
    for call in calls
        .iter_mut()
        .filter(|call| matches!(call.kind, Kind::Call(_)))
    {
        let asked = call
            .sections
            .get_mut("downstream")
            .and_then(Value::as_array_mut);
        for item in asked.into_iter().flatten() {
            let id = item.get("id").and_then(Value::as_str).unwrap_or_default();
            let known = executed.get(&(call.trace_id.clone(), id.to_owned()));
            if let (Some(known), Some(item)) = (known, item.as_object_mut()) {
                item.extend(known.clone());
            }
        }
    }
}

/// One event of several reports: the one that says most, and what only the others say.
fn merge(mut group: Vec<Mapped>) -> Option<Mapped> {
    let weight = |call: &Mapped| {
        let has = |name: &str| usize::from(call.sections.contains_key(name));
        let known = call
            .sections
            .get("llm")
            .and_then(Value::as_object)
            .map_or(0, Map::len);
        (has("input") + has("output"), known)
    };
    group.sort_by(|one, other| {
        let order = weight(other).cmp(&weight(one));
        order
            .then_with(|| one.trace_id.cmp(&other.trace_id))
            .then_with(|| one.span_id.cmp(&other.span_id))
    });
    let mut reports = group.into_iter();
    let mut first = reports.next()?;
    let mut also = Vec::new();
    for report in reports {
        fill(&mut first.sections, &report.sections);
        let otel = report
            .sections
            .get("attributes")
            .and_then(|attributes| attributes.get("otel"));
        also.push(json!({"event": report.id, "otel": otel}));
        first.also.push((report.trace_id, report.span_id));
        first.response_id = first.response_id.or(report.response_id);
    }
    if !also.is_empty()
        && let Some(Value::Object(attributes)) = first.sections.get_mut("attributes")
    {
        attributes.insert(ALSO_REPORTED.to_owned(), also.into());
    }
    Some(first)
}

/// Member of the section `attributes`: other spans that report the same call.
pub const ALSO_REPORTED: &str = "also_reported_by";

/// Adds what is not known yet: members of `llm` and `context`, whole sections, and a person for a service.
fn fill(known: &mut Map<String, Value>, more: &Map<String, Value>) {
    const WHOLE: [&str; 5] = ["input", "output", "downstream", "targets", "occurred_at"];
    if !known.contains_key("subjects") && more.contains_key("subjects") {
        for name in ["subjects", "actor"] {
            if let Some(value) = more.get(name) {
                known.insert(name.to_owned(), value.clone());
            }
        }
        for name in ["session", "conversation"] {
            let value = more.get("context").and_then(|context| context.get(name));
            if let (Some(value), Some(context)) = (value, known.get_mut("context")) {
                context[name] = value.clone();
            }
        }
    }
    for name in WHOLE {
        if let Some(value) = more.get(name) {
            known.entry(name).or_insert_with(|| value.clone());
        }
    }
    if let Some(Value::Array(more)) = more.get("regimes") {
        let regimes = known.entry("regimes").or_insert_with(|| json!([]));
        if let Value::Array(regimes) = regimes {
            let new: Vec<Value> = more
                .iter()
                .filter(|one| !regimes.contains(one))
                .cloned()
                .collect();
            regimes.extend(new);
        }
    }
    for name in ["llm", "context"] {
        let (Some(Value::Object(known)), Some(Value::Object(more))) =
            (known.get_mut(name), more.get(name))
        else {
            continue;
        };
        for (field, value) in more {
            known.entry(field.clone()).or_insert_with(|| value.clone());
        }
    }
    let is_unknown = known
        .get("outcome")
        .is_some_and(|outcome| outcome == "unknown");
    if let Some(outcome) = more.get("outcome").filter(|_| is_unknown) {
        known.insert("outcome".to_owned(), outcome.clone());
    }
}

//! From the parts that wait together to events: each call once, whoever reports it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use super::classify::{Keep, Kind, classify, is_gen_ai_event};
use super::content::Places;
pub use super::event::{Mapped, RESPONSE_TARGET, event_id};
use super::event::{Source, map};
use super::identity::Identity;
use super::lookup::Lookup;
use super::telemetry::{Attributes, Item, LogRecord, Part, Span};

/// Spans around a call that are asked for who it was for: a loop of parents must end.
const ANCESTORS_MAX: usize = 64;
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
    /// The span.
    pub span: SpanKey,
    /// Whether it is the root of its trace: then all in the trace is for this person.
    pub is_root: bool,
    /// Who.
    pub identity: Identity,
}

/// What waits, by span.
struct Trace<'a> {
    spans: BTreeMap<SpanKey, (&'a Part, Span)>,
    logs: BTreeMap<SpanKey, Vec<(&'a Part, &'a LogRecord)>>,
}

/// Assembles all calls of the traces that are due. Parts of other traces may be given too: where one of
/// their spans reports the same call, it joins the event.
pub fn assemble(parts: &[Part], due: &BTreeSet<String>, keep: Keep) -> Assembled {
    let trace = Trace::of(parts);
    let mut calls: Vec<Mapped> = Vec::new();
    let mut assembled = Assembled::default();
    for (key, (part, span)) in &trace.spans {
        let kind = classify(&span.attributes);
        let is_due = due.contains(&key.0);
        if kind.is_kept(keep) {
            let source = trace.source(key, part, Some(span));
            calls.push(map(kind, &source));
        } else if is_due {
            assembled.dropped_spans += 1;
            assembled.persons.extend(known_person(key, part, span));
        }
    }
    let log_only = trace
        .logs
        .iter()
        .filter(|(key, _)| !trace.spans.contains_key(*key) && due.contains(&key.0));
    for (key, logs) in log_only {
        if let Some((part, _)) = logs.first() {
            let kind = kind_of_logs(logs);
            calls.push(map(kind, &trace.source(key, part, None)));
        }
    }
    join_tools(&mut calls);
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
        .sort_by(|one, other| (began(one), &one.span_id).cmp(&(began(other), &other.span_id)));
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
        };
        for part in parts {
            let (Some(trace_id), Some(span_id)) = (part.trace_id(), part.span_id()) else {
                continue;
            };
            let key = (trace_id.to_owned(), span_id.to_owned());
            match &part.item {
                Item::Span(span) => trace.add_span(key, part, span),
                Item::Log(log) => trace.logs.entry(key).or_default().push((part, log)),
            }
        }
        for logs in trace.logs.values_mut() {
            logs.sort_by_key(|(_, log)| log.time_ns);
        }
        trace
    }

    /// A span that comes twice and differs says what either says; the first one counts.
    fn add_span(&mut self, key: SpanKey, part: &'a Part, span: &Span) {
        use std::collections::btree_map::Entry;
        match self.spans.entry(key) {
            Entry::Vacant(place) => {
                place.insert((part, span.clone()));
            }
            Entry::Occupied(mut place) => {
                let (_, known) = place.get_mut();
                for (name, value) in &span.attributes {
                    known
                        .attributes
                        .entry(name.clone())
                        .or_insert_with(|| value.clone());
                }
                known.end_ns = known.end_ns.max(span.end_ns);
            }
        }
    }

    fn source<'b>(
        &'b self,
        key: &'b SpanKey,
        part: &'b Part,
        span: Option<&'b Span>,
    ) -> Source<'b> {
        let logs: Vec<&LogRecord> = self
            .logs
            .get(key)
            .into_iter()
            .flatten()
            .map(|(_, log)| *log)
            .collect();
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
        }
    }

    /// Attributes of the spans around one, from the inside out.
    fn ancestors(&self, key: &SpanKey, span: Option<&Span>) -> Vec<&Attributes> {
        let mut found = Vec::new();
        let mut parent = span.and_then(|span| span.parent_span_id.clone());
        while let Some(id) = parent.take() {
            let Some((_, span)) = self.spans.get(&(key.0.clone(), id)) else {
                break;
            };
            if found.len() == ANCESTORS_MAX {
                break;
            }
            found.push(&span.attributes);
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

/// Groups reports of the same call: those of several libraries with one provider's id of the answer, and a call
/// inside of a call of the same model where at most one of them knows that id (a library around a library).
fn same_call(calls: Vec<Mapped>) -> Vec<Vec<Mapped>> {
    let mut group_of: Vec<usize> = (0..calls.len()).collect();
    let mut by_response: HashMap<&str, Vec<usize>> = HashMap::new();
    let by_span: HashMap<(&str, &str), usize> = (0..calls.len())
        .map(|at| {
            (
                (calls[at].trace_id.as_str(), calls[at].span_id.as_str()),
                at,
            )
        })
        .collect();
    // The one answer that each group knows, at its root.
    let mut answer_of: Vec<Option<&str>> = calls
        .iter()
        .map(|call| call.response_id.as_deref())
        .collect();
    for (at, call) in calls.iter().enumerate() {
        if let Some(id) = call.response_id.as_deref() {
            let known = by_response.entry(id).or_default();
            let other = known
                .iter()
                .find(|other| is_reported_twice(&calls[**other], call));
            if let Some(other) = other {
                unite(&mut group_of, &mut answer_of, *other, at);
            }
            known.push(at);
        }
    }
    for (at, call) in calls.iter().enumerate() {
        let parent = call.parent_span_id.as_deref();
        let outer = parent.and_then(|parent| by_span.get(&(call.trace_id.as_str(), parent)));
        if let Some(outer) = outer
            && is_around(&calls[*outer], call)
        {
            unite(&mut group_of, &mut answer_of, *outer, at);
        }
    }
    let roots: Vec<usize> = (0..calls.len()).map(|at| root(&group_of, at)).collect();
    let mut groups: BTreeMap<usize, Vec<Mapped>> = BTreeMap::new();
    for (call, root) in calls.into_iter().zip(roots) {
        groups.entry(root).or_default().push(call);
    }
    groups.into_values().collect()
}

fn root(group_of: &[usize], mut at: usize) -> usize {
    while group_of[at] != at {
        at = group_of[at];
    }
    at
}

/// Joins two groups, unless they know different answers: then they are different calls.
fn unite(group_of: &mut [usize], answer_of: &mut [Option<&str>], one: usize, other: usize) {
    let (one, other) = (root(group_of, one), root(group_of, other));
    let is_one_answer = answer_of[one].is_none()
        || answer_of[other].is_none()
        || answer_of[one] == answer_of[other];
    if is_one_answer {
        let answer = answer_of[one].or(answer_of[other]);
        group_of[one.max(other)] = one.min(other);
        answer_of[one.min(other)] = answer;
    }
}

/// Whether two reports with one id of the answer are of one call. Some servers give few ids, again and again, so
/// that it must also be of one model, at one time, and by two libraries, since a library reports a call once.
fn is_reported_twice(one: &Mapped, other: &Mapped) -> bool {
    let overlaps = match (one.times_ns, other.times_ns) {
        (Some(one), Some(other)) => overlap(one, other),
        _ => true,
    };
    let is_by_two = one.scope != other.scope || one.scope.is_empty();
    overlaps && is_by_two && may_be_equal(request_model(one), request_model(other))
}

/// Whether two times, of one clock, overlap or nearly do.
pub(super) fn overlap(one: (u64, u64), other: (u64, u64)) -> bool {
    const NEARLY_NS: u64 = 1_000_000_000;
    one.0 <= other.1.saturating_add(NEARLY_NS) && other.0 <= one.1.saturating_add(NEARLY_NS)
}

fn request_model(call: &Mapped) -> Option<&Value> {
    call.sections.get("llm")?.get("request_model")
}

pub(super) fn may_be_equal<T: PartialEq + ?Sized>(one: Option<&T>, other: Option<&T>) -> bool {
    one.is_none() || other.is_none() || one == other
}

fn is_around(outer: &Mapped, inner: &Mapped) -> bool {
    let are_calls = [outer, inner]
        .iter()
        .all(|call| matches!(call.kind, Kind::Call(_)));
    are_calls
        && outer.kind == inner.kind
        && may_be_equal(request_model(outer), request_model(inner))
        && may_be_equal(outer.response_id.as_deref(), inner.response_id.as_deref())
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
        also.push(json!({"event": report.event_id(), "otel": otel}));
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
    const WHOLE: [&str; 6] = [
        "input",
        "output",
        "downstream",
        "targets",
        "regimes",
        "occurred_at",
    ];
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

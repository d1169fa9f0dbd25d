//! Which reports are of one call: those of several libraries with one provider's id of the answer, and a call inside of a call of
//! the same model where at most one of them knows that id (a library around a library), if nothing that they say contradicts.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::agree::Said;
use super::classify::Kind;
use super::event::Mapped;

/// Reports with one id of the answer that are compared with a further one: some servers give few ids, again and again.
const REPORTS_COMPARED: usize = 16;

/// Groups reports of the same call.
pub(super) fn same_call(calls: Vec<Mapped>) -> Vec<Vec<Mapped>> {
    let roots = Groups::of(&calls).roots();
    let mut groups: BTreeMap<usize, Vec<Mapped>> = BTreeMap::new();
    for (call, root) in calls.into_iter().zip(roots) {
        groups.entry(root).or_default().push(call);
    }
    groups.into_values().collect()
}

/// Union of reports. What a group knows stands at its root.
struct Groups<'a> {
    group_of: Vec<usize>,
    answer_of: Vec<Option<&'a str>>,
    /// Made for those that are compared.
    said: Vec<Option<Said>>,
    calls: &'a [Mapped],
}

impl<'a> Groups<'a> {
    fn of(calls: &'a [Mapped]) -> Self {
        let mut groups = Self {
            group_of: (0..calls.len()).collect(),
            answer_of: calls
                .iter()
                .map(|call| call.response_id.as_deref())
                .collect(),
            said: vec![None; calls.len()],
            calls,
        };
        // What contradicts the first report of its span stands by itself.
        let own = || calls.iter().enumerate().filter(|(_, call)| !call.is_other);
        let by_span: HashMap<(&str, &str), usize> = own()
            .map(|(at, call)| ((call.trace_id.as_str(), call.span_id.as_str()), at))
            .collect();
        let mut by_response: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, call) in own() {
            let Some(id) = call.response_id.as_deref() else {
                continue;
            };
            let known = by_response.entry(id).or_default();
            let others = known.iter().take(REPORTS_COMPARED);
            let twice: Vec<usize> = others
                .filter(|other| is_reported_twice(&calls[**other], call))
                .copied()
                .collect();
            twice.into_iter().any(|other| groups.unite(other, at));
            known.push(at);
        }
        for (at, call) in own() {
            let parent = call.parent_span_id.as_deref();
            let outer = parent.and_then(|parent| by_span.get(&(call.trace_id.as_str(), parent)));
            if let Some(outer) = outer
                && is_around(&calls[*outer], call)
            {
                groups.unite(*outer, at);
            }
        }
        groups
    }

    fn roots(mut self) -> Vec<usize> {
        (0..self.group_of.len()).map(|at| self.root(at)).collect()
    }

    /// The root of a group; the way to it is made short.
    fn root(&mut self, at: usize) -> usize {
        let mut root = at;
        while self.group_of[root] != root {
            root = self.group_of[root];
        }
        let mut step = at;
        while self.group_of[step] != root {
            step = std::mem::replace(&mut self.group_of[step], root);
        }
        root
    }

    fn take_said(&mut self, at: usize) -> Said {
        let known = self.said[at].take();
        known.unwrap_or_else(|| Said::of(&self.calls[at].sections))
    }

    /// Joins two groups, unless they know different answers, questions or users: then they are different calls. Gives whether they
    /// are one.
    fn unite(&mut self, one: usize, other: usize) -> bool {
        let (one, other) = (self.root(one), self.root(other));
        if one == other {
            return true;
        }
        let is_one_answer = may_be_equal(self.answer_of[one], self.answer_of[other]);
        if !is_one_answer {
            return false;
        }
        let (mut said, more) = (self.take_said(one), self.take_said(other));
        if !said.agrees(&more) {
            (self.said[one], self.said[other]) = (Some(said), Some(more));
            return false;
        }
        said.join(more);
        let root = one.min(other);
        self.answer_of[root] = self.answer_of[one].or(self.answer_of[other]);
        self.group_of[one.max(other)] = root;
        self.said[root] = Some(said);
        true
    }
}

/// Whether two reports with one id of the answer may be of one call. Some servers give few ids, again and again, so
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

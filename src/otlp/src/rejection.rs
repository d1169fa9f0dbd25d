//! What of a request is not taken, and what of a part differs from what was sent. Neither quotes a payload.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::decode::Signal;

/// Items that a message names one by one.
const NAMED_MAX: usize = 5;
/// Alterations of a part that are kept.
const ALTERATIONS_MAX: usize = 32;
/// Characters of a field's name that are kept.
const FIELD_CHARS_MAX: usize = 256;

/// Why a span or log record is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rejection {
    /// Its ids are missing, of the wrong length, or zero.
    InvalidId,
    /// Its structure is broken, so that its fields can't be told apart.
    Unreadable,
    /// It has more bytes than a part may have.
    TooLarge,
    /// It belongs to a call, and does not say to which.
    NotJoined,
}

impl Rejection {
    /// All reasons, for metrics.
    pub const ALL: [Self; 4] = [
        Self::InvalidId,
        Self::Unreadable,
        Self::TooLarge,
        Self::NotJoined,
    ];

    /// The reason as a label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidId => "invalid_id",
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
            Self::NotJoined => "not_joined",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::InvalidId => "has no valid trace_id (16 bytes) or span_id (8 bytes)",
            Self::Unreadable => "is malformed: its fields are not readable; check the exporter",
            Self::TooLarge => "has more than 4 MiB: keep large content elsewhere",
            Self::NotJoined => {
                "is a gen_ai log record without trace_id and span_id, so it cannot be joined with its call: emit it while the span is active"
            }
        }
    }
}

/// The items of a request that are not taken, by their place in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejections {
    counts: BTreeMap<Rejection, u64>,
    named: Vec<(usize, Rejection)>,
}

impl Rejections {
    /// Notes one; `place` counts the request's items from 1.
    pub fn add(&mut self, place: usize, why: Rejection) {
        *self.counts.entry(why).or_default() += 1;
        if self.named.len() < NAMED_MAX {
            self.named.push((place, why));
        }
    }

    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// How many of each reason.
    pub fn by_reason(&self) -> impl Iterator<Item = (Rejection, u64)> {
        self.counts.iter().map(|(why, count)| (*why, *count))
    }

    /// Which, and why; nothing where all was taken.
    pub fn message(&self, signal: Signal) -> Option<String> {
        let item = match signal {
            Signal::Traces => "span",
            Signal::Logs => "log record",
        };
        let named: Vec<String> = self
            .named
            .iter()
            .map(|(place, why)| format!("{item} {place} {}", why.sentence()))
            .collect();
        let more = self.total().saturating_sub(named.len() as u64);
        let more = if more > 0 {
            format!("; and {more} more")
        } else {
            String::new()
        };
        (!named.is_empty()).then(|| format!("rejected: {}{more}", named.join("; ")))
    }
}

/// What was done to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Altering {
    /// It has bytes that are not UTF-8: U+FFFD stands in their place, in an identifier `\xNN`.
    InvalidUtf8,
    /// It is an identifier that looks like one with replaced bytes: its backslashes are doubled.
    Escaped,
    /// It is an identifier that events can't hold as it is: a hash stands in its place.
    Hashed,
    /// It has another type than OTLP gives it.
    WrongType,
    /// It is a time in no known form.
    UnknownTime,
    /// It can't be read, and is left out.
    Unreadable,
    /// It is nested deeper than events may be, and is left out.
    TooDeep,
}

impl Altering {
    /// All of them, for metrics.
    pub const ALL: [Self; 7] = [
        Self::InvalidUtf8,
        Self::Escaped,
        Self::Hashed,
        Self::WrongType,
        Self::UnknownTime,
        Self::Unreadable,
        Self::TooDeep,
    ];

    /// Its name as a label, and in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidUtf8 => "invalid_utf8",
            Self::Escaped => "escaped",
            Self::Hashed => "hashed",
            Self::WrongType => "wrong_type",
            Self::UnknownTime => "unknown_time",
            Self::Unreadable => "unreadable",
            Self::TooDeep => "too_deep",
        }
    }
}

/// A field that differs from what was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alteration {
    /// The attribute or field.
    pub field: String,
    /// What was done to it.
    pub reason: Altering,
}

/// Collects the alterations of a part.
#[derive(Clone, Debug, Default)]
pub(super) struct Alterations(Vec<Alteration>);

impl Alterations {
    pub(super) fn of(known: &[Alteration]) -> Self {
        Self(known.to_vec())
    }

    pub(super) fn add(&mut self, field: &str, reason: Altering) {
        let field: String = field.chars().take(FIELD_CHARS_MAX).collect();
        let one = Alteration { field, reason };
        if self.0.len() < ALTERATIONS_MAX && !self.0.contains(&one) {
            self.0.push(one);
        }
    }

    pub(super) fn extend(&mut self, more: &[Alteration]) {
        for one in more {
            self.add(&one.field, one.reason);
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn into_inner(self) -> Vec<Alteration> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_first_and_counts_the_others() {
        let mut rejections = Rejections::default();
        assert_eq!(rejections.message(Signal::Traces), None);
        for place in 1..=7 {
            rejections.add(place, Rejection::InvalidId);
        }
        let said = rejections.message(Signal::Logs).unwrap();
        assert!(
            said.contains("log record 1 has no valid trace_id") && said.ends_with("; and 2 more"),
            "{said}"
        );
        assert_eq!(rejections.total(), 7);
    }
}

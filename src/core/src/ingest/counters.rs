//! What came in as telemetry and what became of it, counted since the start.

use std::sync::atomic::{AtomicU64, Ordering};

use trailkeep_otlp::rejection::{Alteration, Altering, Rejection};

/// What came in and what became of it, since the start.
#[derive(Debug, Default)]
pub struct StagingCounters {
    /// Spans that came.
    pub spans_received: AtomicU64,
    /// Log records that came.
    pub log_records_received: AtomicU64,
    /// Parts that were refused, as their sender was told.
    pub rejected: AtomicU64,
    /// Parts that had come before.
    pub repeated: AtomicU64,
    /// Spans that became no event.
    pub spans_dropped: AtomicU64,
    /// Log records that are no GenAI events.
    pub log_records_dropped: AtomicU64,
    /// Reports of a call that another report had already, while both waited.
    pub reports_merged: AtomicU64,
    /// Events of calls, tools and what else is kept.
    pub events: AtomicU64,
    /// Events of facts that came too late.
    pub late_events: AtomicU64,
    /// Events that say of another event that it reports the same call.
    pub duplicate_events: AtomicU64,
    /// Calls of a model without any content: usually a mistake in the application's settings.
    pub calls_without_content: AtomicU64,
    /// Calls of a model about no data subject: no erasure request finds them.
    pub calls_without_subject: AtomicU64,
    /// Parts that do not open, since their key is gone or they were changed.
    pub unreadable: AtomicU64,
    /// Events that could not be recorded as they were, and are in another form: they say in which, and why.
    pub reduced: AtomicU64,
    /// Reports of a span that another report of it contradicts, recorded beside that.
    pub contradicting_reports: AtomicU64,
    /// Events that name a regime which no policy is of.
    pub unknown_regimes: AtomicU64,
    /// Data points of metrics: none is recorded.
    pub data_points_rejected: AtomicU64,
    /// Parts that were refused, by reason.
    pub rejected_by: ByRejection,
    /// Fields that differ from what was sent, by what was done to them.
    pub altered: ByAltering,
}

/// Counts by reason for refusing.
#[derive(Debug, Default)]
pub struct ByRejection([AtomicU64; Rejection::ALL.len()]);

impl ByRejection {
    pub(super) fn add(&self, why: Rejection, number: u64) {
        let place = Rejection::ALL.iter().position(|known| *known == why);
        if let Some(counter) = place.and_then(|place| self.0.get(place)) {
            counter.fetch_add(number, Ordering::Relaxed);
        }
    }

    /// Each reason and its count.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.0.iter().map(|counter| counter.load(Ordering::Relaxed));
        Rejection::ALL.iter().map(|why| why.name()).zip(counts)
    }
}

/// Counts by what was done to a field.
#[derive(Debug, Default)]
pub struct ByAltering([AtomicU64; Altering::ALL.len()]);

impl ByAltering {
    pub(super) fn count(&self, alterations: &[Alteration]) {
        for one in alterations {
            let place = Altering::ALL.iter().position(|known| *known == one.reason);
            if let Some(counter) = place.and_then(|place| self.0.get(place)) {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Each alteration and its count.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.0.iter().map(|counter| counter.load(Ordering::Relaxed));
        Altering::ALL.iter().map(|what| what.name()).zip(counts)
    }
}

impl StagingCounters {
    /// Each counter by its name.
    pub fn all(&self) -> [(&'static str, u64); 17] {
        [
            ("spans_received", &self.spans_received),
            ("log_records_received", &self.log_records_received),
            ("rejected", &self.rejected),
            ("repeated", &self.repeated),
            ("spans_dropped", &self.spans_dropped),
            ("log_records_dropped", &self.log_records_dropped),
            ("reports_merged", &self.reports_merged),
            ("events", &self.events),
            ("late_events", &self.late_events),
            ("duplicate_events", &self.duplicate_events),
            ("calls_without_content", &self.calls_without_content),
            ("calls_without_subject", &self.calls_without_subject),
            ("unreadable", &self.unreadable),
            ("reduced", &self.reduced),
            ("contradicting_reports", &self.contradicting_reports),
            ("unknown_regimes", &self.unknown_regimes),
            ("data_points_rejected", &self.data_points_rejected),
        ]
        .map(|(name, counter)| (name, counter.load(Ordering::Relaxed)))
    }
}

//! Figures of the process, for `/metrics`: counted where things happen, without any tenant's or person's name.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// Labels of a figure: names and values from small fixed sets.
pub type Labels = Vec<(String, String)>;

/// Counts since the start of the process.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Events that were acknowledged; entries of the ledger's own are not among them.
    pub events: Counter,
    /// Bytes of their encrypted payloads.
    pub bytes: Counter,
    /// Entries of each batch.
    pub batch_entries: Histogram,
    /// Seconds from the queue to the answer.
    pub append: Histogram,
    /// Seconds of the vault's part of a batch: the commit of new keys, where there are any.
    pub vault_commit: Histogram,
    /// Seconds of the ledger's part of a batch: rows, tiles, checkpoint and commit.
    pub ledger_commit: Histogram,
    /// Seconds of that commit's last statement alone, which writes the log and syncs it.
    pub sync: Histogram,
    /// Problems that requests were answered with, by type.
    pub problems: Family<Labels, Counter<u64, AtomicU64>>,
    /// Texts that expiry destroyed.
    pub expired: Counter,
    /// Texts that requests of persons destroyed.
    pub erased: Counter,
}

impl Default for Figures {
    fn default() -> Self {
        // From a quarter of a millisecond to 16 s.
        let seconds = || Histogram::new(exponential_buckets(0.000_25, 2.0, 17));
        Self {
            events: Counter::default(),
            bytes: Counter::default(),
            batch_entries: Histogram::new(exponential_buckets(1.0, 4.0, 7)),
            append: seconds(),
            vault_commit: seconds(),
            ledger_commit: seconds(),
            sync: seconds(),
            problems: Family::default(),
            expired: Counter::default(),
            erased: Counter::default(),
        }
    }
}

impl Figures {
    /// Counts a problem that a request was answered with.
    pub fn count_problem(&self, kind: &str) {
        let labels = vec![("type".to_owned(), kind.to_owned())];
        self.problems.get_or_create(&labels).inc();
    }

    /// Adds all of them to a page of metrics.
    pub fn register(&self, registry: &mut Registry) {
        let counters = [
            (
                "events",
                "Events acknowledged since the start",
                &self.events,
            ),
            (
                "event_bytes",
                "Bytes of their encrypted payloads",
                &self.bytes,
            ),
            (
                "expired_events",
                "Payloads deleted by expiry since the start",
                &self.expired,
            ),
            (
                "erased_events",
                "Payloads deleted by erasure since the start",
                &self.erased,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        let help = "Entries per batch; a batch is one commit";
        registry.register("batch_entries", help, self.batch_entries.clone());
        let times = [
            (
                "append",
                "Seconds from the write queue to the acknowledgement",
                &self.append,
            ),
            (
                "vault_commit",
                "Seconds to make a batch's new keys durable",
                &self.vault_commit,
            ),
            (
                "ledger_commit",
                "Seconds to write a batch's rows",
                &self.ledger_commit,
            ),
            (
                "sync",
                "Seconds of a batch's commit: the WAL is written and synced",
                &self.sync,
            ),
        ];
        for (name, help, histogram) in times {
            registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
        }
        let help = "Requests answered with a problem, by type";
        registry.register("problems", help, self.problems.clone());
    }
}

//! The one writer: takes what gathered in the queue, makes it durable, and only then answers.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::failpoint::FailPoint;
use crate::figures::Figures;
use crate::journal::append::extension::{Extended, Extension};
use crate::journal::append::outcome::{Shards, refuse_commit};
use crate::journal::append::queue::{Queue, Reply, Waiting, Woken};
use crate::journal::append::room::{Room, may_use_reserve};
use crate::journal::append::values::{KnownValues, NewValues};
use crate::journal::append::{Accepted, PreparedEvent, Refusal, Submission};
use crate::journal::clock_guard::ClockGuard;
use crate::keys::keyring::{Destroyed, KeyError, Keyring};
use crate::tenant::ledger::{Ledger, Published};
use trailkeep_crypto::payload::key_ids;
use trailkeep_index::Index;
use trailkeep_ports::{DeletionBasis, ExpiryRow, LedgerBatch, Ledgers, Row, Statement, StoreError};
use trailkeep_proof::ids::{LedgerNumber, LookupKey, Seq};
use trailkeep_proof::ledger::chain::ChainHead;
use trailkeep_proof::ledger::entry::{EntryBytes, EntryKind};
use trailkeep_proof::ledger::tile::EdgeTiles;
use trailkeep_proof::time::{Clock, UnixMillis};

/// The vault's memory of the head is at most this late.
const WATERMARK_DELAY: Duration = Duration::from_secs(1);
/// Ledgers that were begun while the writer runs; it takes them before its next batch.
pub(crate) type NewLedgers = Arc<Mutex<Vec<LedgerState>>>;

/// What the writer owns. Nothing else writes to the ledgers.
pub(crate) struct Writer {
    pub(crate) ledgers: Arc<Ledgers>,
    pub(crate) index: Arc<Index>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) values: Arc<KnownValues>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) shards: Shards,
    pub(crate) new_ledgers: NewLedgers,
    pub(crate) room: Room,
    pub(crate) clock_guard: Arc<Mutex<ClockGuard>>,
    /// When the vault was last told the time.
    pub(crate) seen_at: Option<UnixMillis>,
    pub(crate) figures: Arc<Figures>,
    /// Why it has failed. It is said before anybody is refused for it: who asks next whether the server is ready hears it.
    pub(crate) failure: watch::Sender<Option<String>>,
}

/// The growing end of one ledger.
pub(crate) struct LedgerState {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) signing: SigningKey,
    pub(crate) chain: ChainHead,
    pub(crate) edge: EdgeTiles,
    /// The last statement that changes the vault.
    pub(crate) stated: Option<Seq>,
    /// Size at the last watermark.
    pub(crate) watermark_size: u64,
    /// Merged runs hold all below this; the active rows below it can go.
    pub(crate) merged_end: Seq,
}

impl Writer {
    /// Writes until the queue is closed and empty. An error means that the outcome of a write is unknown:
    /// all that waits is refused, and the directory must be opened again.
    pub(super) fn run(mut self, queue: &Queue) -> Result<(), StoreError> {
        let mut watermark_written = Instant::now();
        loop {
            let woken = queue.take(WATERMARK_DELAY / 4);
            // What waits for a ledger was queued after the ledger was put here.
            self.take_new_ledgers();
            let outcome = match woken {
                Woken::Batch(batch) => self.write(batch),
                Woken::Idle => self.drop_merged_rows(),
                Woken::Closed => return self.write_watermarks(),
            };
            let outcome = if watermark_written.elapsed() >= WATERMARK_DELAY {
                watermark_written = Instant::now();
                outcome.and_then(|()| self.write_watermarks())
            } else {
                outcome
            };
            if let Err(error) = outcome {
                queue.abandon(|| Refusal::Stopped);
                return Err(error);
            }
        }
    }

    fn take_new_ledgers(&mut self) {
        let mut new_ledgers = self.new_ledgers.lock();
        let begun = new_ledgers
            .drain(..)
            .map(|state| (state.ledger.record.number, state));
        self.shards.states.extend(begun);
    }

    /// From the queue to the commit and the answers: the whole way of a batch, top to bottom.
    pub(super) fn write(&mut self, batch: Vec<Waiting>) -> Result<(), StoreError> {
        FailPoint::BatchTaken.reach();
        let now = match self.time_to_write() {
            Ok(now) => now,
            Err(refusal) => {
                refuse(batch, || refusal);
                return Ok(());
            }
        };
        let batch = self.refuse_without_room(batch);
        let batch = self.refuse_rolled_back(self.refuse_closed(batch));
        // No key is destroyed while a batch is written.
        let keyring = Arc::clone(&self.keyring);
        let destroyed = keyring.hold_still();
        let (batch, mut stale) = self.split_stale(batch, now, &destroyed);
        // Nor is a value deleted that it refers to.
        let values = Arc::clone(&self.values);
        let steady = values.hold_still();
        let (batch, without_values) = self.split_without_values(batch, &steady);
        stale.extend(without_values);
        // Ids that came meanwhile go back to be compared, outside of this thread.
        let (batch, mut repeated) = self.split_repeated(batch);
        repeated.extend(stale);

        // Durability point 1: the data keys. A crash after it leaves keys that no event uses.
        FailPoint::BeforeVaultCommit.reach();
        let begun = Instant::now();
        if let Err(error) = self
            .keyring
            .make_durable(batch.iter().map(|waiting| &waiting.submission.needs))
        {
            return self.give_up(batch.into_iter().chain(repeated).collect(), error);
        }
        FailPoint::AfterVaultCommit.reach();
        self.figures
            .vault_commit
            .observe(begun.elapsed().as_secs_f64());

        // Nothing of `extended` is known to anybody before it is on disk.
        let parted = Parted::of(batch);
        let (extended, placed) = self.extend(parted.submissions, now);
        let (batches, heads): (Vec<LedgerBatch>, Vec<_>) = extended
            .into_iter()
            .map(|next| (next.batch, (next.chain, next.edge, next.stated)))
            .unzip();

        // Durability point 2: entries, payloads, tiles, index rows and the signed checkpoint, in one commit.
        FailPoint::BeforeLedgerCommit.reach();
        let begun = Instant::now();
        let committed = self.ledgers.commit(&mut self.shards.claims, &batches);
        if let Err(failed) = self.settle(committed) {
            let refusal = failed.refusal();
            let outcome = self.say_failure(failed.into());
            refuse_commit(parted.replies, refusal);
            refuse(repeated, || Refusal::LookAgain);
            return outcome;
        }
        FailPoint::AfterLedgerCommit.reach();
        values.settle(&steady, &parted.values);
        self.count(&batches, begun.elapsed());

        // On disk: from here on it may be seen, proven and acknowledged.
        let mut published = HashMap::new();
        for (batch, end) in batches.into_iter().zip(heads) {
            published.insert(batch.ledger, self.advance(batch, end));
        }
        for (placed, (reply, since)) in placed.into_iter().zip(parted.replies) {
            let head = &published[&placed.ledger];
            let accepted = Accepted {
                entries: placed.entries,
                published: Arc::clone(head),
            };
            // A client that went away does not hear of it; the event stays.
            let _ = reply.send(Ok(accepted));
            self.figures.append.observe(since.elapsed().as_secs_f64());
            FailPoint::BetweenAnswers.reach();
        }
        refuse(repeated, || Refusal::LookAgain);
        Ok(())
    }

    /// Refuses a batch whose keys could not be written. A full disk wrote nothing, nor did a key that could not be
    /// sealed; after anything else the outcome is unknown.
    fn give_up(&mut self, batch: Vec<Waiting>, error: KeyError) -> Result<(), StoreError> {
        match error {
            KeyError::Store(error) if !error.is_full() => {
                let outcome = self.say_failure(Err(error));
                refuse(batch, || Refusal::OutcomeUnknown);
                outcome
            }
            KeyError::Store(_) => {
                self.room.note_full();
                refuse(batch, || Refusal::Full);
                Ok(())
            }
            error => {
                tracing::error!(%error, "the keys of a batch could not be wrapped");
                refuse(batch, || Refusal::Busy);
                Ok(())
            }
        }
    }

    /// Says why the writer ends, where it does.
    fn say_failure(&self, outcome: Result<(), StoreError>) -> Result<(), StoreError> {
        if let Err(error) = &outcome {
            self.failure.send_replace(Some(error.to_string()));
        }
        outcome
    }

    /// Counts what a commit made durable.
    fn count(&self, batches: &[LedgerBatch], took: Duration) {
        let rows = || batches.iter().flat_map(|batch| &batch.rows);
        if batches.is_empty() {
            return;
        }
        // What is looked up by an id is an event; the ledger's own entries are not.
        let is_event = |row: &&Row| !row.lookups.is_empty();
        let figures = &self.figures;
        figures
            .events
            .inc_by(rows().filter(is_event).count() as u64);
        let bytes = rows().filter(is_event).map(|row| {
            let values = row.values.iter().map(|(_, bytes)| bytes.len());
            (row.payload.len() + values.sum::<usize>()) as u64
        });
        figures.bytes.inc_by(bytes.sum());
        // A batch has at most some ten thousand.
        let entries = u32::try_from(rows().count()).unwrap_or(u32::MAX);
        figures.batch_entries.observe(f64::from(entries));
        figures.ledger_commit.observe(took.as_secs_f64());
        figures.sync.observe(self.ledgers.last_sync().as_secs_f64());
    }

    /// The time, where it can be believed.
    fn time_to_write(&self) -> Result<UnixMillis, Refusal> {
        let guarded = self.clock_guard.lock().now(&*self.clock);
        let now = guarded.map_err(|jump| {
            tracing::error!(%jump, "appends are refused");
            Refusal::Clock(jump)
        })?;
        Ok(now)
    }

    /// Turns away events where the disk is below its reserve.
    fn refuse_without_room(&mut self, batch: Vec<Waiting>) -> Vec<Waiting> {
        if !self.room.is_below_reserve() {
            return batch;
        }
        let (going, refused) = batch.into_iter().partition(may_use_reserve);
        refuse(refused, || Refusal::Full);
        going
    }

    /// Turns away events of tenants that are closed; what the ledger itself records goes on.
    fn refuse_closed(&self, batch: Vec<Waiting>) -> Vec<Waiting> {
        let (open, closed) = batch.into_iter().partition(|waiting| {
            let submission = &waiting.submission;
            let settings = self.shards.states[&submission.ledger].ledger.settings();
            let is_event = |event: &PreparedEvent| event.kind == EntryKind::Event;
            settings.closed_at_ms.is_none() || !submission.events.iter().any(is_event)
        });
        refuse(closed, || Refusal::TenantClosed);
        open
    }

    /// Turns away what is for ledgers that were rolled back: a head signed now would be the second of its size.
    fn refuse_rolled_back(&self, batch: Vec<Waiting>) -> Vec<Waiting> {
        let (stopped, going) = batch.into_iter().partition(|waiting| {
            let ledger = &self.shards.states[&waiting.submission.ledger].ledger;
            ledger.rolled_back().is_some()
        });
        refuse(stopped, || Refusal::RolledBack);
        going
    }

    /// Submissions that were sealed for another time, or under a key that went: they go back to be sealed anew.
    fn split_stale(
        &self,
        batch: Vec<Waiting>,
        now: UnixMillis,
        destroyed: &Destroyed,
    ) -> (Vec<Waiting>, Vec<Waiting>) {
        batch.into_iter().partition(|waiting| {
            let submission = &waiting.submission;
            let last = self.shards.states[&submission.ledger]
                .chain
                .last_recorded_at;
            let is_free = |event: &PreparedEvent| {
                let keys = key_ids(&event.payload).unwrap_or_default();
                destroyed.is_free_of(keys.into_iter(), &event.lookups)
            };
            submission.recorded_within.contains(&now.max(last))
                && submission.events.iter().all(is_free)
        })
    }

    /// Submissions with an id that the ledger, or an earlier one of this batch, already has.
    fn split_repeated(&self, batch: Vec<Waiting>) -> (Vec<Waiting>, Vec<Waiting>) {
        let mut ids: HashSet<(LedgerNumber, LookupKey)> = HashSet::new();
        batch.into_iter().partition(|waiting| {
            let Submission {
                ledger,
                events,
                looked_up_below,
                ..
            } = &waiting.submission;
            let id_keys = || events.iter().filter_map(|event| event.lookups.first());
            let fresh = id_keys().all(|key| {
                !ids.contains(&(*ledger, *key))
                    && self.index.is_still_absent(*ledger, *looked_up_below, *key)
            });
            if fresh {
                ids.extend(id_keys().map(|key| (*ledger, *key)));
            }
            fresh
        })
    }

    /// Gives every event its place, and signs the head of each touched ledger.
    fn extend(&self, batch: Vec<Submission>, now: UnixMillis) -> (Vec<Extended>, Vec<Placed>) {
        let mut extensions: HashMap<LedgerNumber, Extension> = HashMap::new();
        let mut placed = Vec::with_capacity(batch.len());
        for submission in batch {
            let state = &self.shards.states[&submission.ledger];
            let merged_end = self.index.merged_end(submission.ledger);
            let extension = extensions.entry(submission.ledger).or_insert_with(|| {
                Extension::of(
                    submission.ledger,
                    (state.chain, state.edge.clone()),
                    merged_end,
                    state.stated,
                )
            });
            let entries = submission
                .events
                .into_iter()
                .map(|event| extension.place(event, now))
                .collect();
            placed.push(Placed {
                ledger: submission.ledger,
                entries,
            });
        }
        let sign = |(number, extension): (LedgerNumber, Extension)| {
            let state = &self.shards.states[&number];
            let ledger = &state.ledger;
            extension.sign(&ledger.record, &state.signing, &ledger.system_key)
        };
        (extensions.into_iter().map(sign).collect(), placed)
    }

    fn advance(
        &mut self,
        batch: LedgerBatch,
        (chain, edge, stated): (ChainHead, EdgeTiles, Option<Seq>),
    ) -> Arc<Published> {
        let first = batch.expected_size;
        for (row, seq) in batch.rows.iter().zip(first..) {
            let Some(stated) = &row.states else { continue };
            let (number, named) = stated.place(batch.ledger, Seq::new(seq));
            let open = self.shards.states.get(&number).map(|state| &state.ledger);
            if let Some(ledger) = open.or_else(|| self.shards.closed.get(&number)) {
                note_statement(ledger, named, &stated.statement);
            }
        }
        let rows = batch
            .rows
            .into_iter()
            .zip(first..)
            .filter(|(row, _)| !row.lookups.is_empty());
        let rows = rows.map(|(row, seq)| (Seq::new(seq), row.lookups));
        let state = self
            .shards
            .states
            .get_mut(&batch.ledger)
            .expect("only ledgers with a state are extended");
        state.chain = chain;
        state.stated = stated;
        state.edge = edge.clone();
        let published = Published::new(batch.checkpoint, edge, chain.last_recorded_at);
        let ledger = &state.ledger;
        self.index
            .add_published(batch.ledger, rows, || ledger.publish(published));
        ledger.published()
    }
}

/// What is written of a batch, who waits for it, and the values that it brings.
struct Parted {
    submissions: Vec<Submission>,
    replies: Vec<(Reply, Instant)>,
    values: Vec<(LedgerNumber, NewValues)>,
}

impl Parted {
    fn of(batch: Vec<Waiting>) -> Self {
        let mut values = Vec::with_capacity(batch.len());
        let parted = batch.into_iter().map(|mut waiting| {
            let submission = &mut waiting.submission;
            values.push((submission.ledger, std::mem::take(&mut submission.values)));
            (waiting.submission, (waiting.reply, waiting.since))
        });
        let (submissions, replies) = parted.unzip();
        Self {
            submissions,
            replies,
            values,
        }
    }
}

/// A statement is on disk: from here on nobody gets the texts that it covers.
fn note_statement(ledger: &Ledger, seq: Seq, statement: &Statement) {
    match statement {
        Statement::Expiry {
            class,
            recorded_before,
            ..
        } => ledger.tombstones.add_expiry(ExpiryRow {
            statement: seq,
            class: *class,
            recorded_before: *recorded_before,
        }),
        Statement::Tombstones { cause, .. } => ledger.tombstones.add_cause(seq, *cause),
        Statement::Erasure { covers, .. } if !covers.is_empty() => {
            ledger.tombstones.add_cause(seq, DeletionBasis::Request);
        }
        Statement::Class { .. }
        | Statement::Policy
        | Statement::Erasure { .. }
        | Statement::Lift { .. } => {}
    }
}

/// The entries of a submission.
struct Placed {
    ledger: LedgerNumber,
    entries: Vec<EntryBytes>,
}

fn refuse(batch: Vec<Waiting>, refusal: impl Fn() -> Refusal) {
    for waiting in batch {
        let _ = waiting.reply.send(Err(refusal()));
    }
}

//! Verifying a ledger: everything is derived again from the stored bytes.
//!
//! It reads ranges of a fixed tree size, each in a short transaction, so it runs beside a writing
//! server. It changes nothing and shows no text: it is no read.

mod anchored;
mod behind;
mod event;
mod owners;
mod read;
mod reads;
mod rows;
mod shown;
pub mod sources;
mod statement;
mod tables;
mod tombstones;
mod tree;
mod unneeded;
mod values;
mod vault;
mod walk;

pub use self::anchored::{AnchoredAt, Attested, WitnessedBy};
use crate::clock::SystemClock;
use crate::journal::append::Newest;
use crate::keys::keyring::Keyring;
use crate::tenant::head::check_signed_head;
use crate::tenant::ledger::LedgerKeys;
use trailkeep_index::Index;
use trailkeep_ports::{LedgerRecord, Ledgers, Staging, StoreError, StoredCheckpoint};
use trailkeep_proof::ids::RootHash;
use trailkeep_proof::ledger::checkpoint::Checkpoint;
use trailkeep_proof::ledger::cosignature::WitnessKey;
use trailkeep_proof::ledger::merkle::empty_root;
use trailkeep_proof::ledger::note::VerifierKey;
use trailkeep_proof::ledger::sources::SourcesSummary;
use trailkeep_proof::time::{Clock, UnixMillis};

/// Findings that are listed; more are counted.
const FINDINGS_MAX: usize = 1_000;

/// What the verifier reads.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Entries, payloads, tiles.
    pub ledgers: &'a Ledgers,
    /// Look-up rows; a backup has none.
    pub index: Option<&'a Index>,
    /// Telemetry that waits; a backup has none.
    pub staging: Option<&'a Staging>,
    /// Keys.
    pub keyring: &'a Keyring,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The entry it is about, if it is about one.
    pub seq: Option<u64>,
    /// The rule that does not hold; docs/design.md, "What verify checks", lists them.
    pub rule: &'static str,
    /// What was found, without any payload text.
    pub detail: String,
}

/// The result of a verification.
#[derive(Clone, Debug)]
pub struct Report {
    /// True if nothing was found to be wrong.
    pub ok: bool,
    /// Whose ledger it is.
    pub origin: String,
    /// Entries that were read.
    pub entries: u64,
    /// Applications' events among them. Each has one state: the four below add up to this.
    pub events: u64,
    /// Events whose text is there and is what was recorded.
    pub intact: u64,
    /// Events whose text went at the end of their time.
    pub expired: u64,
    /// Events whose text went on a person's request.
    pub erased: u64,
    /// Events whose text is there and shown to nobody without the legal purpose.
    pub restricted: u64,
    /// Events among the intact and restricted that a legal hold covers.
    pub held: u64,
    /// Events in none of these states: their text is changed, or missing without cover.
    pub damaged: u64,
    /// Detect gaps in producer sequence numbers.
    pub sources: SourcesSummary,
    /// Rows of the vault that no statement commits to: an earlier version wrote them, or a restore took them over.
    pub unbound: u64,
    /// Size of the signed head.
    pub size: u64,
    /// Root of the signed head, in base64.
    pub root: String,
    /// Who vouches for its heads besides its own key.
    pub attested: Attested,
    /// Number of findings, listed or not.
    pub findings_total: u64,
    /// The findings, the first 1,000.
    pub findings: Vec<Finding>,
}

/// Collects findings.
#[derive(Default)]
struct Findings {
    total: u64,
    listed: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, seq: impl Into<Option<u64>>, rule: &'static str, detail: impl Into<String>) {
        self.total += 1;
        if self.listed.len() < FINDINGS_MAX {
            self.listed.push(Finding {
                seq: seq.into(),
                rule,
                detail: detail.into(),
            });
        }
    }

    fn append(&mut self, mut other: Self) {
        self.total += other.total;
        other.listed.truncate(FINDINGS_MAX - self.listed.len());
        self.listed.append(&mut other.listed);
    }
}

/// What a verifier has besides the files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Question<'a> {
    /// The signed note of an older head that somebody kept.
    pub against: Option<&'a str>,
    /// Witnesses whose cosignatures are checked.
    pub witnesses: &'a [WitnessKey],
    /// What the clock shows; none: the machine's.
    pub now: Option<UnixMillis>,
}

/// Verifies one ledger. `progress` hears how many entries of how many are done.
pub fn verify(
    subject: Subject<'_>,
    record: &LedgerRecord,
    question: &Question<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, StoreError> {
    let mut findings = Findings::default();
    let mut head = stored_head(subject, record, &mut findings)?;
    let keys = match LedgerKeys::load(subject.keyring, record) {
        Ok(keys) => Some(keys),
        Err(error) => {
            findings.add(None, "ledger-keys", error.to_string());
            None
        }
    };
    if let Some(keys) = &keys {
        subject.keyring.add_system_key(&keys.system);
        let verifier =
            VerifierKey::from_public(record.origin.as_str(), &keys.signing.verifying_key());
        if let Err(error) = check_signed_head(&head, &verifier) {
            findings.add(None, "checkpoint", error.to_string());
        }
        // Every start refuses it. A head of an earlier version has nothing there.
        if Newest::of(&head, &keys.system) == Newest::Forged {
            let detail = "ledger.db, table checkpoint, column stated: this program did not write it for this head";
            findings.add(None, "checkpoint", detail);
        }
    }
    // A size that was changed must not send the walk over entries that never were.
    let stored_end = subject.ledgers.stored_end(record.number)?;
    if head.size > stored_end {
        let detail = format!(
            "the checkpoint has {} entries, the last one stored is {stored_end}",
            head.size
        );
        findings.add(None, "entry-missing", detail);
        head.size = stored_end;
    }
    let anchored = anchored::sizes(subject, record)?;
    let walked = tree::walk(subject, record.number, &head, &anchored, &mut findings)?;
    let walk = walk::Walk::new(subject, record, keys.as_ref(), head.size, &mut findings)?;
    let read = walk.run(&mut findings, progress)?;
    vault::check(subject, record, &head, &walked.roots, &mut findings)?;
    let now = question.now.unwrap_or_else(|| SystemClock.wall());
    tables::check(subject, record, keys.as_ref(), (&read, now), &mut findings)?;
    values::check(subject, record, &mut findings)?;
    let unbound = rows::check(subject, record, head.size, &read.rows, &mut findings)?;
    let mut attested = Attested::default();
    if let Some(keys) = &keys {
        let verifier =
            VerifierKey::from_public(record.origin.as_str(), &keys.signing.verifying_key());
        let signed = (head.size, &verifier);
        let roots = &walked.roots_at;
        attested = anchored::check(subject, record, signed, roots, question, &mut findings)?;
        if let Some(note) = question.against {
            let roots = &walked.roots;
            check_against(note, &verifier, roots, subject, &head, &mut findings)?;
        }
    }
    Ok(Report {
        ok: findings.total == 0,
        origin: record.origin.to_string(),
        entries: walked.entries,
        events: read.events,
        intact: read.intact,
        expired: read.expired,
        erased: read.erased,
        restricted: read.restricted,
        held: read.held,
        damaged: read.events - read.intact - read.expired - read.erased - read.restricted,
        sources: read.sources.summary(),
        unbound,
        size: head.size,
        root: head.root.to_string(),
        attested,
        findings_total: findings.total,
        findings: findings.listed,
    })
}

/// The signed head as it is stored; that of an empty ledger where none is.
fn stored_head(
    subject: Subject<'_>,
    record: &LedgerRecord,
    findings: &mut Findings,
) -> Result<StoredCheckpoint, StoreError> {
    let stored = subject.ledgers.checkpoint(record.number)?;
    Ok(stored.unwrap_or_else(|| {
        findings.add(None, "checkpoint", "the ledger has no signed checkpoint");
        StoredCheckpoint {
            size: 0,
            root: empty_root(),
            note: String::new(),
            stated: None,
        }
    }))
}

/// An older head that somebody kept must be the beginning of this ledger.
fn check_against(
    note: &str,
    verifier: &VerifierKey,
    roots: &tree::OldRoots,
    subject: Subject<'_>,
    head: &StoredCheckpoint,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let old = match Checkpoint::open(note, verifier) {
        Ok(old) => old,
        Err(error) => {
            findings.add(
                None,
                "against",
                format!("the older checkpoint is not usable: {error}"),
            );
            return Ok(());
        }
    };
    if old.size > head.size {
        let detail = format!(
            "rollback detected: the older checkpoint signs {} entries, the ledger has {}",
            old.size, head.size
        );
        findings.add(None, "rolled-back", detail);
        return Ok(());
    }
    let root: RootHash = roots.root_at(subject.ledgers, old.size)?;
    if root != old.root {
        let detail = format!(
            "the first {} entries do not match the older checkpoint",
            old.size
        );
        findings.add(None, "against", detail);
    }
    Ok(())
}

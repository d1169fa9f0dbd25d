//! What covers the texts that went: each statement is checked once, and each text against its statement.

use std::collections::{HashMap, HashSet};

use crate::audit::behind::{Behind, Opened};
use crate::audit::statement::kind_of;
use crate::audit::{Findings, Subject};
use crate::journal::read::ReadError;
use crate::journal::tombstone::{ItemTree, statement_nonce};
use crate::keys::keyring::KeyError;
use crate::tenant::classes::Class;
use crate::tenant::deletion::{Deletion, Tombstones};
use crate::tenant::hold::Holds;
use crate::tenant::ledger::LedgerKeys;
use trailkeep_ports::{ClassRow, LedgerRecord, Mark, StoreError};
use trailkeep_proof::bundle::line::{PayloadState, Tombstone};
use trailkeep_proof::bundle::tombstone::{Statement, Statements};
use trailkeep_proof::ids::{ClassNumber, Seq};
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::ledger::event::Facts;
use trailkeep_proof::time::UnixMillis;

/// What a lifted hold kept goes with the next run, which is at most a day later; then somebody is to look.
const RELEASED_GRACE_MS: u64 = 2 * 86_400_000;

/// The statements by which texts went, and the holds that keep others.
pub(super) struct TombstoneCheck {
    covers: Tombstones,
    statements: Statements,
    /// Statements on single events whose items are not those that they sign.
    wrong: HashSet<Seq>,
    has_open_job: bool,
    /// Statements that restrict, with the entry that lifted each.
    restrictions: HashMap<Seq, Option<Seq>>,
    /// Statements when this was made.
    known: usize,
    classes: HashMap<ClassNumber, Class>,
    holds: Holds,
    /// Statements of the ledger's own; those behind them stand in ledgers that continue it.
    size: u64,
    /// Those that hold, and those that were lifted lately.
    holds_of_late: Holds,
}

impl TombstoneCheck {
    pub(super) fn new(
        subject: Subject<'_>,
        record: &LedgerRecord,
        keys: Option<&LedgerKeys>,
        classes: &[ClassRow],
        (size, statements): (u64, &[(Seq, String, bool)]),
        findings: &mut Findings,
    ) -> Result<Self, StoreError> {
        let behind = Behind::new(subject, record, findings)?;
        let holds = match Holds::load(subject.keyring, behind.active_record()) {
            Ok(holds) => holds,
            Err(KeyError::Store(error)) => return Err(error),
            Err(error) => {
                findings.add(None, "hold", error.to_string());
                Holds::default()
            }
        };
        let lately = last_recorded_at(subject, record)?
            .get()
            .saturating_sub(RELEASED_GRACE_MS);
        let mut check = Self {
            covers: Tombstones::load(subject.ledgers, record.number)?,
            statements: Statements::default(),
            wrong: HashSet::new(),
            has_open_job: statements.iter().any(|(_, _, open)| *open),
            restrictions: HashMap::new(),
            known: subject.ledgers.statements(record.number)?.len(),
            classes: HashMap::new(),
            holds: holds.clone().in_force(),
            size,
            holds_of_late: holds.in_force_after(UnixMillis::new(lately)),
        };
        for row in classes {
            check.add_class(row);
        }
        check.check_restrictions(&behind, subject, record, findings)?;
        check.check_statements(&behind, (subject, record, keys), statements, findings)?;
        Ok(check)
    }

    /// What is restricted is what statements say, and lifted by entries that say so.
    fn check_restrictions(
        &mut self,
        behind: &Behind<'_>,
        subject: Subject<'_>,
        record: &LedgerRecord,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let number = record.number;
        let statements = subject.ledgers.statements(number)?;
        for (by, lifted_by) in subject.ledgers.restrictions(number)? {
            let is_statement = statements.iter().any(|(seq, ..)| *seq == by);
            let is_lifted = lifted_by.map_or(Ok(true), |at| behind.lifts(at, by))?;
            if !is_statement || !is_lifted || self.restrictions.insert(by, lifted_by).is_some() {
                let detail = "the table of restrictions does not match the ledger's statements";
                findings.add(by.get(), "restriction", detail);
                self.wrong.insert(by);
            }
        }
        Ok(())
    }

    /// What each statement covers is what the tables say.
    fn check_statements(
        &mut self,
        behind: &Behind<'_>,
        (subject, record, keys): (Subject<'_>, &LedgerRecord, Option<&LedgerKeys>),
        statements: &[(Seq, String, bool)],
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let figures = subject.ledgers.expiries(record.number)?;
        let figures = figures
            .iter()
            .map(|row| (row.statement, (row.class, row.recorded_before)))
            .collect::<HashMap<_, _>>();
        for (seq, kind, _) in statements.iter().filter(|(_, kind, _)| kind != "policy") {
            let Some(opened) = behind.open(*seq)? else {
                // What does not open of this ledger is a finding of the walk.
                if behind.is_behind(*seq) {
                    let detail = "a statement behind the ledger that its tables name does not open";
                    findings.add(None, "cover", detail);
                    self.wrong.insert(*seq);
                }
                continue;
            };
            let fits = if kind == "expiry" {
                let section = opened.says("expiry");
                section.and_then(|text| class_and_time(&text)) == figures.get(seq).copied()
            } else {
                let others = behind.keys(opened.stands_in.number);
                let keys = if opened.is_own() { keys } else { others };
                items_fit(subject, (record, *seq), keys, &opened)?
            };
            // Of the ledger's own the walk compares the kinds.
            let says = |name: &str| opened.says(name);
            let is_kind = opened.is_own() || kind_of(&says) == Some(kind.as_str());
            if !fits || !is_kind {
                let detail = "the events it covers do not match the tables";
                findings.add(seq.get(), "cover", detail);
                self.wrong.insert(*seq);
            }
            self.add_statement(*seq, &opened);
        }
        let expiries = statements.iter().filter(|(_, kind, _)| kind == "expiry");
        if figures.len() != expiries.count() {
            let detail = "the table of expiries has not the rows of the ledger's expiry statements";
            findings.add(None, "cover", detail);
        }
        Ok(())
    }

    fn add_class(&mut self, row: &ClassRow) {
        let Ok(section) = serde_json::from_str(&row.definition) else {
            return;
        };
        let statement = Statement {
            class: Some(section),
            ..Statement::default()
        };
        self.statements.insert(row.statement, statement);
        let definition = serde_json::from_str(&row.definition).ok();
        let class = definition.and_then(|known| Class::from_definition(row.statement, known));
        self.classes
            .extend(class.map(|class| (class.number, class)));
    }

    fn add_statement(&mut self, seq: Seq, opened: &Opened<'_>) {
        let read = |name| serde_json::from_slice(&opened.says(name)?).ok();
        let read_items = |name| serde_json::from_slice(&opened.says(name)?).ok();
        let statement = Statement {
            recorded_at_ms: opened.stored.entry.recorded_at.get(),
            class: None,
            expiry: read("expiry"),
            covers: read_items("covers"),
            restricts: read_items("restricts"),
        };
        self.statements.insert(seq, statement);
    }

    pub(super) const fn has_open_job(&self) -> bool {
        self.has_open_job
    }

    /// Whether no statement came since this was made, and no job is under way.
    pub(super) fn is_current(
        &self,
        subject: Subject<'_>,
        record: &LedgerRecord,
    ) -> Result<bool, StoreError> {
        let statements = subject.ledgers.statements(record.number)?;
        Ok(statements.len() == self.known && !statements.iter().any(|(_, _, open)| *open))
    }

    pub(super) fn deletion(&self, entry: &Entry, mark: Mark) -> Option<Deletion> {
        self.covers.deletion(entry, mark)
    }

    /// Whether the statement lets the text go. What it says of its items as a whole was checked at the beginning.
    pub(super) fn check(&self, entry: &Entry, gone: Deletion) -> Result<(), String> {
        if self.wrong.contains(&gone.by) {
            return Err(format!(
                "entry {} does not cover the events it names",
                gone.by
            ));
        }
        if gone.is_item {
            return if gone.by > entry.seq {
                Ok(())
            } else {
                Err(format!("entry {} is not later than this one", gone.by))
            };
        }
        let covered = Tombstone {
            by: gone.by,
            item: None,
        };
        self.statements
            .check(entry, &PayloadState::Expired(covered))
            .map_err(|error| error.to_string())
    }

    /// Whether an event is restricted; the error says why its restriction is none.
    pub(super) fn check_restriction(&self, entry: &Entry, mark: Mark) -> Result<bool, String> {
        match mark.restricted_by {
            None => Ok(false),
            Some(by) if by <= entry.seq => Err(format!("entry {by} is not later than this one")),
            Some(by) if self.wrong.contains(&by) => {
                Err(format!("entry {by} does not restrict the events it names"))
            }
            Some(_) => Ok(true),
        }
    }

    /// How many restrictions are lifted by entries of the ledger itself.
    pub(super) fn lifts(&self) -> usize {
        let lifted = self.restrictions.values().flatten();
        lifted
            .filter(|lifted_by| lifted_by.get() < self.size)
            .count()
    }

    /// Whether the table says that this entry lifted the restriction.
    pub(super) fn is_lifted_by(&self, restriction: Seq, by: Seq) -> bool {
        self.restrictions.get(&restriction) == Some(&Some(by))
    }

    /// Whether a hold covers the event now.
    pub(super) fn is_held(&self, entry: &Entry, facts: &Facts) -> bool {
        self.held_by(&self.holds, entry, facts)
    }

    /// Whether a hold keeps it beyond its time, or did until lately.
    pub(super) fn may_be_overdue(&self, entry: &Entry, facts: &Facts) -> bool {
        self.held_by(&self.holds_of_late, entry, facts)
    }

    fn held_by(&self, holds: &Holds, entry: &Entry, facts: &Facts) -> bool {
        let Some(class) = self.classes.get(&entry.class) else {
            return false;
        };
        let facts = || Ok::<_, std::convert::Infallible>(facts.clone());
        let Ok(covering) = holds.covering(entry, class, facts);
        !covering.is_empty()
    }
}

fn last_recorded_at(subject: Subject<'_>, record: &LedgerRecord) -> Result<UnixMillis, StoreError> {
    let end = subject.ledgers.stored_end(record.number)?;
    let last = subject
        .ledgers
        .entries(record.number, end.saturating_sub(1)..end)?;
    let last = last.first().and_then(|bytes| Entry::decode(bytes).ok());
    Ok(last.map_or(UnixMillis::new(0), |entry| entry.recorded_at))
}

fn class_and_time(section: &[u8]) -> Option<(ClassNumber, UnixMillis)> {
    let section: serde_json::Value = serde_json::from_slice(section).ok()?;
    let class = u16::try_from(section.get("class")?.as_u64()?).ok()?;
    let before = section.get("recorded_before_ms")?.as_u64()?;
    Some((ClassNumber::new(class), UnixMillis::new(before)))
}

/// Whether the rows that name a statement are the items whose root it signs.
fn items_fit(
    subject: Subject<'_>,
    (record, seq): (&LedgerRecord, Seq),
    keys: Option<&LedgerKeys>,
    opened: &Opened<'_>,
) -> Result<bool, StoreError> {
    let Some(keys) = keys else { return Ok(true) };
    let place = (opened.stands_in.number, opened.stored.entry.seq);
    let nonce = match statement_nonce(subject.ledgers, place.0, place.1) {
        Ok(nonce) => nonce,
        Err(ReadError::Store(error)) => return Err(error),
        Err(_) => return Ok(false),
    };
    let items = [
        (
            "covers",
            subject.ledgers.tombstone_items(record.number, seq)?,
        ),
        (
            "restricts",
            subject.ledgers.restricted_by(record.number, seq)?,
        ),
    ];
    Ok(items.into_iter().all(|(name, items)| {
        let Some(bytes) = opened.says(name) else {
            return items.is_empty();
        };
        let section = serde_json::from_slice::<serde_json::Value>(&bytes).unwrap_or_default();
        let tree = ItemTree::new(&keys.system.key, &nonce, items);
        section["items"].as_u64() == Some(tree.size())
            && section["root"].as_str() == Some(&tree.root().to_string())
    }))
}

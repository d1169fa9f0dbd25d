//! Which statement covers an event that is not disclosed (docs/format.md, "Cover").
//!
//! Lawful destruction must never look like tampering, nor tampering like it (invariant 8): an event may be
//! absent only if a later entry of the same ledger declares it, in one of the forms here.

use std::collections::BTreeMap;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::line::{ItemOpening, Line, PayloadState, Tombstone};
use super::manifest::PolicyName;
use crate::ids::{ClassNumber, LeafHash, RootHash, Seq};
use crate::ledger::entry::{Entry, EntryKind};
use crate::ledger::merkle::{ProofError, verify_inclusion};
use crate::period::CalendarPeriod;
use crate::time::UnixMillis;

/// What a statement says of retention, as far as verifying needs it.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    /// When it was recorded.
    pub recorded_at_ms: u64,
    /// Section `class`: it defines a retention class.
    pub class: Option<ClassSection>,
    /// Section `expiry`: a class went up to a time.
    pub expiry: Option<ExpirySection>,
    /// Section `covers`: single events went.
    pub covers: Option<ItemsSection>,
    /// Section `restricts`: single events are shown to nobody.
    pub restricts: Option<ItemsSection>,
}

/// Section `class`.
#[derive(Clone, Debug, Deserialize)]
pub struct ClassSection {
    /// The class's number.
    pub number: u16,
    /// Its policies.
    pub policies: Vec<PolicyName>,
    /// Nothing goes before this period has passed.
    pub minimum: String,
    /// The period after which it goes in the ordinary course; none: it is kept without end.
    pub after: Option<String>,
}

/// Section `expiry`.
#[derive(Clone, Debug, Deserialize)]
pub struct ExpirySection {
    class: u16,
    recorded_before_ms: u64,
    policy: u64,
    after: String,
}

/// Section `covers` or `restricts`: the root over the events that it names, without naming them.
#[derive(Clone, Debug, Deserialize)]
pub struct ItemsSection {
    items: u64,
    root: String,
    #[serde(default)]
    cause: Option<Cause>,
}

/// Why single events went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Cause {
    Request,
    Trigger,
}

impl Statement {
    /// Reads what is disclosed of a statement. An error names the section that is malformed.
    pub fn read(entry: &Entry, line: &Line<'_>) -> Result<Self, &'static str> {
        fn section<T: for<'de> Deserialize<'de>>(
            line: &Line<'_>,
            name: &'static str,
        ) -> Result<Option<T>, &'static str> {
            let read = |text| serde_json::from_str(text).map_err(|_| name);
            line.text(name).map(read).transpose()
        }
        Ok(Self {
            recorded_at_ms: entry.recorded_at.get(),
            class: section(line, "class")?,
            expiry: section(line, "expiry")?,
            covers: section(line, "covers")?,
            restricts: section(line, "restricts")?,
        })
    }

    /// Whether it says anything of retention.
    pub fn matters(&self) -> bool {
        self.class.is_some()
            || self.expiry.is_some()
            || self.covers.is_some()
            || self.restricts.is_some()
    }
}

/// Why a statement does not cover an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TombstoneError {
    /// Only events can be covered.
    #[error("it is not an event: genesis and system entries are never deleted")]
    Kind,
    /// The statement is not in the bundle, or says nothing of the kind.
    #[error("seq {0} is not a disclosed tombstone of this bundle")]
    NoStatement(Seq),
    /// The statement is not later than the event.
    #[error("the statement, seq {0}, is not later than the event")]
    NotLater(Seq),
    /// The statement is about another class.
    #[error("the statement is about class {stated}, the event is of class {found}")]
    OtherClass {
        /// The statement's class.
        stated: u16,
        /// The event's class.
        found: u16,
    },
    /// The event was recorded too late for it.
    #[error(
        "the statement covers events recorded before {before}, this one was recorded at {found}"
    )]
    RecordedLater {
        /// Where it ends.
        before: UnixMillis,
        /// When the event was recorded.
        found: UnixMillis,
    },
    /// The class's own statement is missing or says another period.
    #[error(
        "the statement refers to seq {0} for its period, which does not define that class with that period before the event"
    )]
    Policy(Seq),
    /// The period is shorter than the class's minimum, or none.
    #[error("its period, {0}, is not a period or is shorter than the minimum of the class")]
    Period(String),
    /// It was destroyed before its time.
    #[error("it was deleted too early: its period ended after the statement was recorded")]
    TooEarly,
    /// The item is not among those of the statement.
    #[error("the statement's items do not include this event: {0}")]
    Item(ProofError),
    /// The statement's root is none.
    #[error("the statement's root is not 32 bytes in base64")]
    Root,
}

/// The statements of a bundle that say something of retention, by seq.
#[derive(Default)]
pub struct Statements(BTreeMap<Seq, Statement>);

impl Statements {
    /// Adds one.
    pub fn insert(&mut self, seq: Seq, statement: Statement) {
        self.0.insert(seq, statement);
    }

    /// The statement that defines a class, and its seq.
    pub fn class(&self, class: ClassNumber) -> Option<(Seq, &ClassSection)> {
        self.0.iter().find_map(|(seq, statement)| {
            let section = statement.class.as_ref()?;
            (section.number == class.get()).then_some((*seq, section))
        })
    }

    /// Checks that what became of an event is covered. What is withheld needs no cover: it is shown as such.
    pub fn check(&self, entry: &Entry, payload_state: &PayloadState) -> Result<(), TombstoneError> {
        if entry.kind != EntryKind::Event {
            return Err(TombstoneError::Kind);
        }
        match payload_state {
            PayloadState::Withheld(_) => Ok(()),
            PayloadState::Expired(covered) => match &covered.item {
                None => self.check_expiry(entry, covered.by),
                Some(item) => self.check_covers(entry, covered, item, Cause::Trigger),
            },
            PayloadState::Erased(Tombstone { item: None, by })
            | PayloadState::Restricted(Tombstone { item: None, by }) => {
                Err(TombstoneError::NoStatement(*by))
            }
            PayloadState::Erased(
                covered @ Tombstone {
                    item: Some(item), ..
                },
            ) => self.check_covers(entry, covered, item, Cause::Request),
            PayloadState::Restricted(Tombstone {
                item: Some(item),
                by,
            }) => {
                let statement = self.later(entry, *by)?;
                let section = statement.restricts.as_ref();
                check_item(
                    entry,
                    section.ok_or(TombstoneError::NoStatement(*by))?,
                    item,
                )
            }
        }
    }

    fn later(&self, entry: &Entry, by: Seq) -> Result<&Statement, TombstoneError> {
        if by <= entry.seq {
            return Err(TombstoneError::NotLater(by));
        }
        self.0.get(&by).ok_or(TombstoneError::NoStatement(by))
    }

    fn check_covers(
        &self,
        entry: &Entry,
        covered: &Tombstone,
        item: &ItemOpening,
        cause: Cause,
    ) -> Result<(), TombstoneError> {
        let statement = self.later(entry, covered.by)?;
        let section = statement.covers.as_ref();
        let section = section.filter(|section| section.cause == Some(cause));
        check_item(
            entry,
            section.ok_or(TombstoneError::NoStatement(covered.by))?,
            item,
        )
    }

    fn check_expiry(&self, entry: &Entry, by: Seq) -> Result<(), TombstoneError> {
        let statement = self.later(entry, by)?;
        let expiry = statement
            .expiry
            .as_ref()
            .ok_or(TombstoneError::NoStatement(by))?;
        if expiry.class != entry.class.get() {
            return Err(TombstoneError::OtherClass {
                stated: expiry.class,
                found: entry.class.get(),
            });
        }
        let before = UnixMillis::new(expiry.recorded_before_ms);
        if entry.recorded_at >= before {
            return Err(TombstoneError::RecordedLater {
                before,
                found: entry.recorded_at,
            });
        }
        let policy = Seq::new(expiry.policy);
        let class = self
            .0
            .get(&policy)
            .and_then(|statement| statement.class.as_ref())
            .filter(|class| policy < entry.seq && class.number == expiry.class)
            .filter(|class| class.after.as_deref() == Some(expiry.after.as_str()))
            .ok_or(TombstoneError::Policy(policy))?;
        let period = || TombstoneError::Period(expiry.after.clone());
        let end_of = |text: &str| CalendarPeriod::parse(text).ok()?.after(before);
        let due = end_of(&expiry.after).ok_or_else(period)?;
        if end_of(&class.minimum).is_none_or(|minimum| due < minimum) {
            return Err(period());
        }
        if due.get() > statement.recorded_at_ms {
            return Err(TombstoneError::TooEarly);
        }
        Ok(())
    }
}

/// Leaf of an item: SHA-256(0x00 || item salt || seq).
pub fn item_leaf(salt: &[u8; 16], seq: Seq) -> LeafHash {
    let hash = Sha256::new()
        .chain_update([0])
        .chain_update(salt)
        .chain_update(seq.get().to_be_bytes());
    LeafHash::new(hash.finalize().into())
}

fn check_item(
    entry: &Entry,
    section: &ItemsSection,
    item: &ItemOpening,
) -> Result<(), TombstoneError> {
    let root = RootHash::from_base64(&section.root).ok_or(TombstoneError::Root)?;
    let leaf = item_leaf(&item.salt, entry.seq);
    verify_inclusion(item.index, section.items, &leaf, &item.path, &root)
        .map_err(TombstoneError::Item)
}

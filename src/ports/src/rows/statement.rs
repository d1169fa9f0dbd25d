//! What system entries state for other entries: rows by which it is found.

use trailkeep_proof::ids::{ClassNumber, LedgerNumber, Seq};
use trailkeep_proof::time::UnixMillis;

/// How the text of an event went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionCause {
    /// At the end of its time.
    Expired,
    /// Because a person asked.
    Erased,
}

impl DeletionCause {
    /// The state's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Erased => "erased",
        }
    }

    /// The state of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Expired, Self::Erased]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// Why single events went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionBasis {
    /// A person asked.
    Request,
    /// Something happened to their record, and their time ended.
    Trigger,
}

impl DeletionBasis {
    /// The word of the statement's section.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Trigger => "trigger",
        }
    }

    /// The kind of its statements in the store.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Request => "covers-request",
            Self::Trigger => "covers-trigger",
        }
    }

    /// The cause of a kind of statement.
    pub fn of_kind(kind: &str) -> Option<Self> {
        [Self::Request, Self::Trigger]
            .into_iter()
            .find(|cause| cause.kind() == kind)
    }
}

/// What a system entry states for other entries, beside its text: rows by which it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// A retention class.
    Class {
        /// Its number.
        number: ClassNumber,
        /// Its definition, as its section has it.
        definition: String,
    },
    /// A policy, as loaded, changed or dropped.
    Policy,
    /// Events that expired: those of a class that were recorded before a moment.
    Expiry {
        /// Their class.
        class: ClassNumber,
        /// The moment.
        recorded_before: UnixMillis,
        /// Those of them that a hold keeps: they stay, and the next run looks at them again.
        held: Vec<Seq>,
        /// Those that a hold kept from an earlier run, and that go now.
        released: Vec<Seq>,
    },
    /// Single events that went.
    Tombstones {
        /// Why.
        cause: DeletionBasis,
        /// The events, ascending.
        items: Vec<Seq>,
    },
    /// What persons' requests lead to.
    Erasure {
        /// The events that go, ascending.
        covers: Vec<Seq>,
        /// The events that are shown to nobody from here on, ascending.
        restricts: Vec<Seq>,
    },
    /// A restriction is over.
    Lift {
        /// The statement that restricted.
        restriction: Seq,
    },
}

/// A statement, and whose entries it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// What is stated.
    pub statement: Statement,
    /// The closed ledger whose entries it is about; none where they are those of the ledger that it stands in.
    pub closed: Option<SupersededLedger>,
}

/// A ledger that takes no entry any more, of which another one states what goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupersededLedger {
    /// Its number.
    pub number: LedgerNumber,
    /// How its tables name entry 0 of the other one.
    pub first: u64,
}

impl From<Statement> for Stated {
    fn from(statement: Statement) -> Self {
        Self {
            statement,
            closed: None,
        }
    }
}

impl Stated {
    /// The ledger whose tables it goes into, and its name there.
    pub fn place(&self, stands_in: LedgerNumber, seq: Seq) -> (LedgerNumber, Seq) {
        match self.closed {
            Some(closed) => (closed.number, Seq::new(closed.first + seq.get())),
            None => (stands_in, seq),
        }
    }
}

/// The kind of a statement that restricts, and covers nothing.
pub const RESTRICTS: &str = "restricts";

impl Statement {
    /// The kind's name; none of what has a table or column of its own.
    pub const fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Class { .. } | Self::Lift { .. } => None,
            Self::Policy => Some("policy"),
            Self::Expiry { .. } => Some("expiry"),
            Self::Tombstones { cause, .. } => Some(cause.kind()),
            Self::Erasure { covers, .. } if covers.is_empty() => Some(RESTRICTS),
            Self::Erasure { .. } => Some(DeletionBasis::Request.kind()),
        }
    }

    /// Whether what it states is still to be done.
    pub const fn opens_a_job(&self) -> bool {
        matches!(
            self,
            Self::Expiry { .. } | Self::Tombstones { .. } | Self::Erasure { .. }
        )
    }
}

/// A retention class.
#[derive(Clone, Debug)]
pub struct ClassRow {
    /// Its number.
    pub number: ClassNumber,
    /// The system entry that defines it.
    pub statement: Seq,
    /// The statement's section `class`, exactly.
    pub definition: String,
}

/// What statements say of one event, beside the expiry of its class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The statement that covers it by itself.
    pub tombstone: Option<Seq>,
    /// Whether a hold keeps it although the expiry of its class covers it.
    pub is_overdue: bool,
    /// The statement by which it is shown to nobody.
    pub restricted_by: Option<Seq>,
}

/// An expiry statement: events of the class that were recorded before the moment are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpiryRow {
    /// The entry that states it.
    pub statement: Seq,
    /// The class.
    pub class: ClassNumber,
    /// The moment.
    pub recorded_before: UnixMillis,
}

/// A statement that is still being carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenJob {
    /// The entry that states it.
    pub statement: Seq,
    /// `expiry`, `covers-request`, `covers-trigger` or `restricts`.
    pub kind: String,
}

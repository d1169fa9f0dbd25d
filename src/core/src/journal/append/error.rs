//! Why the writer did not take events, and what an append says of it.

use crate::journal::class::ClassError;
use crate::journal::clock_guard::ClockJump;
use crate::journal::read::ReadError;
use crate::keys::keyring::KeyError;
use trailkeep_ports::StoreError;
use trailkeep_proof::ids::Seq;

/// Why the writer did not take a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The queue is full.
    Busy,
    /// One of the ids came meanwhile.
    LookAgain,
    /// Disk full.
    Full,
    /// The clock can't be believed.
    Clock(ClockJump),
    /// The tenant takes no more events.
    TenantClosed,
    /// The ledger was rolled back.
    RolledBack,
    /// The writer has stopped.
    Stopped,
    /// A write failed half-way: it may be on disk or not.
    OutcomeUnknown,
}

/// Why events were not appended. Nothing of the request is on disk, but for `OutcomeUnknown`.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// An id stands for another event already.
    #[error("an event with this id and other content is already recorded")]
    Conflict {
        /// Position in the request, from 0.
        position: usize,
        /// The seq of the recorded one; none if it stands earlier in the same request.
        recorded: Option<Seq>,
    },
    /// No retention class can be given.
    #[error("{error}")]
    Class {
        /// Position in the request, from 0.
        position: usize,
        /// Why.
        error: ClassError,
    },
    /// A policy refuses events: position in the request, from 0, and why.
    #[error("policies refuse {} places of this request; nothing was recorded", .0.len())]
    Refused(Vec<(usize, trailkeep_policy::ingest::Refusal)>),
    /// More than 64 subjects with keys of their own.
    #[error("an event has at most 64 subjects")]
    TooManySubjects,
    /// Larger than any payload may be.
    #[error("the event is larger than a payload can hold")]
    Unsealable,
    /// The queue is full.
    #[error("write queue is full; retry after 1 s")]
    Busy,
    /// Disk full.
    #[error("the disk is full or below its reserve; nothing was written: free space and retry")]
    Full,
    /// The clock jumped.
    #[error(transparent)]
    Clock(ClockJump),
    /// The tenant takes no more events.
    #[error("the tenant is closed and accepts no more events; nothing was written")]
    TenantClosed,
    /// Somebody outside has seen more of the ledger.
    #[error(
        "rollback detected: an anchor or witness holds a later checkpoint of this ledger, or another history; nothing was recorded; `trailkeep anchor list` shows which"
    )]
    RolledBack,
    /// The writer has stopped.
    #[error("the server is stopping or its writer failed; nothing was written: retry later")]
    Stopped,
    /// A write failed half-way.
    #[error(
        "the write failed and its outcome is unknown: retry with the same id, which cannot record it twice"
    )]
    OutcomeUnknown,
    /// A key could not be found or made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A recorded event with the same id could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<ClassError> for AppendError {
    fn from(error: ClassError) -> Self {
        Self::Class { position: 0, error }
    }
}

impl From<Refusal> for AppendError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Busy | Refusal::LookAgain => Self::Busy,
            Refusal::Full => Self::Full,
            Refusal::Clock(jump) => Self::Clock(jump),
            Refusal::TenantClosed => Self::TenantClosed,
            Refusal::RolledBack => Self::RolledBack,
            Refusal::Stopped => Self::Stopped,
            Refusal::OutcomeUnknown => Self::OutcomeUnknown,
        }
    }
}

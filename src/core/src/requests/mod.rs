//! Requests of persons: filed, identified, extended, answered, ended, forgotten.
//!
//! The ledger's entries name nobody (docs/format.md, "Certificate"): a request's id, number, dates, decision, counts,
//! and a salted commitment to the person. Who it is about stands in the request's row of the vault, sealed under
//! a key of the row's own that goes within 30 days of the closing, or after the time that the tenant set (filed.rs).

mod answer;
mod certify;
mod conclude;
mod copy;
mod decide;
mod dry_run;
pub mod erase;
mod execute;
mod fetch;
mod filed;
mod foreseen;
mod implied;
mod kept;
mod letter;
mod near;
mod new_request;
mod register;
mod token;
mod view;
mod waiting;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::destroy::{DeletionError, Deletions};
use crate::export::ExportError;
use crate::export::jobs::{Exports, StartError};
use crate::govern::Custody;
use crate::govern::hold::HoldError;
use crate::govern::rotation::RotationError;
use crate::ingest::{Inbox, StagingError};
use crate::journal::Journal;
use crate::journal::append::AppendError;
use crate::journal::read::ReadError;
use crate::keys::keyring::KeyError;
pub use answer::answer;
pub use certify::{certificate, certificate_of};
pub(crate) use conclude::RequestAnswers;
pub use conclude::lift;
pub use copy::{CopyState, copy};
pub use dry_run::{DryRun, DryRunCounts, DryRunRow, dry_run, preview};
pub(crate) use execute::carry_out_open;
pub use execute::{Order, carry_out_now, order};
pub use filed::Held;
pub(crate) use filed::{carry_over, take_over_close};
pub(crate) use foreseen::{erasure_asked_at, foreseen};
pub(crate) use implied::release_over;
pub use letter::{LetterForm, letter};
pub(crate) use near::fold_persons;
pub use near::{ShownNear, ShownNearPerson};
pub use new_request::{NOT_CHECKED, NewRequest};
pub(crate) use register::record_carried;
pub use register::{counts, end, extend, forget_answered, identify, list, one, receive, show};
use token::Tokens;
pub use token::{PreviewToken, StaleToken};
use trailkeep_crypto::secret::RandomError;
use trailkeep_proof::ids::LedgerNumber;
use trailkeep_proof::privacy::{Day, ExtendError, Ground, StageError};
use trailkeep_proof::text::counted;
pub use view::{ShownRequest, ShownSubject};

/// The request registry: data subject requests of a running server, and what carries them out.
pub struct Requests {
    pub(crate) journal: Arc<Journal>,
    pub(crate) custody: Arc<Custody>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) deletions: Arc<Deletions>,
    pub(crate) exports: Arc<Exports>,
    tokens: Tokens,
    /// The export that makes a request's copy, by the request's id.
    copies: Mutex<HashMap<(LedgerNumber, String), String>>,
}

impl Requests {
    pub(crate) fn new(
        custody: Arc<Custody>,
        inbox: Arc<Inbox>,
        deletions: Arc<Deletions>,
        exports: Arc<Exports>,
    ) -> Result<Self, RandomError> {
        Ok(Self {
            journal: Arc::clone(&custody.journal),
            custody,
            inbox,
            deletions,
            exports,
            tokens: Tokens::new()?,
            copies: Mutex::default(),
        })
    }

    fn copies(&self) -> MutexGuard<'_, HashMap<(LedgerNumber, String), String>> {
        self.copies.lock()
    }
}

/// Why something was not done with a request. Nothing quotes the person.
#[derive(Debug, thiserror::Error)]
pub enum PrivacyError {
    /// There is no such request in this ledger.
    #[error("request not found: `trailkeep privacy list` shows the requests")]
    NotFound,
    /// What was sent can't be a request.
    #[error("{0}")]
    Malformed(&'static str),
    /// The day of receipt has not come yet.
    #[error("`received_at` is in the future")]
    Future,
    /// Its state does not allow it.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A restriction has no ground.
    #[error(
        "a restriction needs its ground (`--ground`, `ground`; GDPR Art. 18(1)): {}",
        Ground::LIST
    )]
    NoGround,
    /// A request that is no restriction, or not under the GDPR, has one.
    #[error("only a restriction under the gdpr or uk-gdpr has a ground")]
    GroundOfNothing,
    /// The hold that it implies could not be placed or released.
    #[error("the hold for the request could not be changed: {0}")]
    Hold(Box<HoldError>),
    /// It can't be extended.
    #[error(transparent)]
    Extend(#[from] ExtendError),
    /// It asks for no copy.
    #[error("the request has no copy: only access and portability requests have one")]
    NoCopy,
    /// It is answered with a copy, and nothing is carried out.
    #[error("the request is for a copy: only an erasure or a restriction is carried out")]
    NothingToCarryOut,
    /// An order brings no token along.
    #[error(
        "`token` is missing: GET /v1/privacy/requests/{{id}}/preview shows what the order would do, and gives a token that is valid for 15 minutes"
    )]
    NoToken,
    /// An order brings a token along that does not fit.
    #[error("nothing was deleted or restricted: {0}; look at `preview`, and order with its token")]
    StaleToken(#[from] StaleToken),
    /// There is no copy to answer with.
    #[error(
        "the copy was not fetched yet: fetch it (`trailkeep privacy bundle`; with --ledger also that of each superseded ledger), give it to the data subject, then close the request as answered"
    )]
    NotFetched,
    /// There is nothing to tell the data subject yet.
    #[error(
        "the request has no answer yet: carry it out (`trailkeep privacy execute`) or close it (`trailkeep privacy close`), then fetch the letter"
    )]
    NotAnswered,
    /// Who it is about is not known any more.
    #[error(
        "the request is closed, and its identifier was deleted{}, with its letter and the server's certificate; `trailkeep privacy show` still says how it came in, what was decided and what was kept, and the ledger has its entries, from {seq} on; the data subject has the certificate",
        on.map_or_else(|| " since".to_owned(), |on| format!(" on {on}"))
    )]
    Forgotten {
        /// When; none where an earlier version did it.
        on: Option<Day>,
        /// The entry that records it.
        seq: u64,
    },
    /// Nothing is held under exactly this identifier, and something under a near one.
    #[error(
        "nothing is held under this identifier and namespace, but {} under {} (another spelling or namespace): `trailkeep privacy show` lists them, masked; file a request for the right one, or say why it is someone else (--not-the-same-person, `not_the_same_person`)",
        counted(*events, "event"),
        counted(*persons as u64, "similar identifier")
    )]
    NearMatches {
        /// How many.
        persons: usize,
        /// Their events.
        events: u64,
    },
    /// It has no certificate.
    #[error("the request has no certificate, because it was not answered")]
    NoCertificate,
    /// There is nothing to lift.
    #[error("the request is not a restriction: only a restriction can be lifted")]
    NotRestricted,
    /// It has no decision.
    #[error("the request has no decision yet")]
    NotDecided,
    /// Somebody keeps an old page.
    #[error(
        "the events are deleted, but old pages may still be in the write-ahead logs, because another program reads the files: stop it; the purge is retried automatically, and the request is answered then"
    )]
    PurgePending,
    /// The vault could not be rotated.
    #[error("the events are deleted; the vault could not be rotated yet: {0}")]
    Rotation(Box<RotationError>),
    /// What waits to become events could not be put together.
    #[error("staged telemetry could not be assembled, and may be about the data subject: {0}")]
    Telemetry(Box<StagingError>),
    /// It could not be recorded, so it was not done.
    #[error("nothing was changed, because the ledger could not record it: {0}")]
    Record(Box<AppendError>),
    /// The vault failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The copy could not be begun.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Events could not be found or read.
    #[error(transparent)]
    Export(Box<ExportError>),
    /// An event could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What an erasure meets could not be found out.
    #[error(transparent)]
    Retention(#[from] DeletionError),
    /// No random numbers.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl From<ExportError> for PrivacyError {
    fn from(error: ExportError) -> Self {
        Self::Export(Box::new(error))
    }
}

impl From<AppendError> for PrivacyError {
    fn from(error: AppendError) -> Self {
        Self::Record(Box::new(error))
    }
}

impl From<PrivacyError> for DeletionError {
    fn from(error: PrivacyError) -> Self {
        match error {
            PrivacyError::Retention(error) => error,
            error => Self::Request(Box::new(error)),
        }
    }
}

//! A request and its states. A step that a state does not allow has no method there, so it can't be written.
//!
//! ```text
//! waiting for identity ──► open ──► executing ──► restricted ──► closed
//!          │                │           └────────────────────────► ▲
//!          └────────────────┴──────────────────────────────────────┘
//! ```

use serde::{Deserialize, Serialize};

mod stage;

pub use self::stage::Closed;
use self::stage::{Executing, Open, Restricted, Stage, WaitingForIdentity};
use super::certificate::Outcome;
use super::day::Day;
use super::due::{Deadline, Regime};
use crate::time::UnixMillis;

/// What a person asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A copy of the data, and who looked at it (GDPR Art. 15).
    Access,
    /// The same data in a form for machines (Art. 20).
    Portability,
    /// That the data goes (Art. 17).
    Erasure,
    /// That it is kept and used for nothing (Art. 18).
    Restriction,
}

impl Kind {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Portability => "portability",
            Self::Erasure => "erasure",
            Self::Restriction => "restriction",
        }
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// It was answered, with this outcome.
    Answered(Outcome),
    /// The person took it back.
    Withdrawn,
    /// Nobody could establish who asked (Art. 12(2), (6); 11 CCR 7021).
    IdentityNotShown,
    /// It went to the controller, for whom the data is kept (Art. 28(3)(e)).
    Forwarded,
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody has established who asks: nothing is disclosed, nothing is destroyed.
    AwaitingIdentity,
    /// It can be answered.
    Open,
    /// The destroying job has it.
    Executing,
    /// What may not go yet is shown to nobody, and goes by itself.
    Restricted,
    /// It is over.
    Closed,
}

/// More time, taken once (GDPR Art. 12(3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    on: Day,
}

/// A request, without whom it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Random id, 32 hex digits.
    pub id: String,
    /// Random number for the person to quote.
    pub receipt: String,
    /// What is asked for.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Under which law.
    pub regime: Regime,
    /// The day of receipt.
    pub received_on: Day,
    stage: Stage,
    extension: Option<Extension>,
}

/// Why a request was not extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtendError {
    /// It is over.
    #[error("the request is closed")]
    Closed,
    /// It was extended before.
    #[error("the request was extended on {0}: a request is extended once (GDPR Art. 12(3))")]
    Twice(Day),
    /// The first period is over.
    #[error(
        "the request was due on {0}, and an extension must reach the data subject before that day ends (GDPR Art. 12(3)): answer it now"
    )]
    TooLate(Day),
}

/// Why a step can't be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StageError {
    /// Nobody has established who asks.
    #[error(
        "the requester's identity is not verified: nothing is disclosed or deleted before it is recorded (`trailkeep privacy identity`)"
    )]
    AwaitingIdentity,
    /// It was established before.
    #[error("the requester's identity is already recorded")]
    Identified,
    /// It is over.
    #[error("the request is closed")]
    Closed,
    /// The destroying job has it.
    #[error("the request is being carried out")]
    Executing,
    /// It is not being carried out.
    #[error("the request is not being carried out")]
    NotExecuting,
    /// It may not be denied yet.
    #[error("the request can be closed for lack of identity after {0} at the earliest")]
    NotBefore(Day),
}

impl Request {
    /// A request that came in; where somebody has established who asks, it is open at once.
    pub fn received(
        (id, receipt): (String, String),
        (kind, regime): (Kind, Regime),
        received_on: Day,
        identified_on: Option<Day>,
    ) -> Self {
        let waiting = WaitingForIdentity {};
        Self {
            id,
            receipt,
            kind,
            regime,
            received_on,
            stage: match identified_on {
                Some(on) => Stage::Open(Open::identified(waiting, on)),
                None => Stage::AwaitingIdentity(waiting),
            },
            extension: None,
        }
    }

    /// Its state.
    pub const fn state(&self) -> State {
        match self.stage {
            Stage::AwaitingIdentity(_) => State::AwaitingIdentity,
            Stage::Open(_) => State::Open,
            Stage::Executing(_) => State::Executing,
            Stage::Restricted(_) => State::Restricted,
            Stage::Closed(_) => State::Closed,
        }
    }

    /// The statement of the destroying job that has it.
    pub const fn statement(&self) -> Option<u64> {
        match &self.stage {
            Stage::Executing(job) => Some(job.statement),
            _ => None,
        }
    }

    /// Until when something is restricted, where that is known.
    pub const fn restricted_until(&self) -> Option<UnixMillis> {
        match &self.stage {
            Stage::Restricted(Restricted {
                until_ms: Some(until),
                ..
            }) => Some(UnixMillis::new(*until)),
            _ => None,
        }
    }

    /// When it ended, and how.
    pub const fn closed(&self) -> Option<&Closed> {
        match &self.stage {
            Stage::Closed(closed) => Some(closed),
            _ => None,
        }
    }

    /// The day on which somebody established who asks.
    pub const fn identified_on(&self) -> Option<Day> {
        match &self.stage {
            Stage::AwaitingIdentity(_) => None,
            Stage::Open(Open { identified_on })
            | Stage::Executing(Executing { identified_on, .. })
            | Stage::Restricted(Restricted { identified_on, .. }) => Some(*identified_on),
            Stage::Closed(closed) => closed.identified_on,
        }
    }

    /// The last day for the answer; none while the clock waits for the person's identity.
    pub fn deadline(&self) -> Option<Deadline> {
        let start = if self.regime.waits_for_identity() {
            self.identified_on()?.max(self.received_on)
        } else {
            self.received_on
        };
        Some(self.regime.deadline(start, self.extension.is_some()))
    }

    /// Whether the day to act on is over and nobody has answered. What is restricted was answered.
    pub fn is_overdue(&self, now: UnixMillis) -> bool {
        let waits = matches!(
            self.stage,
            Stage::AwaitingIdentity(_) | Stage::Open(_) | Stage::Executing(_)
        );
        waits && self.deadline().is_some_and(|last| last.due.is_over(now))
    }

    /// When it was extended.
    pub const fn extended_on(&self) -> Option<Day> {
        match self.extension {
            Some(Extension { on }) => Some(on),
            None => None,
        }
    }

    /// Takes more time, once, while the first period runs.
    pub fn extend(&mut self, now: UnixMillis) -> Result<(), ExtendError> {
        if matches!(self.stage, Stage::Closed(_) | Stage::Restricted(_)) {
            return Err(ExtendError::Closed);
        }
        if let Some(Extension { on }) = self.extension {
            return Err(ExtendError::Twice(on));
        }
        if let Some(Deadline { due, .. }) = self.deadline()
            && due.is_over(now)
        {
            return Err(ExtendError::TooLate(due));
        }
        self.extension = Some(Extension { on: Day::of(now) });
        Ok(())
    }

    /// Whether it can be answered; the error says what is missing.
    pub const fn check_open(&self) -> Result<(), StageError> {
        match self.stage {
            Stage::Open(_) => Ok(()),
            Stage::AwaitingIdentity(_) => Err(StageError::AwaitingIdentity),
            Stage::Executing(_) | Stage::Restricted(_) => Err(StageError::Executing),
            Stage::Closed(_) => Err(StageError::Closed),
        }
    }

    /// Somebody established who asks.
    pub fn identify(&mut self, on: Day) -> Result<(), StageError> {
        self.step(|stage| match stage {
            Stage::AwaitingIdentity(waiting) => Ok(Stage::Open(Open::identified(waiting, on))),
            Stage::Closed(_) => Err(StageError::Closed),
            _ => Err(StageError::Identified),
        })
    }

    /// The destroying job took it; `statement` is the seq of what the job states.
    pub fn execute(&mut self, statement: u64) -> Result<(), StageError> {
        self.check_open()?;
        self.step(|stage| match stage {
            Stage::Open(open) => Ok(Stage::Executing(open.executing(statement))),
            _ => Err(StageError::Executing),
        })
    }

    /// The job is done, and something stays until a moment; none while nobody knows it.
    pub fn restrict(&mut self, until: Option<UnixMillis>) -> Result<(), StageError> {
        self.step(|stage| match stage {
            Stage::Executing(job) => Ok(Stage::Restricted(job.restricted(until))),
            _ => Err(StageError::NotExecuting),
        })
    }

    /// It is answered: at once, after the job, or after the rest went by itself.
    pub fn answer(&mut self, at: UnixMillis, outcome: Outcome) -> Result<(), StageError> {
        self.step(|stage| {
            let closed = match stage {
                Stage::AwaitingIdentity(_) => return Err(StageError::AwaitingIdentity),
                Stage::Open(open) => open.ended(at, Decision::Answered(outcome)),
                Stage::Executing(job) => job.answered(at, outcome),
                Stage::Restricted(waiting) => waiting.destroyed(at, outcome),
                Stage::Closed(_) => return Err(StageError::Closed),
            };
            Ok(Stage::Closed(closed))
        })
    }

    fn step(
        &mut self,
        step: impl FnOnce(Stage) -> Result<Stage, StageError>,
    ) -> Result<(), StageError> {
        self.stage = step(self.stage.clone())?;
        Ok(())
    }

    /// Ends it without an answer. Before the first period is over nobody is denied for want of identity.
    pub fn end(&mut self, now: UnixMillis, ended: Ended) -> Result<(), StageError> {
        let Deadline { due, .. } = self.regime.deadline(self.received_on, false);
        self.step(|stage| {
            let closed = match (stage, ended) {
                (Stage::Closed(_), _) => return Err(StageError::Closed),
                (Stage::Executing(_) | Stage::Restricted(_), _) => {
                    return Err(StageError::Executing);
                }
                (Stage::Open(_), Ended::IdentityNotShown) => return Err(StageError::Identified),
                // The last day itself is early enough to be told.
                (Stage::AwaitingIdentity(_), Ended::IdentityNotShown) if Day::of(now) < due => {
                    return Err(StageError::NotBefore(due));
                }
                (Stage::AwaitingIdentity(waiting), ended) => {
                    Closed::unidentified(waiting, now, ended.decision())
                }
                (Stage::Open(open), ended) => open.ended(now, ended.decision()),
            };
            Ok(Stage::Closed(closed))
        })
    }
}

/// How a request ends that is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// The person took it back.
    Withdrawn,
    /// Nobody could establish who asked.
    IdentityNotShown,
    /// It went to the controller.
    Forwarded,
}

impl Ended {
    const fn decision(self) -> Decision {
        match self {
            Self::Withdrawn => Decision::Withdrawn,
            Self::IdentityNotShown => Decision::IdentityNotShown,
            Self::Forwarded => Decision::Forwarded,
        }
    }
}

#[cfg(test)]
mod tests;

//! The states of a request, each with the steps that lead on from it and no other.

use serde::{Deserialize, Serialize};

use super::Decision;
use crate::privacy::certificate::Outcome;
use crate::privacy::day::Day;
use crate::time::UnixMillis;

/// Nobody has established who asks: nothing is disclosed, nothing is destroyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WaitingForIdentity {}

/// It can be answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Open {
    pub(super) identified_on: Day,
}

/// The destroying job has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Executing {
    pub(super) identified_on: Day,
    pub(super) statement: u64,
}

/// What may not go yet is shown to nobody, and goes by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Restricted {
    pub(super) identified_on: Day,
    pub(super) until_ms: Option<u64>,
}

/// It is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    pub(super) identified_on: Option<Day>,
    pub(super) at_ms: u64,
    pub(super) decision: Decision,
}

/// Where a request stands, with the steps that lead on from there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum Stage {
    AwaitingIdentity(WaitingForIdentity),
    Open(Open),
    Executing(Executing),
    Restricted(Restricted),
    Closed(Closed),
}

impl Open {
    pub(super) const fn identified(_: WaitingForIdentity, on: Day) -> Self {
        Self { identified_on: on }
    }

    pub(super) fn ended(self, at: UnixMillis, decision: Decision) -> Closed {
        closed(Some(self.identified_on), at, decision)
    }

    pub(super) fn executing(self, statement: u64) -> Executing {
        Executing {
            identified_on: self.identified_on,
            statement,
        }
    }
}

impl Executing {
    pub(super) fn answered(self, at: UnixMillis, outcome: Outcome) -> Closed {
        closed(Some(self.identified_on), at, Decision::Answered(outcome))
    }

    pub(super) fn restricted(self, until: Option<UnixMillis>) -> Restricted {
        Restricted {
            identified_on: self.identified_on,
            until_ms: until.map(UnixMillis::get),
        }
    }
}

impl Restricted {
    pub(super) fn destroyed(self, at: UnixMillis, outcome: Outcome) -> Closed {
        closed(Some(self.identified_on), at, Decision::Answered(outcome))
    }
}

impl Closed {
    /// It ended before anybody could say who asked.
    pub(super) const fn unidentified(
        _: WaitingForIdentity,
        at: UnixMillis,
        decision: Decision,
    ) -> Self {
        closed(None, at, decision)
    }

    /// When it ended.
    pub const fn at(&self) -> UnixMillis {
        UnixMillis::new(self.at_ms)
    }

    /// How.
    pub const fn decision(&self) -> Decision {
        self.decision
    }
}

const fn closed(identified_on: Option<Day>, at: UnixMillis, decision: Decision) -> Closed {
    Closed {
        identified_on,
        at_ms: at.get(),
        decision,
    }
}

//! Why an event is kept, until when, and by which citation: the verdict of the policies, and what it waits for.

use std::collections::BTreeSet;

use trailkeep_policy::{Case, Date, Verdict, verdict};
use trailkeep_proof::time::UnixMillis;

/// A verdict, and what would change its dates.
#[derive(Clone, Debug)]
pub struct Explained {
    /// What the policies say.
    pub verdict: Verdict,
    /// Triggers that would start a clock; none where a date is known.
    pub waits_for: BTreeSet<String>,
}

/// The verdict at a moment.
pub fn explain(case: &Case<'_>, at: UnixMillis) -> Explained {
    let verdict = verdict(case, at);
    let waits_for = match verdict.resolved.expires_at {
        Date::At(_) => BTreeSet::new(),
        Date::Open => {
            let applied = case.applied.iter();
            let waits_for = applied.flat_map(|one| one.waits_for(case.times));
            waits_for.map(str::to_owned).collect()
        }
    };
    Explained { verdict, waits_for }
}

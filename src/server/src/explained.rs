//! Why events are kept, as answers. The command line explains events that nobody recorded with the same words.

use trailkeep_api::retention::{Conflict, ErasureVerdict, Explanation, Reason, Verdict};
use trailkeep_core::retention::ExplainedEvent;
use trailkeep_core::tenant::explain::Explained;
use trailkeep_policy::{Date, Decision, ErasureOutcome};
use trailkeep_proof::time::UnixMillis;

/// Why an event is kept, or what became of it.
pub fn explanation(event: ExplainedEvent) -> Explanation {
    Explanation {
        seq: event.seq.get(),
        recorded_at: event.recorded_at.to_string(),
        class: event.class.get(),
        state: event.state.to_owned(),
        by: event.by.map(trailkeep_proof::ids::Seq::get),
        record: event.record,
        note: event.note,
        verdict: event.verdict.map(verdict),
        holds: event.holds,
    }
}

/// A verdict of policies in words. What is open is null.
pub fn verdict(explained: Explained) -> Verdict {
    let Explained { verdict, waits_for } = explained;
    let resolved = verdict.resolved;
    let reasons = resolved.reasons.into_iter().map(|reason| Reason {
        policy: reason.policy,
        figure: reason.figure,
        force: reason.force.to_string(),
        citation: reason.citation,
        date: date(reason.date),
    });
    let conflicts = resolved.conflicts.into_iter().map(|conflict| Conflict {
        policy: conflict.held,
        over: conflict.overridden,
        detail: conflict.detail,
    });
    Verdict {
        keep_until: date(resolved.keep_until),
        expires_at: date(resolved.expires_at),
        destroy_at: date(verdict.destroy_at),
        decision: match verdict.decision {
            Decision::Held => "held",
            Decision::Restrict => "restrict",
            Decision::Destroy => "destroy",
            Decision::Keep => "keep",
        }
        .to_owned(),
        erasure: ErasureVerdict {
            outcome: match verdict.erasure {
                ErasureOutcome::Honour => "honour",
                ErasureOutcome::Restrict => "restrict",
                ErasureOutcome::Refuse => "refuse",
            }
            .to_owned(),
            until: verdict.erasure_until.and_then(date),
        },
        waits_for: waits_for.into_iter().collect(),
        reasons: reasons.collect(),
        conflicts: conflicts.collect(),
    }
}

fn date(date: Date) -> Option<String> {
    date.moment().map(UnixMillis::to_short_rfc3339)
}

//! Why an event is kept, until when, and by which citation: the verdict of the policies in words for programs.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use trailkeep_policy::{Case, Date, Decision, ErasureOutcome, Verdict, verdict};
use trailkeep_proof::time::UnixMillis;

/// The verdict at a moment, as `policy explain --json` and `retention explain --json` print it. `null` is open.
pub fn explain(case: &Case<'_>, at: UnixMillis) -> Value {
    let Verdict {
        resolved,
        erasure,
        erasure_until,
        destroy_at,
        decision,
    } = verdict(case, at);
    // What else would start a clock does not matter where a date is known.
    let waits_for: BTreeSet<&str> = match resolved.expires_at {
        Date::At(_) => BTreeSet::new(),
        Date::Open => {
            let applied = case.applied.iter();
            applied.flat_map(|one| one.waits_for(case.times)).collect()
        }
    };
    let reasons: Vec<Value> = resolved
        .reasons
        .iter()
        .map(|reason| {
            json!({
                "policy": reason.policy,
                "figure": reason.figure,
                "force": reason.force.to_string(),
                "citation": reason.citation,
                "date": date(reason.date),
            })
        })
        .collect();
    let conflicts: Vec<Value> = resolved
        .conflicts
        .iter()
        .map(|conflict| {
            json!({"policy": conflict.held, "over": conflict.overridden, "detail": conflict.detail})
        })
        .collect();
    json!({
        "keep_until": date(resolved.keep_until),
        "expires_at": date(resolved.expires_at),
        "destroy_at": date(destroy_at),
        "decision": decision_word(decision),
        "erasure": {"outcome": outcome_word(erasure), "until": erasure_until.and_then(date)},
        "waits_for": waits_for,
        "reasons": reasons,
        "conflicts": conflicts,
    })
}

fn date(date: Date) -> Option<String> {
    date.moment().map(UnixMillis::to_short_rfc3339)
}

const fn decision_word(decision: Decision) -> &'static str {
    match decision {
        Decision::Held => "held",
        Decision::Restrict => "restrict",
        Decision::Destroy => "destroy",
        Decision::Keep => "keep",
    }
}

const fn outcome_word(outcome: ErasureOutcome) -> &'static str {
    match outcome {
        ErasureOutcome::Honour => "honour",
        ErasureOutcome::Restrict => "restrict",
        ErasureOutcome::Refuse => "refuse",
    }
}

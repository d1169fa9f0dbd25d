//! Why an event is kept, until when, and by which citation: the verdict of the policies in words for programs.

use serde_json::{Value, json};

use crate::policy::{
    Applied, Date, Decision, ErasureOutcome, EventTimes, HoldSpan, Verdict, verdict,
};
use crate::time::UnixMillis;

/// What is asked about an event.
pub struct Question<'a> {
    /// The policies that apply.
    pub applied: &'a [Applied<'a>],
    /// Its moments.
    pub times: &'a EventTimes,
    /// When its erasure was asked for.
    pub erasure_requested_at: Option<UnixMillis>,
    /// Holds that cover it.
    pub holds: &'a [HoldSpan],
    /// The moment to judge at.
    pub at: UnixMillis,
}

/// The verdict, as `policy explain --json` and `retention explain --json` print it. `null` is open.
pub fn explain(question: &Question<'_>) -> Value {
    let Verdict {
        resolved,
        erasure,
        erasure_until,
        destroy_at,
        decision,
    } = verdict(
        question.applied,
        question.times,
        question.erasure_requested_at,
        question.holds,
        question.at,
    );
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

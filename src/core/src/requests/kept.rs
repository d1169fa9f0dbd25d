//! What stays of a person's events, and by which ground.

use crate::requests::erase::{ErasureScope, EventDecision, Reason, Standing};
use crate::tenant::ledger::Ledger;
use trailkeep_proof::ids::ClassNumber;
use trailkeep_proof::privacy::{Ground, Kept, Regime};
use trailkeep_proof::time::UnixMillis;

/// What is said of events that their data subject had restricted.
const RESTRICTED: &str =
    "the data subject asked to keep it and not to use it without their consent";

/// All of a person's events, kept and used for nothing.
pub(super) fn restriction(
    mut scope: ErasureScope,
    (regime, ground): (Regime, Option<Ground>),
) -> ErasureScope {
    let citation = match (regime, ground) {
        (Regime::Ccpa, _) => "Cal. Civ. Code 1798.121".to_owned(),
        (Regime::Gdpr | Regime::UkGdpr, Some(ground)) => format!("GDPR Art. {}", ground.article()),
        (Regime::Gdpr | Regime::UkGdpr, None) => "GDPR Art. 18".to_owned(),
    };
    for (_, _, deletion) in &mut scope.events {
        *deletion = EventDecision::Keep(Reason {
            state: Standing::Minimum,
            until: None,
            note: RESTRICTED.to_owned(),
            ground: RESTRICTED.to_owned(),
            citation: citation.clone(),
        });
    }
    scope
}

/// What stays, by class and ground, as the certificate says it.
pub(super) fn kept(ledger: &Ledger, scope: &ErasureScope) -> Vec<Kept> {
    let row = |((class, deletion), events): ((ClassNumber, &EventDecision), u64)| match deletion {
        EventDecision::Destroy => None,
        EventDecision::Keep(reason) => Some(Kept {
            class: class.get(),
            policies: ledger.classes.policy_names(class),
            events,
            state: reason.state.kept_state(),
            until: reason.until.map(UnixMillis::to_short_rfc3339),
            ground: reason.ground.clone(),
            citation: reason.citation.clone(),
        }),
    };
    scope.counted().into_iter().filter_map(row).collect()
}

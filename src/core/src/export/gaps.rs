//! What policies found the events of a bundle to lack, from their flags (docs/format.md, "Event text and sections").

use std::collections::BTreeMap;

use serde::Deserialize;

use trailkeep_proof::bundle::line::Line;
use trailkeep_proof::bundle::manifest::GapCount;
use trailkeep_proof::ledger::event::shape::RECEIVED;

/// A flag of the section `received`.
#[derive(Debug, Deserialize)]
pub(super) struct Flag {
    policy: String,
    missing: Option<String>,
    odd: Option<String>,
}

#[derive(Deserialize)]
struct Received {
    #[serde(default)]
    flags: Vec<Flag>,
}

/// The flags of an event, where they are disclosed.
pub(super) fn flags_of(line: &Line<'_>) -> Vec<Flag> {
    let Some(text) = line
        .text(RECEIVED)
        .filter(|text| text.contains("\"flags\""))
    else {
        return Vec::new();
    };
    let received = serde_json::from_str::<Received>(text);
    received.map_or_else(|_| Vec::new(), |received| received.flags)
}

/// Counted over events.
#[derive(Default)]
pub(super) struct Gaps(BTreeMap<(String, String), u64>);

impl Gaps {
    pub(super) fn add(&mut self, flags: Vec<Flag>) {
        for flag in flags {
            let what = match (flag.missing, flag.odd) {
                (Some(field), _) => format!("missing {field}"),
                (None, Some(odd)) => odd,
                (None, None) => continue,
            };
            *self.0.entry((flag.policy, what)).or_default() += 1;
        }
    }

    /// As the manifest has them.
    pub(super) fn counts(&self) -> Vec<GapCount> {
        let counted = self.0.iter();
        counted
            .map(|((policy, what), events)| GapCount {
                policy: policy.clone(),
                what: what.clone(),
                events: *events,
            })
            .collect()
    }
}

//! Regimes that telemetry names. It was sent once and is not sent again, so a name that no policy knows refuses nothing: the known
//! ones apply, and in the place of the others the tenant's default, or what the tenant sets for that.

use serde_json::{Map, Value, json};

use crate::journal::Journal;
use crate::tenant::ledger::Ledger;
use trailkeep_policy::DEFAULT_POLICY;

/// Member of `attributes`: the regimes that do not apply, as they were sent.
pub(super) const UNKNOWN_REGIMES: &str = "unknown_regimes";
/// Regimes that an event may name.
const REGIMES_MAX: usize = 8;

/// Leaves the regimes that apply in an event's section, and says which do not. Gives whether there are any that do not.
pub(super) fn settle(
    journal: &Journal,
    ledger: &Ledger,
    sections: &mut Map<String, Value>,
) -> bool {
    let Some(Value::Array(named)) = sections.get("regimes") else {
        return false;
    };
    let is_known = |name: &str| journal.policies.of_regime(name).is_some();
    let (mut known, mut unknown) = (Vec::<String>::new(), Vec::new());
    for name in named {
        let written = name.as_str().unwrap_or_default();
        let plain = written.trim().to_ascii_lowercase();
        if !is_known(&plain) {
            unknown.push(name.clone());
        } else if !known.contains(&plain) {
            known.push(plain);
        }
    }
    let in_place = if unknown.is_empty() && known.len() <= REGIMES_MAX {
        Vec::new()
    } else {
        in_place_of_unknown(journal, ledger)
    };
    let room = REGIMES_MAX.saturating_sub(in_place.len());
    unknown.extend(known.drain(room.min(known.len())..).map(Value::from));
    let is_default = known.is_empty() && ledger.settings().unknown_regime.is_none();
    for name in in_place {
        if !is_default && !known.contains(&name) {
            known.push(name);
        }
    }
    if known.is_empty() {
        sections.remove("regimes");
    } else {
        sections.insert("regimes".to_owned(), json!(known));
    }
    if unknown.is_empty() {
        return false;
    }
    flag(sections, unknown);
    true
}

/// The regimes that apply in the place of one that is not known.
fn in_place_of_unknown(journal: &Journal, ledger: &Ledger) -> Vec<String> {
    let settings = ledger.settings();
    let is_known = |name: &String| journal.policies.of_regime(name).is_some();
    if let Some(stricter) = settings.unknown_regime.clone().filter(is_known) {
        return vec![stricter];
    }
    let defaults = settings.default_regimes.iter().cloned();
    let defaults: Vec<String> = defaults.filter(is_known).collect();
    if defaults.is_empty() {
        vec![DEFAULT_POLICY.to_owned()]
    } else {
        defaults
    }
}

/// Says of an event that regimes of it do not apply. The names stay inside of it; by the target it is found.
fn flag(sections: &mut Map<String, Value>, unknown: Vec<Value>) {
    let attributes = sections.entry("attributes").or_insert_with(|| json!({}));
    let before = attributes.get(UNKNOWN_REGIMES).and_then(Value::as_array);
    let mut all = before.cloned().unwrap_or_default();
    all.extend(unknown);
    attributes[UNKNOWN_REGIMES] = all.into();
    let target = json!({"type": "flag", "id": "missing regimes"});
    let targets = sections.entry("targets").or_insert_with(|| json!([]));
    if let Some(targets) = targets.as_array_mut()
        && !targets.contains(&target)
    {
        targets.insert(0, target);
    }
}

//! Events as they come in: what their policies say of them, and the server's word about them.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::journal::Journal;
use crate::journal::append::{AppendError, Recorded};
use crate::journal::class::policies_of;
use crate::tenant::ledger::Ledger;
use trailkeep_policy::ingest::{self, Checked, Gap};
use trailkeep_policy::{DEFAULT_POLICY, Policy};
use trailkeep_ports::GapName;
use trailkeep_proof::ledger::event::{Event, Facts};
use trailkeep_proof::time::UnixMillis;

/// Refusals that are reported of one request.
const REFUSALS_MAX: usize = 100;

/// An event as it came in, with a missing id added; the section `received` is not in it yet.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The event.
    pub event: Event,
    /// The way that it came, such as `http`.
    pub via: &'static str,
    /// Names of the sections that the server added or derived.
    pub added: Vec<&'static str>,
    /// Whether it names regimes that no policy is of, and others apply in their place: of telemetry alone.
    pub lacks_regimes: bool,
}

impl Incoming {
    /// The section `received` (docs/format.md).
    pub(super) fn received(&self, checked: &Checked, prompt: Option<&'static str>) -> Vec<u8> {
        let missing = checked.gaps.iter().map(|gap| Flag {
            missing: Some(&gap.field),
            odd: None,
            policy: &gap.policy,
        });
        let odd = checked.odd.iter().map(|odd| Flag {
            missing: None,
            odd: Some(odd.what),
            policy: &odd.policy,
        });
        let received = Received {
            added: &self.added,
            flags: missing.chain(odd).collect(),
            prompt,
            via: self.via,
        };
        serde_json::to_vec(&received).expect("texts and lists of texts are JSON")
    }
}

/// The server's word about an event. Members stand in ascending order of their names, as in every event that was recorded.
#[derive(Serialize)]
struct Received<'a> {
    added: &'a [&'static str],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    flags: Vec<Flag<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<&'static str>,
    via: &'static str,
}

/// What a policy found: a field that is missing, or one that is odd.
#[derive(Serialize)]
struct Flag<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    odd: Option<&'a str>,
    policy: &'a str,
}

/// The flags as they are counted.
pub(super) fn gap_names(checked: &Checked) -> Vec<GapName> {
    let missing = checked.gaps.iter().map(|gap| GapName {
        policy: gap.policy.clone(),
        what: format!("missing {}", gap.field),
    });
    let odd = checked.odd.iter().map(|odd| GapName {
        policy: odd.policy.clone(),
        what: odd.what.to_owned(),
    });
    missing.chain(odd).collect()
}

/// The flags of a section `received` as they are counted.
pub(crate) fn gaps_of(received: &[u8]) -> Vec<GapName> {
    let received = serde_json::from_slice::<Value>(received).unwrap_or_default();
    let flags = received["flags"].as_array().into_iter().flatten();
    let name = |flag: &Value| {
        let missing = flag["missing"]
            .as_str()
            .map(|field| format!("missing {field}"));
        Some(GapName {
            policy: flag["policy"].as_str()?.to_owned(),
            what: missing.or_else(|| Some(flag["odd"].as_str()?.to_owned()))?,
        })
    };
    flags.filter_map(name).collect()
}

/// The policies of each event that is new; all regimes are known before anything else is done.
pub(super) fn policies_of_new(
    journal: &Journal,
    ledger: &Ledger,
    events: &[Incoming],
    recorded: &[Recorded],
    refusing: Refusing,
) -> Result<Vec<Option<Vec<Arc<Policy>>>>, AppendError> {
    let settings = ledger.settings();
    let of = |(position, (event, recorded)): (usize, (&Incoming, &Recorded))| {
        if !matches!(recorded, Recorded::New) {
            return Ok(None);
        }
        let Facts {
            regimes, action, ..
        } = event.event.facts();
        let defaults = &settings.default_regimes;
        match policies_of(&journal.policies, defaults, regimes, action) {
            // The tenant's default names what is no policy any more.
            Err(_) if refusing.takes_any_class(event) => Ok(journal
                .policies
                .of_regime(DEFAULT_POLICY)
                .cloned()
                .map(|policy| vec![policy])),
            found => found
                .map(Some)
                .map_err(|error| AppendError::Class { position, error }),
        }
    };
    events.iter().zip(recorded).enumerate().map(of).collect()
}

/// What refuses an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusing {
    /// All that the policies forbid, and what they find lacking where the tenant is strict.
    AsTheTenantSays,
    /// What the policies forbid: it was acknowledged before its fields were known, and what lacks is flagged.
    Forbidden,
    /// Nothing.
    Nothing,
}

impl Refusing {
    /// Whether an event is recorded in the default class where it finds no other: one that was acknowledged and names no regime.
    pub(super) fn takes_any_class(self, event: &Incoming) -> bool {
        self != Self::AsTheTenantSays && event.event.facts().regimes.is_empty()
    }
}

/// Checks the events that are new, those with policies here. One that is refused refuses all of the request.
pub(super) fn check(
    applying: &[Option<Vec<Arc<Policy>>>],
    events: &[Incoming],
    (refusing, strict): (Refusing, bool),
    now: UnixMillis,
) -> Result<Vec<Checked>, AppendError> {
    let mut refused = Vec::new();
    let mut all = Vec::with_capacity(events.len());
    for (position, (event, policies)) in events.iter().zip(applying).enumerate() {
        let mut checked = match policies {
            Some(policies) => ingest::check(policies, &event.event, now),
            None => Checked::default(),
        };
        // The last of its policies is the one that applies in the place of what is not known.
        let in_place = policies.as_ref().and_then(|policies| policies.last());
        if let Some(policy) = in_place.filter(|_| event.lacks_regimes) {
            checked.gaps.push(Gap {
                policy: policy.id.clone(),
                field: "regimes".to_owned(),
                pointer: "/regimes".to_owned(),
            });
        }
        let (forbidden, lacking) = match refusing {
            Refusing::AsTheTenantSays if strict => {
                (checked.refusals.clone(), checked.strict_refusals())
            }
            Refusing::Nothing => (Vec::new(), Vec::new()),
            _ => (checked.refusals.clone(), Vec::new()),
        };
        let refusals = forbidden.into_iter().chain(lacking);
        refused.extend(refusals.map(|refusal| (position, refusal)));
        if refused.len() >= REFUSALS_MAX {
            break;
        }
        all.push(checked);
    }
    if refused.is_empty() {
        Ok(all)
    } else {
        refused.truncate(REFUSALS_MAX);
        Err(AppendError::Refused(refused))
    }
}

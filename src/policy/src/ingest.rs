//! What policies say of an event that comes in: what it lacks, what is odd about it, and why it is refused.

use std::sync::Arc;

use super::clock::EventTimes;
use super::fields::{EventView, ForbiddenName, find_forbidden};
use super::file::Policy;
use super::resolve::{Applied, Date, expires_at};
use trailkeep_proof::ledger::event::Event;
use trailkeep_proof::time::UnixMillis;

/// The producer's clock is ahead of the server's.
pub const ODD_FUTURE: &str = "occurred_at in the future";
/// The event is older than a policy lets it become; another policy keeps it.
pub const ODD_PAST: &str = "occurred_at past the maximum";

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Required fields that it lacks.
    pub gaps: Vec<Gap>,
    /// Times that can't be right.
    pub odd: Vec<Odd>,
    /// Why it is refused, whatever the tenant's settings.
    pub refusals: Vec<Refusal>,
}

/// A required field that an event lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The policy that asks for it.
    pub policy: String,
    /// The field as the policy names it.
    pub field: String,
    /// Where it would stand, as a JSON pointer.
    pub pointer: String,
}

/// Something odd about an event's times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Odd {
    /// The policy that it is odd to.
    pub policy: String,
    /// What, such as [`ODD_FUTURE`].
    pub what: &'static str,
}

/// Why an event is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The policy that refuses it.
    pub policy: String,
    /// Where, as a JSON pointer; `?` stands for names that the schema does not know.
    pub pointer: String,
    /// Why, and how to fix it. It quotes no payload.
    pub detail: String,
}

impl Checked {
    /// Whether there is nothing to say.
    pub const fn is_clean(&self) -> bool {
        self.gaps.is_empty() && self.odd.is_empty() && self.refusals.is_empty()
    }

    /// What a strict tenant refuses besides.
    pub fn strict_refusals(&self) -> Vec<Refusal> {
        let gaps = self.gaps.iter().map(|gap| Refusal {
            policy: gap.policy.clone(),
            pointer: gap.pointer.clone(),
            detail: format!(
                "the policy `{}` requires {}, and the tenant is strict: add it",
                gap.policy, gap.field
            ),
        });
        let odd = self.odd.iter().map(|odd| Refusal {
            policy: odd.policy.clone(),
            pointer: "/occurred_at".to_owned(),
            detail: format!(
                "{}, by the policy `{}`, and the tenant is strict: fix the producer's clock",
                odd.what, odd.policy
            ),
        });
        gaps.chain(odd).collect()
    }
}

/// Checks an event against the policies that apply to it, at the time of its receipt.
pub fn check(policies: &[Arc<Policy>], event: &Event, received_at: UnixMillis) -> Checked {
    let mut checked = Checked::default();
    let mut view = EventView::of(event);
    let action = &event.facts().action;
    for policy in policies {
        let missing = policy
            .required_of(action)
            .into_iter()
            .filter(|field| !field.is_in(&mut view));
        checked.gaps.extend(missing.map(|field| Gap {
            policy: policy.id.clone(),
            field: field.as_str().to_owned(),
            pointer: field.pointer(),
        }));
    }
    check_names(policies, event, &mut checked);
    if let Some(occurred_at) = event.facts().occurred_at {
        check_times(policies, action, occurred_at, received_at, &mut checked);
    }
    checked
}

fn check_names(policies: &[Arc<Policy>], event: &Event, checked: &mut Checked) {
    let named = policies.iter().flat_map(|policy| {
        policy
            .forbidden_names
            .iter()
            .map(move |name| (policy, name))
    });
    let (owners, names): (Vec<&Arc<Policy>>, Vec<&ForbiddenName>) = named.unzip();
    if names.is_empty() {
        return;
    }
    let found = find_forbidden(event, &names);
    checked
        .refusals
        .extend(found.into_iter().map(|(position, pointer)| Refusal {
            policy: owners[position].id.clone(),
            pointer,
            detail: format!(
                "the policy `{}` forbids members named `{}`: leave it out",
                owners[position].id,
                names[position].as_str()
            ),
        }));
}

/// The moments of an event that comes in, as its producer tells them: here alone `occurred_at` counts.
fn occurrence(occurred_at: UnixMillis, received_at: UnixMillis) -> EventTimes {
    EventTimes {
        occurred_at,
        ..EventTimes::received(received_at)
    }
}

/// Whether an event that comes in is older than its policies together let it become: it is not taken.
pub fn is_past_maximum(
    applied: &[Applied<'_>],
    occurred_at: UnixMillis,
    received_at: UnixMillis,
) -> bool {
    expires_at(applied, &occurrence(occurred_at, received_at)).is_reached(received_at)
}

fn check_times(
    policies: &[Arc<Policy>],
    action: &str,
    occurred_at: UnixMillis,
    received_at: UnixMillis,
    checked: &mut Checked,
) {
    let ahead_ms = occurred_at.get().saturating_sub(received_at.get());
    let future = policies
        .iter()
        .filter(|policy| ahead_ms > policy.max_clock_skew_ms);
    checked.odd.extend(future.map(|policy| Odd {
        policy: policy.id.clone(),
        what: ODD_FUTURE,
    }));
    let applied: Vec<Applied<'_>> = policies
        .iter()
        .map(|policy| Applied::to(policy, action, received_at))
        .collect();
    let times = occurrence(occurred_at, received_at);
    let now = Date::At(received_at);
    let is_past = |one: &&Applied<'_>| one.expires_at(&times).is_some_and(|end| end <= now);
    let past: Vec<&Applied<'_>> = applied.iter().filter(is_past).collect();
    if past.is_empty() {
        return;
    }
    // Another policy's minimum may keep what this one would let go.
    if !is_past_maximum(&applied, occurred_at, received_at) {
        checked.odd.extend(past.iter().map(|one| Odd {
            policy: one.policy.id.clone(),
            what: ODD_PAST,
        }));
        return;
    }
    checked.refusals.extend(past.iter().map(|one| Refusal {
        policy: one.policy.id.clone(),
        pointer: "/occurred_at".to_owned(),
        detail: format!(
            "already_past_maximum: by the policy `{}` an event of that day is already deleted, and recording it would keep it longer",
            one.policy.id
        ),
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PolicySet;
    use trailkeep_proof::ledger::event::parse_event;

    fn moment(text: &str) -> UnixMillis {
        UnixMillis::parse_rfc3339(text).unwrap()
    }

    fn checked(policies: &[&str], more: &str) -> Checked {
        let set = PolicySet::shipped().unwrap();
        let policies: Vec<Arc<Policy>> = policies
            .iter()
            .map(|name| match set.of_regime(name) {
                Some(policy) => Arc::clone(policy),
                None => Arc::new(Policy::parse(name).unwrap()),
            })
            .collect();
        let text = format!(r#"{{"action":"record.read","actor":{{"id":"u"}}{more}}}"#);
        let event = parse_event(text.as_bytes()).unwrap();
        check(&policies, &event, moment("2026-11-24T10:00:00Z"))
    }

    const FULL: &str = r#","occurred_at":"2026-11-24T09:59:00Z","outcome":"success","targets":[{"id":"t"}],
        "context":{"ip":"192.0.2.1","purpose":"care"},"subjects":[{"id":"p"}]"#;

    #[test]
    fn what_is_missing_is_named_by_policy() {
        assert!(checked(&["default-90d"], "").is_clean());
        assert!(checked(&["pci-dss"], FULL).is_clean());
        let found = checked(&["hipaa", "pci-dss"], FULL);
        let gap = Gap {
            policy: "hipaa".to_owned(),
            field: "actor.role".to_owned(),
            pointer: "/actor/role".to_owned(),
        };
        assert_eq!(found.gaps, [gap]);
        assert!(found.odd.is_empty() && found.refusals.is_empty());
        let strict = found.strict_refusals();
        assert!(strict[0].detail.contains("`hipaa` requires actor.role"));
        assert_eq!(checked(&["pci-dss"], "").gaps.len(), 4);
    }

    #[test]
    fn a_future_date_is_odd_beyond_the_skew_of_the_policy() {
        let at = |policy: &str, occurred_at: &str| {
            let found = checked(&[policy], &format!(r#","occurred_at":"{occurred_at}""#));
            assert!(found.refusals.is_empty());
            found.odd.len()
        };
        assert_eq!(at("default-90d", "2026-11-24T10:05:00Z"), 0);
        assert_eq!(at("default-90d", "2026-11-24T10:05:00.001Z"), 1);
        assert_eq!(at("pci-dss", "2026-11-24T10:00:05Z"), 0);
        assert_eq!(at("pci-dss", "2026-11-24T10:00:06Z"), 1);
        assert_eq!(at("default-90d", "2031-01-01T00:00:00Z"), 1);
        // An old date is no fault of a policy that counts from receipt.
        assert_eq!(at("default-90d", "1999-01-01T00:00:00Z"), 0);
    }

    #[test]
    fn what_is_past_a_maximum_from_its_occurrence_gets_no_new_lease() {
        let text = crate::DEFAULT_90D.replace("max_clock = \"received\"", "");
        let old = r#","occurred_at":"2021-05-10T00:00:00Z""#;
        let found = checked(&[&text], old);
        assert_eq!(found.refusals[0].pointer, "/occurred_at");
        assert!(found.refusals[0].detail.starts_with("already_past_maximum"));
        // 90 days before the day of receipt is the last day that is taken.
        let at = |day: &str| {
            let found = checked(&[&text], &format!(r#","occurred_at":"{day}T12:00:00Z""#));
            found.refusals.len()
        };
        assert_eq!((at("2026-08-26"), at("2026-08-25")), (0, 1));
        // What HIPAA keeps is taken, and flagged.
        let found = checked(&[&text, "hipaa"], old);
        assert!(found.refusals.is_empty());
        assert_eq!(found.odd[0].what, ODD_PAST);
    }

    #[test]
    fn forbidden_names_are_refused() {
        let found = checked(
            &["default-90d", "pci-dss"],
            r#","attributes":{"card":{"C-V-V":"123"}},"input":[{"PAN":"4111"}]"#,
        );
        let places: Vec<&str> = found
            .refusals
            .iter()
            .map(|one| one.pointer.as_str())
            .collect();
        assert_eq!(places, ["/attributes/?/cvv", "/input/0/pan"]);
        assert!(
            found.refusals[0]
                .detail
                .contains("`pci-dss` forbids members named `cvv`")
        );
        assert!(!format!("{:?}", found.refusals).contains("4111"));
        assert!(checked(&["default-90d"], r#","attributes":{"cvv":"123"}"#).is_clean());
    }
}

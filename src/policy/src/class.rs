//! Retention classes: the policies of an event, and the two figures that its statement fixes for verifiers.

use super::clock::EventTimes;
use super::file::{Figures, Policy};
use super::resolve::{Applied, Date, expires_at};
use super::sample;
use trailkeep_proof::period::CalendarPeriod;
use trailkeep_proof::system::{ClassDefinition, ClassKey, ClassPolicy};

/// The key of the policies that apply to an event of an action.
pub fn class_key(applied: &[Applied<'_>], action: &str) -> ClassKey {
    let mut sorted: Vec<&Applied<'_>> = applied.iter().collect();
    sorted.sort_by(|one, other| one.policy.id.cmp(&other.policy.id));
    let policies = sorted.iter().map(|one| ClassPolicy {
        id: one.policy.id.clone(),
        version: one.policy.version,
        sha256: one.policy.sha256.clone(),
    });
    let case = |one: &&Applied<'_>| {
        let case = one.policy.figures_for(action).0?;
        Some((one.policy.id.clone(), case.to_owned()))
    };
    ClassKey {
        policies: policies.collect(),
        cases: sorted.iter().filter_map(case).collect(),
        law_not_yet: sorted
            .iter()
            .filter(|one| !one.law_applies)
            .map(|one| one.policy.id.clone())
            .collect(),
    }
}

/// What applies to the events of a class: its policies as they were stated, each found by its SHA-256, by the
/// figures and the law of their receipt. `None` where one of them, or a special case of it, is not found.
pub fn applied_to_class<'a>(
    key: &ClassKey,
    mut stated: impl FnMut(&ClassPolicy) -> Option<&'a Policy>,
) -> Option<Vec<Applied<'a>>> {
    let applied = |named: &ClassPolicy| {
        let policy = stated(named)?;
        let case = key.cases.get(&named.id).map(String::as_str);
        let case = match case {
            Some(name) => Some(policy.special_case(name)?),
            None => None,
        };
        Some(Applied {
            case: case.map(|case| case.name.as_str()),
            figures: case.map_or(&policy.figures, |case| &case.figures),
            law_applies: !key.law_not_yet.contains(&named.id),
            policy,
            is_later: false,
        })
    };
    key.policies.iter().map(applied).collect()
}

/// Defines a class: fixes its figures.
pub fn define_class(number: u16, key: ClassKey, applied: &[Applied<'_>]) -> ClassDefinition {
    let minimum = minimum_of(applied);
    ClassDefinition {
        number,
        key,
        minimum: minimum.to_string(),
        after: after_of(applied, minimum).map(|after| after.to_string()),
    }
}

/// The longest minimum that binds.
fn minimum_of(applied: &[Applied<'_>]) -> CalendarPeriod {
    let binding = applied.iter().filter(|one| one.has_binding_minimum());
    binding
        .map(|one| one.figures.keep_at_least)
        .max_by_key(|period| period.after(sample::FIRST_DAY))
        .unwrap_or(CalendarPeriod::NONE)
}

/// The longest period that no event of the class goes before, whatever its day, and that is never less than the
/// minimum. None where dates follow from something else than the receipt, or never come.
fn after_of(applied: &[Applied<'_>], minimum: CalendarPeriod) -> Option<CalendarPeriod> {
    if !applied.iter().all(Applied::is_of_receipt) {
        return None;
    }
    let expires_at = |day| expires_at(applied, &EventTimes::received(day));
    if expires_at(sample::FIRST_DAY) == Date::Open {
        return None;
    }
    let periods = applied.iter().flat_map(|one| {
        let Figures {
            keep_at_least,
            delete_after,
            ..
        } = *one.figures;
        // A maximum of law is due earlier than its figure says.
        let early = delete_after.and_then(|after| after.less(one.policy.purge_within));
        std::iter::once(keep_at_least)
            .chain(delete_after)
            .chain(early)
    });
    let mut candidates: Vec<CalendarPeriod> = periods.collect();
    candidates.sort_by_key(|period| std::cmp::Reverse(period.after(sample::FIRST_DAY)));
    let fits = |period: &CalendarPeriod| {
        // Most candidates that are too long already are so on the first day.
        sample::days().all(|day| {
            let (own, least) = (period.after(day), minimum.after(day));
            let end = period.end_from(day).map_or(Date::Open, Date::At);
            own >= least && end <= expires_at(day)
        })
    };
    candidates
        .into_iter()
        .find(|period| fits(period))
        .or(Some(minimum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PolicySet;
    use trailkeep_proof::time::UnixMillis;

    fn class_of(regimes: &[&str], action: &str, recorded_at: &str) -> ClassDefinition {
        let set = PolicySet::shipped().unwrap();
        let recorded_at = UnixMillis::parse_rfc3339(recorded_at).unwrap();
        let policies: Vec<_> = regimes
            .iter()
            .map(|name| set.of_regime(name).unwrap())
            .collect();
        let applied: Vec<Applied<'_>> = policies
            .iter()
            .map(|policy| Applied::to(policy, action, recorded_at))
            .collect();
        define_class(1, class_key(&applied, action), &applied)
    }

    #[test]
    fn the_figures_of_a_class_are_those_that_rule() {
        let today = "2026-11-24T10:00:00Z";
        for (regimes, action, minimum, after) in [
            (vec!["default-90d"], "chat.completion", "P0D", Some("P90D")),
            (vec!["hipaa"], "chat.completion", "P6Y", Some("P6Y3M")),
            // The guidance's 12 months are over before the law's six years.
            (vec!["hipaa", "gdpr-minimal"], "a", "P6Y", Some("P6Y")),
            // A custom does not outrun a guidance.
            (vec!["soc2", "gdpr-minimal"], "a", "P0D", Some("P12M")),
            (vec!["nydfs-500"], "payment.send", "P5Y", Some("P5Y6M")),
            (vec!["nydfs-500"], "login", "P3Y", Some("P3Y6M")),
            (vec!["sox"], "a", "P7Y", None),
            (vec!["hipaa"], "policy.change", "P6Y", None),
        ] {
            let class = class_of(&regimes, action, today);
            let found = (class.minimum.as_str(), class.after.as_deref());
            let minimum = CalendarPeriod::parse(minimum).unwrap().to_string();
            let after = after.map(|after| CalendarPeriod::parse(after).unwrap().to_string());
            assert_eq!(
                found,
                (minimum.as_str(), after.as_deref()),
                "{regimes:?} {action}"
            );
        }
    }

    #[test]
    fn a_law_that_does_not_bind_yet_makes_another_class() {
        let before = class_of(
            &["eu-ai-act-high-risk-deployer"],
            "a",
            "2027-12-01T23:59:59Z",
        );
        let after = class_of(
            &["eu-ai-act-high-risk-deployer"],
            "a",
            "2027-12-02T00:00:00Z",
        );
        assert_eq!(before.key.law_not_yet, ["eu-ai-act-high-risk-deployer"]);
        assert_eq!(
            (before.minimum.as_str(), after.minimum.as_str()),
            ("P0D", "P6M")
        );
        assert!(after.key.law_not_yet.is_empty());
        // What nobody needs to know is not said.
        let text = serde_json::to_string(&after).unwrap();
        assert!(
            !text.contains("cases") && !text.contains("law_not_yet"),
            "{text}"
        );
        assert_eq!(
            serde_json::from_str::<ClassDefinition>(&text).unwrap(),
            after
        );
    }
}

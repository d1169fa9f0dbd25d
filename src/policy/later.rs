//! What later versions of its policies do to a recorded event: a law can lengthen its minimum, nothing shortens it
//! (docs/retention.md, "Changes").

use super::clock::EventTimes;
use super::file::{Figures, Force, Policy};
use super::resolve::Applied;

/// What applies to a recorded event: what was stated when it came, and of later versions of the same policies the
/// legal minima that end later than the stated one. So no date that follows is earlier than without them.
///
/// `versions` may hold any policies: those of other ids, and versions that are not later, are left out. `action` is the
/// event's, where it is known; where only its class is, any of a version's figures counts that may be the event's.
pub fn with_later<'a>(
    stated: &[Applied<'a>],
    versions: &[&'a Policy],
    action: Option<&str>,
    times: &EventTimes,
) -> Vec<Applied<'a>> {
    let mut applied = stated.to_vec();
    for own in stated {
        let own_end = own
            .has_binding_minimum()
            .then(|| own.keep_until(times))
            .flatten();
        let later = versions
            .iter()
            .filter(|version| version.id == own.policy.id && version.version > own.policy.version);
        let longest = later
            .flat_map(|version| figures_of_event(own, version, action))
            .map(|(policy, figures)| Applied {
                policy,
                case: own.case,
                figures,
                law_applies: policy.law_applies_at(times.recorded_at),
                is_later: true,
            })
            .filter(|one| one.keep_force() == Force::Law)
            .filter_map(|one| Some((one.keep_until(times)?, one)))
            .filter(|(end, _)| own_end.is_none_or(|own_end| *end > own_end))
            // Of two that end together the newest is the law as it is.
            .max_by_key(|(end, one)| (*end, one.policy.version));
        applied.extend(longest.map(|(_, one)| one));
    }
    applied
}

/// The figures of a later version that are an event's, or may be.
fn figures_of_event<'a>(
    own: &Applied<'_>,
    version: &'a Policy,
    action: Option<&str>,
) -> Vec<(&'a Policy, &'a Figures)> {
    if let Some(action) = action {
        let is_for = version
            .actions
            .iter()
            .any(|pattern| pattern.matches(action));
        let figures = is_for.then(|| version.figures_for(action).1);
        return figures
            .map(|figures| (version, figures))
            .into_iter()
            .collect();
    }
    let sorts_alike = own.policy.special_cases.len() == version.special_cases.len()
        && own
            .policy
            .special_cases
            .iter()
            .zip(&version.special_cases)
            .all(|(one, other)| one.name == other.name && one.actions == other.actions);
    if sorts_alike {
        let figures = version.figures_named(own.case);
        return figures
            .map(|figures| (version, figures))
            .into_iter()
            .collect();
    }
    // Which case the event falls under now can't be told without its action.
    let special = version.special_cases.iter().map(|case| &case.figures);
    std::iter::once(&version.figures)
        .chain(special)
        .map(|figures| (version, figures))
        .collect()
}

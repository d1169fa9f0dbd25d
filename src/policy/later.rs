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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Date, OnErasureRequest, PolicySet, resolve, verdict};
    use crate::time::UnixMillis;

    const FILE: &str = r#"
schema = 1
id = "made-up"
version = 1
title = "made up"
[retention]
keep_at_least = "P12M"
keep_force = "law"
keep_law = ["EU"]
delete_after = "P15M"
clock = "received"
max_clock = "received"
[erasure]
request = "restrict_until_minimum"
"#;

    fn file(version: u32, changes: &[(&str, &str)]) -> Policy {
        let mut text = FILE.replace("version = 1", &format!("version = {version}"));
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        Policy::parse(&text).unwrap()
    }

    fn moment(text: &str) -> UnixMillis {
        UnixMillis::parse_rfc3339(text).unwrap()
    }

    /// `keep_until` and `expires_at` of an event received on 2025-12-01, by its action where that is known.
    fn dates(stated: &Policy, versions: &[&Policy], action: Option<&str>) -> (String, String) {
        let recorded_at = moment("2025-12-01T10:00:00Z");
        let times = EventTimes::received(recorded_at);
        let stated = [Applied::to(stated, action.unwrap_or("a"), recorded_at)];
        let resolved = resolve(&with_later(&stated, versions, action, &times), &times);
        (
            resolved.keep_until.to_string(),
            resolved.expires_at.to_string(),
        )
    }

    #[test]
    fn a_longer_law_lengthens_and_nothing_shortens() {
        let own = file(1, &[]);
        let plain = ("2026-12-03T00:00:00Z", "2027-03-02T00:00:00Z");
        let longer = [("P12M", "P3Y"), ("P15M", "P4Y")];
        let lengthened = ("2028-12-03T00:00:00Z", "2028-12-03T00:00:00Z");
        let of =
            |version: u32, changes: &[(&str, &str)]| dates(&own, &[&file(version, changes)], None);
        let (keep_until, expires_at) = lengthened;
        assert_eq!(
            of(2, &longer),
            (keep_until.to_owned(), expires_at.to_owned()),
            "T10"
        );
        let custom = ("keep_force = \"law\"", "keep_force = \"custom\"");
        let later_law = ("[retention]", "law_applies_from = 2026-01-01\n[retention]");
        for (version, changes, what) in [
            (
                2,
                vec![("P12M", "P3Y"), ("P15M", "P4Y"), custom],
                "a custom",
            ),
            (2, vec![("P12M", "P6M"), ("P15M", "P9M")], "a shorter one"),
            (2, vec![("P15M", "P5Y")], "a longer maximum"),
            (
                2,
                vec![("P12M", "P3Y"), later_law],
                "a law for later events",
            ),
            (1, vec![("P12M", "P3Y")], "no later version"),
            (
                2,
                vec![("P12M", "P3Y"), ("made-up", "other")],
                "another policy",
            ),
        ] {
            let (keep_until, expires_at) = of(version, &changes);
            assert_eq!((keep_until.as_str(), expires_at.as_str()), plain, "{what}");
        }
        // A law that took hold of it is not undone by a still later version.
        let (longer, shorter) = (file(2, &longer), file(3, &[("P12M", "P1M")]));
        let both = dates(&own, &[&longer, &shorter], None);
        assert_eq!(both.0, lengthened.0);
    }

    #[test]
    fn a_law_can_take_the_place_of_a_custom_and_waits_for_its_own_clock() {
        let own = file(1, &[("keep_force = \"law\"", "keep_force = \"custom\"")]);
        assert_eq!(dates(&own, &[], None).0, "2025-12-01T10:00:00Z");
        assert_eq!(
            dates(&own, &[&file(2, &[])], None).0,
            "2026-12-03T00:00:00Z"
        );
        let triggered = file(
            2,
            &[("\nclock = \"received\"", "\nclock = \"trigger:closed\"")],
        );
        assert_eq!(
            dates(&file(1, &[]), &[&triggered], None),
            ("open".into(), "open".into())
        );
    }

    #[test]
    fn a_special_case_that_may_be_the_events_counts_where_its_action_is_unknown() {
        let case =
            "[retention.class.pay]\nevent_types = [\"pay.*\"]\nkeep_at_least = \"P9Y\"\n[erasure]";
        let (own, sorted) = (file(1, &[]), file(2, &[("[erasure]", case)]));
        let of = |stated: &Policy, later: &Policy, action| dates(stated, &[later], action).0;
        assert_eq!(of(&own, &sorted, Some("pay.send")), "2034-12-03T00:00:00Z");
        assert_eq!(of(&own, &sorted, Some("login")), "2026-12-03T00:00:00Z");
        assert_eq!(of(&own, &sorted, None), "2034-12-03T00:00:00Z");
        // Where both sort alike the class knows the case.
        let longer = file(3, &[("[erasure]", case), ("P12M", "P2Y"), ("P15M", "P3Y")]);
        assert_eq!(of(&sorted, &longer, None), "2027-12-03T00:00:00Z");
        // A version that is not for the event's action says nothing of it.
        let narrow = file(
            2,
            &[
                ("P12M", "P3Y"),
                (
                    "[retention]",
                    "[applies_to]\nevent_types = [\"b\"]\n[retention]",
                ),
            ],
        );
        assert_eq!(of(&own, &narrow, Some("a")), "2026-12-03T00:00:00Z");
    }

    #[test]
    fn a_request_waits_for_the_longer_law() {
        let (own, longer) = (file(1, &[]), file(2, &[("P12M", "P3Y"), ("P15M", "P4Y")]));
        let recorded_at = moment("2025-12-01T10:00:00Z");
        let times = EventTimes::received(recorded_at);
        let stated = [Applied::to(&own, "a", recorded_at)];
        let applied = with_later(&stated, &[&longer], None, &times);
        let asked = moment("2026-10-01T00:00:00Z");
        let found = verdict(&applied, &times, Some(asked), &[], asked);
        let until = moment("2028-12-03T00:00:00Z");
        assert_eq!(found.erasure_until, Some(Date::At(until)));
        assert_eq!(found.destroy_at, Date::At(until));
        assert_eq!(
            applied[1].on_erasure_request(),
            OnErasureRequest::RestrictUntilMinimum
        );
        let reason = &found.resolved.reasons.last().unwrap().figure;
        assert_eq!(
            reason,
            "keep_at_least P3Y from received (version 2, stated later)"
        );
        // What is shipped needs no later version to be itself.
        let set = PolicySet::shipped().unwrap();
        let soc2 = [Applied::to(
            set.of_regime("soc2").unwrap(),
            "a",
            recorded_at,
        )];
        assert_eq!(with_later(&soc2, &[&longer], None, &times).len(), 1);
    }
}

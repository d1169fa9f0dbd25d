//! What later versions of its policies do to a recorded event: a law can lengthen its minimum, nothing shortens it
//! (docs/retention.md, "Changes").

use super::clock::EventTimes;
use super::file::{Figures, Force, Policy};
use super::pattern::ActionPattern;
use super::resolve::Applied;

/// What applies to a recorded event: what was stated when it came, and of later versions of the same policies the
/// legal minima that end later than the stated one. So no date that follows is earlier than without them.
///
/// `versions` may hold any policies: those of other ids, and versions that are not later, are left out. Only the class
/// of an event stands in its entry, so any of a version's figures counts that an event of the class may fall under.
/// Everybody asks so, whether the event's action is at hand or not: else two of them would give two dates.
pub fn with_later<'a>(
    stated: &[Applied<'a>],
    versions: &[&'a Policy],
    times: &EventTimes,
) -> Vec<Applied<'a>> {
    let mut applied = stated.to_vec();
    for own in stated {
        let own_end = own
            .has_binding_minimum()
            .then(|| own.keep_until(times))
            .flatten();
        let longest = candidates(own, versions)
            .map(|one| Applied {
                law_applies: one.policy.law_applies_at(times.recorded_at),
                ..one
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

/// Whether all dates follow from the receipt alone, whatever later versions say.
pub fn are_of_receipt(stated: &[Applied<'_>], versions: &[&Policy]) -> bool {
    let may_wait = |own: &Applied<'_>| {
        candidates(own, versions)
            .filter(|one| one.keep_force() == Force::Law)
            .any(|one| !one.is_of_receipt())
    };
    stated.iter().all(Applied::is_of_receipt) && !stated.iter().any(may_wait)
}

/// Later versions of a policy with each of their figures that the event may fall under, by a law that binds.
fn candidates<'a>(own: &Applied<'a>, versions: &[&'a Policy]) -> impl Iterator<Item = Applied<'a>> {
    let own = *own;
    let later: Vec<&'a Policy> = versions
        .iter()
        .copied()
        .filter(|version| version.id == own.policy.id && version.version > own.policy.version)
        .collect();
    later.into_iter().flat_map(move |version| {
        let figures = figures_of_event(&own, version).into_iter();
        figures.map(move |figures| Applied {
            policy: version,
            case: own.case,
            figures,
            law_applies: true,
            is_later: true,
        })
    })
}

/// The figures of a later version that an event may fall under, by what its own case says of its action: each case
/// that shares an action with it, up to the first that takes in all of them, and the figures of most events where
/// none does.
fn figures_of_event<'a>(own: &Applied<'_>, version: &'a Policy) -> Vec<&'a Figures> {
    let own_cases = &own.policy.special_cases;
    let mine: &[ActionPattern] = match own.case.and_then(|name| own.policy.special_case(name)) {
        Some(case) => &case.actions,
        None => &own.policy.actions,
    };
    // Actions that an earlier case took, or any case of an event that falls under none.
    let taken: Vec<&ActionPattern> = own_cases
        .iter()
        .take_while(|case| Some(case.name.as_str()) != own.case)
        .flat_map(|case| &case.actions)
        .collect();
    let may_be_mine = |pattern: &ActionPattern| {
        !taken.iter().any(|taken| taken.contains(pattern))
            && mine.iter().any(|mine| mine.overlaps(pattern))
    };
    let mut found = Vec::new();
    for case in &version.special_cases {
        if case.actions.iter().any(may_be_mine) {
            found.push(&case.figures);
        }
        let takes_in = |mine: &ActionPattern| case.actions.iter().any(|one| one.contains(mine));
        if mine.iter().all(takes_in) {
            return found;
        }
    }
    if version.actions.iter().any(may_be_mine) {
        found.push(&version.figures);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Case, Date, OnErasureRequest, PolicySet, resolve, verdict};
    use trailkeep_proof::time::UnixMillis;

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

    /// `keep_until` and `expires_at` of an event of an action that was received on 2025-12-01.
    fn dates(stated: &Policy, versions: &[&Policy], action: &str) -> (String, String) {
        let recorded_at = moment("2025-12-01T10:00:00Z");
        let times = EventTimes::received(recorded_at);
        let stated = [Applied::to(stated, action, recorded_at)];
        let resolved = resolve(&with_later(&stated, versions, &times), &times, None);
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
            |version: u32, changes: &[(&str, &str)]| dates(&own, &[&file(version, changes)], "a");
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
        let both = dates(&own, &[&longer, &shorter], "a");
        assert_eq!(both.0, lengthened.0);
    }

    #[test]
    fn a_law_can_take_the_place_of_a_custom_and_waits_for_its_own_clock() {
        let own = file(1, &[("keep_force = \"law\"", "keep_force = \"custom\"")]);
        assert_eq!(dates(&own, &[], "a").0, "2025-12-01T10:00:00Z");
        assert_eq!(dates(&own, &[&file(2, &[])], "a").0, "2026-12-03T00:00:00Z");
        let triggered = file(
            2,
            &[("\nclock = \"received\"", "\nclock = \"trigger:closed\"")],
        );
        assert_eq!(
            dates(&file(1, &[]), &[&triggered], "a"),
            ("open".into(), "open".into())
        );
    }

    #[test]
    fn a_special_case_that_may_be_the_events_counts() {
        let case =
            "[retention.class.pay]\nevent_types = [\"pay.*\"]\nkeep_at_least = \"P9Y\"\n[erasure]";
        let (own, sorted) = (file(1, &[]), file(2, &[("[erasure]", case)]));
        let of = |stated: &Policy, later: &Policy, action| dates(stated, &[later], action).0;
        // The class of version 1 does not tell payments from others.
        assert_eq!(of(&own, &sorted, "pay.send"), "2034-12-03T00:00:00Z");
        assert_eq!(of(&own, &sorted, "login"), "2034-12-03T00:00:00Z");
        // Where the class knows the case, what is said of others says nothing of it.
        let longer = file(3, &[("[erasure]", case), ("P12M", "P2Y"), ("P15M", "P3Y")]);
        assert_eq!(of(&sorted, &longer, "login"), "2027-12-03T00:00:00Z");
        assert_eq!(of(&sorted, &longer, "pay.send"), "2034-12-03T00:00:00Z");
        // A case that takes in more actions keeps those that it had.
        let wider = case.replace("[\"pay.*\"]", "[\"pay.*\", \"chat.*\"]");
        let wider = file(
            3,
            &[("[erasure]", &wider), ("P12M", "P30Y"), ("P15M", "P31Y")],
        );
        assert_eq!(of(&sorted, &wider, "pay.send"), "2034-12-03T00:00:00Z");
        assert_eq!(of(&sorted, &wider, "login"), "2055-12-03T00:00:00Z");
        // A version that is for other actions alone says nothing of an event that can't be one of them.
        let narrow = file(
            3,
            &[
                ("P12M", "P3Y"),
                (
                    "[retention]",
                    "[applies_to]\nevent_types = [\"b\"]\n[retention]",
                ),
            ],
        );
        assert_eq!(of(&sorted, &narrow, "pay.send"), "2034-12-03T00:00:00Z");
    }

    #[test]
    fn a_request_waits_for_the_longer_law() {
        let (own, longer) = (file(1, &[]), file(2, &[("P12M", "P3Y"), ("P15M", "P4Y")]));
        let recorded_at = moment("2025-12-01T10:00:00Z");
        let times = EventTimes::received(recorded_at);
        let stated = [Applied::to(&own, "a", recorded_at)];
        let applied = with_later(&stated, &[&longer], &times);
        let asked = moment("2026-10-01T00:00:00Z");
        let case = Case {
            applied: &applied,
            times: &times,
            class_after: None,
            erasure_requested_at: Some(asked),
            holds: &[],
        };
        let found = verdict(&case, asked);
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
        assert_eq!(with_later(&soc2, &[&longer], &times).len(), 1);
    }
}

//! Properties of the resolver, over made-up policies.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use trailkeep_policy::later::with_later;
use trailkeep_policy::resolve::{destroyed_at, expires_at};
use trailkeep_policy::{
    Applied, CalendarPeriod, Case, Date, Decision, ErasureOutcome, EventTimes, Force, HoldSpan,
    Policy, class_key, cutoff, define_class, resolve, verdict,
};
use trailkeep_proof::time::UnixMillis;

const DAY_MS: u64 = 86_400_000;

fn period() -> impl Strategy<Value = String> {
    prop_oneof![
        (0_u32..1_200).prop_map(|days| format!("P{days}D")),
        (0_u32..40).prop_map(|months| format!("P{months}M")),
        (0_u32..8).prop_map(|years| format!("P{years}Y")),
        (0_u32..3, 0_u32..14, 0_u32..40).prop_map(|(y, m, d)| format!("P{y}Y{m}M{d}D")),
    ]
}

fn clock() -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(vec![
        "received",
        "received",
        "received",
        "occurred",
        "trigger:closed",
        "later_of:received,trigger:closed?",
        "later_of:received,trigger:closed",
    ])
}

/// A policy of any figures; its sense is not looked at.
fn policy(clock: impl Strategy<Value = &'static str> + Clone) -> impl Strategy<Value = Policy> {
    let forces = (
        prop::sample::select(vec!["law", "contract", "custom"]),
        prop::sample::select(vec!["law", "guidance", "custom"]),
        prop::sample::select(vec!["honour", "restrict_until_minimum", "refuse"]),
    );
    let figures = (period(), prop::option::of(period()), clock.clone(), clock);
    let law_from = prop::option::weighted(0.3, 2020_u32..2035);
    let parts = (
        0_u32..1_000_000,
        1_u32..50,
        forces,
        figures,
        law_from,
        0_u32..4,
    );
    parts.prop_map(|(id, version, forces, figures, law_from, margin)| {
        let (keep_force, delete_force, request) = forces;
        let (keep, delete, clock, max_clock) = figures;
        let law_from = law_from.map_or(String::new(), |year| {
            format!("law_applies_from = {year}-03-31\n")
        });
        let delete = delete.map_or(String::new(), |delete| {
            format!("delete_after = \"{delete}\"\n")
        });
        let text = format!(
            "schema = 1\nid = \"p{id}\"\nversion = {version}\ntitle = \"made up\"\n{law_from}\
             [retention]\nkeep_at_least = \"{keep}\"\nkeep_force = \"{keep_force}\"\n{delete}\
             delete_force = \"{delete_force}\"\nclock = \"{clock}\"\nmax_clock = \"{max_clock}\"\n\
             min_margin = \"P{margin}D\"\n[erasure]\nrequest = \"{request}\"\n"
        );
        Policy::parse(&text).unwrap()
    })
}

fn of_receipt() -> impl Strategy<Value = Policy> {
    policy(prop::sample::select(vec!["received", "occurred"]))
}

/// Any moment from 2019 to 2061.
fn moment() -> impl Strategy<Value = UnixMillis> {
    (1_546_300_800_000_u64..2_871_763_200_000).prop_map(UnixMillis::new)
}

fn applied(policies: &[Policy], recorded_at: UnixMillis) -> Vec<Applied<'_>> {
    policies
        .iter()
        .map(|policy| Applied::to(policy, "a.b", recorded_at))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The cut-off of a run: all before it has expired, verifiers accept it, and no later one would do.
    #[test]
    fn a_cut_off_is_the_last_that_holds(
        policies in prop::collection::vec(of_receipt(), 1..4),
        later in of_receipt(),
        received in moment(),
        now in moment(),
        days in prop::collection::vec(0_u64..40_000, 20),
    ) {
        let later = Policy { id: policies[0].id.clone(), version: 99, ..later };
        let stated = applied(&policies, received);
        let versions = [&later];
        let definition = define_class(1, class_key(&stated, "a.b"), &stated);
        let Some(after) = definition.after else { return Ok(()) };
        let after = CalendarPeriod::parse(&after).unwrap();
        let expires_at = |recorded_at| {
            let times = EventTimes::received(UnixMillis::new(recorded_at));
            let applied = with_later(&stated, &versions, &times);
            expires_at(&applied, &times)
        };
        let ends = |before| after.after(UnixMillis::new(before)).unwrap();
        let found = cutoff::recorded_before(&stated, &versions, Some(after), now);
        if let Some(before) = found {
            let before = before.get();
            prop_assert!(ends(before) <= now);
            for earlier in days.iter().filter_map(|day| before.checked_sub(1 + day * DAY_MS / 3)) {
                prop_assert!(expires_at(earlier) <= Date::At(now), "recorded {earlier}");
            }
        }
        let next = found.map_or(0, UnixMillis::get) + 1;
        prop_assert!(ends(next) > now || expires_at(next - 1) > Date::At(now), "{next} would do");
    }

    /// Dates follow from the day of receipt alone, and a later receipt never brings an earlier date.
    #[test]
    fn dates_rise_with_the_receipt(
        policies in prop::collection::vec(of_receipt(), 1..4),
        law in moment(),
        received in moment(),
        more_days in 0_u64..800,
    ) {
        let stated = applied(&policies, law);
        let of = |recorded_at| expires_at(&stated, &EventTimes::received(recorded_at));
        let day = received.start_of_day();
        prop_assert_eq!(of(received), of(day));
        prop_assert_eq!(of(day), of(UnixMillis::new(day.get() + DAY_MS - 1)));
        prop_assert!(of(day) <= of(UnixMillis::new(day.get() + more_days * DAY_MS)));
    }

    /// More policies never make the minimum, nor the expiry, end earlier than the minimum of fewer.
    #[test]
    fn another_policy_never_shortens_the_minimum(
        policies in prop::collection::vec(policy(clock()), 2..6),
        received in moment(),
        occurred in moment(),
        closed in prop::option::of(moment()),
    ) {
        let mut times = EventTimes { occurred_at: occurred, ..EventTimes::received(received) };
        times.triggers.extend(closed.map(|at| ("closed".to_owned(), at)));
        let all = applied(&policies, received);
        let (fewer, more) = (resolve(&all[1..], &times, None), resolve(&all, &times, None));
        prop_assert!(more.keep_until >= fewer.keep_until);
        prop_assert!(more.expires_at >= fewer.keep_until);
        prop_assert!(more.expires_at >= more.keep_until);
        // The order of the regimes says nothing.
        let reversed: Vec<Applied<'_>> = all.iter().rev().copied().collect();
        let reversed = resolve(&reversed, &times, None);
        prop_assert_eq!((reversed.keep_until, reversed.expires_at), (more.keep_until, more.expires_at));
        prop_assert_eq!(more.expires_at, expires_at(&all, &times));
    }

    /// A hold changes no date but that of the destruction, which it never makes earlier; and nothing is destroyed
    /// before its minimum, under a hold, or before it expired unless somebody asked.
    #[test]
    fn nothing_goes_before_its_time(
        policies in prop::collection::vec(policy(clock()), 1..4),
        received in moment(),
        closed in prop::option::of(moment()),
        asked in prop::option::of(moment()),
        holds in prop::collection::vec((moment(), prop::option::of(0_u64..4_000)), 0..4),
        at in moment(),
    ) {
        let mut times = EventTimes::received(received);
        times.triggers.extend(closed.map(|at| ("closed".to_owned(), at)));
        let applied = applied(&policies, received);
        let holds: Vec<HoldSpan> = holds
            .into_iter()
            .map(|(from, days)| HoldSpan {
                from,
                to: days.map(|days| UnixMillis::new(from.get() + (days + 1) * DAY_MS)),
            })
            .collect();
        let case = Case {
            applied: &applied,
            times: &times,
            class_after: None,
            erasure_requested_at: asked,
            holds: &[],
        };
        let covered = Case { holds: &holds, ..case };
        let free = verdict(&case, at);
        let held = verdict(&covered, at);
        prop_assert_eq!(&free.resolved, &held.resolved);
        prop_assert!(held.destroy_at >= free.destroy_at);
        prop_assert!(free.destroy_at >= free.resolved.keep_until);
        prop_assert!(free.destroy_at <= free.resolved.expires_at);
        let now = Date::At(at);
        if held.decision == Decision::Destroy {
            prop_assert!(held.resolved.keep_until <= now && held.destroy_at <= now);
            prop_assert!(!holds.iter().any(|hold| hold.is_active(at)));
            let was_asked = asked.is_some_and(|asked| asked <= at);
            prop_assert!(was_asked || held.resolved.expires_at <= now);
        }
        // What a request waits for is what the destruction waits for.
        if let (Some(asked), Some(until)) = (asked, free.erasure_until) {
            prop_assert!(until > Date::At(asked.max(received)));
            prop_assert!(free.destroy_at <= until);
        }
        prop_assert_eq!(free.erasure == ErasureOutcome::Honour, free.erasure_until.is_none());
        // Asking makes nothing later, and twice is once.
        let not_asked = verdict(&Case { erasure_requested_at: None, ..case }, at);
        prop_assert!(free.destroy_at <= not_asked.destroy_at);
        prop_assert_eq!(verdict(&covered, at), held);
    }

    /// The class's period is what verifiers may hold a run to: no event of the class expires earlier by it, and it is
    /// never less than the minimum.
    #[test]
    fn the_period_of_a_class_holds_for_each_day(
        policies in prop::collection::vec(of_receipt(), 1..4),
        stated_at in moment(),
        received in moment(),
    ) {
        let stated = applied(&policies, stated_at);
        let class = define_class(1, class_key(&stated, "a.b"), &stated);
        let Some(after) = class.after else { return Ok(()) };
        let period = |text: &str| CalendarPeriod::parse(text).unwrap();
        let expires = expires_at(&stated, &EventTimes::received(received));
        let end = period(&after).end_from(received);
        prop_assert!(end.map_or(Date::Open, Date::At) <= expires);
        prop_assert!(period(&after).after(received) >= period(&class.minimum).after(received));
    }

    /// Later versions lengthen or change nothing: no date becomes earlier.
    #[test]
    fn later_versions_never_shorten(
        policies in prop::collection::vec(policy(clock()), 1..4),
        later in prop::collection::vec((policy(clock()), 0_usize..4), 0..4),
        received in moment(),
        closed in prop::option::of(moment()),
        asked in moment(),
    ) {
        let mut times = EventTimes::received(received);
        times.triggers.extend(closed.map(|at| ("closed".to_owned(), at)));
        let later: Vec<Policy> = later
            .into_iter()
            .map(|(policy, of)| Policy { id: policies[of % policies.len()].id.clone(), ..policy })
            .collect();
        let versions: Vec<&Policy> = later.iter().collect();
        let stated = applied(&policies, received);
        let all = with_later(&stated, &versions, &times);
        let (before, after) = (resolve(&stated, &times, None), resolve(&all, &times, None));
        prop_assert!(after.keep_until >= before.keep_until);
        prop_assert!(after.expires_at >= before.expires_at);
        let verdict = |applied: &[Applied<'_>]| {
            let case = Case {
                applied,
                times: &times,
                class_after: None,
                erasure_requested_at: Some(asked),
                holds: &[],
            };
            verdict(&case, asked)
        };
        let (before, after) = (verdict(&stated), verdict(&all));
        prop_assert!(after.destroy_at >= before.destroy_at);
        let is_law = |one: &Applied<'_>| one.policy.keep_force == Force::Law;
        prop_assert!(all[stated.len()..].iter().all(is_law));
    }

    /// A run takes an event at the moment that is explained, and not a millisecond before.
    #[test]
    fn the_cut_off_is_the_inverse_of_the_date(
        policies in prop::collection::vec(of_receipt(), 1..4),
        later in of_receipt(),
        received in moment(),
        is_last_millisecond in any::<bool>(),
    ) {
        let received = if is_last_millisecond {
            UnixMillis::new(received.start_of_day().get() + DAY_MS - 1)
        } else {
            received
        };
        let later = Policy { id: policies[0].id.clone(), version: 99, ..later };
        let versions = [&later];
        let stated = applied(&policies, received);
        let class = define_class(1, class_key(&stated, "a.b"), &stated);
        let after = class.after.map(|after| CalendarPeriod::parse(&after).unwrap());
        let times = EventTimes::received(received);
        let all = with_later(&stated, &versions, &times);
        let takes = |now: u64| {
            let now = UnixMillis::new(now);
            let before = cutoff::recorded_before(&stated, &versions, after, now);
            before.is_some_and(|before| received < before)
        };
        match destroyed_at(&all, &times, after) {
            Date::At(date) => {
                let date = date.get().max(received.get() + 1);
                prop_assert!(takes(date));
                prop_assert!(date == received.get() + 1 || !takes(date - 1));
            }
            Date::Open => prop_assert!(!takes(UnixMillis::MAX.get())),
        }
    }

    /// What a request is told to wait for is when the event is destroyed: no date on which nothing happens.
    #[test]
    fn a_request_is_told_when_the_event_goes(
        policies in prop::collection::vec(policy(clock()), 1..4),
        received in moment(),
        closed in prop::option::of(moment()),
        asked in moment(),
        holds in prop::collection::vec((moment(), prop::option::of(0_u64..4_000)), 0..3),
    ) {
        let mut times = EventTimes::received(received);
        times.triggers.extend(closed.map(|at| ("closed".to_owned(), at)));
        let applied = applied(&policies, received);
        let holds: Vec<HoldSpan> = holds
            .into_iter()
            .map(|(from, days)| HoldSpan {
                from,
                to: days.map(|days| UnixMillis::new(from.get() + (days + 1) * DAY_MS)),
            })
            .collect();
        let asked = asked.max(received);
        let case = Case {
            applied: &applied,
            times: &times,
            class_after: None,
            erasure_requested_at: Some(asked),
            holds: &holds,
        };
        let found = verdict(&case, asked);
        let told = found.erasure_until.unwrap_or(Date::At(asked));
        prop_assert_eq!(found.destroy_at.max(Date::At(asked)), told);
        if let Date::At(until) = told {
            let then = verdict(&case, until);
            prop_assert_eq!(then.decision, Decision::Destroy);
        }
    }
}

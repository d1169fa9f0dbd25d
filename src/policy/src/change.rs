//! Whether a file lowers the legal minimum of another version of its policy, by whichever of its keys.

use std::collections::BTreeMap;

use super::clock::EventTimes;
use super::file::{Force, Policy};
use super::pattern::ActionPattern;
use super::resolve::Applied;
use super::sample;
use trailkeep_proof::time::UnixMillis;

/// A legal minimum that a new version would lower.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lowered {
    /// Where the new file says it, as keys from the top.
    pub path: Vec<String>,
    /// What was lowered, in words.
    pub problem: String,
    /// How to fix it.
    pub remedy: String,
}

/// What a new version of a policy lowers of the legal minimum of an old one: the period, its margin, its clock, the day
/// from which the law binds, or the actions that it is for. Nothing where one of them claims no law: a custom may be
/// shortened, and whom a law does not bind may keep by custom.
pub fn lowered(old: &Policy, new: &Policy) -> Vec<Lowered> {
    if old.keep_force != Force::Law || new.keep_force != Force::Law || old.sha256 == new.sha256 {
        return Vec::new();
    }
    let mut found = Vec::new();
    if new.law_applies_from > old.law_applies_from {
        found.push(Lowered {
            path: vec!["law_applies_from".to_owned()],
            problem: "`law_applies_from` is later than before, but the law already applies"
                .to_owned(),
            remedy: old.law_applies_from.map_or_else(
                || "remove the key".to_owned(),
                |day| format!("write {day} or an earlier day"),
            ),
        });
    }
    // One action for each pair of figures that events can go from and to.
    let mut pairs = BTreeMap::new();
    for action in sample_actions(old, new) {
        if !old.actions.iter().any(|pattern| pattern.matches(&action)) {
            continue;
        }
        if !new.actions.iter().any(|pattern| pattern.matches(&action)) {
            pairs.entry((None, None)).or_insert(action);
            continue;
        }
        let (from, to) = (old.figures_for(&action).0, new.figures_for(&action).0);
        pairs.entry((Some(from), Some(to))).or_insert(action);
    }
    for ((from, to), action) in pairs {
        let Some((_, case)) = from.zip(to) else {
            found.push(Lowered {
                path: vec!["applies_to".to_owned(), "event_types".to_owned()],
                problem: format!(
                    "`event_types` no longer has actions that the law covers, such as `{action}`"
                ),
                remedy: "name all the actions that were named before".to_owned(),
            });
            continue;
        };
        if let Some(day) = shorter_on(old, new, &action) {
            let lowered = describe(old, new, &action, case, day);
            if !found
                .iter()
                .any(|known: &Lowered| known.path == lowered.path)
            {
                found.push(lowered);
            }
        }
    }
    found
}

/// A moment of receipt of which the new version keeps an event for a shorter time than the old one.
fn shorter_on(old: &Policy, new: &Policy, action: &str) -> Option<UnixMillis> {
    // Whether the law binds yet was looked at before.
    let bound = |policy| Applied {
        law_applies: true,
        ..Applied::to(policy, action, UnixMillis::MAX)
    };
    let (old, new) = (bound(old), bound(new));
    let mut names = old.triggers();
    names.extend(new.triggers());
    names.sort_unstable();
    names.dedup();
    sample::days().find(|day| {
        let of_day = |times: &EventTimes| new.keep_until(times) < old.keep_until(times);
        scenarios(*day, &names).iter().any(of_day)
    })
}

/// Ways in which the triggers of an event's record may have fired: each not yet, at its receipt, or much later.
fn scenarios(day: UnixMillis, names: &[&str]) -> Vec<EventTimes> {
    /// More names than this are not told apart: all of them fire together.
    const NAMES_APART_MAX: usize = 3;
    const LATER_MS: u64 = 5_000 * sample::DAY_MS;
    let moments = [None, Some(day), Some(UnixMillis::new(day.get() + LATER_MS))];
    let mut all = vec![EventTimes::received(day)];
    for (at, name) in names.iter().enumerate() {
        let fire = |times: &EventTimes, moment: Option<UnixMillis>| {
            let mut times = times.clone();
            if let Some(moment) = moment {
                times.triggers.insert((*name).to_owned(), moment);
            }
            times
        };
        all = if at < NAMES_APART_MAX {
            let of = |times: &EventTimes| moments.map(|moment| fire(times, moment));
            all.iter().flat_map(of).collect()
        } else {
            let like_first =
                |times: &EventTimes| fire(times, times.triggers.get(names[0]).copied());
            all.iter().map(like_first).collect()
        };
    }
    all
}

/// Actions that fall under each of the patterns of two versions, and under those that they have in common.
fn sample_actions(old: &Policy, new: &Policy) -> Vec<String> {
    let of = |policy: &Policy| {
        let special = policy
            .special_cases
            .iter()
            .flat_map(|case| case.actions.clone());
        policy
            .actions
            .iter()
            .cloned()
            .chain(special)
            .collect::<Vec<_>>()
    };
    let mut patterns = [of(old), of(new)].concat();
    patterns.dedup();
    let plain: Vec<String> = patterns.iter().map(|pattern| pattern.fill("x")).collect();
    let mut actions = vec!["x".to_owned()];
    for pattern in &patterns {
        actions.extend(plain.iter().map(|text| pattern.fill(text)));
    }
    actions.extend(plain);
    actions.sort_unstable();
    actions.dedup();
    actions
}

fn describe(
    old: &Policy,
    new: &Policy,
    action: &str,
    case: Option<&str>,
    day: UnixMillis,
) -> Lowered {
    let (theirs, own) = (old.figures_for(action).1, new.figures_for(action).1);
    let is_less = own.keep_at_least.after(day) < theirs.keep_at_least.after(day);
    let (key, is, was) = if is_less {
        let (is, was) = (own.keep_at_least, theirs.keep_at_least);
        ("keep_at_least", is.to_string(), was.to_string())
    } else if own.clock != theirs.clock {
        ("clock", own.clock.to_string(), theirs.clock.to_string())
    } else if new.min_margin != old.min_margin {
        let (is, was) = (new.min_margin, old.min_margin);
        ("min_margin", is.to_string(), was.to_string())
    } else if new.follows_record {
        let (is, was) = (&own.max_clock, &theirs.max_clock);
        ("max_clock", is.to_string(), was.to_string())
    } else {
        let (is, was) = (new.follows_record, old.follows_record);
        ("follows_record", is.to_string(), was.to_string())
    };
    let mut path = vec!["retention".to_owned()];
    if let Some(case) = case.filter(|_| matches!(key, "keep_at_least" | "clock" | "max_clock")) {
        path.extend(["class".to_owned(), case.to_owned()]);
    }
    path.push(key.to_owned());
    Lowered {
        path,
        problem: format!(
            "`{key}` {is} is below the statutory period {was} ({}), for example for the action `{action}`",
            old.citation()
        ),
        remedy: format!(
            "write {was} or more; if the law does not apply to you, write `keep_force = \"custom\"`"
        ),
    }
}

impl ActionPattern {
    /// An action that fits: each `*` is the text.
    fn fill(&self, text: &str) -> String {
        self.as_str().replace('*', text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set::SHIPPED;

    fn shipped(id: &str) -> Policy {
        let (_, text) = SHIPPED.iter().find(|(name, _)| *name == id).unwrap();
        Policy::parse(text).unwrap()
    }

    /// The last keys of what is lowered.
    fn lowered_keys(id: &str, from: &str, to: &str) -> Vec<String> {
        let old = shipped(id);
        assert!(old.text.contains(from), "{from}");
        let new = Policy::parse(&old.text.replace(from, to)).unwrap();
        let found = lowered(&old, &new);
        found.iter().map(|lowered| lowered.path.join(".")).collect()
    }

    #[test]
    fn a_law_is_lowered_by_whichever_key() {
        for (id, from, to, key) in [
            (
                "hipaa",
                "keep_at_least = \"P6Y\"\nkeep_force",
                "keep_at_least = \"P5Y\"\nkeep_force",
                "retention.keep_at_least",
            ),
            // 2,190 days are six years less the leap days.
            (
                "hipaa",
                "keep_at_least = \"P6Y\"\nkeep_force",
                "keep_at_least = \"P2190D\"\nkeep_force",
                "retention.keep_at_least",
            ),
            (
                "hipaa",
                "delete_force",
                "min_margin = \"P0D\"\ndelete_force",
                "retention.min_margin",
            ),
            (
                "hipaa",
                "clock = \"later_of:received,trigger:superseded\"\nmax",
                "clock = \"received\"\nmax",
                "retention.class.documentation.clock",
            ),
            (
                "hipaa",
                "event_types = [\"*\"]",
                "event_types = [\"phi.*\"]",
                "applies_to.event_types",
            ),
            (
                "hipaa",
                "review_by",
                "law_applies_from = 2030-01-01\nreview_by",
                "law_applies_from",
            ),
            (
                "hipaa",
                "[erasure]",
                "[retention.class.logs]\nevent_types = [\"login.*\"]\nkeep_at_least = \"P1Y\"\n[erasure]",
                "retention.class.logs.keep_at_least",
            ),
            (
                "nydfs-500",
                "\"payment.*\", ",
                "",
                "retention.keep_at_least",
            ),
            (
                "eu-ai-act-high-risk-deployer",
                "2027-12-02",
                "2028-12-02",
                "law_applies_from",
            ),
            (
                "fda-part-11",
                "follows_record = true",
                "follows_record = false",
                "retention.follows_record",
            ),
        ] {
            let keys = lowered_keys(id, from, to);
            assert_eq!(keys, [key], "{id}: {to}");
        }
    }

    #[test]
    fn what_lowers_no_law_may_change() {
        for (id, from, to) in [
            ("hipaa", "P6Y3M", "P9Y"),
            (
                "hipaa",
                "keep_at_least = \"P6Y\"",
                "keep_at_least = \"P7Y\"",
            ),
            (
                "hipaa",
                "keep_at_least = \"P6Y\"",
                "keep_at_least = \"P72M\"",
            ),
            ("hipaa", "keep_force = \"law\"", "keep_force = \"custom\""),
            ("soc2", "P15M", "P9M"),
            ("eu-ai-act-high-risk-deployer", "2027-12-02", "2027-11-02"),
            (
                "nydfs-500",
                "\"payment.*\", ",
                "\"payment.*\", \"invoice.*\", ",
            ),
        ] {
            assert_eq!(lowered_keys(id, from, to), [""; 0], "{id}: {to}");
        }
    }
}

//! Up to which time of receipt the events of a class have expired: the inverse of [`destroyed_at`].

use super::clock::EventTimes;
use super::file::Policy;
use super::later::with_later;
use super::resolve::{Applied, destroyed_at};
use trailkeep_proof::period::CalendarPeriod;
use trailkeep_proof::time::UnixMillis;

/// The largest T for which every event of a class that was recorded before T, and to whose record nothing happened, is
/// destroyed at `now` or earlier: by what was stated when it came, by later versions of its policies, and by the period
/// `class_after` that its class states. None where nothing is, such as while all wait for a trigger.
///
/// What holds for one moment of receipt holds for all before it: dates of a later receipt are not earlier.
pub fn recorded_before(
    stated: &[Applied<'_>],
    versions: &[&Policy],
    class_after: Option<CalendarPeriod>,
    now: UnixMillis,
) -> Option<UnixMillis> {
    let may_be = |before: u64| {
        let times = EventTimes::received(UnixMillis::new(before - 1));
        let applied = with_later(stated, versions, &times);
        destroyed_at(&applied, &times, class_after).is_reached(now)
    };
    // The largest number of 1..=now that may be; 0 may always be and says nothing.
    let (mut least, mut beyond) = (0, now.get().min(UnixMillis::MAX.get()) + 1);
    while beyond - least > 1 {
        let middle = least + (beyond - least) / 2;
        if may_be(middle) {
            least = middle;
        } else {
            beyond = middle;
        }
    }
    (least > 0).then(|| UnixMillis::new(least))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Policy, PolicySet, lint};

    fn moment(text: &str) -> UnixMillis {
        UnixMillis::parse_rfc3339(text).unwrap()
    }

    /// The cut-off of a class of the shipped default with other figures, as text.
    fn cut_off(delete_after: &str, now: &str) -> Option<String> {
        let set = PolicySet::shipped().unwrap();
        let shipped = &set.of_regime("default-90d").unwrap().text;
        let text = shipped.replace("P90D", delete_after);
        let policy = Policy::parse(&text).unwrap();
        let after = CalendarPeriod::parse(delete_after).unwrap();
        let stated = [Applied::to(&policy, "a", moment("2026-01-01T00:00:00Z"))];
        let before = recorded_before(&stated, &[], Some(after), moment(now))?;
        Some(before.to_string())
    }

    #[test]
    fn a_day_goes_whole_when_its_last_event_has_expired() {
        for (after, now, before) in [
            // 90 days after the 26th of August is the 24th of November, which counts whole.
            (
                "P90D",
                "2026-11-24T23:59:59.999Z",
                "2026-08-26T00:00:00.000Z",
            ),
            ("P90D", "2026-11-25T00:00:00Z", "2026-08-27T00:00:00.000Z"),
            ("P90D", "2026-11-25T02:00:00Z", "2026-08-27T00:00:00.000Z"),
            // All the ends of January expire together: on the 28th of February.
            ("P1M", "2027-02-28T23:00:00Z", "2027-01-28T00:00:00.000Z"),
            ("P1M", "2027-03-01T00:00:00Z", "2027-02-01T00:00:00.000Z"),
            // The 28th of February has expired, but a month from the midnight after it is the 1st of April: what came
            // in its last millisecond waits.
            ("P1M", "2027-03-29T02:00:00Z", "2027-02-28T23:59:59.999Z"),
            ("P1M", "2027-03-31T23:59:59Z", "2027-02-28T23:59:59.999Z"),
            ("P1M", "2027-04-01T00:00:00Z", "2027-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(
                cut_off(after, now).as_deref(),
                Some(before),
                "{after} at {now}"
            );
        }
        assert_eq!(cut_off("P90D", "1970-02-01T00:00:00Z"), None);
    }

    #[test]
    fn what_waits_for_a_trigger_has_no_cut_off() {
        let set = PolicySet::shipped().unwrap();
        let sox = set.of_regime("sox").unwrap();
        let stated = [Applied::to(sox, "a", moment("2026-01-01T00:00:00Z"))];
        let now = moment("2999-01-01T00:00:00Z");
        assert_eq!(recorded_before(&stated, &[], None, now), None);
    }

    #[test]
    fn a_longer_law_holds_the_cut_off_back() {
        let set = PolicySet::shipped().unwrap();
        let hipaa = set.of_regime("hipaa").unwrap();
        let longer = hipaa.text.replace("version = 2", "version = 3");
        let longer = longer
            .replace("P6Y3M", "P8Y3M")
            .replace("\"P6Y\"", "\"P8Y\"");
        let longer = lint::check(&longer).unwrap();
        let stated = [Applied::to(hipaa, "login", moment("2026-01-01T00:00:00Z"))];
        let after = CalendarPeriod::parse("P6Y3M").unwrap();
        let at = |versions: &[&Policy], now| {
            recorded_before(&stated, versions, Some(after), moment(now))
                .unwrap()
                .to_string()
        };
        let now = "2032-06-01T00:00:00Z";
        assert_eq!(at(&[], now), "2026-03-01T00:00:00.000Z");
        assert_eq!(at(&[&longer], now), "2024-05-31T00:00:00.000Z");
        // The version that the events came under says nothing new.
        assert_eq!(at(&[hipaa], now), "2026-03-01T00:00:00.000Z");
    }
}

//! What is to happen with an event at a moment: hold, minimum, request, maximum, in this order.

use super::clock::EventTimes;
use super::file::OnErasureRequest;
use super::resolve::{Applied, Date, Resolved, resolve};
use trailkeep_proof::period::CalendarPeriod;
use trailkeep_proof::time::UnixMillis;

/// What a request for erasure leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErasureOutcome {
    /// The event is destroyed.
    Honour,
    /// It is restricted, and destroyed when the last ground to keep it ends.
    Restrict,
    /// It is refused on a ground that a policy names, and destroyed when that ends.
    Refuse,
}

/// A time during which a legal hold covers the event; without end while it is not lifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldSpan {
    /// When it was placed.
    pub from: UnixMillis,
    /// When it was lifted.
    pub to: Option<UnixMillis>,
}

impl HoldSpan {
    /// Whether it covers at a moment.
    pub fn is_active(&self, at: UnixMillis) -> bool {
        self.from <= at && self.to.is_none_or(|to| at < to)
    }
}

/// What is to happen at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A hold covers it: nothing may be destroyed.
    Held,
    /// A request waits for the end of a minimum or hold. One that was refused restricts nothing.
    Restrict,
    /// Its time has come.
    Destroy,
    /// Its time has not come.
    Keep,
}

/// The verdict on an event at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The dates, which no request and no hold changes.
    pub resolved: Resolved,
    /// What a request made at the time that was given, or at the moment, leads to.
    pub erasure: ErasureOutcome,
    /// Until when the request is not carried out; none where it is at once.
    pub erasure_until: Option<Date>,
    /// When it is destroyed, as things stand.
    pub destroy_at: Date,
    /// What is to happen at the moment.
    pub decision: Decision,
}

/// All that decides over an event.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The policies that apply.
    pub applied: &'a [Applied<'a>],
    pub times: &'a EventTimes,
    /// The period that its class states, where it goes with its class.
    pub class_after: Option<CalendarPeriod>,
    /// When its erasure was asked for.
    pub erasure_requested_at: Option<UnixMillis>,
    /// Holds that cover it.
    pub holds: &'a [HoldSpan],
}

/// What a request for erasure at a moment meets, and until when minima stand against it.
fn on_erasure_request(
    applied: &[Applied<'_>],
    times: &EventTimes,
    asked_at: UnixMillis,
) -> (ErasureOutcome, Option<Date>) {
    let standing: Vec<(&Applied<'_>, Date)> = applied
        .iter()
        .filter(|one| one.on_erasure_request() != OnErasureRequest::Honour)
        .filter_map(|one| Some((one, one.keep_until(times)?)))
        .filter(|(_, until)| !until.is_reached(asked_at))
        .collect();
    let Some(until) = standing.iter().map(|(_, until)| *until).max() else {
        return (ErasureOutcome::Honour, None);
    };
    let refuses =
        |(one, _): &(&Applied<'_>, Date)| one.on_erasure_request() == OnErasureRequest::Refuse;
    let outcome = if standing.iter().any(refuses) {
        ErasureOutcome::Refuse
    } else {
        ErasureOutcome::Restrict
    };
    (outcome, Some(until))
}

/// The verdict on an event at a moment.
pub fn verdict(case: &Case<'_>, at: UnixMillis) -> Verdict {
    let Case {
        applied,
        times,
        class_after,
        erasure_requested_at,
        holds,
    } = *case;
    let resolved = resolve(applied, times, class_after);
    // A request reaches what comes after it when it comes.
    let asked_at = erasure_requested_at.unwrap_or(at).max(times.recorded_at);
    let (mut erasure, standing_until) = on_erasure_request(applied, times, asked_at);
    // A request turns the earliest lawful moment into the due moment. A maximum may come before a customary minimum
    // ends: it then goes by itself.
    let earliest = standing_until.unwrap_or(Date::At(asked_at));
    let due_if_asked = resolved.expires_at.min(earliest).max(resolved.keep_until);
    let due = match erasure_requested_at {
        Some(_) => due_if_asked,
        None => resolved.expires_at,
    };
    let destroy_at = after_holds(due, holds, at);
    let is_held = due_if_asked
        .moment()
        .is_some_and(|due| active_until(holds, due.max(asked_at)).is_some());
    if is_held {
        // A hold restricts what it keeps from a request.
        if erasure == ErasureOutcome::Honour {
            erasure = ErasureOutcome::Restrict;
        }
    } else if due_if_asked.is_reached(asked_at) {
        erasure = ErasureOutcome::Honour;
    }
    let erasure_until = (erasure != ErasureOutcome::Honour).then(|| {
        let due = due_if_asked.max(Date::At(asked_at));
        after_holds(due, holds, at)
    });
    let requested = erasure_requested_at.is_some_and(|asked| asked <= at);
    let decision = if holds.iter().any(|hold| hold.is_active(at)) {
        Decision::Held
    } else if destroy_at.is_reached(at) {
        Decision::Destroy
    } else if requested && erasure == ErasureOutcome::Restrict {
        Decision::Restrict
    } else {
        Decision::Keep
    };
    Verdict {
        resolved,
        erasure,
        erasure_until,
        destroy_at,
        decision,
    }
}

/// The end of the last of the holds that cover a moment without a gap; none where none covers it.
fn active_until(holds: &[HoldSpan], at: UnixMillis) -> Option<Date> {
    let mut end = None;
    let mut moment = at;
    while let Some(hold) = holds.iter().find(|hold| hold.is_active(moment)) {
        let Some(to) = hold.to else {
            return Some(Date::Open);
        };
        end = Some(Date::At(to));
        moment = to;
    }
    end
}

/// When something that is due is destroyed: after the holds that cover it then, or that cover it now where it
/// is overdue.
fn after_holds(due: Date, holds: &[HoldSpan], at: UnixMillis) -> Date {
    let Date::At(due) = due else {
        return Date::Open;
    };
    let of_due = active_until(holds, due);
    let of_now = if due <= at {
        active_until(holds, at)
    } else {
        None
    };
    of_due.max(of_now).unwrap_or(Date::At(due))
}

//! From policies and moments to dates: the arithmetic and the composition of docs/retention.md, with reasons.
//! Pure: the caller says what time it is.

use std::fmt;

use super::clock::EventTimes;
use super::file::{Figures, Force, OnErasureRequest, Policy};
use trailkeep_proof::period::CalendarPeriod;
use trailkeep_proof::time::UnixMillis;

/// A date that may not be known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Date {
    /// This moment.
    At(UnixMillis),
    /// Something must happen first, or it never comes.
    Open,
}

impl Date {
    /// The moment; none while open.
    pub const fn moment(self) -> Option<UnixMillis> {
        match self {
            Self::At(moment) => Some(moment),
            Self::Open => None,
        }
    }

    /// Whether it has come.
    pub fn is_reached(self, now: UnixMillis) -> bool {
        self <= Self::At(now)
    }

    fn of(moment: Option<UnixMillis>) -> Self {
        moment.map_or(Self::Open, Self::At)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(moment) => formatter.write_str(&moment.to_short_rfc3339()),
            Self::Open => formatter.write_str("open"),
        }
    }
}

/// A policy as it applies to an event: by the action's figures, and by whether its law binds yet.
#[derive(Clone, Copy, Debug)]
pub struct Applied<'a> {
    pub policy: &'a Policy,
    /// The special case that the event's action falls under.
    pub case: Option<&'a str>,
    /// Its figures for the event's action.
    pub figures: &'a Figures,
    /// Whether the law behind it bound when the event was received.
    pub law_applies: bool,
    /// Whether it is a version that came after the event: only its minimum counts (see [`super::later`]).
    pub is_later: bool,
}

impl<'a> Applied<'a> {
    /// A policy as it applies to an action at a time of receipt.
    pub fn to(policy: &'a Policy, action: &str, recorded_at: UnixMillis) -> Self {
        let (case, figures) = policy.figures_for(action);
        Self {
            case,
            figures,
            law_applies: policy.law_applies_at(recorded_at),
            policy,
            is_later: false,
        }
    }

    /// The force of the minimum: a custom, before the law binds.
    pub const fn keep_force(&self) -> Force {
        match self.policy.keep_force {
            Force::Law if !self.law_applies => Force::Custom,
            force => force,
        }
    }

    /// The force of the minimum's figure: who says for how long. It may be another than who says that it is kept at all.
    pub const fn figure_force(&self) -> Force {
        match self.figures.figure_force {
            Some(force) => force,
            None => self.keep_force(),
        }
    }

    /// What a request for erasure meets: it is honoured before the law binds, unless the file says why not. A minimum
    /// that binds is never honoured away, whatever the file says (docs/design.md, invariant 6).
    pub const fn on_erasure_request(&self) -> OnErasureRequest {
        let request = if !self.law_applies && self.policy.erasure.justification.is_none() {
            OnErasureRequest::Honour
        } else {
            self.policy.erasure.request
        };
        match request {
            OnErasureRequest::Honour if self.has_binding_minimum() => {
                OnErasureRequest::RestrictUntilMinimum
            }
            request => request,
        }
    }

    /// The end of the minimum with its margin: nothing is destroyed before. None where there is no minimum.
    pub fn keep_until(&self, times: &EventTimes) -> Option<Date> {
        let Figures {
            keep_at_least,
            clock,
            max_clock,
            ..
        } = self.figures;
        if keep_at_least.is_none() {
            return None;
        }
        let with_margin = |end| self.policy.min_margin.after(end);
        let own = clock
            .start(times)
            .and_then(|start| keep_at_least.end_from(start))
            .and_then(with_margin);
        let mut until = Date::of(own);
        if self.policy.follows_record {
            let ended = max_clock
                .start(times)
                .and_then(|start| CalendarPeriod::NONE.end_from(start));
            until = until.max(Date::of(ended.and_then(with_margin)));
        }
        Some(until)
    }

    /// When it goes in the ordinary course. None where the policy sets no maximum. A maximum of law is kept even if
    /// the destruction takes all of `purge_within`, so it is due that much earlier.
    pub fn expires_at(&self, times: &EventTimes) -> Option<Date> {
        let after = self.figures.delete_after.filter(|_| !self.is_later)?;
        let due = self.figures.max_clock.start(times).and_then(|start| {
            let end = after.end_from(start)?;
            if self.policy.delete_force != Force::Law {
                return Some(end);
            }
            let early = self.policy.purge_within.before(end);
            // Not before the day after the start, even if a file that no lint saw asks for it.
            early.max(CalendarPeriod::NONE.end_from(start))
        });
        Some(Date::of(due))
    }

    /// The names of the triggers that its dates wait for or take up, each once.
    pub fn triggers(&self) -> Vec<&'a str> {
        let Figures {
            clock, max_clock, ..
        } = self.figures;
        let mut names = clock.triggers();
        names.extend(max_clock.triggers());
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The triggers without which its dates stay open and that have not fired, each once.
    pub fn waits_for(&self, times: &EventTimes) -> Vec<&'a str> {
        let Figures {
            keep_at_least,
            delete_after,
            clock,
            max_clock,
            ..
        } = self.figures;
        let mut names = Vec::new();
        if !keep_at_least.is_none() {
            names.extend(clock.waits_for(times));
        }
        if delete_after.is_some() && !self.is_later || self.policy.follows_record {
            names.extend(max_clock.waits_for(times));
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether all of its dates follow from the receipt alone.
    pub fn is_of_receipt(&self) -> bool {
        let Figures {
            keep_at_least,
            delete_after,
            clock,
            max_clock,
            ..
        } = self.figures;
        (keep_at_least.is_none() || clock.is_of_receipt())
            && (delete_after.is_none() || max_clock.is_of_receipt())
            && (!self.policy.follows_record || max_clock.is_of_receipt())
    }

    /// Whether its maximum binds customs: one of law or guidance.
    const fn has_binding_maximum(&self) -> bool {
        matches!(self.policy.delete_force, Force::Law | Force::Guidance)
    }

    /// Whether its minimum binds: one of law or contract.
    pub const fn has_binding_minimum(&self) -> bool {
        matches!(self.keep_force(), Force::Law | Force::Contract)
    }
}

/// One figure of one policy, and the date that it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub policy: String,
    /// Such as `keep_at_least P6Y from received`.
    pub figure: String,
    /// Who stands behind it.
    pub force: Force,
    /// Where it is said.
    pub citation: String,
    pub date: Date,
}

/// A figure that overrode another: somebody must own the ground for that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The policy whose figure held.
    pub held: String,
    /// The policy whose figure did not.
    pub overridden: String,
    /// What happened, in words.
    pub detail: String,
}

/// What several policies together say of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Nothing is destroyed before: the latest minimum of law or contract; the receipt where there is none.
    pub keep_until: Date,
    /// When it goes in the ordinary course.
    pub expires_at: Date,
    /// Each figure, with its date.
    pub reasons: Vec<Reason>,
    /// Figures that overrode others.
    pub conflicts: Vec<Conflict>,
}

/// The figures that rule among those of several policies, each with the policy that it is of.
struct Ruling<'a, 'p> {
    recorded: Date,
    minimum: Option<(Date, &'a Applied<'p>)>,
    custom: Option<(Date, &'a Applied<'p>)>,
    binding_maximum: Option<(Date, &'a Applied<'p>)>,
    other_maximum: Option<(Date, &'a Applied<'p>)>,
}

impl<'a, 'p> Ruling<'a, 'p> {
    fn of(applied: &'a [Applied<'p>], times: &EventTimes) -> Self {
        let keep = |binding: bool| {
            let of_kind = applied
                .iter()
                .filter(move |one| one.has_binding_minimum() == binding);
            of_kind
                .filter_map(|one| Some((one.keep_until(times)?, one)))
                .max_by_key(|(date, _)| *date)
        };
        let maximum = |binding: bool| {
            let of_kind = applied
                .iter()
                .filter(move |one| one.has_binding_maximum() == binding);
            of_kind
                .filter_map(|one| Some((one.expires_at(times)?, one)))
                .min_by_key(|(date, _)| *date)
        };
        Self {
            recorded: Date::At(times.recorded_at),
            minimum: keep(true),
            custom: keep(false),
            binding_maximum: maximum(true),
            other_maximum: maximum(false),
        }
    }

    fn keep_until(&self) -> Date {
        // A minimum that a producer's date began may have ended before the receipt.
        self.minimum
            .map_or(self.recorded, |(date, _)| date.max(self.recorded))
    }

    fn expires_at(&self) -> Date {
        let date = |found: Option<(Date, _)>, otherwise| found.map_or(otherwise, |(date, _)| date);
        let lenient = date(self.other_maximum, Date::Open).max(date(self.custom, self.recorded));
        let limited = date(self.binding_maximum, Date::Open).min(lenient);
        self.keep_until().max(limited)
    }

    fn conflicts(&self) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        let Some((limit, maximum)) = self.binding_maximum else {
            return conflicts;
        };
        if let Some((until, minimum)) = self.minimum
            && until > limit
        {
            let what = "its minimum is later than the maximum";
            conflicts.push(conflict(minimum, maximum, what, limit));
        }
        if let Some((until, custom)) = self.custom
            && until > limit
        {
            let what = "its maximum is earlier than the customary minimum";
            conflicts.push(conflict(maximum, custom, what, until));
        }
        conflicts
    }
}

/// When the policies let an event expire: [`resolve`] without its reasons and without what its class states.
pub fn expires_at(applied: &[Applied<'_>], times: &EventTimes) -> Date {
    Ruling::of(applied, times).expires_at()
}

/// When a stored event is destroyed in the ordinary course. This is the one function of time: whoever explains,
/// previews, runs or erases asks it, or its inverse [`super::cutoff::recorded_before`].
///
/// `class_after` is the period that the event's class states. One statement covers the class up to a time of receipt
/// T, and T plus that period may not be later than the statement (docs/format.md, "Cover"). For what came in the last
/// millisecond before a month's first day that can be some days after the policies let it expire.
pub fn destroyed_at(
    applied: &[Applied<'_>],
    times: &EventTimes,
    class_after: Option<CalendarPeriod>,
) -> Date {
    let expires_at = expires_at(applied, times);
    let Some(after) = class_after.filter(|_| applied.iter().all(Applied::is_of_receipt)) else {
        return expires_at;
    };
    let covered_before = UnixMillis::new(times.recorded_at.get().saturating_add(1));
    expires_at.max(Date::of(after.after(covered_before)))
}

/// Composes what policies say: `X = max(M, min(Hmax, max(S, Cmax)))`, where M and S are the latest minimum that
/// binds and the latest customary one, Hmax and Cmax the earliest maximum of law or guidance and the earliest other.
/// The expiry is that of [`destroyed_at`].
pub fn resolve(
    applied: &[Applied<'_>],
    times: &EventTimes,
    class_after: Option<CalendarPeriod>,
) -> Resolved {
    let ruling = Ruling::of(applied, times);
    Resolved {
        keep_until: ruling.keep_until(),
        expires_at: destroyed_at(applied, times, class_after),
        reasons: applied.iter().flat_map(|one| reasons(one, times)).collect(),
        conflicts: ruling.conflicts(),
    }
}

fn conflict(held: &Applied<'_>, overridden: &Applied<'_>, what: &str, date: Date) -> Conflict {
    let (held, overridden) = (held.policy.id.clone(), overridden.policy.id.clone());
    let detail = format!("{held} over {overridden}: {what}, {date}");
    Conflict {
        held,
        overridden,
        detail,
    }
}

fn reasons(applied: &Applied<'_>, times: &EventTimes) -> Vec<Reason> {
    let Applied {
        policy, figures, ..
    } = applied;
    let later = if applied.is_later {
        format!(" (version {}, stated later)", policy.version)
    } else {
        String::new()
    };
    let reason = |figure: String, force, date| Reason {
        policy: policy.id.clone(),
        figure: figure + &later,
        force,
        citation: policy.citation(),
        date,
    };
    let keep = applied.keep_until(times).map(|date| {
        // The date follows from the figure; who stands behind the duty decides what it overrides.
        let duty = applied.keep_force();
        let force = applied.figure_force();
        let own = if force == duty {
            String::new()
        } else {
            format!(" (the duty is {duty})")
        };
        let record = if policy.follows_record {
            format!(" and {}", figures.max_clock)
        } else {
            String::new()
        };
        let figure = format!(
            "keep_at_least {} from {}{record}{own}",
            figures.keep_at_least, figures.clock
        );
        reason(figure, force, date)
    });
    let delete = applied.expires_at(times).zip(figures.delete_after);
    let delete = delete.map(|(date, after)| {
        let early = if policy.delete_force == Force::Law {
            format!(" less purge_within {}", policy.purge_within)
        } else {
            String::new()
        };
        let figure = format!("delete_after {after} from {}{early}", figures.max_clock);
        reason(figure, policy.delete_force, date)
    });
    keep.into_iter().chain(delete).collect()
}

//! The rules, each a function that says how a policy breaks it.

use super::super::document::AuthorityKind;
use super::super::file::{Figures, Force, OnErasureRequest, Policy};
use super::super::set::SHIPPED;
use super::super::{change, sample};
use trailkeep_proof::period::CalendarPeriod;

/// Room that the expiry run needs between a minimum and the maximum.
const PURGE_ROOM: &str = "P30D";

/// A rule that a policy breaks, and at which key.
pub(super) struct Broken {
    pub(super) path: Vec<String>,
    pub(super) rule: &'static str,
    pub(super) problem: String,
    pub(super) remedy: String,
}

/// All that a policy breaks.
pub(super) fn broken_by(policy: &Policy) -> Vec<Broken> {
    let mut broken = Vec::new();
    periods(policy, &mut broken);
    forces(policy, &mut broken);
    erasure(policy, &mut broken);
    not_lowered(policy, &mut broken);
    if policy.review_by.is_none() {
        let problem = "`review_by` is missing, so the periods would never be reviewed";
        let remedy = "add `review_by = YYYY-MM-DD`, a year from now or when the law is to change";
        broken.push(Broken::at(
            &["version"],
            "review-by-missing",
            problem,
            remedy,
        ));
    }
    broken
}

impl Broken {
    fn at(path: &[&str], rule: &'static str, problem: impl Into<String>, remedy: &str) -> Self {
        Self {
            path: path.iter().map(|key| (*key).to_owned()).collect(),
            rule,
            problem: problem.into(),
            remedy: remedy.to_owned(),
        }
    }
}

/// The figures of a policy, each with the table that it stands in.
fn all_figures(policy: &Policy) -> impl Iterator<Item = (Vec<&str>, &Figures)> {
    let special = policy.special_cases.iter();
    let special = special.map(|case| (vec!["retention", "class", &case.name], &case.figures));
    std::iter::once((vec!["retention"], &policy.figures)).chain(special)
}

fn periods(policy: &Policy, broken: &mut Vec<Broken>) {
    let room = CalendarPeriod::parse(PURGE_ROOM).unwrap_or(CalendarPeriod::NONE);
    for (table, figures) in all_figures(policy) {
        let Figures {
            keep_at_least: keep,
            delete_after,
            ..
        } = figures;
        let Some(delete) = delete_after else {
            continue;
        };
        let is_short = || {
            sample::days().any(|day| {
                let needed = keep.after(day).and_then(|end| room.after(end));
                delete.after(day) < needed
            })
        };
        if !keep.is_none() && !policy.follows_record && is_short() {
            let path = [&table[..], &["delete_after"]].concat();
            let problem = format!(
                "`delete_after` {delete} is shorter than `keep_at_least` {keep} and 30 days, which leaves no time for the purge"
            );
            broken.push(Broken::at(
                &path,
                "no-room-to-purge",
                problem,
                "raise `delete_after`",
            ));
        }
        let purge = policy.purge_within;
        if policy.delete_force == Force::Law
            && sample::days().any(|day| purge.after(day) >= delete.after(day))
        {
            let path = ["retention", "purge_within"];
            let problem = format!(
                "a legal maximum of {delete} is shorter than `purge_within` ({purge}), so it would be due before it starts"
            );
            let remedy = "lower `purge_within`";
            broken.push(Broken::at(&path, "purge-before-receipt", problem, remedy));
        }
    }
    let follows = |figures: &Figures| !figures.max_clock.triggers().is_empty();
    if policy.follows_record && !all_figures(policy).all(|(_, figures)| follows(figures)) {
        let path = ["retention", "follows_record"];
        let problem = "`follows_record` needs a trigger in `max_clock`, which has none";
        let remedy = "write `max_clock = \"trigger:NAME\"`, the end of the record";
        broken.push(Broken::at(&path, "follows-nothing", problem, remedy));
    }
}

fn forces(policy: &Policy, broken: &mut Vec<Broken>) {
    let path = ["retention", "keep_force"];
    let has_law = policy
        .authority
        .iter()
        .any(|authority| authority.kind == AuthorityKind::Law);
    if policy.keep_force == Force::Law && (policy.keep_law.is_empty() || !has_law) {
        let problem = "`keep_force = \"law\"` without a legal order in `keep_law` and an [[authority]] of kind \"law\"";
        let remedy = "name the legal orders, such as keep_law = [\"US\"], and cite the text; or write \"custom\"";
        broken.push(Broken::at(&path, "law-without-source", problem, remedy));
    }
    let keeps = all_figures(policy).any(|(_, figures)| !figures.keep_at_least.is_none());
    if keeps == (policy.keep_force == Force::None) {
        let problem = "a minimum needs a force; \"none\" is only for `keep_at_least = \"P0D\"`";
        let remedy = "write law, contract or custom for a minimum; none for P0D";
        broken.push(Broken::at(&path, "force-without-figure", problem, remedy));
    }
    let deletes = all_figures(policy).any(|(_, figures)| figures.delete_after.is_some());
    let says_more = |force| matches!(force, Force::Law | Force::Contract | Force::Guidance);
    let is_open = !deletes && says_more(policy.delete_force);
    if is_open || deletes && policy.delete_force == Force::None {
        let problem = "`delete_force` and `delete_after` belong together: one is missing";
        let remedy = "write both, or neither";
        let path = ["retention", "delete_force"];
        broken.push(Broken::at(&path, "force-without-figure", problem, remedy));
    }
}

fn erasure(policy: &Policy, broken: &mut Vec<Broken>) {
    let erasure = &policy.erasure;
    let is_blank =
        |text: &Option<String>| text.as_deref().is_none_or(|text| text.trim().is_empty());
    let path = ["erasure", "request"];
    if erasure.request == OnErasureRequest::Refuse
        && is_blank(&erasure.gdpr_ground)
        && is_blank(&erasure.ccpa_ground)
    {
        let problem = "`request = \"refuse\"` without a ground";
        let remedy = "add `gdpr_ground` or `ccpa_ground`: it is copied into the answer";
        broken.push(Broken::at(&path, "refuse-without-ground", problem, remedy));
    }
    let binds = matches!(policy.keep_force, Force::Law | Force::Contract);
    if binds && erasure.request == OnErasureRequest::Honour {
        let problem = "a minimum of law or contract cannot yield to every request";
        let remedy = "write `restrict_until_minimum`; or `keep_force = \"custom\"`";
        broken.push(Broken::at(&path, "honoured-minimum", problem, remedy));
    }
    if matches!(policy.keep_force, Force::Contract | Force::Custom)
        && erasure.request != OnErasureRequest::Honour
        && is_blank(&erasure.justification)
    {
        let problem = "a minimum that is not law needs a `justification` to refuse a request";
        let remedy = "say why the data are still needed, or write `request = \"honour\"`";
        broken.push(Broken::at(&path, "justification-missing", problem, remedy));
    }
    let in_europe = policy.keep_law.iter().any(|order| is_european(order));
    if claims_legal_obligation(erasure.gdpr_ground.as_deref()) && !in_europe {
        let path = ["erasure", "gdpr_ground"];
        let problem =
            "Art. 17(3)(b) GDPR covers only Union and Member State law, and `keep_law` names none";
        let remedy = "name another ground, such as 17(3)(e), or write \"NOT 17(3)(b)\"";
        broken.push(Broken::at(&path, "foreign-law-in-17-3-b", problem, remedy));
    }
}

/// A text may say that Art. 17(3)(b) is not available; it may not claim it.
fn claims_legal_obligation(ground: Option<&str>) -> bool {
    let plain = ground.unwrap_or_default().to_lowercase().replace(' ', "");
    plain.replace("not17(3)(b)", "").contains("17(3)(b)")
}

/// The Union, its Member States, the states of the EEA, and for the UK GDPR the United Kingdom; regions such as
/// `ES-CT` too.
fn is_european(order: &str) -> bool {
    const ORDERS: [&str; 35] = [
        "EU", "EEA", "UK", "GB", "AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE",
        "GR", "EL", "HU", "IE", "IT", "LV", "LT", "LU", "MT", "NL", "PL", "PT", "RO", "SK", "SI",
        "ES", "SE", "NO", "IS", "LI",
    ];
    ORDERS.contains(&order.split('-').next().unwrap_or_default())
}

/// A law's minimum that the program ships is not lowered by a file of the same id.
fn not_lowered(policy: &Policy, broken: &mut Vec<Broken>) {
    let shipped = SHIPPED.iter().find(|(id, _)| *id == policy.id);
    let Some(shipped) = shipped.and_then(|(_, text)| Policy::parse(text).ok()) else {
        return;
    };
    let lowered = change::lowered(&shipped, policy);
    broken.extend(lowered.into_iter().map(|lowered| Broken {
        path: lowered.path,
        rule: "law-lowered",
        problem: lowered.problem,
        remedy: lowered.remedy,
    }));
}

//! What a policy file may not say, though it has the form of one. Each finding has a line and a remedy.

use chrono::Datelike;
use toml::de::{DeTable, DeValue};

use super::calendar::CalendarPeriod;
use super::change;
use super::document::AuthorityKind;
use super::file::{Figures, Force, OnErasureRequest, Policy};
use super::sample;
use super::set::SHIPPED;
use crate::time::UnixMillis;

/// Room that the expiry run needs between a minimum and the maximum.
const PURGE_ROOM: &str = "P30D";

/// Something that a policy file may not say.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// Line in the file, from 1.
    pub line: usize,
    /// The rule's name.
    pub rule: &'static str,
    /// What is wrong.
    pub problem: String,
    /// How to mend it.
    pub remedy: String,
}

/// Reads a file and checks it against every rule. The policy comes back where there is no finding.
pub fn check(text: &str) -> Result<Policy, Vec<Finding>> {
    let policy = match Policy::parse(text) {
        Ok(policy) => policy,
        Err(error) => return Err(vec![form_finding(text, &error.to_string())]),
    };
    let lines = Lines::of(text);
    let mut findings = Vec::new();
    check_periods(&policy, &lines, &mut findings);
    check_force(&policy, &lines, &mut findings);
    check_erasure(&policy, &lines, &mut findings);
    check_not_lowered(&policy, &lines, &mut findings);
    if policy.review_by.is_none() {
        findings.push(Finding {
            line: lines.of_key(&["version"]),
            rule: "review-by-missing",
            problem: "`review_by` is missing: nobody would look at the figures again".to_owned(),
            remedy: "add `review_by = YYYY-MM-DD`, a year from now or when the law is to change"
                .to_owned(),
        });
    }
    if policy.version == 0 {
        findings.push(Finding {
            line: lines.of_key(&["version"]),
            rule: "version",
            problem: "versions begin with 1".to_owned(),
            remedy: "write `version = 1`, and raise it with every change".to_owned(),
        });
    }
    if findings.is_empty() {
        Ok(policy)
    } else {
        findings.sort_by_key(|finding| finding.line);
        Err(findings)
    }
}

fn form_finding(text: &str, error: &str) -> Finding {
    // toml says "TOML parse error at line 3, column 5".
    let from_toml = error
        .split_once("at line ")
        .and_then(|(_, rest)| rest.split(',').next()?.parse().ok());
    let lines = Lines::of(text);
    let key = [
        "keep_at_least",
        "delete_after",
        "clock",
        "max_clock",
        "min_margin",
        "timezone",
    ]
    .into_iter()
    .find(|key| error.starts_with(&format!("{key}:")) || error.starts_with(&format!("{key} ")));
    let line = from_toml.unwrap_or_else(|| match key {
        Some(key) => lines.of_key(&["retention", key]),
        None if error.contains("schema") => lines.of_key(&["schema"]),
        None => lines.of_key(&["id"]),
    });
    Finding {
        line,
        rule: "form",
        problem: error.trim_end().to_owned(),
        remedy: "see schema/policy.schema.json for the keys and their forms".to_owned(),
    }
}

fn check_periods(policy: &Policy, lines: &Lines<'_>, findings: &mut Vec<Finding>) {
    let room = CalendarPeriod::parse(PURGE_ROOM).unwrap_or(CalendarPeriod::NONE);
    let special = policy.special_cases.iter();
    let special = special.map(|case| (vec!["retention", "class", &case.name], &case.figures));
    let all = std::iter::once((vec!["retention"], &policy.figures)).chain(special);
    for (table, figures) in all {
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
            let own = [&table[..], &["delete_after"]].concat();
            findings.push(Finding {
                line: lines.of_key(&own),
                rule: "no-room-to-purge",
                problem: format!(
                    "`delete_after` {delete} is shorter than `keep_at_least` {keep} and 30 days: the purge would have no room"
                ),
                remedy: "raise `delete_after`".to_owned(),
            });
        }
    }
}

fn check_force(policy: &Policy, lines: &Lines<'_>, findings: &mut Vec<Finding>) {
    let line = lines.of_key(&["retention", "keep_force"]);
    let has_law = policy.authority.iter().any(|authority| {
        authority.kind == AuthorityKind::Law && !authority.citation.trim().is_empty()
    });
    if policy.keep_force == Force::Law && (policy.keep_law.is_empty() || !has_law) {
        findings.push(Finding {
            line,
            rule: "law-without-source",
            problem: "`keep_force = \"law\"` without a legal order in `keep_law` and an [[authority]] of kind \"law\"".to_owned(),
            remedy: "name the legal orders, such as keep_law = [\"US\"], and cite the text; or write \"custom\"".to_owned(),
        });
    }
    let keeps = !policy.figures.keep_at_least.is_none()
        || policy
            .special_cases
            .iter()
            .any(|case| !case.figures.keep_at_least.is_none());
    if keeps == (policy.keep_force == Force::None) {
        findings.push(Finding {
            line,
            rule: "force-without-figure",
            problem: "a minimum needs a force, and \"none\" is for `keep_at_least = \"P0D\"` alone"
                .to_owned(),
            remedy: "write law, contract or custom for a minimum; none for P0D".to_owned(),
        });
    }
}

fn check_erasure(policy: &Policy, lines: &Lines<'_>, findings: &mut Vec<Finding>) {
    let erasure = &policy.erasure;
    let is_blank =
        |text: &Option<String>| text.as_deref().is_none_or(|text| text.trim().is_empty());
    let request_line = lines.of_key(&["erasure", "request"]);
    if erasure.request == OnErasureRequest::Refuse
        && is_blank(&erasure.gdpr_ground)
        && is_blank(&erasure.ccpa_ground)
    {
        findings.push(Finding {
            line: request_line,
            rule: "refuse-without-ground",
            problem: "`request = \"refuse\"` without a ground".to_owned(),
            remedy: "add `gdpr_ground` or `ccpa_ground`: it is copied into the answer".to_owned(),
        });
    }
    if policy.keep_force != Force::Law
        && policy.keep_force != Force::None
        && erasure.request != OnErasureRequest::Honour
        && is_blank(&erasure.justification)
    {
        findings.push(Finding {
            line: request_line,
            rule: "justification-missing",
            problem: "a minimum that is no law stands against a request without a `justification`"
                .to_owned(),
            remedy: "say why the data are still needed, or write `request = \"honour\"`".to_owned(),
        });
    }
    let ground = erasure.gdpr_ground.as_deref().unwrap_or_default();
    // A text may say that the point is not available; it may not claim it.
    let claimed = ground.replace("NOT 17(3)(b)", "").contains("17(3)(b)");
    let in_europe = policy.keep_law.iter().any(|order| is_european(order));
    if claimed && !in_europe {
        findings.push(Finding {
            line: lines.of_key(&["erasure", "gdpr_ground"]),
            rule: "foreign-law-in-17-3-b",
            problem: "Art. 17(3)(b) GDPR covers Union and Member State law alone, and `keep_law` names none".to_owned(),
            remedy: "name another ground, such as 17(3)(e), or write \"NOT 17(3)(b)\"".to_owned(),
        });
    }
}

/// The Union, its Member States, and for the UK GDPR the United Kingdom; regions as `ES-CT` too.
fn is_european(order: &str) -> bool {
    const ORDERS: [&str; 30] = [
        "EU", "EEA", "UK", "AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR",
        "HU", "IE", "IT", "LV", "LT", "LU", "MT", "NL", "PL", "PT", "RO", "SK", "SI", "ES", "SE",
    ];
    ORDERS.contains(&order.split('-').next().unwrap_or_default())
}

/// A law's minimum that the program ships is not lowered by a file of the same id.
fn check_not_lowered(policy: &Policy, lines: &Lines<'_>, findings: &mut Vec<Finding>) {
    let shipped = SHIPPED.iter().find(|(id, _)| *id == policy.id);
    let Some(shipped) = shipped.and_then(|(_, text)| Policy::parse(text).ok()) else {
        return;
    };
    for lowered in change::lowered(&shipped, policy) {
        let path: Vec<&str> = lowered.path.iter().map(String::as_str).collect();
        findings.push(Finding {
            line: lines.of_key(&path),
            rule: "law-lowered",
            problem: lowered.problem,
            remedy: lowered.remedy,
        });
    }
}

/// Where the keys of a TOML text stand.
struct Lines<'a> {
    text: &'a str,
    table: Option<DeTable<'a>>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let table = DeTable::parse(text).ok().map(toml::Spanned::into_inner);
        Self { text, table }
    }

    /// The line of a key, else of the table that would hold it, else 1.
    fn of_key(&self, path: &[&str]) -> usize {
        let mut offset = 0;
        let mut table = self.table.as_ref();
        for name in path {
            let found = table.and_then(|table| {
                table
                    .iter()
                    .find(|(key, _)| key.get_ref().as_ref() == *name)
            });
            let Some((key, value)) = found else {
                break;
            };
            offset = key.span().start;
            table = match value.get_ref() {
                DeValue::Table(inner) => Some(inner),
                _ => None,
            };
        }
        self.text[..offset.min(self.text.len())]
            .matches('\n')
            .count()
            + 1
    }
}

/// Whether a policy's date of review has passed.
pub fn is_review_overdue(policy: &Policy, now: UnixMillis) -> bool {
    let today = now.to_datetime().date_naive();
    policy
        .review_by
        .is_some_and(|by| (by.year(), by.ordinal()) < (today.year(), today.ordinal()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hipaa_with(from: &str, to: &str) -> Vec<Finding> {
        let text = SHIPPED.iter().find(|(id, _)| *id == "hipaa").unwrap().1;
        assert!(text.contains(from), "{from}");
        check(&text.replace(from, to)).unwrap_err()
    }

    #[test]
    fn what_is_shipped_has_no_finding() {
        for (id, text) in SHIPPED {
            if let Err(findings) = check(text) {
                panic!("{id}: {findings:?}");
            }
        }
    }

    #[test]
    fn each_rule_finds_its_fault_in_its_line() {
        for (from, to, rule) in [
            ("delete_after = \"P6Y3M\"", "delete_after = \"P6Y2M\"", None),
            (
                "delete_after = \"P6Y3M\"",
                "delete_after = \"P6Y29D\"",
                Some("no-room-to-purge"),
            ),
            (
                "keep_at_least = \"P6Y\"",
                "keep_at_least = \"P5Y\"",
                Some("law-lowered"),
            ),
            (
                "keep_law = [\"US\"]",
                "keep_law = []",
                Some("law-without-source"),
            ),
            (
                "keep_force = \"law\"",
                "keep_force = \"none\"",
                Some("force-without-figure"),
            ),
            (
                "gdpr_ground = \"",
                "gdpr_ground = \"17(3)(b); ",
                Some("foreign-law-in-17-3-b"),
            ),
            ("keep_law = [\"US\"]", "keep_for = [\"US\"]", Some("form")),
            ("version = 1", "version = 0", Some("version")),
        ] {
            let text = SHIPPED.iter().find(|(id, _)| *id == "hipaa").unwrap().1;
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            let Some(rule) = rule else {
                check(&changed).unwrap();
                continue;
            };
            let findings = check(&changed).unwrap_err();
            let finding = findings.iter().find(|finding| finding.rule == rule);
            let finding = finding.unwrap_or_else(|| panic!("{rule}: {findings:?}"));
            let key = to.split([' ', '=']).next().unwrap();
            let line = changed.lines().nth(finding.line - 1).unwrap();
            let key = if rule.starts_with("force") || rule == "law-without-source" {
                "keep_force"
            } else {
                key
            };
            assert!(
                line.starts_with(key),
                "{rule}: line {} is `{line}`",
                finding.line
            );
        }
        let without_review = hipaa_with("review_by", "# review_by");
        assert_eq!(without_review[0].rule, "review-by-missing");
    }
}

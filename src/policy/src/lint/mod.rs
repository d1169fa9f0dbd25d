//! What a policy file may not say, though it has the form of one. Each finding has a line and a remedy.

mod lines;
mod rules;

use self::lines::Lines;
use super::file::Policy;
use super::read::PolicyError;
use trailkeep_proof::time::UnixMillis;

/// Something that a policy file may not say.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// Line in the file, from 1.
    pub line: usize,
    pub rule: &'static str,
    pub problem: String,
    /// How to fix it.
    pub remedy: String,
}

/// Reads a file and checks it against every rule. The policy comes back where there is no finding.
pub fn check(text: &str) -> Result<Policy, Vec<Finding>> {
    let lines = Lines::of(text);
    let policy = Policy::parse(text).map_err(|error| form_findings(error, &lines))?;
    let mut findings: Vec<Finding> = rules::broken_by(&policy)
        .into_iter()
        .map(|broken| Finding {
            line: lines.of_key(&broken.path),
            rule: broken.rule,
            problem: broken.problem,
            remedy: broken.remedy,
        })
        .collect();
    findings.sort_by_key(|finding| finding.line);
    if findings.is_empty() {
        Ok(policy)
    } else {
        Err(findings)
    }
}

fn form_findings(error: PolicyError, lines: &Lines<'_>) -> Vec<Finding> {
    let finding = |fault: super::read::FormFault| Finding {
        line: fault
            .offset
            .map_or_else(|| lines.of_key(&fault.path), |at| lines.of_offset(at)),
        rule: "form",
        problem: fault.problem,
        remedy: fault.remedy,
    };
    let mut findings: Vec<Finding> = error.0.into_iter().map(finding).collect();
    findings.sort_by_key(|finding| finding.line);
    findings
}

/// Whether a policy's date of review has passed.
pub fn is_review_overdue(policy: &Policy, now: UnixMillis) -> bool {
    let today = now.to_datetime().date_naive();
    policy.review_by.is_some_and(|by| by < today)
}

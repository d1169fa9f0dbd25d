//! The statements that stand outside of a bundle's entries and explain them: the genesis, the classes of the
//! events, the policies of these, what covers events that went, and the export's own entry.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::export::ExportError;
use crate::export::plan::Plan;
use crate::export::rows::{Content, Row, read_statement};
use crate::journal::Journal;
use crate::journal::read::entry_at;
use crate::tenant::ledger::Ledger;
use trailkeep_proof::bundle::line::Line;
use trailkeep_proof::bundle::manifest::ClassPolicies;
use trailkeep_proof::bundle::tombstone::ClassSection;
use trailkeep_proof::ids::{ClassNumber, Seq};
use trailkeep_proof::ledger::entry::EntryKind;

/// The statements outside of the entries, ascending, and what the manifest says of the classes.
pub(super) struct Explaining {
    pub(super) rows: Vec<Row>,
    pub(super) classes: Vec<ClassPolicies>,
    /// Periods of each class, for readers: its minimum and after what it goes.
    pub(super) periods: Vec<(String, String)>,
}

/// Finds them for the classes that the events have.
pub(super) fn explaining(
    journal: &Journal,
    ledger: &Ledger,
    plan: &Plan,
    classes: &BTreeSet<ClassNumber>,
    covering: &BTreeSet<Seq>,
) -> Result<Explaining, ExportError> {
    let mut seqs = BTreeSet::from([Seq::new(0), plan.export_seq]);
    seqs.extend(covering);
    let (mut policies, mut periods) = (Vec::new(), Vec::new());
    for row in journal.ledgers.classes(ledger.record.number)? {
        if !classes.contains(&row.number) {
            continue;
        }
        let section: ClassSection = serde_json::from_str(&row.definition)?;
        let wanted = section.policies.iter().map(|policy| policy.sha256.clone());
        find_policies(journal, ledger, row.statement, wanted.collect(), &mut seqs)?;
        seqs.insert(row.statement);
        periods.push((
            section.minimum,
            section
                .after
                .unwrap_or_else(|| "kept without end".to_owned()),
        ));
        policies.push(ClassPolicies {
            number: section.number,
            policies: section.policies,
        });
    }
    let rows = seqs
        .into_iter()
        .filter(|seq| !plan.seqs.contains(*seq))
        .map(|seq| read_statement(journal, ledger, seq))
        .collect::<Result<_, _>>()?;
    Ok(Explaining {
        rows,
        classes: policies,
        periods,
    })
}

/// Policies are loaded shortly before the class that they make: the entries before it are looked through.
fn find_policies(
    journal: &Journal,
    ledger: &Ledger,
    class: Seq,
    mut wanted: Vec<String>,
    found: &mut BTreeSet<Seq>,
) -> Result<(), ExportError> {
    #[derive(Deserialize)]
    struct PolicySection {
        sha256: String,
    }
    for seq in (1..class.get()).rev().map(Seq::new) {
        if wanted.is_empty() {
            break;
        }
        if entry_at(journal, ledger, seq)?.kind != EntryKind::System {
            continue;
        }
        let row = read_statement(journal, ledger, seq)?;
        let Content::Statement(text) = &row.content else {
            continue;
        };
        let line = Line::parse(text.trim_ascii_end()).map_err(std::io::Error::other)?;
        let policy = line
            .text("policy")
            .and_then(|text| serde_json::from_str::<PolicySection>(text).ok());
        if let Some(policy) = policy
            && wanted.contains(&policy.sha256)
        {
            wanted.retain(|sha256| *sha256 != policy.sha256);
            found.insert(seq);
        }
    }
    Ok(())
}

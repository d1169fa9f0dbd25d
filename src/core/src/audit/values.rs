//! Values, and how many events refer to each.

use crate::audit::{FINDINGS_MAX, Findings, Subject};
use trailkeep_ports::{LedgerRecord, StoreError, ValueFault};

/// Each value is stored while events refer to it, and no longer. That the references are those of the payloads is
/// checked with these.
pub(super) fn check(
    subject: Subject<'_>,
    record: &LedgerRecord,
    is_longer_than_signed: bool,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    // A backup that was interrupted has rows behind its head, which the next run goes on with.
    let is_unfinished = subject.index.is_none() && is_longer_than_signed;
    for fault in subject.ledgers.value_faults(record.number, FINDINGS_MAX)? {
        let (rule, detail) = match fault {
            ValueFault::Missing(value) => {
                let detail = format!(
                    "ledger.db, table value: events refer to value {value}, which is missing"
                );
                ("value-missing", detail)
            }
            ValueFault::Orphaned(_) if is_unfinished => continue,
            ValueFault::Orphaned(value) => {
                let detail = format!("ledger.db, table value: no event refers to value {value}");
                ("value-orphaned", detail)
            }
            ValueFault::Count {
                value,
                counted,
                stored,
            } => {
                let stored = stored.unwrap_or_default();
                let detail = format!(
                    "ledger.db, table value_use: {counted} events refer to value {value}, the table says {stored}"
                );
                ("value-count", detail)
            }
        };
        findings.add(None, rule, detail);
    }
    Ok(())
}

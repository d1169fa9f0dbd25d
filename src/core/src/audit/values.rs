//! Values, and how many events refer to each.

use crate::audit::{FINDINGS_MAX, Findings, Subject};
use trailkeep_ports::{LedgerRecord, StoreError, ValueFault};

/// Each value is stored while events refer to it, and no longer. That the references are those of the payloads is
/// checked with these.
pub(super) fn check(
    subject: Subject<'_>,
    record: &LedgerRecord,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    for fault in subject.ledgers.value_faults(record.number, FINDINGS_MAX)? {
        let (rule, detail) = match fault {
            ValueFault::Missing(value) => {
                let detail = format!(
                    "ledger.db, table value: events refer to value {value}, which is missing"
                );
                ("value-missing", detail)
            }
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

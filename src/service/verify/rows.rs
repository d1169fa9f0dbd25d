//! The vault's rows are those that the ledger's statements made: none is missing, none was changed, added, or put back in
//! the form that it had before. Each is named by its kind and by the name that its statement gives it, never by a person.

use std::collections::HashMap;

use serde::Deserialize;

use super::vault::opened;
use super::{Findings, Subject};
use crate::ids::Seq;
use crate::service::records::{self, NO_LEDGER, Record};
use crate::service::rows::{API_KEY, Noted, Row, StatedBy, is_stated};
use crate::service::trigger::Trigger;
use crate::service::{DEFAULT_TENANT, api_key, restore};
use crate::store::{LedgerRecord, StoreError};

/// The section `row` of a statement.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatedRows {
    pub(super) rows: Vec<StatedRow>,
}

/// A row as its statement names it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatedRow {
    kind: String,
    id: String,
    /// The origin of the row's ledger, where that is not the statement's.
    #[serde(default)]
    ledger: Option<String>,
    /// None: the statement took it away.
    commitment: Option<String>,
}

/// A row of the vault, where it stands.
struct Standing {
    kind: String,
    id: String,
    /// None where it does not open.
    row: Option<Row>,
}

/// Compares the rows with what the statements of a ledger say of them. Gives how many no statement commits to.
pub(super) fn check(
    subject: Subject<'_>,
    record: &LedgerRecord,
    size: u64,
    stated: &[(Seq, Vec<StatedRow>)],
    findings: &mut Findings,
) -> Result<u64, StoreError> {
    let standing = standing(subject, record)?;
    if !stated.is_empty() && !subject.keyring.vault().has_sums()? {
        let detail = "the rows of sums are not those that were written: they are gone, and statements are there";
        findings.add(None, "vault-rows", detail);
    }
    let mut last: HashMap<(&str, &str), (Seq, &StatedRow)> = HashMap::new();
    for (seq, rows) in stated {
        for row in rows {
            last.insert((&row.kind, &row.id), (*seq, row));
        }
    }
    let under_way =
        opened(Noted::all(subject.keyring, record))?.is_ok_and(|noted| !noted.is_empty());
    let is_closed =
        opened(restore::closed_at(subject.keyring, record))?.is_ok_and(|end| end.is_some());
    let origin = record.origin.as_str();
    let mut unbound = 0;
    for Standing { kind, id, row } in &standing {
        let Some(row) = row else {
            // The id of a trigger is a tag, which is not shown.
            let name = if kind == Trigger::KIND { "" } else { id };
            last.remove(&(kind.as_str(), name));
            let detail = format!("{kind} {name}: the row does not open in its place");
            findings.add(None, "row-changed", detail);
            continue;
        };
        let Some(by) = &row.stated else {
            unbound += u64::from(is_stated(kind));
            continue;
        };
        if by.origin != origin {
            continue;
        }
        let found = last.remove(&(kind.as_str(), by.name.as_str()));
        let wrong = judge(found, by, row.fits(kind, id), size);
        // A running server may be between the statement and the row.
        if let Some((rule, detail)) = wrong.filter(|_| !under_way) {
            findings.add(
                by.seq.min(size.saturating_sub(1)),
                rule,
                format!("{kind} {}: {detail}", by.name),
            );
        }
    }
    for ((kind, name), (seq, row)) in last {
        // What a recovery took over stands under the ledger that goes on, with another statement or none.
        if row.commitment.is_none() || is_closed || under_way {
            continue;
        }
        let ledger = row.ledger.as_deref().unwrap_or(origin);
        let detail = format!(
            "{kind} {name}: entry {seq} states it for {ledger}, and the vault has no such row"
        );
        findings.add(seq.get(), "row-missing", detail);
    }
    Ok(unbound)
}

/// What is wrong with a row.
fn judge(
    found: Option<(Seq, &StatedRow)>,
    by: &StatedBy,
    fits: Option<bool>,
    size: u64,
) -> Option<(&'static str, String)> {
    // Stated after this walk began.
    if by.seq >= size {
        return None;
    }
    let Some((seq, row)) = found else {
        return Some(("row-added", "no statement of the ledger made it".to_owned()));
    };
    let seq = seq.get();
    if by.seq < seq {
        let detail = format!(
            "it is of entry {}, and entry {seq} changed it since",
            by.seq
        );
        return Some(("row-older", detail));
    }
    let is_it = by.seq == seq && row.commitment.as_ref() == Some(&by.commitment);
    if is_it && fits != Some(false) {
        return None;
    }
    let detail = format!("it is not what entry {seq} commits to");
    Some(("row-changed", detail))
}

/// The rows that this ledger's statements may be about: its own, those of the other ledgers of its tenant, its tenant's API
/// keys, and of the operator's ledger those of the directory.
fn standing(subject: Subject<'_>, record: &LedgerRecord) -> Result<Vec<Standing>, StoreError> {
    let keyring = subject.keyring;
    let vault = keyring.vault();
    let mut places = Vec::new();
    // Names that can't be are a finding already.
    let ledgers = match vault.ledgers() {
        Err(StoreError::Damaged { .. }) => vec![record.clone()],
        ledgers => ledgers?,
    };
    for other in ledgers {
        if other.tenant == record.tenant {
            places.push((other.number, other.origin.to_string()));
        }
    }
    if record.tenant.as_str() == DEFAULT_TENANT {
        places.push((NO_LEDGER, String::new()));
    }
    let mut standing = Vec::new();
    for (number, origin) in places {
        for row in vault.records_of(number)? {
            // Rows that are not records: a staging key is nothing but a key.
            if !records::is_record(&row.kind) {
                continue;
            }
            let found = opened(records::open(keyring, &origin, &row))?;
            standing.push(Standing {
                kind: row.kind,
                id: row.id,
                row: found.ok(),
            });
        }
    }
    for key in vault.api_keys()? {
        let found = opened(api_key::row_of(keyring, &key))?.ok();
        // Whose key it is stands in the row: one that does not open is the operator's to know of, too.
        let is_of = |tenant: &str| tenant == record.tenant.as_str();
        if found.as_ref().is_none_or(|(_, tenant)| is_of(tenant)) {
            standing.push(Standing {
                kind: API_KEY.to_owned(),
                id: key.id,
                row: found.map(|(row, _)| row),
            });
        }
    }
    Ok(standing)
}

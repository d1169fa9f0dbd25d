//! The vault's rows are those that the ledger's statements made: none is missing, none was changed, added, or put back in
//! the form that it had before. Each is named by its kind and by the name that its statement gives it, never by a person.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use crate::audit::vault::opened;
use crate::audit::{Findings, Subject};
use crate::keys::records::{NO_LEDGER, Record};
use crate::keys::rows::{API_KEY, Noted, Row, StatedBy, is_stated};
use crate::keys::{api_key, records};
use crate::tenant::trigger::Trigger;
use crate::tenant::{DEFAULT_TENANT, superseded_at};
use trailkeep_ports::{LedgerRecord, StoreError};
use trailkeep_proof::ids::Seq;

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
    /// The origin of its ledger; that of the ledger that is verified where it belongs to none.
    ledger: String,
    kind: String,
    id: String,
    /// None where it does not open.
    row: Option<Row>,
}

/// The newest that statements say of each row, by its kind and name, and by the ledger that they say it for. One decision
/// may keep a row of one kind and name in several ledgers of a tenant.
#[derive(Default)]
struct Newest<'a>(HashMap<(String, String), BTreeMap<&'a str, Said<'a>>>);

/// A row as a statement names it, and the statement's entry.
type Said<'a> = (Seq, &'a StatedRow);

impl<'a> Newest<'a> {
    fn of(stated: &'a [(Seq, Vec<StatedRow>)], origin: &'a str) -> Self {
        let mut newest = Self::default();
        for (seq, rows) in stated {
            for row in rows {
                let of_row = newest.0.entry(named(&row.kind, &row.id)).or_default();
                of_row.insert(row.ledger.as_deref().unwrap_or(origin), (*seq, row));
            }
        }
        newest
    }

    fn has(&self, kind: &str, name: &str, ledger: &str) -> bool {
        let of_row = self.0.get(&named(kind, name));
        of_row.is_some_and(|of_row| of_row.contains_key(ledger))
    }

    /// Takes what is said for the row's ledger, else for another one: a recovery may have taken the row over.
    fn take(&mut self, kind: &str, name: &str, ledger: &str) -> Option<Said<'a>> {
        let of_row = self.0.get_mut(&named(kind, name))?;
        let exact = of_row.remove(ledger);
        exact.or_else(|| of_row.pop_first().map(|(_, said)| said))
    }
}

fn named(kind: &str, name: &str) -> (String, String) {
    (kind.to_owned(), name.to_owned())
}

/// Compares the rows with what the statements of a ledger say of them. Gives how many no statement commits to.
pub(super) fn check(
    subject: Subject<'_>,
    record: &LedgerRecord,
    size: u64,
    stated: &[(Seq, Vec<StatedRow>)],
    findings: &mut Findings,
) -> Result<u64, StoreError> {
    let mut standing = standing(subject, record)?;
    if !stated.is_empty() && !subject.keyring.vault().has_sums()? {
        let detail = "the checksum rows are missing, but there are statements";
        findings.add(None, "vault-rows", detail);
    }
    let under_way =
        opened(Noted::all(subject.keyring, record))?.is_ok_and(|noted| !noted.is_empty());
    let is_closed = opened(superseded_at(subject.keyring, record))?.is_ok_and(|end| end.is_some());
    let origin = record.origin.as_str();
    let mut newest = Newest::of(stated, origin);
    // Rows that stand where their statement says come first: those that a recovery moved get what is left.
    standing.sort_by_key(|one| {
        let by = one.row.as_ref().and_then(|row| row.stated.as_ref());
        !by.is_some_and(|by| newest.has(&one.kind, &by.name, &one.ledger))
    });
    let mut unbound = 0;
    for one in &standing {
        let Standing {
            ledger,
            kind,
            id,
            row,
        } = one;
        let Some(row) = row else {
            // The id of a trigger is a tag, which is not shown.
            let name = if kind == Trigger::KIND { "" } else { id };
            newest.take(kind, name, ledger);
            let detail = format!("{kind} {name}: the row cannot be decrypted in its place");
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
        let found = newest.take(kind, &by.name, ledger);
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
    let left = newest.0.into_iter();
    for (ledger, (seq, row)) in left.flat_map(|(_, of_row)| of_row) {
        // What a recovery took over stands under the ledger that goes on, with another statement or none.
        if row.commitment.is_none() || is_closed || under_way {
            continue;
        }
        let (kind, name) = (&row.kind, &row.id);
        let detail = format!(
            "{kind} {name}: entry {seq} states it for {ledger}, but the vault has no such row"
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
        return Some((
            "row-added",
            "no statement of the ledger created it".to_owned(),
        ));
    };
    let seq = seq.get();
    if by.seq < seq {
        let detail = format!(
            "it is from entry {}, but entry {seq} changed it since",
            by.seq
        );
        return Some(("row-older", detail));
    }
    let is_it = by.seq == seq && row.commitment.as_ref() == Some(&by.commitment);
    if is_it && fits != Some(false) {
        return None;
    }
    let detail = format!("it does not match the commitment of entry {seq}");
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
        let of_none = || record.origin.to_string();
        let ledger = Some(origin.clone()).filter(|origin| !origin.is_empty());
        let ledger = ledger.unwrap_or_else(of_none);
        for row in vault.records_of(number)? {
            // Rows that are not records: a staging key is nothing but a key.
            if !records::is_record(&row.kind) {
                continue;
            }
            let found = opened(records::open(keyring, &origin, &row))?;
            standing.push(Standing {
                ledger: ledger.clone(),
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
                ledger: record.origin.to_string(),
                kind: API_KEY.to_owned(),
                id: key.id,
                row: found.map(|(row, _)| row),
            });
        }
    }
    Ok(standing)
}

//! Ledgers that a restore brought back in an older state: closed where they end, and continued.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::govern::create_ledger::found;
use crate::keys::keyring::Keyring;
use crate::ops::restore::{RestoreError, root_text};
use crate::requests;
use crate::tenant::ledger::read_edge;
use crate::tenant::{
    ActiveRecord, SupersededAt, hold, names, prices, prompts, settings, superseded_at, trigger,
};
use trailkeep_ports::Ledgers;
use trailkeep_ports::{LedgerRecord, Watermark};
use trailkeep_proof::ids::{LedgerNumber, Origin, RootHash, TenantName};
use trailkeep_proof::ledger::merkle::empty_root;
use trailkeep_proof::system::{Continues, RestoredLedger};
use trailkeep_proof::time::Clock;

/// Records here have one id.
const ID: &str = "vault";

/// An open ledger, as it was restored.
struct Found {
    record: LedgerRecord,
    size: u64,
    root: RootHash,
    seen: u64,
}

/// Compares each ledger with what the vault saw of it. Older ones are closed and continued, or refused.
pub(super) fn recover(
    ledgers: &Ledgers,
    keyring: &Keyring,
    clock: &Arc<dyn Clock>,
    continue_older: bool,
) -> Result<Vec<RestoredLedger>, RestoreError> {
    let mut all = Vec::new();
    for record in keyring.vault().ledgers()? {
        if let Some(end) = superseded_at(keyring, &record)? {
            keep_superseded(ledgers, keyring, &record, &end, clock)?;
        } else {
            all.push(look(ledgers, keyring, record)?);
        }
    }
    let outcome = |found: &Found, continued_by| RestoredLedger {
        origin: found.record.origin.to_string(),
        size: found.size,
        seen: found.seen,
        lost: found.seen.saturating_sub(found.size),
        continued_by,
    };
    let is_older = |found: &&Found| found.seen > found.size;
    if !continue_older && all.iter().any(|found| is_older(&found)) {
        let older = all.iter().filter(is_older);
        return Err(RestoreError::Older(
            older.map(|found| outcome(found, None)).collect(),
        ));
    }
    let mut outcomes = Vec::new();
    for found in &all {
        let next = if continue_older {
            Some(continue_ledger(ledgers, keyring, clock, found)?)
        } else {
            None
        };
        outcomes.push(outcome(found, next.map(|origin| origin.to_string())));
    }
    Ok(outcomes)
}

fn look(ledgers: &Ledgers, keyring: &Keyring, record: LedgerRecord) -> Result<Found, RestoreError> {
    let head = ledgers.checkpoint(record.number)?;
    let (size, root) = head.map_or((0, empty_root()), |head| (head.size, head.root));
    let mark = keyring.vault().watermark(record.number)?;
    if let Some(mark) = &mark
        && mark.size <= size
        && read_edge(ledgers, record.number, mark.size)?.root() != mark.root
    {
        return Err(RestoreError::AnotherHistory(record.origin.to_string()));
    }
    // A tenant that was made after the backup is not in it at all.
    let seen = mark.map_or(size, |mark| mark.size).max(size);
    Ok(Found {
        record,
        size,
        root,
        seen,
    })
}

/// A ledger that was closed before stays so; where the backup has less of it, that much is lost.
fn keep_superseded(
    ledgers: &Ledgers,
    keyring: &Keyring,
    record: &LedgerRecord,
    end: &SupersededAt,
    clock: &Arc<dyn Clock>,
) -> Result<(), RestoreError> {
    if let Some(head) = ledgers.checkpoint(record.number)? {
        let found = Found {
            record: record.clone(),
            size: head.size,
            root: head.root,
            seen: end.seen,
        };
        close(keyring, clock, &found)?;
    }
    Ok(())
}

/// Closes a ledger where it ends, and begins the next one of its tenant.
fn continue_ledger(
    ledgers: &Ledgers,
    keyring: &Keyring,
    clock: &Arc<dyn Clock>,
    older: &Found,
) -> Result<Origin, RestoreError> {
    let record = LedgerRecord {
        number: next_number(ledgers, keyring)?,
        origin: next_origin(keyring, &older.record)?,
        tenant: older.record.tenant.clone(),
    };
    let continues = Continues {
        origin: older.record.origin.to_string(),
        size: older.size,
        root: root_text(older.root),
    };
    let settings = settings::load(keyring, &older.record)?;
    // The new one first: a ledger is never closed without one that goes on.
    found(
        keyring,
        ledgers,
        record.clone(),
        None,
        clock,
        Some(&continues),
    )?;
    settings::keep_for(keyring, &record, &settings)?;
    carry_over(keyring, &older.record, &record)?;
    close(keyring, clock, older)?;
    Ok(record.origin)
}

/// What the vault keeps for a tenant goes on with it: legal holds, price tables and names, prompts, fired triggers, data
/// subject requests.
fn carry_over(
    keyring: &Keyring,
    from: &LedgerRecord,
    to: &LedgerRecord,
) -> Result<(), RestoreError> {
    let (from, to) = (
        ActiveRecord::while_restoring(from),
        ActiveRecord::while_restoring(to),
    );
    hold::carry_over(keyring, from, to)?;
    prices::carry_over(keyring, from, to)?;
    names::carry_over(keyring, from, to)?;
    prompts::carry_over(keyring, from, to)?;
    trigger::carry_over(keyring, from, to)?;
    Ok(requests::carry_over(keyring, from, to)?)
}

fn close(keyring: &Keyring, clock: &Arc<dyn Clock>, ledger: &Found) -> Result<(), RestoreError> {
    let now = clock.wall();
    let end = SupersededAt {
        size: ledger.size,
        root: root_text(ledger.root),
        seen: ledger.seen,
        at_ms: now.get(),
    };
    crate::keys::records::put(keyring, &ledger.record, ID, &end)?;
    let mark = Watermark {
        size: ledger.size,
        root: ledger.root,
        seen_at: now,
    };
    Ok(keyring.vault().set_watermark(ledger.record.number, &mark)?)
}

fn next_number(ledgers: &Ledgers, keyring: &Keyring) -> Result<LedgerNumber, RestoreError> {
    let known = ledgers.ledgers()?;
    let known = known.iter().map(|record| record.number);
    let last = known.chain(keyring.vault().last_ledger()?).max();
    Ok(LedgerNumber::new(last.map_or(1, |last| last.get() + 1)))
}

/// The origin behind the last one that the tenant ever had.
fn next_origin(keyring: &Keyring, older: &LedgerRecord) -> Result<Origin, RestoreError> {
    let mut newest: BTreeMap<TenantName, u32> = BTreeMap::new();
    for record in keyring.vault().ledgers()? {
        let number = newest.entry(record.tenant.clone()).or_default();
        *number = (*number).max(record.origin.generation());
    }
    let last = newest.get(&older.tenant).copied().unwrap_or(1);
    Ok(older.origin.next_generation(last + 1))
}

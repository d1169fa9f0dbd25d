//! What is due becomes events, round by round: while the events of one round are appended, the next one is put together.

use std::collections::HashMap;

use crate::cores::beside;
use crate::ingest::flush::{append_assembled, flush};
use crate::ingest::round::{DueBy, gather};
use crate::ingest::superseded::take_over;
use crate::ingest::{Inbox, KEYS_LOOKED_AT_EVERY_MS, StagingError};
use crate::tenant::Tenant;
use crate::tenant::ledger::Ledger;
use trailkeep_proof::ids::{LedgerNumber, Tag};
use trailkeep_proof::time::UnixMillis;

/// Rounds of a tenant before the others have their turn, and a server that stops may stop.
const ROUNDS_OF_A_TURN: usize = 4;
/// Free pages that go back to the file system at once.
const PAGES_RELEASED: u32 = 1_000;

/// What the assembly remembers until the next time.
#[derive(Default)]
pub(super) struct Progress {
    /// When keys were looked at last, by the clock since boot.
    keys_looked_at: u64,
    /// The trace after which the last turn of a ledger ended, where it ended before the last trace.
    ended_after: HashMap<LedgerNumber, Tag>,
}

/// Assembles what is due, of all ledgers, and appends it. Gives whether more may be due already.
pub fn assemble_due(inbox: &Inbox) -> Result<bool, StagingError> {
    let now = inbox.journal.clock.wall().get();
    let by = DueBy {
        root: UnixMillis::new(now.saturating_sub(inbox.settings.quiet_ms)),
        first: UnixMillis::new(now.saturating_sub(inbox.settings.wait_max_ms)),
    };
    let mut progress = inbox.assembling();
    let waiting = inbox.file.ledgers()?;
    let since_boot = inbox.journal.clock.since_boot_ms();
    let look_at_keys = since_boot.abs_diff(progress.keys_looked_at) >= KEYS_LOOKED_AT_EVERY_MS;
    let mut more = false;
    for tenant in inbox.journal.tenants() {
        let ledger = tenant.active();
        let number = ledger.record.number;
        take_over(inbox, &tenant, &waiting)?;
        let is_open = ledger.settings().closed_at_ms.is_none() && ledger.rolled_back().is_none();
        if is_open && waiting.contains(&number) {
            let after = progress.ended_after.remove(&number);
            let turn = take_turn(inbox, ledger, by, after, ROUNDS_OF_A_TURN)?;
            more |= turn.rounds > 0;
            match turn.ended_after {
                Some(trace) => drop(progress.ended_after.insert(number, trace)),
                None => drop_used(inbox, ledger, by.first)?,
            }
        }
        if look_at_keys {
            inbox
                .keys
                .destroy_unused(inbox, &ledger.record, Some(inbox.journal.clock.wall()))?;
        }
    }
    if look_at_keys {
        progress.keys_looked_at = since_boot;
        inbox.file.release_pages(PAGES_RELEASED)?;
    }
    Ok(more)
}

/// Assembles and appends all that waits for a tenant, due or not: before an erasure, so that nothing of a person
/// stays behind, and before a tenant is closed. Not to be called on the event loop.
pub fn assemble_all(inbox: &Inbox, tenant: &Tenant) -> Result<(), StagingError> {
    let ledger = tenant.active();
    let _one = inbox.assembling();
    take_over(inbox, tenant, &inbox.file.ledgers()?)?;
    let everything = DueBy::EVERYTHING;
    while take_turn(inbox, ledger, everything, None, usize::MAX)?.rounds > 0 {}
    drop_used(inbox, ledger, everything.first)?;
    inbox.keys.destroy_unused(inbox, &ledger.record, None)?;
    Ok(())
}

/// Takes nothing more for a tenant, and assembles all that waits: before its tenant is closed.
pub(crate) fn finish(inbox: &Inbox, tenant: &Tenant) -> Result<(), StagingError> {
    inbox.keys.shut(&tenant.active().record);
    let assembled = assemble_all(inbox, tenant);
    if assembled.is_err() {
        go_on(inbox, tenant);
    }
    assembled
}

/// Takes telemetry again: the tenant was not closed.
pub(crate) fn go_on(inbox: &Inbox, tenant: &Tenant) {
    inbox.keys.open_again(&tenant.active().record);
}

pub(super) fn drop_used(
    inbox: &Inbox,
    ledger: &Ledger,
    arrived_by: UnixMillis,
) -> Result<(), StagingError> {
    inbox.file.drop_used(ledger.record.number, arrived_by)?;
    Ok(())
}

/// What came of a ledger's turn.
struct Turn {
    rounds: usize,
    /// The last trace that was looked at; none where all were.
    ended_after: Option<Tag>,
}

/// Does rounds of what is due behind a trace, until none is due behind the last one. What is in no round is looked at once.
///
/// A round reads its parts after the commit of the round before, so that no part is taken twice. It is compared with the
/// ledger after the events of the round before are in it, so that no call is recorded twice.
fn take_turn(
    inbox: &Inbox,
    ledger: &Ledger,
    by: DueBy,
    after: Option<Tag>,
    rounds_max: usize,
) -> Result<Turn, StagingError> {
    flush(inbox, &ledger.record, ledger)?;
    let mut turn = Turn {
        rounds: 0,
        ended_after: after,
    };
    let mut in_hand = Vec::new();
    while turn.rounds < rounds_max {
        let after = turn.ended_after;
        let gathered = if in_hand.is_empty() {
            gather(inbox, ledger, by, after)?
        } else {
            let events = std::mem::take(&mut in_hand);
            let append = || append_assembled(inbox, ledger, events);
            let (appended, gathered) = beside(append, || gather(inbox, ledger, by, after));
            appended?;
            gathered?
        };
        turn.ended_after = gathered.as_ref().and_then(|round| round.goes_on_after);
        let Some(gathered) = gathered else { break };
        in_hand = gathered.finish(inbox, ledger)?;
        turn.rounds += 1;
        if turn.ended_after.is_none() {
            break;
        }
    }
    append_assembled(inbox, ledger, in_hand)?;
    Ok(turn)
}

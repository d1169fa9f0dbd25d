//! Ordering an erasure or a restriction, by the token of its preview.

use crate::commands::client::{Client, Received};
use crate::commands::confirm::{check_can_ask, confirm};
use crate::commands::failure::Failure;
use crate::commands::output::note;
use crate::commands::privacy::show;
use trailkeep_api::privacy::{DryRun, DryRunRow, PersonRequest, RequestExecution};
use trailkeep_proof::privacy::Kind;

/// What the person at the terminal types.
const WORD: &str = "erase";

/// How an erasure is confirmed. A restriction deletes nothing and is not asked about.
pub(super) enum Confirmed {
    /// By `--yes`.
    ByOption,
    /// By the person at the terminal, who saw this preview, or none yet.
    AtTerminal(Option<DryRun>),
}

impl Confirmed {
    pub(super) const fn by(yes: bool) -> Self {
        if yes {
            Self::ByOption
        } else {
            Self::AtTerminal(None)
        }
    }

    /// Shows what would be deleted and asks, unless the person was asked about the same before.
    pub(super) fn ask(&mut self, preview: &DryRun) -> anyhow::Result<()> {
        let Self::AtTerminal(seen) = self else {
            return Ok(());
        };
        let is_same = |seen: &DryRun| decisions(seen) == decisions(preview);
        if preview.kind != Kind::Erasure || seen.as_ref().is_some_and(is_same) {
            return Ok(());
        }
        check_can_ask(false, "an erasure")?;
        if seen.is_some() {
            note("What would be deleted has changed:");
        }
        note(&show::dry_run_text(preview));
        confirm("Deleted data", WORD)?;
        *seen = Some(preview.clone());
        Ok(())
    }
}

/// What becomes of which events, without their number.
fn decisions(preview: &DryRun) -> Vec<DryRunRow> {
    let row = |row: &DryRunRow| DryRunRow {
        events: 0,
        ..row.clone()
    };
    preview.classes.iter().map(row).collect()
}

/// Orders that a filed request is carried out. A person at a terminal who is told of a change decides again; a script is
/// told of it, and nothing is deleted.
pub(super) async fn order(
    client: &Client,
    id: &str,
    order: &RequestExecution,
    confirmed: &mut Confirmed,
) -> anyhow::Result<Received<PersonRequest>> {
    let mut preview = match client.preview_request(id).await {
        // The order says why: where `--ledger` names a superseded ledger, another reason comes first. It orders nothing.
        Err(error) if Failure::is_not_found(&error) => return client.execute(id, order).await,
        preview => preview?.read()?,
    };
    loop {
        confirmed.ask(&preview)?;
        let given = RequestExecution {
            token: preview.token,
            ..order.clone()
        };
        let error = match client.execute(id, &given).await {
            Err(error) if matches!(confirmed, Confirmed::AtTerminal(_)) => error,
            ordered => return ordered,
        };
        let Some(now) = Failure::stale_preview(&error) else {
            return Err(error);
        };
        preview = now.clone();
    }
}

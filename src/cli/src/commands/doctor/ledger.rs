//! What a server, or the directory itself, says of its ledgers, replicas and backups.

use std::path::Path;

use super::{AskedTenant, DAY_MS, Findings};
use crate::commands::settings::Settings;
use trailkeep_api::anchors::{AnchorStatus, AnchorTargetStatus};
use trailkeep_api::operate::Readiness;
use trailkeep_api::vault::{RotationStatus, TargetStatus};
use trailkeep_core::ops::readiness::WAITING;
use trailkeep_files::directory::{Exposure, exposure_of};
use trailkeep_proof::text::{agreeing, counted};
use trailkeep_proof::time::UnixMillis;

/// A backup is daily; a day is left for one that failed.
const BACKUP_AGE_MAX_MS: u64 = 2 * DAY_MS;
/// An anchor may be this much later than twice its interval.
const ANCHOR_GRACE_MS: u64 = 10 * 60_000;
/// Expiry runs daily; a day is left for a run that failed.
const RUN_AGE_MAX_MS: u64 = 2 * DAY_MS;

impl Findings {
    /// Events that a daily run should have destroyed.
    pub(super) fn overdue(&mut self, tenant: &AskedTenant, now: UnixMillis) {
        let Some(overdue) = &tenant.overdue else {
            return;
        };
        let since = overdue.since.as_deref().and_then(UnixMillis::parse_rfc3339);
        let Some(since) = since else { return };
        if now.get() <= since.get().saturating_add(RUN_AGE_MAX_MS) {
            return;
        }
        self.add(
            "overdue",
            format!(
                "{} of the tenant {} {} past the maximum and not deleted, the oldest since {}",
                counted(overdue.events, "event"),
                tenant.name,
                agreeing(overdue.events, "is", "are"),
                since.to_short_rfc3339()
            ),
            "let `serve` run at its --retention-hour, or run `trailkeep retention run`: its error names the cause",
        );
    }

    /// Telemetry whose regimes no policy is of: a misspelt name mostly.
    pub(super) fn regimes(&mut self, tenant: &AskedTenant) {
        for gap in tenant
            .gaps
            .iter()
            .filter(|gap| gap.what == "missing regimes")
        {
            self.add(
                "regimes",
                format!(
                    "{} telemetry events of {} name a regime without a policy, and {} applies instead; the last is {}",
                    gap.events, tenant.name, gap.policy, gap.last_seq
                ),
                "`trailkeep query --target \"missing regimes\" --target-type flag` shows them; correct `trailkeep.regimes` where it is set",
            );
        }
    }

    /// Targets of the operator's ledger that fail, or have not what they should have by now. That one has seen more than
    /// there is stands in what is ready.
    pub(super) fn anchors(&mut self, status: &AnchorStatus, settings: &Settings, now: UnixMillis) {
        let configured = settings.anchors().unwrap_or_default().targets;
        for target in &status.targets {
            let AnchorTargetStatus {
                name,
                size,
                at,
                error,
                failed_at,
                ..
            } = target;
            if let Some(error) = error {
                let since = failed_at.as_deref().unwrap_or_default();
                self.add(
                    "anchor",
                    format!("the anchor `{name}` has failed since {since}: {error}"),
                    "restore it: checkpoints are sent again automatically; or remove its section from the settings",
                );
                continue;
            }
            let known = configured.iter().find(|target| target.name == *name);
            let every = known.map_or(0, |target| target.every.as_secs() * 1_000);
            let late = now.get().saturating_sub(2 * every + ANCHOR_GRACE_MS);
            let sent_at = at.as_deref().and_then(UnixMillis::parse_rfc3339);
            if *size == Some(status.size) || sent_at.is_some_and(|at| at.get() >= late) {
                continue;
            }
            let has = match at {
                Some(at) => format!("the newest checkpoint at the anchor `{name}` is from {at}"),
                None => format!("the anchor `{name}` never received a checkpoint"),
            };
            self.add(
                "anchor",
                has,
                "check that the server runs with these settings: it sends checkpoints automatically; to send now, run `trailkeep anchor run --config FILE`",
            );
        }
    }

    pub(super) fn vault(&mut self, vault: &RotationStatus, ready: &Readiness, now: UnixMillis) {
        if vault.targets.is_empty() {
            self.add(
                "vault-copy",
                "no vault replica is registered: there is one copy of the key vault; losing it loses every payload",
                "run `trailkeep vault-replica add DIR`, on another disk or host",
            );
        }
        for target in &vault.targets {
            self.replica(target);
        }
        let remedy = "run `trailkeep backup --dir D --out DIR` daily, to another disk";
        match vault.last_backup_at.as_deref() {
            None => self.add("backup", "no backup was ever made", remedy),
            Some(text) => {
                let made = UnixMillis::parse_rfc3339(text).map_or(0, UnixMillis::get);
                if now.get().saturating_sub(made) > BACKUP_AGE_MAX_MS {
                    self.add("backup", format!("the last backup is from {text}"), remedy);
                }
            }
        }
        // What the disk has left was looked at above.
        for reason in ready
            .reasons
            .iter()
            .filter(|text| !text.starts_with("disk:"))
        {
            self.add("readiness", reason, "see docs/operations.md, \"Watching\"");
        }
        // Of the other notes each has a check of its own.
        for note in ready.notes.iter().filter(|text| text.starts_with(WAITING)) {
            let remedy = "find it with `lsof` or `fuser` on the file, and end it";
            self.add("deletion", note, remedy);
        }
    }

    fn replica(&mut self, target: &TargetStatus) {
        let place = &target.place;
        if target.same_disk {
            self.add(
                "vault-copy",
                format!("{place} is on the same disk as the data directory: one disk failure loses both"),
                "register a replica on another disk or host, then remove this one with `trailkeep vault-replica remove`",
            );
        }
        if target.kind == "directory"
            && let Ok(Some(exposure @ (Exposure::Everybody(_) | Exposure::Others(_)))) =
                exposure_of(Path::new(place), 0)
        {
            let remedy = format!("chmod 700 {place}");
            self.add("vault-copy", format!("{place} {exposure}"), remedy);
        }
        if let Some(error) = &target.error {
            self.add(
                "vault-copy",
                format!("the vault replica at {place} fails: {error}"),
                "restore it, or remove it with `trailkeep vault-replica remove` and add another",
            );
        }
    }
}

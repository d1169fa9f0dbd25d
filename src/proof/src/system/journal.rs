//! Sections of entries about the ledger, its readers and its operator.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Sections, sections_of};
use crate::bundle::manifest::Proof;
#[cfg(doc)]
use crate::prices::PriceTable;

/// Section `ledger` of the genesis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenesisSection {
    /// `trailkeep/ledger/v1`.
    pub format: String,
    /// The ledger's origin.
    pub origin: String,
    /// 32 random hex digits.
    pub id: String,
    /// Its verifier key.
    pub vkey: String,
    /// The ledger that this one continues after a recovery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<Continues>,
}

impl GenesisSection {
    /// The sections of the genesis as they are stored: this one alone.
    pub fn sections(&self) -> Sections {
        sections_of(&[("ledger", self)].into_iter().collect::<BTreeMap<_, _>>())
    }
}

/// The end of the ledger that another one continues, as its genesis states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continues {
    /// Origin of the superseded ledger.
    pub origin: String,
    /// Its entries; what was acknowledged beyond them is lost.
    pub size: u64,
    /// The root over them, in base64.
    pub root: String,
}

/// Section `access`: who read events, by which route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessSection {
    /// Id of the API key, or `local`.
    pub by: String,
    /// The HTTP method.
    pub verb: String,
    /// The route, with the names of its parameters.
    pub route: String,
    /// Names of the filters that were set; no value of any.
    pub filters: Vec<String>,
    /// Why, in the reader's words.
    pub purpose: Option<String>,
    /// Events shown.
    pub events: u64,
    /// Events that match and were not shown, because they are restricted.
    #[serde(default)]
    pub restricted: u64,
    /// The one entry that was asked for.
    pub seq: Option<u64>,
    /// How often the question was asked.
    pub count: u64,
    /// Origin of the ledger that was read, where it is a superseded one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<String>,
}

/// Section `anchor`: a target that saw another history was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchorSection {
    /// Name of the target.
    pub target: String,
    /// Entries that it had seen.
    pub seen: u64,
    /// Entries that the ledger had.
    pub here: u64,
    /// Who gave it up.
    pub by: String,
}

/// Section `backup`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupSection {
    /// Who made it.
    pub by: String,
    /// The backup's own random id; none before 0.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// Section `clock`: an operator confirmed the clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockSection {
    /// The time as confirmed, RFC 3339.
    pub now: String,
    /// The latest time that was seen before.
    pub last_seen: Option<String>,
}

/// Section `export`: who took a bundle, of what kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportSection {
    /// Who asked for it.
    pub by: String,
    /// What the bundle proves.
    pub proof: Proof,
    /// Names of the filters; no value of any.
    pub filters: Vec<String>,
    /// Entries in the bundle.
    pub entries: u64,
    /// Sections that are left out of every event.
    pub redacted_sections: Vec<String>,
    /// To how many recipients it is encrypted; 0: not encrypted.
    pub recipients: u64,
    /// Origin of the ledger that it is taken from, where it is a superseded one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<String>,
    /// Id of the data subject request that a copy answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// What a data subject's copy withholds: `others`, `staff`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withholds: Option<Vec<String>>,
}

/// Section `hold` of a hold that is placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldSection {
    /// Its id.
    pub id: String,
    /// Who placed it.
    pub by: String,
    /// Names of the filters that make its scope; no value of any.
    pub filters: Vec<String>,
    /// When it is due for review, RFC 3339.
    pub review_at: Option<String>,
    /// Id of the data subject request that implies it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// When the server releases it, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Ids of policies whose events it leaves alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spares: Vec<String>,
}

/// Section `hold` of a hold that is released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldLiftSection {
    /// Its id.
    pub id: String,
    /// Who released it.
    pub by: String,
}

/// Section `key` of an API key that is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySection {
    /// Its id.
    pub id: String,
    /// Its role, such as `writer`.
    pub role: String,
    /// When it expires, RFC 3339; none: never.
    pub expires_at: Option<String>,
    /// Who created it.
    pub by: String,
    /// What it is called, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Who answers for it, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// Section `key` of an API key that is revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRevokeSection {
    /// Its id.
    pub id: String,
    /// Its role.
    pub role: String,
    /// Who revoked it.
    pub by: String,
}

/// Section `prices`: a price table was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PricesSection {
    /// Who set it.
    pub by: String,
    /// In the place of which one it stands: `shipped`, `imported`, `operator` or `tenant`.
    pub layer: String,
    /// Its number in the tenant's ledgers, from 1.
    pub number: u32,
    /// SHA-256 of its canonical form, in hex.
    pub sha256: String,
    /// The table as it is stated; [`PriceTable::from_value`] reads it.
    pub table: serde_json::Value,
}

/// Section `restore`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreSection {
    /// What was found of each ledger.
    pub ledgers: Vec<RestoredLedger>,
    /// Events whose key the restored vault does not have.
    pub keys_missing: u64,
    /// Statements whose changes the restored vault lacked.
    #[serde(default)]
    pub vault_lacked: Vec<LackedStatement>,
}

/// What a restore found of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredLedger {
    /// Its origin.
    pub origin: String,
    /// Entries that are restored.
    pub size: u64,
    /// Entries that the vault saw.
    pub seen: u64,
    /// Entries that the vault saw and that are lost.
    pub lost: u64,
    /// The ledger that continues it.
    pub continued_by: Option<String>,
}

/// A statement whose change the restored vault lacked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LackedStatement {
    /// Origin of its ledger.
    pub origin: String,
    /// Its entry.
    pub seq: u64,
    /// Its action.
    pub action: String,
    /// Whether the statement says enough to be taken over.
    pub taken_over: bool,
}

/// Section `retention`: deletion was resumed after a restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumeSection {
    /// Who resumed it.
    pub by: String,
    /// Why it was paused.
    pub reason: String,
    /// Since when, RFC 3339.
    pub paused_since: String,
    /// Whether the legal holds were reviewed; always true.
    pub holds_reviewed: bool,
}

/// Section `tenant` of a tenant that is created; in the operator's ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantSection {
    /// Its name.
    pub tenant: String,
    /// The origin of its ledger.
    pub origin: String,
    /// Who created it.
    pub by: String,
}

/// Section `tenant` of settings that are set: all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantSetSection {
    /// Whether checkpoints and tiles are served without a key.
    pub public_log: bool,
    /// Whether reads are recorded.
    pub read_audit: bool,
    /// Whether an event without a regime is refused.
    pub strict: bool,
    /// Regimes of events that name none.
    #[serde(default)]
    pub default_regimes: Vec<String>,
    /// The regime of telemetry that names an unknown one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_regime: Option<String>,
    /// How long requests that are filed from here on keep whom they were about, in ISO 8601; none: 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_requests: Option<String>,
    /// Who set them.
    pub by: String,
}

/// Section `tenant` of a tenant that is closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantCloseSection {
    /// Who closed it.
    pub by: String,
    /// Entries of its ledger before this one.
    pub entries_before: u64,
}

/// Section `trigger`: a retention trigger was fired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerSection {
    /// Its name.
    pub name: String,
    /// The moment from which periods count, RFC 3339.
    pub at: String,
    /// Who fired it.
    pub by: String,
}
